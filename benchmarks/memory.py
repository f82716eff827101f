"""How much memory does an extraction take?

    python benchmarks/memory.py [--set NAME] [--level LEVEL] [--scratch FOLDER]

Makes 20 000 short files and one file of ten hours, extracts each with one worker in its own process, and prints the
process's peak resident memory as the operating system counts it.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile

from dsfx.demo import RATE, SPEAKERS, STYLES, synthesise


def peak(inputs: Path, output: Path, options: list[str]) -> tuple[float, float]:
    """Peak memory in MB and wall time in seconds of one run."""
    watch = (
        "import resource, subprocess, sys, time\n"
        "began = time.perf_counter()\n"
        "subprocess.run(sys.argv[1:], check=True, stderr=subprocess.DEVNULL)\n"
        "usage = resource.getrusage(resource.RUSAGE_CHILDREN)\n"
        "print(usage.ru_maxrss / 1024, time.perf_counter() - began)\n"
    )
    command = [sys.executable, "-m", "dsfx", "extract", str(inputs), "-o", str(output), *options]
    done = subprocess.run([sys.executable, "-c", watch, *command], check=True, capture_output=True, text=True)
    megabytes, seconds = map(float, done.stdout.split())
    return megabytes, seconds


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", dest="sets", action="append", default=[])
    parser.add_argument("--level", default="functionals")
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--hours", type=float, default=10.0)
    parser.add_argument("--scratch", type=Path)
    options = parser.parse_args()
    more = ["--level", options.level]
    for name in options.sets:
        more += ["--set", name]
    voices = [synthesise(s, e, 1, syllables=3) for s in SPEAKERS.values() for e in STYLES.values()]
    with tempfile.TemporaryDirectory(dir=options.scratch) as scratch:
        folder = Path(scratch)
        (folder / "many").mkdir()
        for index, voice in enumerate(voices):
            soundfile.write(folder / f"{index}.wav", voice, RATE)
        for index in range(options.files):
            (folder / f"many/{index:06d}.wav").hardlink_to(folder / f"{index % len(voices)}.wav")
        with soundfile.SoundFile(folder / "long.wav", "w", RATE, 1) as long:
            minute = np.tile(np.concatenate(voices), 4)[: 60 * RATE]
            for _ in range(round(options.hours * 60 * 60 * RATE / len(minute))):
                long.write(minute)
        for what, inputs in [
            (f"{options.files} files", folder / "many"),
            (f"one file of {options.hours:g} h", folder / "long.wav"),
        ]:
            if options.files or inputs.name != "many":
                megabytes, seconds = peak(inputs, folder / "f.parquet", [*more, "--overwrite"])
                print(f"{what:24} peak {megabytes:6.0f} MB   {seconds:6.1f} s   ({' '.join(more)})", flush=True)


if __name__ == "__main__":
    main()
