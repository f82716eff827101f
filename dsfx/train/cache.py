"""Spectrograms of a corpus in bounded memory and disk space."""

import errno
import os
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from ..errors import OutputError, StorageError
from ..frontend import FrontEnd
from .data import Clip, Loaded, read_rows

__all__ = ["Spectrograms", "no_space", "store"]

Rows = NDArray[np.float32]


class Spectrograms(Sequence[Rows]):
    """Log power of clips, each read when asked for.

    They lie one after the other in one file, which is mapped into memory: the operating system holds what fits and
    shares it among processes. Clips for which the file had no room are computed anew from their recording every time.

    Parameters
    ----------
    file : of float32 numbers.
    front_end, max_seconds : for clips that are computed.
    paths : (clips,) recordings.
    lengths : (clips,) frames.
    places : (clips,) where in the file a clip begins, counted in frames; -1: nowhere.
    """

    def __init__(
        self,
        file: Path,
        front_end: FrontEnd,
        max_seconds: float,
        paths: Sequence[Path],
        lengths: NDArray[np.int64],
        places: NDArray[np.int64],
    ) -> None:
        self.file = file
        self.front_end = front_end
        self.max_seconds = max_seconds
        self.paths = list(paths)
        self.lengths = lengths
        self.places = places

    def __len__(self) -> int:
        return len(self.paths)

    @overload
    def __getitem__(self, index: int) -> Rows: ...
    @overload
    def __getitem__(self, index: slice) -> "Spectrograms": ...
    def __getitem__(self, index: int | slice) -> "Rows | Spectrograms":
        if isinstance(index, slice):
            return self.subset(np.arange(len(self))[index])
        place = self.places[index]
        if place < 0:
            return read_rows(self.paths[index], self.front_end, self.max_seconds)
        rows: Rows = self._mapped[place : place + self.lengths[index]]
        return rows

    def subset(self, chosen: NDArray[Any]) -> "Spectrograms":
        """The clips of a boolean mask or of indices; the file is the same."""
        indices = np.arange(len(self))[chosen]
        paths = [self.paths[i] for i in indices]
        return Spectrograms(
            self.file, self.front_end, self.max_seconds, paths, self.lengths[indices], self.places[indices]
        )

    @cached_property
    def _mapped(self) -> Rows:
        return np.memmap(self.file, dtype=np.float32, mode="r").reshape(-1, self.front_end.n_bands).view(np.ndarray)

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key != "_mapped"}


def store(
    loaded: Iterable[Loaded], file: Path, front_end: FrontEnd, max_seconds: float, max_bytes: float
) -> tuple[list[Clip], Spectrograms]:
    """Write spectrograms to a file of at most `max_bytes`; later clips that have no room are computed when needed.

    Raises
    ------
    OutputError, StorageError : the file cannot be written.
    """
    clips, places = [], []
    end, frame = 0, 4 * front_end.n_bands
    try:
        with file.open("wb") as handle:
            for item in loaded:
                clips.append(item.clip)
                if (end + len(item.rows)) * frame > max_bytes:
                    places.append(-1)
                    continue
                handle.write(np.ascontiguousarray(item.rows).data)
                places.append(end)
                end += len(item.rows)
    except OSError as error:
        raise no_space(file, error, "a smaller --cache or another -o mends it") from None
    lengths = np.array([clip.frames for clip in clips], dtype=np.int64)
    paths = [clip.path for clip in clips]
    return clips, Spectrograms(file, front_end, max_seconds, paths, lengths, np.array(places, dtype=np.int64))


def no_space(path: Path, error: OSError, mends: str) -> OutputError:
    """One line for a file that could not be written."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return StorageError(f"{path}: the disk is full; {mends}, and what is finished is kept")
    return OutputError(f"{path}: {error.strerror or os.strerror(error.errno or 0)}; {mends}")
