"""Tables of text that people write, and files of ours that are whole or not there."""

import csv
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from .audio import show
from .errors import InputError, OutputError

__all__ = ["csv_rows", "output_file", "whole"]


@contextmanager
def csv_rows(path: Path, expected: str) -> Iterator["csv.DictReader[str]"]:
    """The rows of a CSV table, as dictionaries by the names in its first line.

    Cells are separated by commas, or by semicolons or tabs, as spreadsheets of many countries write them: by what the
    first line has most of.

    Raises
    ------
    InputError
        There is no such file, `expected` says what of; or it is no CSV table.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as handle:
            first = handle.readline()
            handle.seek(0)
            yield csv.DictReader(handle, delimiter=max(",;\t", key=first.count))
    except OSError as error:
        raise InputError(f"{show(str(path))}: {error.strerror or error}; expected {expected}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{show(str(path))}: not a CSV table in UTF-8 ({error})") from None


@contextmanager
def output_file(output: Path) -> Iterator[Path]:
    """A name to write to, which becomes `output` at the end; folders above it are made.

    Raises
    ------
    OutputError
        It cannot be written. What was there before stays.
    """
    temporary = output.with_name(f".{output.name}.{os.getpid()}.tmp")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        temporary.replace(output)
    except FileExistsError:
        raise OutputError(f"-o {output}: {output.parent} is a file, expected a folder") from None
    except OSError as error:
        raise OutputError(f"-o {output}: {error.strerror or error}; expected a file that can be written") from None
    finally:
        # Where a file stands in the place of a folder there is nothing to remove either.
        if temporary.exists():
            temporary.unlink()


@contextmanager
def whole(path: Path) -> Iterator[BinaryIO]:
    """Write a file that is whole, and on the disk, whenever it is read; what was there before stays until then."""
    temporary = path.with_name(f"{path.name}.partial")
    with temporary.open("wb") as handle:
        yield handle
        handle.flush()
        os.fsync(handle.fileno())
    temporary.replace(path)
