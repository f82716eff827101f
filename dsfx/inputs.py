"""From what the user names (folders, files, lists, segment tables) to the list of segments to work on."""

import math
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from .audio import EXTENSIONS, show
from .errors import InputError
from .files import csv_rows

__all__ = ["Item", "plan_items"]

TABLES = frozenset([".csv", ".tsv", ".parquet"])
LISTS = frozenset([".txt", ".lst"])

_BYTES_PER_SECOND = {".flac": 18_000, ".ogg": 6_000, ".oga": 6_000, ".opus": 4_000, ".mp3": 8_000}
"""Typical sizes, to balance shards before any file is opened. WAV and the like: 16 kHz, 16 bit."""


class Item(NamedTuple):
    """One planned segment."""

    file: str
    """Name in the table: relative to the input root, with /."""
    path: str
    """Name for the operating system."""
    start: int
    """Nanoseconds."""
    end: int | None
    """Nanoseconds; None: to the end of the recording."""
    size: int
    mtime: int
    seconds: float
    """Estimated duration, for balancing and for the time left."""
    error: str | None = None
    """Why this item cannot be worked on, where that is known beforehand."""
    warning: str | None = None
    """What the user should know about it although it needs no work."""


def plan_items(inputs: Sequence[str | os.PathLike[str]]) -> tuple[list[Item], list[Item]]:
    """List the segments that the inputs name, in a stable order.

    Parameters
    ----------
    inputs : sequence of path
        Directories (searched recursively, links followed, hidden names left out), audio files, lists of paths
        (``.txt``, ``.lst``: one a line) or tables (``.csv``, ``.tsv``, ``.parquet`` with columns ``file[, start,
        end]``). Paths inside a list or a table are relative to its own folder.

    Returns
    -------
    items : list of Item
        What to work on, items with a known error among them.
    remarks : list of Item
        What was left out, each with its `warning`: duplicate rows, circular links.

    Raises
    ------
    InputError
        An input does not exist, a table has no column `file`, or two different files would get the same name.
    """
    items: list[Item] = []
    remarks: list[Item] = []
    for given in inputs:
        path = os.fspath(given)
        ending = Path(path).suffix.lower()
        if not Path(path).exists():
            raise InputError(f"{show(path)}: no such file or directory")
        if Path(path).is_dir():
            items.extend(_walk(path, remarks))
        elif ending in TABLES:
            items.extend(_table(path, ending))
        elif ending in LISTS:
            items.extend(_list(path))
        else:
            items.append(_item(Path(path).name, path))
    return _unique(items, remarks), remarks


def _unique(items: list[Item], remarks: list[Item]) -> list[Item]:
    paths: dict[str, str] = {}
    seen: set[tuple[str, int, int | None]] = set()
    unique = []
    for item in items:
        other = paths.setdefault(item.file, item.path)
        if other != item.path and not _same(other, item.path):
            raise InputError(
                f"two inputs would both be named {item.file!r} in the table: {show(other)} and {show(item.path)}; "
                "give the folder that holds both, or extract them in two runs"
            )
        key = (item.file, item.start, item.end)
        if key in seen and item.error is None:
            remarks.append(item._replace(warning="listed more than once: extracted once"))
            continue
        seen.add(key)
        unique.append(item)
    return unique


def _same(a: str, b: str) -> bool:
    try:
        return Path(a).samefile(b)
    except OSError:
        return os.path.normpath(a) == os.path.normpath(b)


def _item(file: str, path: str, start: int = 0, end: int | None = None, error: str | None = None) -> Item:
    size = mtime = 0
    ending = Path(path).suffix.lower()
    try:
        info = Path(path).stat()
        size, mtime = info.st_size, info.st_mtime_ns
        if stat.S_ISDIR(info.st_mode):
            error = error or "is a folder, not a recording"
        elif not stat.S_ISREG(info.st_mode):
            error = error or "not a regular file"
    except OSError as missing:
        error = error or f"cannot be read: {missing.strerror}"
    seconds = size / _BYTES_PER_SECOND.get(ending, 32_000)
    if end is not None:
        seconds = min(seconds, max(0, end - start) / 1e9)
    return Item(show(file), path, start, end, size, mtime, seconds, error)


def _walk(root: str, remarks: list[Item]) -> Iterator[Item]:
    """Yield the recordings below a folder, sorted as ``sorted(Path(root).rglob("*"))`` sorts them."""

    def visit(folder: str, prefix: str, above: frozenset[tuple[int, int]]) -> Iterator[Item]:
        try:
            info = Path(folder).stat()
            with os.scandir(folder) as entries:
                names = sorted((e for e in entries if not e.name.startswith(".")), key=lambda e: e.name)
        except OSError as error:
            yield _item(prefix.rstrip("/") or folder, folder, error=f"cannot be read: {error.strerror}")
            return
        here = (info.st_dev, info.st_ino)
        if here in above:
            remarks.append(
                _item(prefix.rstrip("/"), folder)._replace(warning="link to a folder it lies in: not followed")
            )
            return
        for entry in names:
            if entry.is_dir():
                yield from visit(entry.path, f"{prefix}{entry.name}/", above | {here})
            elif Path(entry.name).suffix.lower() in EXTENSIONS:
                yield _item(prefix + entry.name, entry.path)

    return visit(root, "", frozenset())


def _list(path: str) -> Iterator[Item]:
    root = Path(path).parent
    with Path(path).open(encoding="utf-8", errors="surrogateescape") as lines:
        for line in lines:
            name = line.rstrip("\r\n")
            if name.strip():
                yield _item(_posix(name), str(root / name))


def _table(path: str, ending: str) -> Iterator[Item]:
    root = Path(path).parent
    rows = _parquet_rows(path) if ending == ".parquet" else _csv_rows(path)
    for name, start, end in rows:
        begin, begin_error = _nanoseconds(start, "start", 0)
        stop, stop_error = _nanoseconds(end, "end", None)
        error = begin_error or stop_error
        if not name:
            error = "the table names no file in this row"
        if error is None and begin is not None and begin < 0:
            error = f"start {begin / 1e9:g} s is negative"
        if error is None and stop is not None and stop <= (begin or 0):
            error = f"end {stop / 1e9:g} s is not after start {(begin or 0) / 1e9:g} s"
        yield _item(_posix(name), str(root / name), begin or 0, stop, error)


def _posix(name: str) -> str:
    return name.replace(os.sep, "/").removeprefix("./")


def _nanoseconds(value: object, what: str, default: int | None) -> tuple[int | None, str | None]:
    """Read a time: seconds as text or number, or a duration that already counts nanoseconds."""
    if value is None or value == "":
        return default, None
    if isinstance(value, _Duration):
        return int(value), None
    try:
        seconds = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return default, f"{what} {value!r} is not a number of seconds"
    if math.isnan(seconds):
        return default, None
    if math.isinf(seconds) or abs(seconds) > 1e9:
        return default, f"{what} {seconds:g} s is not a time inside a recording"
    return round(seconds * 1e9), None


class _Duration(int):
    """A time that a Parquet table holds as a duration; in nanoseconds."""


def _csv_rows(path: str) -> Iterator[tuple[str, object, object]]:
    with csv_rows(Path(path), "a table of segments") as rows:
        _check_columns(path, rows.fieldnames or [])
        for row in rows:
            yield row["file"] or "", row.get("start"), row.get("end")


def _parquet_rows(path: str) -> Iterator[tuple[str, object, object]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.ParquetFile(path)
        _check_columns(path, table.schema_arrow.names)
        wanted = [c for c in ("file", "start", "end") if c in table.schema_arrow.names]
        for batch in table.iter_batches(columns=wanted):
            columns: dict[str, list[object]] = {}
            for name in wanted:
                column = batch.column(name)
                if pa.types.is_duration(column.type):
                    counts = column.cast(pa.duration("ns")).cast(pa.int64()).to_pylist()
                    columns[name] = [None if c is None else _Duration(c) for c in counts]
                else:
                    columns[name] = column.to_pylist()
            nothing: list[object] = [None] * len(batch)
            starts, ends = columns.get("start", nothing), columns.get("end", nothing)
            for file, start, end in zip(columns["file"], starts, ends, strict=True):
                yield str(file or ""), start, end
    except pa.ArrowException as error:
        raise InputError(f"{show(path)}: not a Parquet table ({str(error).splitlines()[0]})") from None


def _check_columns(path: str, names: Sequence[str]) -> None:
    if "file" not in names:
        raise InputError(f"{show(path)}: has no column `file` (columns: {', '.join(names) or 'none'})")
