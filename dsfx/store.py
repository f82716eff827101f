"""The feature table on disk: shards while the work goes on, one Parquet, CSV or folder of Parquet at the end.

A shard is written by a worker as an Arrow file of key columns and one fixed-size list of floats a row: cheap to write
at any width. The final table has one column per feature and is assembled from the shards, in input order.
"""

import contextlib
import csv
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from .errors import ConfigError, InputError, OutputError

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "Column",
    "Key",
    "Manifest",
    "Matrix",
    "ShardWriter",
    "assemble",
    "digest",
    "read",
    "schema_of",
    "seconds",
    "table_kind",
    "table_parts",
    "take_back",
]

Matrix = npt.NDArray[np.float32]
_Batch = tuple[list[pa.Array], Matrix]
"""Key columns, and features of shape (rows, columns)."""

_GROUP_BYTES = 32 << 20
"""Features held before they are written: bounds memory, and makes row groups few and large."""
_PART_BYTES = 128 << 20
"""Features in one file of a folder."""


class Column(NamedTuple):
    """One feature column."""

    name: str
    set: str
    unit: str | None = None


class Key(NamedTuple):
    """What identifies a row."""

    file: str
    start: int
    """Nanoseconds."""
    end: int
    """Nanoseconds."""
    hash: str
    """Of the segment's samples."""


_KEYS = [
    pa.field("file", pa.string(), nullable=False),
    pa.field("start", pa.duration("ns"), nullable=False),
    pa.field("end", pa.duration("ns"), nullable=False),
    pa.field("hash", pa.string(), nullable=False),
]


def schema_of(columns: Sequence[Column], metadata: dict[str, str]) -> pa.Schema:
    """Return the Arrow schema of the final table: key columns, then one float32 column per feature."""
    fields = [
        pa.field(c.name, pa.float32(), metadata={"set": c.set} | ({"unit": c.unit} if c.unit else {})) for c in columns
    ]
    return pa.schema(_KEYS + fields, metadata=metadata)


class ShardWriter:
    """Writes the rows of one shard to a temporary name; `commit` makes them appear under the final one.

    Parameters
    ----------
    path : Path
        Final name.
    width : int
        Number of feature columns.
    """

    def __init__(self, path: Path, width: int) -> None:
        self.rows = 0
        self._path = path
        self._temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
        self._schema = pa.schema([*_KEYS, pa.field("values", pa.list_(pa.float32(), width))])
        self._file = self._temporary.open("wb")
        self._writer = pa.ipc.new_file(self._file, self._schema)
        self._keys: list[Key] = []
        self._values: list[Matrix] = []
        self._limit = max(1, _GROUP_BYTES // (4 * width + 64))

    def append(self, keys: Sequence[Key], values: Matrix) -> None:
        """Add rows: keys, and an array of shape (rows, width)."""
        self._keys.extend(keys)
        self._values.append(values)
        self.rows += len(keys)
        if len(self._keys) >= self._limit:
            self._flush()

    def _flush(self) -> None:
        if self._keys:
            values = np.concatenate(self._values).astype(np.float32, copy=False)
            files, starts, ends, hashes = zip(*self._keys, strict=True)
            arrays = [
                pa.array(files, pa.string()),
                pa.array(starts, pa.int64()).cast(pa.duration("ns")),
                pa.array(ends, pa.int64()).cast(pa.duration("ns")),
                pa.array(hashes, pa.string()),
                pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), values.shape[1]),
            ]
            self._writer.write_batch(pa.record_batch(arrays, schema=self._schema))
        self._keys, self._values = [], []

    def commit(self) -> None:
        """Write what is left, make it durable, and give the shard its name."""
        self._flush()
        self._writer.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._temporary.replace(self._path)
        _sync_folder(self._path.parent)

    def discard(self) -> None:
        """Drop everything written so far."""
        with contextlib.suppress(OSError, pa.ArrowException):
            self._file.close()
        self._temporary.unlink(missing_ok=True)


class Manifest:
    """The record of finished shards: a first line that says for which configuration, then one line a shard.

    A line is the mark that a shard is done. A line cut short by a crash does not count.

    Parameters
    ----------
    path : Path
        The file.
    head : dict
        The configuration that the shards must belong to.
    """

    def __init__(self, path: Path, head: dict[str, Any]) -> None:
        self.path = path
        self.head: dict[str, Any] = json.loads(json.dumps(head))

    def load(self, name: str) -> tuple[dict[str, dict[str, Any]], list[str] | None]:
        """Return the finished shards by key, and their order in the table where that was completed.

        Raises
        ------
        OutputError
            The file belongs to another configuration of the table called `name`.
        """
        if not self.path.exists():
            return {}, None
        whole = self.path.read_bytes()
        lines = whole[: whole.rfind(b"\n") + 1].splitlines()
        try:
            head, *entries = [json.loads(line) for line in lines] or [self.head]
            changed = sorted(k for k in head.keys() | self.head.keys() if head.get(k) != self.head.get(k))
            order = next((e["order"] for e in entries if "order" in e), None)
            done = {e["shard"]: e for e in entries if "shard" in e}
        except (ValueError, TypeError, AttributeError):
            raise OutputError(f"{self.path}: is damaged; --overwrite starts {name} anew") from None
        if changed:
            raise OutputError(
                f"{name}: belongs to a run with other options ({', '.join(changed)} differ); "
                "--overwrite starts anew, or choose another -o"
            )
        return done, order

    def rewrite(self, entries: Sequence[dict[str, Any]]) -> None:
        """Replace the file by one that lists these shards as finished."""
        temporary = self.path.with_name(f"{self.path.name}.tmp")
        with temporary.open("wb") as file:
            for entry in [self.head, *entries]:
                file.write(_line(entry))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self.path)
        _sync_folder(self.path.parent)

    def add(self, entry: dict[str, Any]) -> None:
        """Append the line of a finished shard, durably."""
        with self.path.open("ab") as file:
            file.write(_line(entry))
            file.flush()
            os.fsync(file.fileno())


def _line(entry: dict[str, Any]) -> bytes:
    return json.dumps(entry, ensure_ascii=True, separators=(",", ":")).encode() + b"\n"


def _sync_folder(folder: Path) -> None:
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _batches(shards: Iterable[Path], width: int) -> Iterator[_Batch]:
    """Yield the rows of shards in order, regrouped so that the cuts depend on row numbers alone."""
    limit = max(1, _GROUP_BYTES // (4 * width + 64))
    held: list[pa.RecordBatch] = []
    rows = 0

    def merged(count: int) -> _Batch:
        nonlocal held, rows
        table = pa.Table.from_batches(held)
        now, later = table.slice(0, count).combine_chunks(), table.slice(count)
        held = later.to_batches()
        rows = later.num_rows
        values = now.column("values").combine_chunks()
        values = values.flatten().to_numpy(zero_copy_only=False).reshape(count, width)
        return [now.column(k.name).combine_chunks() for k in _KEYS], values

    for shard in shards:
        with pa.OSFile(str(shard)) as source, pa.ipc.open_file(source) as reader:
            for index in range(reader.num_record_batches):
                held.append(reader.get_batch(index))
                rows += held[-1].num_rows
                while rows >= limit:
                    yield merged(limit)
    if rows:
        yield merged(rows)


def table_kind(output: str) -> str:
    """Return "parquet", "csv" or "folder", by the ending of the output's name.

    Raises
    ------
    OutputError
        Any other ending.
    """
    if output.endswith(("/", os.sep)):
        return "folder"
    for kind in ("parquet", "csv"):
        if output.endswith(f".{kind}") and Path(output).name != f".{kind}":
            return kind
    raise OutputError(f"-o {output}: expected a name that ends in .parquet, .csv, or / for a folder of Parquet files")


def table_parts(output: Path) -> list[Path]:
    """Return the files that a table consists of, in the order of their rows; none where it does not exist."""
    if output.is_dir():
        return sorted(output.glob("part-*.parquet"))
    return [output] if output.exists() else []


def assemble(shards: Sequence[Path], schema: pa.Schema, output: Path, kind: str) -> None:
    """Write the final table from shards and rename it into place.

    Parameters
    ----------
    shards : sequence of Path
        In input order.
    schema : pyarrow.Schema
        Of the final table.
    output : Path
        Its name; for "folder", an existing folder that gets ``part-00000.parquet`` and so on.
    kind : {"parquet", "csv", "folder"}

    Raises
    ------
    OSError
        It cannot be written.
    """
    batches = _batches(shards, len(schema) - len(_KEYS))
    if kind != "folder":
        _write_table(output, schema, kind, batches)
        return
    count = 0
    held: list[_Batch] = []
    size = 0

    def close() -> None:
        nonlocal held, size, count
        _write_table(output / f"part-{count:05d}.parquet", schema, "parquet", held)
        held, size, count = [], 0, count + 1

    for batch in batches:
        held.append(batch)
        size += batch[1].nbytes
        if size >= _PART_BYTES:
            close()
    if held or not count:
        close()
    for stale in table_parts(output)[count:]:
        stale.unlink()


def _write_table(output: Path, schema: pa.Schema, kind: str, batches: Iterable[_Batch]) -> None:
    temporary = output.with_name(f".{output.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            with _csv_sink(file, schema) if kind == "csv" else _parquet_sink(file, schema) as sink:
                for keys, values in batches:
                    sink(keys, values)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(output)
        _sync_folder(output.parent)
    finally:
        temporary.unlink(missing_ok=True)


def take_back(parts: Sequence[Path], shards: Sequence[tuple[int, Path | None]], width: int) -> None:
    """Cut a finished Parquet table into the shards it was made from.

    Parameters
    ----------
    parts : sequence of Path
        The table's files.
    shards : sequence of (int, Path or None)
        In the table's order: number of rows, and where to write them; None drops them.
    width : int
        Number of feature columns.
    """
    names = [field.name for field in _KEYS]
    batches = (
        pq.ParquetFile(part).read_row_group(i) for part in parts for i in range(pq.read_metadata(part).num_row_groups)
    )
    held = next(batches, None)
    for count, path in shards:
        writer = ShardWriter(path, width) if path else None
        rows = count
        while rows:
            if held is None:
                raise OutputError(f"{parts[0]}: has fewer rows than its manifest says; --overwrite starts anew")
            piece, held = held.slice(0, rows), held.slice(rows)
            rows -= len(piece)
            if writer:
                columns = [piece.column(name).to_pylist() for name in names[::3]]
                times = [piece.column(name).cast(pa.int64()).to_pylist() for name in names[1:3]]
                values = np.stack([column.to_numpy() for column in piece.columns[len(names) :]], axis=1)
                writer.append([Key(*key) for key in zip(columns[0], *times, columns[1], strict=True)], values)
            if not len(held):
                held = next(batches, None)
        if writer:
            writer.commit()


@contextlib.contextmanager
def _parquet_sink(file: Any, schema: pa.Schema) -> Iterator[Any]:
    # Statistics of thousands of float columns help nobody; those of the keys let a reader skip row groups.
    keys = [field.name for field in _KEYS]
    with pq.ParquetWriter(file, schema, compression="zstd", use_dictionary=["file"], write_statistics=keys) as writer:

        def sink(keys: list[pa.Array], values: Matrix) -> None:
            columns = [pa.array(column) for column in np.ascontiguousarray(values.T)]
            writer.write_table(pa.Table.from_arrays(keys + columns, schema=schema), row_group_size=len(values))

        yield sink


@contextlib.contextmanager
def _csv_sink(file: Any, schema: pa.Schema) -> Iterator[Any]:
    import io

    text = io.TextIOWrapper(file, encoding="utf-8", newline="")
    writer = csv.writer(text)
    writer.writerow(schema.names)

    def sink(keys: list[pa.Array], values: Matrix) -> None:
        files, hashes = keys[0].to_pylist(), keys[3].to_pylist()
        starts, ends = (keys[i].cast(pa.int64()).to_pylist() for i in (1, 2))
        for name, start, end, digits, row in zip(files, starts, ends, hashes, values, strict=True):
            # str of a float32: the shortest digits that give the same float32 back.
            numbers = ["" if np.isnan(v) else str(v) for v in row]
            writer.writerow([name, seconds(start), seconds(end), digits, *numbers])

    yield sink
    text.flush()
    text.detach()


def seconds(nanoseconds: int) -> str:
    """Return a time in seconds, as short as it can be written without losing a nanosecond."""
    whole, rest = divmod(abs(nanoseconds), 10**9)
    text = f"{whole}.{rest:09d}".rstrip("0").rstrip(".")
    return f"-{text}" if nanoseconds < 0 else text


def read(
    path: str | os.PathLike[str], sets: str | Sequence[str] | None = None, *, hash: bool = False
) -> "pd.DataFrame":
    """Read a feature table as a DataFrame.

    Parameters
    ----------
    path : path
        A table that `dsfx extract` wrote: ``.parquet``, ``.csv`` or a folder.
    sets : str or sequence of str, optional
        Only the columns of these feature sets. The default is all.
    hash : bool
        Keep the column `hash`, first.

    Returns
    -------
    pandas.DataFrame
        Features as float32; the index is (file, start, end), the times as timedelta64[ns].

    Raises
    ------
    InputError
        The path holds no feature table.
    ConfigError
        The table holds no such set.
    """
    import pandas as pd

    path = Path(path)
    if not path.exists():
        raise InputError(f"{path}: no such file or directory")
    keys = [field.name for field in _KEYS]
    if path.suffix == ".csv":
        if sets is not None:
            raise ConfigError(
                f"{path}: a CSV table does not say which set a column belongs to; use Parquet, or no sets="
            )
        frame = pd.read_csv(path, dtype={"file": str, "hash": str}, keep_default_na=False, na_values=[""])
        if not set(keys) <= set(frame.columns):
            raise InputError(f"{path}: not a feature table (no columns {', '.join(keys)})")
        for name in ("start", "end"):
            frame[name] = pd.to_timedelta(frame[name], unit="s").astype("timedelta64[ns]")
        features = [c for c in frame.columns if c not in keys]
        frame = frame.astype(dict.fromkeys(features, np.float32))
    else:
        try:
            parts = table_parts(path)
            schema = pq.read_schema(parts[0])
        except (pa.ArrowException, IndexError):
            raise InputError(f"{path}: not a feature table (no Parquet in it)") from None
        if not set(keys) <= set(schema.names):
            raise InputError(f"{path}: not a feature table (no columns {', '.join(keys)})")
        columns = _columns_of(schema, sets, path)
        tables = [pq.ParquetFile(part).read(columns=keys + columns) for part in parts]
        # Key by key and one block of floats: pandas would take seconds to consolidate thousands of columns.
        table = pa.concat_tables([t.replace_schema_metadata() for t in tables])
        values = np.empty((len(table), len(columns)), np.float32)
        for index, name in enumerate(columns):
            values[:, index] = table.column(name).to_numpy()
        frame = pd.DataFrame(values, columns=columns, copy=False)
        frame.insert(0, "hash", table.column("hash").to_pandas())
        frame.index = pd.MultiIndex.from_arrays([table.column(k).to_pandas() for k in keys[:3]], names=keys[:3])
        return frame if hash else frame.drop(columns="hash")
    frame = frame.set_index(keys[:3])
    return frame if hash else frame.drop(columns="hash")


def _columns_of(schema: pa.Schema, sets: str | Sequence[str] | None, path: Path) -> list[str]:
    wanted = [sets] if isinstance(sets, str) else sets
    found: dict[str, list[str]] = {}
    for field in schema:
        if field.metadata and b"set" in field.metadata:
            found.setdefault(field.metadata[b"set"].decode(), []).append(field.name)
    if wanted is None:
        keys = {field.name for field in _KEYS}
        return [entry.name for entry in schema if entry.name not in keys and not pa.types.is_string(entry.type)]
    missing = [name for name in wanted if name not in found]
    if missing:
        raise ConfigError(f"{path}: holds no set {missing[0]!r}; it holds {', '.join(found) or 'none that is named'}")
    return [column for name in wanted for column in found[name]]


def digest(*parts: object) -> str:
    """Return a short hash of JSON-able values."""
    return blake2b(json.dumps(parts, sort_keys=True).encode(), digest_size=16).hexdigest()
