"""Files that are whole, or not there."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from .errors import OutputError

__all__ = ["output_file", "whole"]


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
