"""How fast are deep spectrum features, and where does the time go?

    python benchmarks/deep_speed.py FOLDER [--torch] [--set deep:MODELDIR]

Runs `dsfx extract --set deep` over a folder of recordings as a user would (one worker, a process of its own) and prints

* whole process after start-up: × real time, where start-up is what a run over one short clip takes;
* the share of that time inside the network's inference;
* the ratio to a network of the same sizes in torch on one thread, over the same spectrograms in the same batches (needs
  the extra `train`; random weights, which cost the same).

Rounds alternate between the kinds of measurement; medians and their range are printed.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")

INSIDE = """
import json, sys, time
import onnxruntime
from dsfx import pipeline, worker
from dsfx.worker import Config
spent = 0.0
real = onnxruntime.InferenceSession.run
def run(self, *arguments, **more):
    global spent
    began = time.perf_counter()
    try:
        return real(self, *arguments, **more)
    finally:
        spent += time.perf_counter() - began
onnxruntime.InferenceSession.run = run
config = Config(sets=(sys.argv[3],))
began = time.perf_counter()
next(iter(worker.setup_of(config).models.values())).session
summary = pipeline.run([sys.argv[1]], sys.argv[2], config)
print(json.dumps({"inference": spent, "wall": summary.elapsed, "audio": summary.audio}))
"""


def wall(folder: Path, name: str) -> float:
    """Seconds of one whole `dsfx extract`."""
    with tempfile.TemporaryDirectory() as scratch:
        command = [sys.executable, "-m", "dsfx", "extract", folder, "-o", f"{scratch}/f.parquet", "--set", name]
        began = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        return time.perf_counter() - began


def inside(folder: Path, name: str) -> dict[str, float]:
    """Wall time, time inside inference, and seconds of audio of one run, without start-up."""
    with tempfile.TemporaryDirectory() as scratch:
        command = [sys.executable, "-c", INSIDE, str(folder), f"{scratch}/f.parquet", name]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    return dict(json.loads(done.stdout))


def against_torch(folder: Path, name: str, rounds: int) -> list[float]:
    """Ratios of torch's time to onnxruntime's for the same batches, pair by pair."""
    import soundfile
    import torch

    from dsfx import deep
    from dsfx.audio import resample
    from dsfx.train.network import Ensemble, Layers, Network

    torch.set_num_threads(1)
    model = deep.model_of_set(name)
    if model is None:
        raise SystemExit(f"--set {name}: expected deep or deep:MODELDIR")
    layers = Layers.from_table({"members": 1, **model.table["layers"]})
    members = [Network(model.front_end.n_bands, len(model.labels), layers) for _ in range(layers.members)]
    network = Ensemble(members).eval()
    rows = []
    for index, path in enumerate(sorted(folder.rglob("*.flac")) or sorted(folder.rglob("*.wav"))):
        samples, rate = soundfile.read(path, dtype="float32")
        rows.append((index, model.front_end.spectrogram(resample(samples, rate, model.sampling_rate))))
    batches = [[row for _, row in batch] for batch in deep.batches(rows)]
    ratios = []
    for _ in range(rounds):
        began = time.perf_counter()
        for batch in batches:
            model._run(["features"], batch)
        ours = time.perf_counter() - began
        began = time.perf_counter()
        with torch.inference_mode():
            for batch in batches:
                lengths = torch.tensor([len(row) for row in batch])
                padded = torch.nn.utils.rnn.pad_sequence([torch.from_numpy(row) for row in batch], batch_first=True)
                network(padded, lengths)
        ratios.append((time.perf_counter() - began) / ours)
    return ratios


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--set", default="deep", dest="name", metavar="deep:MODELDIR", help="another model")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--torch", action="store_true", help="compare with torch too")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        first = next(p for p in sorted(options.folder.rglob("*")) if p.suffix in (".wav", ".flac"))
        (Path(scratch) / first.name).symlink_to(first.resolve())
        wall(options.folder, options.name)
        starts, walls, shares, audio = [], [], [], 0.0
        for _ in range(options.rounds):
            starts.append(wall(Path(scratch), options.name))
            walls.append(wall(options.folder, options.name))
            detail = inside(options.folder, options.name)
            shares.append(detail["inference"] / detail["wall"])
            audio = detail["audio"]
    speeds = [audio / (w - s) for w, s in zip(walls, starts, strict=True)]
    report("start-up (a run over one clip), s", starts)
    report("whole process, s", walls)
    report("× real time, after start-up", speeds)
    report("share inside inference", shares)
    if options.torch:
        report("torch's time / onnxruntime's", against_torch(options.folder, options.name, options.rounds))


def report(what: str, values: list[float]) -> None:
    """Print the median and the range."""
    print(f"{what:40} median {median(values):8.2f}   from {min(values):.2f} to {max(values):.2f}")


if __name__ == "__main__":
    main()
