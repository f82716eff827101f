"""Files that a training leaves: whole, or not there."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

__all__ = ["whole"]


@contextmanager
def whole(path: Path) -> Iterator[BinaryIO]:
    """Write a file that is whole, and on the disk, whenever it is read; what was there before stays until then."""
    temporary = path.with_name(f"{path.name}.partial")
    with temporary.open("wb") as handle:
        yield handle
        handle.flush()
        os.fsync(handle.fileno())
    temporary.replace(path)
