"""A corpus of tones in noise, and a network small enough to learn it in seconds."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile

RATE = 16000
CLASSES = {"high": 3000, "low": 300, "middle": 1000}

CONFIG = """
[frontend]
n_mels = 24
fft_length = 512
[layers]
members = 1
channels = [4, 6, 8]
filters = 5
units = 7
attention = 6
dense = 9
[training]
batch = 6
mixup = 0.0
learning_rate = 0.02
auxiliary = 0.0
"""


def corpus(folder: Path, speakers: int = 3, takes: int = 3, classes: Sequence[str] = tuple(CLASSES)) -> Path:
    """Write clips and their label table: the class is the pitch, each speaker has a level and a detuning."""
    rng = np.random.default_rng(len(folder.name))
    folder.mkdir(parents=True)
    lines = ["file,speaker,gender,emotion,language,half"]
    for speaker in range(speakers):
        for label in classes:
            for take in range(takes):
                size = int(rng.uniform(0.4, 0.8) * RATE)
                tone = np.sin(2 * np.pi * CLASSES[label] * (1 + 0.05 * speaker) * np.arange(size) / RATE)
                name = f"{label}-{speaker}-{take}.wav"
                soundfile.write(folder / name, 0.1 * (speaker + 1) * tone + rng.normal(scale=0.02, size=size), RATE)
                lines.append(f"{name},s{speaker},f,{label},xx,{'ab'[speaker % 2]}")
    path = folder / "labels.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
