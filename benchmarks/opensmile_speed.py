"""How fast are the hand-crafted sets, next to openSMILE and librosa?

    python benchmarks/opensmile_speed.py FOLDER [--rounds N] [--only one-thread|all-cores|librosa]

FOLDER holds recordings; they are joined and cut into pieces of 1 s, 3 s, 30 s and 10 minutes. In every round each tool
works through the same pieces, one tool right after the other, and the ratio of the two times is one pair. Printed are
medians over the rounds: milliseconds per second of audio of both, and the ratio with its range.

* one thread: both called on signals in memory (`opensmile.Smile.process_signal`, `dsfx.FeatureSet`), warm.
* all cores: both from files on disk to a table in memory, with as many workers as there are cores, pools started each
  time: `opensmile.Smile.process_files` and `dsfx.extract`.
* librosa: MFCC, spectral centroid and F0 (pYIN), the nearest things both have, not the same numbers.

Needs the extra `bench`.
"""

import argparse
import os
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from statistics import median

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[name] = "1"

import numpy as np  # noqa: E402
import opensmile  # noqa: E402
import soundfile  # noqa: E402

import dsfx  # noqa: E402

RATE = 16_000
SETS = ("eGeMAPSv02", "ComParE_2016")
LEVELS = {"functionals": "Functionals", "lld": "LowLevelDescriptors"}
LENGTHS = {"1 s": 1, "3 s": 3, "30 s": 30, "10 min": 600}
SECONDS_A_ROUND = 30
"""Of audio, but for pieces that are longer by themselves."""

LIBROSA_SETS = {
    "MFCC 1–14": ('"mfcc[{}]" = { kind = "mfcc", first = 1, last = 14 }', "mfcc[{}]"),
    "spectral centroid": ('centroid = { kind = "centroid" }', "centroid"),
    "F0": ('F0 = { kind = "f0" }', "F0"),
}


def pieces(folder: Path, length: int) -> list[np.ndarray]:
    """Cut the recordings, joined, into pieces of `length` seconds."""
    parts, have, need = [], 0, max(length, SECONDS_A_ROUND) * RATE
    paths = sorted(p for p in folder.rglob("*") if p.suffix in (".wav", ".flac", ".ogg"))
    while have < need:
        for path in paths:
            samples, rate = soundfile.read(path, dtype="float32")
            if rate != RATE or samples.ndim > 1:
                raise SystemExit(f"{path}: expected mono recordings at {RATE} Hz")
            parts.append(samples)
            have += len(samples)
            if have >= need:
                break
    joined = np.concatenate(parts)[:need]
    return [joined[i : i + length * RATE] for i in range(0, need - length * RATE + 1, length * RATE)]


def timed(work: Callable[[], object]) -> float:
    """Seconds of wall time."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def compare(title: str, theirs: Callable[[], object], ours: Callable[[], object], audio: float, rounds: int) -> None:
    """Time the two in pairs and print a line."""
    theirs()
    ours()
    pairs = [(timed(theirs), timed(ours)) for _ in range(rounds)]
    ratios = [a / b for a, b in pairs]
    a, b = (1000 * median(times) / audio for times in zip(*pairs, strict=True))
    print(f"{title:46} {a:9.2f} {b:9.2f}   {median(ratios):6.1f}   {min(ratios):.1f}–{max(ratios):.1f}", flush=True)


def one_thread(folder: Path, rounds: int) -> None:
    """Both on signals in memory."""
    print(f"\n{'one thread, ms per s of audio':46} {'openSMILE':>9} {'dsfx':>9}   {'ratio':>6}   range")
    for length_name, length in LENGTHS.items():
        signals = pieces(folder, length)
        audio = sum(map(len, signals)) / RATE
        for name in SETS:
            for level, their_level in LEVELS.items():
                smile = opensmile.Smile(opensmile.FeatureSet[name], opensmile.FeatureLevel[their_level])
                ours = dsfx.FeatureSet(name, level=level)
                compare(
                    f"{name} {level}, {length_name} × {len(signals)}",
                    lambda smile=smile, signals=signals: [smile.process_signal(s, RATE) for s in signals],
                    lambda ours=ours, signals=signals: [ours(s, RATE) for s in signals],
                    audio,
                    rounds if length < 600 else min(rounds, 3),
                )


def all_cores(folder: Path, rounds: int) -> None:
    """Both from files to a table."""
    cores = os.cpu_count() or 1
    title = f"files to table, {cores} workers, ms per s of audio"
    print(f"\n{title:46} {'openSMILE':>9} {'dsfx':>9}   {'ratio':>6}   range")
    with tempfile.TemporaryDirectory() as scratch:
        signals = pieces(folder, 3) * 20
        paths = []
        for index, signal in enumerate(signals):
            paths.append(str(Path(scratch, f"{index:04d}.wav")))
            soundfile.write(paths[-1], signal, RATE)
        for name in SETS:
            smile = opensmile.Smile(
                opensmile.FeatureSet[name],
                opensmile.FeatureLevel.Functionals,
                num_workers=cores,
                multiprocessing=True,
            )
            compare(
                f"{name} functionals, 3 s × {len(signals)}",
                lambda smile=smile: smile.process_files(paths),
                lambda name=name: dsfx.extract(scratch, sets=name, jobs=cores),
                3.0 * len(signals),
                rounds,
            )


def against_librosa(folder: Path, rounds: int) -> None:
    """The descriptors that librosa has too."""
    import librosa

    print(f"\n{'one thread, ms per s of audio':46} {'librosa':>9} {'dsfx':>9}   {'ratio':>6}   range")
    signals = pieces(folder, 3)
    frame, hop = {"n_fft": 512, "win_length": 320, "hop_length": 160}, RATE // 100
    theirs = {
        "MFCC 1–14": lambda s: librosa.feature.mfcc(y=s, sr=RATE, n_mfcc=14, n_mels=26, **frame),
        "spectral centroid": lambda s: librosa.feature.spectral_centroid(y=s, sr=RATE, **frame),
        "F0": lambda s: librosa.pyin(s, fmin=52, fmax=620, sr=RATE, frame_length=1024, hop_length=hop),
    }
    for title, (descriptor, column) in LIBROSA_SETS.items():
        with tempfile.TemporaryDirectory() as scratch:
            path = Path(scratch, "one.toml")
            path.write_text(
                f'name = "one"\ntitle = "{title}"\n[frames]\nshort = 0.020\nlong = 0.060\nhop = 0.010\n'
                "[f0]\nrange = [52, 620]\nlag = 30\nperiod_search = 0.25\n"
                f'[descriptors]\n{descriptor}\n[[contours]]\nname = "all"\ncolumns = ["{column}"]\nsmoothing = "none"\n'
                '[lld]\ncontours = ["all"]\n'
            )
            ours = dsfx.FeatureSet(str(path), level="lld")
        compare(
            f"{title}, 3 s × {len(signals)}",
            lambda title=title: [theirs[title](s) for s in signals],
            lambda ours=ours: [ours(s, RATE) for s in signals],
            sum(map(len, signals)) / RATE,
            rounds if title != "F0" else min(rounds, 3),
        )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rounds", type=int, default=7)
    parts = {"one-thread": one_thread, "all-cores": all_cores, "librosa": against_librosa}
    parser.add_argument("--only", choices=parts)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    for name, part in parts.items():
        if options.only in (None, name):
            part(options.folder, options.rounds)


if __name__ == "__main__":
    main()
