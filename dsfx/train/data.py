"""Label tables of one or several corpora, and their recordings."""

import posixpath
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..audio import Recording, SampleHash, resample
from ..errors import AudioError, ConfigError, InputError
from ..files import csv_rows
from ..frontend import FrontEnd

__all__ = ["Clip", "Entry", "Loaded", "load", "read_corpora", "read_labels", "read_rows", "remarks"]

Rows = NDArray[np.float32]


@dataclass(frozen=True)
class Entry:
    """One row of a label table.

    Attributes
    ----------
    corpus : name of its corpus.
    file : its name in tables: that of the corpus, then the path as the label table has it.
    path : where the recording lies.
    speaker, label : as in the label table.
    fold : cell of the column that names folds; empty without one.
    """

    corpus: str
    file: str
    path: Path
    speaker: str
    label: str
    fold: str = ""


@dataclass(frozen=True)
class Clip(Entry):
    """A recording that has been read.

    Attributes
    ----------
    seconds : duration.
    hash : 16 hex digits, BLAKE2b of the mono float32 samples at the file's rate.
    frames : rows of its spectrogram.
    """

    seconds: float = 0.0
    hash: str = ""
    frames: int = 0


@dataclass(frozen=True)
class Loaded:
    """A clip with its log power (frames, bands), not normalised."""

    clip: Clip
    rows: Rows


def read_labels(path: Path, column: str = "emotion", fold: str = "") -> list[dict[str, str]]:
    """The rows of a label table: ``file``, ``speaker`` and the label `column`, among any others.

    Raises
    ------
    InputError : no such table, a missing column, an empty cell, fewer than two classes, a file named twice.
    """
    wanted = ["file", "speaker", column, *([fold] if fold else [])]
    with csv_rows(path, "a label table (CSV)") as reader:
        names = list(reader.fieldnames or [])
        missing = [name for name in wanted if name not in names]
        if missing:
            mends = "; --column names that of the labels" if missing[0] == column else ""
            raise InputError(
                f"{path}: no column {missing[0]!r} (columns: {', '.join(names) or 'none'}), "
                f"expected at least {', '.join(wanted)}{mends}"
            )
        rows = list(reader)
    seen: set[str] = set()
    for number, row in enumerate(rows, start=2):
        for name in wanted:
            if not (row[name] or "").strip():
                raise InputError(f"{path}, line {number}: the cell {name!r} is empty")
        if row["file"] in seen:
            raise InputError(f"{path}, line {number}: {row['file']} stands there twice")
        seen.add(row["file"])
    classes = {row[column] for row in rows}
    if len(classes) < 2:
        raise InputError(f"{path}: {len(classes)} class(es) in column {column!r}, expected at least two")
    return rows


def read_corpora(
    tables: Sequence[Path], column: str = "emotion", names: Sequence[str] = (), fold: str = ""
) -> list[Entry]:
    """The rows of several label tables, each of which is a corpus.

    Parameters
    ----------
    tables : label tables; recordings are named relative to a table's own folder.
    column : the label.
    names : of the corpora, in order; see `corpus_name` where not given.
    fold : a column that names folds, if any.

    Raises
    ------
    ConfigError : not one name per table, or one name for two.
    InputError : a table is wrong, see `read_labels`; classes that differ in case or blanks only; recordings that do
        not exist.
    """
    if names and len(names) != len(tables):
        raise ConfigError(f"--corpus: {len(names)} names for {len(tables)} label tables, expected one each")
    names = list(names) or [corpus_name(table) for table in tables]
    double = [name for index, name in enumerate(names) if name in names[:index]]
    if double:
        raise ConfigError(f"two corpora would be called {double[0]!r}: --corpus, once for every table, names them")
    entries = []
    for name, table in zip(names, tables, strict=True):
        for row in read_labels(table, column, fold):
            file = posixpath.normpath(posixpath.join(name, Path(row["file"]).as_posix()))
            path = table.parent / row["file"]
            entries.append(Entry(name, file, path, row["speaker"], row[column], row[fold] if fold else ""))
    spelling: dict[str, str] = {}
    for entry in entries:
        other = spelling.setdefault(entry.label.strip().casefold(), entry.label)
        if other != entry.label:
            raise InputError(
                f"column {column!r}: {other!r} and {entry.label!r} ({entry.corpus}) differ in case or blanks only; "
                "expected one spelling per class"
            )
    seen: dict[str, str] = {}
    for entry in entries:
        if seen.setdefault(entry.file, entry.corpus) != entry.corpus:
            raise InputError(f"{entry.path}: stands in two label tables, expected every recording in one")
    absent = [entry.path for entry in entries if not entry.path.exists()]
    if absent:
        raise InputError(f"{absent[0]}: no such file; {len(absent)} of {len(entries)} recordings are missing")
    return entries


def corpus_name(table: Path) -> str:
    """The name of a table, or that of its folder where it is called labels like all others."""
    return table.absolute().parent.name if table.stem == "labels" else table.stem


def remarks(entries: Iterable[Entry]) -> list[str]:
    """Lines about classes that only one speaker of a corpus has."""
    speakers: dict[tuple[str, str], set[str]] = {}
    for entry in entries:
        speakers.setdefault((entry.corpus, entry.label), set()).add(entry.speaker)
    return [
        f"WARNING: {corpus}: the class {label!r} has one speaker ({next(iter(who))}): how well it is told in others "
        "cannot be judged"
        for (corpus, label), who in sorted(speakers.items())
        if len(who) == 1
    ]


def load(
    entries: Sequence[Entry],
    front_end: FrontEnd,
    *,
    min_frames: int = 1,
    max_seconds: float = 60.0,
    unusable: list[str] | None = None,
) -> Iterator[Loaded]:
    """Every recording, one after the other: read, mixed to mono, resampled and turned into log power.

    Of a recording longer than `max_seconds` its beginning is taken. What is unreadable, too short or silent is left
    out; a line about it goes to `unusable`.
    """
    for entry in entries:
        try:
            yield _load(entry, front_end, min_frames, max_seconds)
        except AudioError as error:
            if unusable is None:
                raise
            unusable.append(str(error))


def _load(entry: Entry, front_end: FrontEnd, min_frames: int, max_seconds: float) -> Loaded:
    samples, rate = read_mono(entry.path)
    digest = SampleHash()
    digest.update(samples)
    rows = _log_power(samples, rate, front_end, max_seconds)
    if len(rows) < min_frames:
        raise AudioError(
            f"{entry.path}: {samples.size / rate:g} s, expected at least "
            f"{front_end.n_samples(min_frames) / front_end.sampling_rate:g} s to train on"
        )
    if rows.max() <= np.log(np.float32(front_end.floor)):
        raise AudioError(f"{entry.path}: silent, nothing in it is above the front end's floor ({front_end.floor:g})")
    known = {name: getattr(entry, name) for name in Entry.__dataclass_fields__}
    return Loaded(Clip(**known, seconds=samples.size / rate, hash=digest.hexdigest(), frames=len(rows)), rows)


def read_rows(path: Path, front_end: FrontEnd, max_seconds: float) -> Rows:
    """Log power (frames, bands) of the beginning of a recording."""
    samples, rate = read_mono(path)
    return _log_power(samples, rate, front_end, max_seconds)


def _log_power(samples: Rows, rate: int, front_end: FrontEnd, max_seconds: float) -> Rows:
    return front_end.log_power(resample(samples[: round(max_seconds * rate)], rate, front_end.sampling_rate))


def read_mono(path: Path) -> tuple[Rows, int]:
    """Samples of a recording, channels averaged, and its sampling rate in Hz."""
    try:
        with Recording(str(path)) as recording:
            blocks = list(recording.blocks())
    except AudioError as error:
        raise AudioError(f"{path}: {error}") from None
    return np.concatenate([np.empty(0, dtype=np.float32), *blocks]), recording.rate
