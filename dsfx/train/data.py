"""Labelled recordings as spectrograms in memory."""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..audio import Recording, SampleHash, resample
from ..errors import AudioError, InputError
from ..frontend import FrontEnd

__all__ = ["Clip", "load_clips", "read_labels"]


@dataclass(frozen=True)
class Clip:
    """One labelled recording.

    Attributes
    ----------
    file : as in the label table.
    speaker, label : as in the label table.
    seconds : duration.
    hash : 16 hex digits, BLAKE2b of the mono float32 samples at the file's rate.
    rows : log power (frames, bands), not normalised.
    """

    file: str
    speaker: str
    label: str
    seconds: float
    hash: str
    rows: NDArray[np.float32]


def read_labels(path: Path, column: str = "emotion") -> list[dict[str, str]]:
    """The rows of a label table: ``file``, ``speaker`` and the label `column`, among any others.

    Raises
    ------
    InputError : no such table, a missing column, an empty cell, fewer than two classes, a file named twice.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as handle:
            reader = csv.DictReader(handle)
            names = reader.fieldnames or []
            missing = [name for name in ("file", "speaker", column) if name not in names]
            if missing:
                raise InputError(f"{path}: no column {missing[0]!r}; expected at least file, speaker, {column}")
            rows = list(reader)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}; expected a label table (CSV)") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: not a CSV table in UTF-8 ({error})") from None
    seen: set[str] = set()
    for number, row in enumerate(rows, start=2):
        for name in ("file", "speaker", column):
            if not (row[name] or "").strip():
                raise InputError(f"{path}, line {number}: the cell {name!r} is empty")
        if row["file"] in seen:
            raise InputError(f"{path}, line {number}: {row['file']} stands there twice")
        seen.add(row["file"])
    classes = {row[column] for row in rows}
    if len(classes) < 2:
        raise InputError(f"{path}: {len(classes)} class(es) in column {column!r}, expected at least two")
    return rows


def load_clips(
    path: Path, front_end: FrontEnd, *, column: str = "emotion", min_frames: int = 1, max_seconds: float = 60.0
) -> list[Clip]:
    """Every recording of a label table, read, mixed to mono, resampled and turned into log power.

    Of a recording longer than `max_seconds` its beginning is taken.

    Raises
    ------
    InputError : the label table is wrong, see `read_labels`.
    AudioError : a recording is missing, unreadable or too short; the message names it.
    """
    clips = []
    for row in read_labels(path, column):
        samples, rate = read_mono(path.parent / row["file"])
        digest = SampleHash()
        digest.update(samples)
        part = samples[: round(max_seconds * rate)]
        rows = front_end.log_power(resample(part, rate, front_end.sampling_rate))
        if len(rows) < min_frames:
            raise AudioError(
                f"{path.parent / row['file']}: {samples.size / rate:g} s, expected at least "
                f"{front_end.n_samples(min_frames) / front_end.sampling_rate:g} s to train on"
            )
        clips.append(Clip(row["file"], row["speaker"], row[column], samples.size / rate, digest.hexdigest(), rows))
    return clips


def read_mono(path: Path) -> tuple[NDArray[np.float32], int]:
    """Samples of a recording, channels averaged, and its sampling rate in Hz."""
    try:
        with Recording(str(path)) as recording:
            blocks = list(recording.blocks())
    except AudioError as error:
        raise AudioError(f"{path}: {error}") from None
    return np.concatenate([np.empty(0, dtype=np.float32), *blocks]), recording.rate
