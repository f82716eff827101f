"""Feature tables in the formats of other programs: CSV, ARFF (Weka), LIBSVM and NumPy, a chunk of rows at a time."""

import csv
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from .errors import ConfigError
from .files import output_file

__all__ = ["FORMATS", "export"]

Matrix = NDArray[np.float32]
_Chunks = Iterator[tuple[list[list[str]], list[str], Matrix]]
"""Keys (file, start, end), labels and features of some rows."""


def export(
    features: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    labels: str | os.PathLike[str] | None = None,
    sets: Sequence[str] = (),
    column: str = "emotion",
) -> tuple[int, int]:
    """Write a feature table in another format.

    Parameters
    ----------
    features : path
        A feature table.
    output : path
        Ends in ``.csv``, ``.arff``, ``.libsvm`` or ``.npy``. A ``.npy`` holds the features alone; ``.csv`` files beside
        ``.npy`` and ``.libsvm`` name the rows, and those beside ``.libsvm`` the classes and the columns, too.
    labels : path, optional
        A label table: only labelled rows are written, with their labels.
    sets : sequence of str
        Sets to write, concatenations with ``+``. The default is all columns.
    column : str
        Of the labels.

    Returns
    -------
    rows, columns : int

    Raises
    ------
    ConfigError
        Another ending, or no such set.
    InputError
        The tables cannot be read or joined.
    OutputError
        The file cannot be written.
    """
    from .evaluate.tables import open_table, read_labels
    from .evaluate.tables import rows_of as labelled_rows
    from .store import seconds

    output = Path(output)
    if output.suffix not in FORMATS:
        raise ConfigError(f"-o {output}: expected a name that ends in {', '.join(FORMATS)}")
    table = open_table(features)
    names = [part for name in sets for part in name.split("+")] or list(table.sets)
    for name in names:
        if name not in table.sets:
            raise ConfigError(f"--set {name}: no such set in {features}; there are {', '.join(table.sets)}")
    columns = [column for name in dict.fromkeys(names) for column in table.sets[name]]
    if labels is None:
        rows, answers = np.arange(len(table.file)), [""] * len(table.file)
    else:
        rows, answers = labelled_rows(table, read_labels(labels, column), column)
    classes = sorted(set(answers)) if labels is not None else []

    def chunks() -> _Chunks:
        done = 0
        for part, values in table.batches(columns, rows):
            keys = [
                [table.file[row], *(seconds(int(t[row])) if t is not None else "" for t in (table.start, table.end))]
                for row in part
            ]
            yield keys, answers[done : done + len(part)], values
            done += len(part)

    with (
        output_file(output) as temporary,
        temporary.open("wb") if output.suffix == ".npy" else temporary.open("w", encoding="utf-8", newline="") as file,
    ):
        FORMATS[output.suffix](file, output, columns, classes, column, len(rows), chunks())
    return len(rows), len(columns)


def _csv(
    file: IO[Any], output: Path, columns: list[str], classes: list[str], column: str, rows: int, chunks: _Chunks
) -> None:
    writer = csv.writer(file)
    writer.writerow(["file", "start", "end", *([column] if classes else []), *columns])
    for keys, labels, values in chunks:
        for key, label, row in zip(keys, labels, values, strict=True):
            numbers = ["" if np.isnan(v) else str(v) for v in row]
            writer.writerow([*key, *([label] if classes else []), *numbers])


def _arff(
    file: IO[Any], output: Path, columns: list[str], classes: list[str], column: str, rows: int, chunks: _Chunks
) -> None:
    file.write(f"@relation {_quoted(output.stem)}\n\n@attribute file string\n")
    for name in columns:
        file.write(f"@attribute {_quoted(name)} numeric\n")
    if classes:
        file.write(f"@attribute {_quoted(column)} {{{','.join(map(_quoted, classes))}}}\n")
    file.write("\n@data\n")
    for keys, labels, values in chunks:
        for key, label, row in zip(keys, labels, values, strict=True):
            name = key[0] if not key[1] else f"{key[0]}@{key[1]}-{key[2]}"
            numbers = ["?" if not np.isfinite(v) else str(v) for v in row]
            file.write(",".join([_quoted(name), *numbers, *([_quoted(label)] if classes else [])]) + "\n")


def _quoted(name: str) -> str:
    """Return a name as ARFF takes any: in quotes, with a backslash before quotes and backslashes."""
    escaped = name.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n").replace("\r", "\\r")
    return f"'{escaped}'"


def _libsvm(
    file: IO[Any], output: Path, columns: list[str], classes: list[str], column: str, rows: int, chunks: _Chunks
) -> None:
    """Labels are numbers in the order of the classes, 0 without labels; zeros and missing values are left out."""
    number = {label: index for index, label in enumerate(classes)}

    def lines() -> _Chunks:
        for keys, labels, values in chunks:
            for label, row in zip(labels, values, strict=True):
                kept = np.flatnonzero(np.isfinite(row) & (row != 0))
                file.write(" ".join([str(number.get(label, 0)), *(f"{i + 1}:{row[i]}" for i in kept)]) + "\n")
            yield keys, labels, values

    _name_rows(output, lines(), column if classes else None)
    _side(output, "columns", [["number", "column"], *([i + 1, name] for i, name in enumerate(columns))])
    if classes:
        _side(output, "classes", [["number", column], *([i, name] for i, name in enumerate(classes))])


def _npy(
    file: IO[Any], output: Path, columns: list[str], classes: list[str], column: str, rows: int, chunks: _Chunks
) -> None:
    header = {"descr": "<f4", "fortran_order": False, "shape": (rows, len(columns))}
    np.lib.format.write_array_header_1_0(file, header)

    def blocks() -> _Chunks:
        for keys, labels, values in chunks:
            file.write(np.ascontiguousarray(values, "<f4").data)
            yield keys, labels, values

    _name_rows(output, blocks(), column if classes else None)
    _side(output, "columns", [["number", "column"], *([i, name] for i, name in enumerate(columns))])


def _name_rows(output: Path, chunks: _Chunks, column: str | None) -> None:
    def lines() -> Iterator[list[Any]]:
        yield ["file", "start", "end", *([column] if column else [])]
        for keys, labels, _ in chunks:
            for key, label in zip(keys, labels, strict=True):
                yield [*key, *([label] if column else [])]

    _side(output, "rows", lines())


def _side(output: Path, what: str, lines: Sequence[list[Any]] | Iterator[list[Any]]) -> None:
    with output.with_name(f"{output.name}.{what}.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(lines)


FORMATS: dict[str, Callable[[IO[Any], Path, list[str], list[str], str, int, _Chunks], None]] = {
    ".csv": _csv,
    ".arff": _arff,
    ".libsvm": _libsvm,
    ".npy": _npy,
}
"""Writers, by the ending of the output's name."""
