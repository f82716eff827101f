"""Feature tables and label tables, and which row belongs to which label."""

import json
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError, InputError
from ..files import csv_rows
from ..store import seconds, table_parts
from .arrays import Matrix

__all__ = ["Clips", "FeatureTable", "Labels", "gather", "open_table", "read_labels", "rows_of"]


_KEYS = ("file", "start", "end", "hash")
_COUNTED = ("__index_level_", "Unnamed: ")
"""Begins the names of columns in which pandas keeps the numbers of the rows."""
_NEAR = 10_000_000
"""Nanoseconds by which a segment's times may differ between two tables: they round."""


@dataclass(frozen=True)
class FeatureTable:
    """A feature table whose numbers are still on disk.

    Attributes
    ----------
    path : where it lies.
    file : names of the rows.
    start, end : nanoseconds; None where the table has no such columns.
    hash : of the samples, or None.
    sets : the columns of every set.
    identity : hash of every set, where the table knows it.
    config : how it was extracted, where the table knows it.
    fold : of every row, where each fold has an extractor of its own.
    folded : whether the folder was named that has tables of every fold.
    """

    path: Path
    file: list[str]
    start: NDArray[np.int64] | None
    end: NDArray[np.int64] | None
    hash: list[str] | None
    sets: dict[str, list[str]]
    identity: dict[str, str] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    fold: list[str] | None = None
    folded: bool = False

    def load(self, columns: Sequence[str], rows: NDArray[np.intp]) -> Matrix:
        """Return features of shape (rows, columns), without ever holding a second copy of all of them."""
        values = np.empty((len(rows), len(columns)), np.float32)
        if self.path.suffix == ".csv":
            import pandas as pd

            frame = pd.read_csv(self.path, usecols=list(columns), dtype=np.float32)
            return frame[list(columns)].to_numpy()[rows]
        import pyarrow.parquet as pq

        parts = [pq.ParquetFile(part) for part in table_parts(self.path)]
        wide = np.empty((64, len(self.file)), np.float32)
        for begin in range(0, len(columns), 64):
            names = list(columns[begin : begin + 64])
            row = 0
            for part in parts:
                piece = part.read(columns=names)
                for index, name in enumerate(names):
                    wide[index, row : row + len(piece)] = piece.column(name).to_numpy()
                row += len(piece)
            values[:, begin : begin + len(names)] = wide[: len(names), rows].T
        return values

    def batches(self, columns: Sequence[str], rows: NDArray[np.intp]) -> Iterator[tuple[NDArray[np.intp], Matrix]]:
        """Yield features of `rows`, which ascend, a piece of the table at a time, with the numbers of their rows."""
        row = 0
        for piece in self._pieces(list(columns)):
            inside = rows[np.searchsorted(rows, row) : np.searchsorted(rows, row + len(piece))]
            if len(inside):
                yield inside, piece[inside - row]
            row += len(piece)

    def _pieces(self, columns: list[str]) -> Iterator[Matrix]:
        if self.path.suffix == ".csv":
            import pandas as pd

            for frame in pd.read_csv(self.path, usecols=columns, dtype=np.float32, chunksize=4096):
                yield frame[columns].to_numpy()
            return
        import pyarrow.parquet as pq

        for part in table_parts(self.path):
            for batch in pq.ParquetFile(part).iter_batches(4096, columns=columns):
                values = np.empty((len(batch), len(columns)), np.float32)
                for index, name in enumerate(columns):
                    values[:, index] = batch.column(name).to_numpy(zero_copy_only=False)
                yield values


def open_table(path: str | os.PathLike[str]) -> FeatureTable:
    """Read the keys of a feature table, and which sets it holds.

    A table that another program made needs a column `file`; all its numeric columns then are one set, called after
    the table. The folder of a model that was trained with folds stands for its out-of-fold features.

    Raises
    ------
    InputError
        It is no table, or has no column `file`, no row, or no numeric column.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path}: no such file or directory; expected a feature table")
    folded = (path / "model.toml").is_file()
    if folded and not (path / "oof.parquet").is_file():
        raise InputError(
            f"{path}: a model without folds, so it has no features to evaluate; dsfx train --folds N adds them"
        )
    if folded:
        path = path / "oof.parquet"
    columns, numeric, metadata, units = _read_keys(path)
    if not len(columns["file"]):
        raise InputError(f"{path}: has no rows")
    features = [name for name in numeric if name not in _KEYS and not name.startswith(_COUNTED)]
    if not features:
        raise InputError(f"{path}: has no numeric columns besides its keys, nothing to evaluate")
    sets: dict[str, list[str]] = {}
    for name in features:
        sets.setdefault(units.get(name, path.stem), []).append(name)
    config = {k: v for k, v in json.loads(metadata.get(b"config", b"{}")).items() if k != "sets"}
    return FeatureTable(
        path,
        columns["file"],
        columns.get("start"),
        columns.get("end"),
        columns.get("hash"),
        sets,
        json.loads(metadata.get(b"sets", b"{}")),
        config,
        columns.get("fold") if "out_of_fold" in config else None,
        folded,
    )


def _read_keys(path: Path) -> tuple[dict[str, Any], list[str], dict[bytes, bytes], dict[str, str]]:
    """Key columns, names of numeric columns, the table's metadata, and each column's set."""
    if path.suffix == ".csv":
        import pandas as pd

        try:
            head = pd.read_csv(path, nrows=100)
            if "file" not in head.columns:
                raise InputError(f"{path}: has no column `file`; expected a feature table")
            wanted = [key for key in _KEYS if key in head.columns]
            frame = pd.read_csv(path, usecols=wanted, dtype={"file": str, "hash": str})
        except (UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
            raise InputError(f"{path}: not a CSV table in UTF-8 ({str(error).splitlines()[0]})") from None
        keys: dict[str, Any] = {key: frame[key].tolist() for key in wanted}
        for key in set(wanted) & {"start", "end"}:
            keys[key] = np.round(frame[key].to_numpy(float) * 1e9).astype(np.int64)
        return keys, list(head.select_dtypes("number").columns), {}, {}
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        parts = table_parts(path)
        schema = pq.read_schema(parts[0])
        if "file" not in schema.names:
            raise InputError(f"{path}: has no column `file`; expected a feature table")
        wanted = [key for key in (*_KEYS, "fold") if key in schema.names]
        table = pa.concat_tables(
            [pq.ParquetFile(part).read(columns=wanted).replace_schema_metadata() for part in parts]
        )
    except (pa.ArrowException, IndexError):
        raise InputError(f"{path}: not a feature table (neither Parquet nor .csv)") from None
    keys = {key: table.column(key).to_pylist() for key in wanted if key in {"file", "hash", "fold"}}
    for key in set(wanted) & {"start", "end"}:
        column = table.column(key)
        if pa.types.is_duration(column.type):
            keys[key] = column.cast(pa.duration("ns")).cast(pa.int64()).to_numpy()
        else:
            keys[key] = np.round(column.to_numpy().astype(float) * 1e9).astype(np.int64)
    numeric = [f.name for f in schema if pa.types.is_floating(f.type) or pa.types.is_integer(f.type)]
    named = {f.name: f.metadata[b"set"].decode() for f in schema if f.metadata and b"set" in f.metadata}
    return keys, numeric, schema.metadata or {}, named


@dataclass(frozen=True)
class Labels:
    """A label table.

    Attributes
    ----------
    path : where it lies.
    rows : its cells, for every row that has a label.
    spans : start and end in nanoseconds of every row, or None for a whole file.
    unlabelled : number of rows whose label is empty.
    repeated : files of rows that say again what an earlier one said, and are left out.
    """

    path: Path
    rows: list[dict[str, str]]
    spans: list[tuple[int, int] | None]
    unlabelled: int
    repeated: list[str]


def read_labels(path: str | os.PathLike[str], column: str) -> Labels:
    """Read a label table (CSV, TSV or Parquet): `file`, the label's column, and any others such as `speaker`.

    Raises
    ------
    InputError
        It cannot be read, lacks a column, or labels one segment in two ways.
    """
    path = Path(path)
    names, rows = _cells(path)
    for name in ("file", column):
        if name not in names:
            raise InputError(
                f"{path}: no column {name!r} (columns: {', '.join(names) or 'none'}); --column names that of the labels"
            )
    kept: list[dict[str, str]] = []
    spans: list[tuple[int, int] | None] = []
    seen: dict[tuple[str, tuple[int, int] | None], str] = {}
    repeated: list[str] = []
    empty = 0
    for number, row in enumerate(rows, start=2):
        if not row[column]:
            empty += 1
            continue
        span = None
        if row.get("start") or row.get("end"):
            try:
                span = (round(float(row.get("start") or 0) * 1e9), round(float(row["end"]) * 1e9))
            except (ValueError, KeyError, OverflowError):
                raise InputError(f"{path}, line {number}: start and end are not both numbers of seconds") from None
        before = seen.get((row["file"], span))
        if before is not None:
            if before != row[column]:
                raise InputError(f"{path}, line {number}: {row['file']} is labelled {before} and {row[column]}")
            repeated.append(row["file"])
            continue
        seen[row["file"], span] = row[column]
        kept.append(row)
        spans.append(span)
    return Labels(path, kept, spans, empty, repeated)


def _cells(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    if not path.exists():
        raise InputError(f"{path}: no such file; expected a label table")
    if path.suffix == ".parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            table = pq.ParquetFile(path).read()
        except pa.ArrowException:
            raise InputError(f"{path}: not a Parquet table") from None
        for index, entry in enumerate(table.schema):
            if pa.types.is_duration(entry.type):
                counts = table.column(index).cast(pa.duration("ns")).cast(pa.int64())
                times = pa.array([None if c is None else c / 1e9 for c in counts.to_pylist()])
                table = table.set_column(index, entry.name, times)
        lines = table.to_pylist()
        return table.schema.names, [{k: _text(v) for k, v in line.items()} for line in lines]
    with csv_rows(path, "a label table") as reader:
        rows = [{k: (v or "").strip() for k, v in row.items() if k is not None} for row in reader]
        return list(reader.fieldnames or []), rows


def _text(value: object) -> str:
    return "" if value is None or (isinstance(value, float) and math.isnan(value)) else str(value)


def match(files: Sequence[str], labels: Labels, table: Path) -> dict[str, str]:
    """Tell for each file of a table which `file` of the labels it is.

    A table's name is relative to a folder that is not known. So two names mean the same recording where one is the
    ending of the other, the labels' names taken with their folder; where several do, the longest common ending wins.

    Raises
    ------
    InputError
        Two candidates are equally good.
    """
    folder = _parts(str(labels.path.parent.absolute()))
    names = sorted({row["file"] for row in labels.rows})
    whole = {name: _resolve([*folder, *_parts(name)]) for name in names}
    short = {name: len(_below(_parts(name))) for name in names}
    endings: dict[tuple[str, ...], list[str]] = {}
    for name, parts in whole.items():
        for length in range(1, len(parts) + 1):
            endings.setdefault(tuple(parts[-length:]), []).append(name)
    best: dict[str, tuple[int, list[str]]] = {}
    for file in dict.fromkeys(files):
        parts = _below(_parts(file))
        for length in range(len(parts), 0, -1):
            found = [n for n in endings.get(tuple(parts[-length:]), []) if length == len(parts) or length >= short[n]]
            if len(found) > 1:
                raise InputError(
                    f"{table}: {file} may be {found[0]} or {found[1]} of {labels.path}; "
                    "name more of the path in one of the tables (extract from a folder further up)"
                )
            if found:
                length_before, others = best.get(found[0], (0, []))
                if length >= length_before:
                    best[found[0]] = (length, [*(others if length == length_before else []), file])
                break
    for name, (_, candidates) in best.items():
        if len(candidates) > 1:
            raise InputError(
                f"{labels.path}: {name} may be {candidates[0]} or {candidates[1]} of {table}; "
                "name more of the path in the labels"
            )
    return {candidates[0]: name for name, (_, candidates) in best.items()}


def _parts(name: str) -> list[str]:
    return [part for part in name.replace(os.sep, "/").split("/") if part not in {"", "."}]


def _resolve(parts: Sequence[str]) -> list[str]:
    found: list[str] = []
    for part in parts:
        if part == ".." and found:
            found.pop()
        else:
            found.append(part)
    return found


def _below(parts: Sequence[str]) -> list[str]:
    """What is known of a name that is relative to an unknown folder: not where its first ``..`` lead."""
    found = _resolve(parts)
    return found[found.count("..") :]


class Piece(NamedTuple):
    """Columns of a set: a set of a table, and the rows of that table."""

    table: FeatureTable
    set: str
    rows: NDArray[np.intp]


@dataclass(frozen=True)
class Clips:
    """Labelled rows that every evaluated set has, and the features of each set.

    Attributes
    ----------
    cells : the label table's cells of every row.
    file, start, end : of the first table; seconds as text, empty where unknown.
    hash : of the samples, empty where unknown.
    features : by set, shape (rows, columns).
    columns : names, by set.
    identity : hash of the sets that are part of a set, by its name.
    configs : how the sets were extracted: what the tables say.
    remarks : lines about rows that were left out.
    pieces : what every set consists of.
    fold : of every row, where the folder of a training with folds was named; else empty.
    """

    cells: list[dict[str, str]]
    file: list[str]
    start: list[str]
    end: list[str]
    hash: list[str]
    features: dict[str, Matrix]
    columns: dict[str, list[str]]
    identity: dict[str, dict[str, str]]
    configs: list[dict[str, Any]]
    remarks: list[str]
    pieces: dict[str, list[Piece]] = field(default_factory=dict)
    fold: list[str] = field(default_factory=list)


def gather(tables: Sequence[FeatureTable], labels: Labels, sets: Sequence[str]) -> Clips:
    """Join tables with labels, and load the sets that are named.

    Parameters
    ----------
    tables : sequence of FeatureTable
    labels : Labels
    sets : sequence of str
        Names of sets, concatenations with ``+``; ``TABLE:SET`` where two tables have a set of the same name (not for
        that of a model's folder). Empty: every set of every table.

    Raises
    ------
    ConfigError
        No such set.
    InputError
        No row has a label.
    """
    homes = _homes(tables)
    wanted = list(dict.fromkeys(sets)) or list(homes)
    for name in wanted:
        for part in name.split("+"):
            if part not in homes:
                raise ConfigError(f"--set {name}: no set {part!r} in the tables; there are {', '.join(homes)}")
    used = [t for t in tables if t.folded or any(homes[p][0] is t for n in wanted for p in n.split("+"))]
    remarks: list[str] = []
    joined = [_join(table, labels, remarks) for table in used]
    common = [key for key in joined[0] if all(key in other for other in joined[1:])]
    if len(used) > 1:
        remarks += [
            f"{len(rows) - len(common)} rows of {table.path.name} are missing in another table and left out"
            for table, rows in zip(used, joined, strict=True)
            if len(rows) > len(common)
        ]
    if not common:
        raise InputError(f"{used[1].path}: has no labelled row in common with {used[0].path}")
    order = {id(t): np.array([rows[key] for key in common], np.intp) for t, rows in zip(used, joined, strict=True)}
    features: dict[str, Matrix] = {}
    columns: dict[str, list[str]] = {}
    identity: dict[str, dict[str, str]] = {}
    parts: dict[str, list[Piece]] = {}
    for name in wanted:
        pieces, columns[name], identity[name], parts[name] = [], [], {}, []
        for part in name.split("+"):
            table, inner = homes[part]
            pieces.append(table.load(table.sets[inner], order[id(table)]))
            columns[name] += table.sets[inner]
            identity[name][inner] = table.identity.get(inner, "")
            parts[name].append(Piece(table, inner, order[id(table)]))
        features[name] = pieces[0] if len(pieces) == 1 else np.concatenate(pieces, axis=1)
    first = used[0]
    rows = order[id(first)]

    def times(values: NDArray[np.int64] | None) -> list[str]:
        return [seconds(int(values[row])) for row in rows] if values is not None else [""] * len(rows)

    owner = next((t for t in used if t.hash), first)
    hashes = owner.hash or [""] * len(owner.file)
    return Clips(
        [labels.rows[key[0]] for key in common],
        [first.file[row] for row in rows],
        times(first.start),
        times(first.end),
        [hashes[row] or "" for row in order[id(owner)]],
        features,
        columns,
        identity,
        [t.config for t in used],
        remarks,
        parts,
        next(([t.fold[row] for row in order[id(t)]] for t in used if t.folded and t.fold), []),
    )


def _homes(tables: Sequence[FeatureTable]) -> dict[str, tuple[FeatureTable, str]]:
    count: dict[str, int] = {}
    for table in tables:
        for name in table.sets:
            count[name] = count.get(name, 0) + 1
    homes: dict[str, tuple[FeatureTable, str]] = {}
    for table in tables:
        for name in table.sets:
            label = name if count[name] == 1 or table.folded else f"{table.path.stem}:{name}"
            if label in homes:
                raise ConfigError(f"{table.path}: another table also is called {table.path.stem}; rename one of them")
            homes[label] = (table, name)
    return homes


def _join(table: FeatureTable, labels: Labels, remarks: list[str]) -> dict[tuple[int, int, int], int]:
    """Rows of the table by (label, start, end): the latter 0 where each label has one row."""
    meaning = match(table.file, labels, table.path)
    by_file: dict[str, list[int]] = {}
    for index, row in enumerate(labels.rows):
        by_file.setdefault(row["file"], []).append(index)
    found: dict[tuple[int, int, int], int] = {}
    missing: list[str] = []
    repeated: list[str] = []
    labelled: set[int] = set()
    for number, file in enumerate(table.file):
        begin = int(table.start[number]) if table.start is not None else 0
        end = int(table.end[number]) if table.end is not None else 0
        label = _label_of(by_file.get(meaning.get(file, ""), []), labels, begin, end)
        if label is None:
            missing.append(file)
        elif (label, begin, end) in found:
            repeated.append(file)
        else:
            labelled.add(label)
            found[label, begin, end] = number
    if not found:
        raise InputError(
            f"{table.path}: none of its {len(table.file)} rows has a label in {labels.path} "
            f"(the table names {table.file[0]!r}"
            + (f", the labels {labels.rows[0]['file']!r})" if labels.rows else ", the labels name nothing)")
        )
    if missing:
        remarks.append(
            f"{len(missing)} of {len(table.file)} rows of {table.path.name} have no label, {missing[0]} first"
        )
    absent = [row["file"] for index, row in enumerate(labels.rows) if index not in labelled]
    if absent:
        remarks.append(
            f"{len(absent)} labels of {labels.path.name} have no row in {table.path.name}, {absent[0]} first"
        )
    for path, names in ((table.path, repeated), (labels.path, labels.repeated)):
        if names:
            remarks.append(f"{len(names)} rows of {path.name} repeat an earlier one and are left out, {names[0]} first")
    if labels.unlabelled:
        remarks.append(f"{labels.unlabelled} rows of {labels.path.name} have an empty label")
    if len(found) == len(labelled):
        return {(label, 0, 0): number for (label, _, _), number in found.items()}
    return found


def _label_of(candidates: Sequence[int], labels: Labels, begin: int, end: int) -> int | None:
    whole = None
    for index in candidates:
        span = labels.spans[index]
        if span is None:
            whole = index
        elif abs(span[0] - begin) <= _NEAR and abs(span[1] - end) <= _NEAR:
            return index
    return whole


def rows_of(table: FeatureTable, labels: Labels, column: str) -> tuple[NDArray[np.intp], list[str]]:
    """Return the rows of a table that have a label, in its order, and their labels."""
    found = sorted((number, key[0]) for key, number in _join(table, labels, []).items())
    return np.array([number for number, _ in found], np.intp), [labels.rows[index][column] for _, index in found]
