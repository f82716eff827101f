"""Peak memory of an evaluation with many clips: random features of four classes, one division, one value of C.

python benchmarks/evaluate_memory.py [--clips 100000] [--columns 6373] [--regression] [--save]

Writes a table of that size to a temporary folder, runs `dsfx evaluate` on it in a process of its own and prints time
and peak resident memory next to the size of the features.
"""

import argparse
import csv
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq


def write(folder: Path, clips: int, columns: int) -> None:
    random = np.random.default_rng(0)
    label, speaker = random.integers(0, 4, clips), random.integers(0, 20, clips)
    centres = 0.05 * random.standard_normal((4, columns), dtype=np.float32)
    names = [f"f{i}" for i in range(columns)]
    schema = pa.schema([("file", pa.string()), *((name, pa.float32()) for name in names)])
    with pq.ParquetWriter(folder / "f.parquet", schema, compression="none", use_dictionary=False) as writer:
        for begin in range(0, clips, 2000):
            rows = np.arange(begin, min(clips, begin + 2000))
            x = centres[label[rows]] + random.standard_normal((len(rows), columns), dtype=np.float32)
            files = pa.array([f"{row}.wav" for row in rows])
            writer.write_table(pa.table([files, *map(pa.array, np.ascontiguousarray(x.T))], schema=schema))
    with (folder / "l.csv").open("w", encoding="utf-8", newline="") as handle:
        table = csv.writer(handle)
        table.writerow(["file", "speaker", "emotion", "number", "split"])
        for row in range(clips):
            part = "test" if speaker[row] < 4 else "train"
            number = f"{label[row] + random.normal():.3f}"
            table.writerow([f"{row}.wav", f"s{speaker[row]}", f"c{label[row]}", number, part])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--clips", type=int, default=100_000)
    parser.add_argument("--columns", type=int, default=6373)
    parser.add_argument("--regression", action="store_true")
    parser.add_argument("--save", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write(folder, options.clips, options.columns)
        command = [sys.executable, "-m", "dsfx", "evaluate", str(folder / "f.parquet"), str(folder / "l.csv")]
        command += ["-o", str(folder / "out"), "--protocol", "column:split", "--c", "0.0001"]
        command += ["--column", "number" if options.regression else "emotion", *(["--save"] if options.save else [])]
        began = time.perf_counter()
        subprocess.run(command, check=True)
        seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    print(
        f"{options.clips} × {options.columns}, {4 * options.clips * options.columns / 1e9:.2f} GB of features: "
        f"{seconds:.0f} s, peak {peak / 1e9:.2f} GB"
    )


if __name__ == "__main__":
    main()
