"""What is saved by having several feature sets in one run?

    python benchmarks/one_pass.py FOLDER [--rounds N] [--set NAME ...]

Runs `dsfx extract` over a folder of recordings as a user would (one worker, processes of their own): once with all
sets, and once with each of them. Printed are the medians over the rounds in seconds, wall and processor time, and the
ratio of the separate runs' sum to the one run in the same round, with its range.

The sets share decoding, resampling, spectra, candidates of F0 and the start of the process.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")

SETS = ("deep", "eGeMAPSv02", "ComParE_2016")


def spent(folder: Path, sets: tuple[str, ...]) -> tuple[float, float]:
    """Wall and processor seconds of one whole `dsfx extract`."""
    with tempfile.TemporaryDirectory() as scratch:
        command = [sys.executable, "-m", "dsfx", "extract", str(folder), "-o", f"{scratch}/f.parquet", "--prefix"]
        for name in sets:
            command += ["--set", name]
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
        return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--set", action="append", dest="sets", help="instead of deep, eGeMAPSv02 and ComParE_2016")
    options = parser.parse_args()
    sets = tuple(options.sets or SETS)
    runs = [sets, *((name,) for name in sets)]
    for run in runs:  # compiled kernels and the recordings are in the caches then
        spent(options.folder, run)
    rounds = [[spent(options.folder, run) for run in runs] for _ in range(options.rounds)]
    print(f"{'':40} {'wall':>7} {'cpu':>7}")
    for index, run in enumerate(runs):
        wall, cpu = (median(times[index][which] for times in rounds) for which in range(2))
        print(f"{' + '.join(run):40} {wall:7.2f} {cpu:7.2f}")
    for which, name in enumerate(("wall", "cpu")):
        ratios = [sum(t[which] for t in times[1:]) / times[0][which] for times in rounds]
        print(f"separate runs relative to one, {name}: {median(ratios):.2f} ({min(ratios):.2f}–{max(ratios):.2f})")


if __name__ == "__main__":
    main()
