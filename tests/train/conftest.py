import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # for the module `tiny`
os.environ.setdefault("OMP_NUM_THREADS", "1")
