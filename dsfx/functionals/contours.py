"""The input of every functional: a group of contours, cut to the frames that count.

Contours are held twice. ``x`` is (frames, contours): sums over time run down the rows for all contours at once, in the
order of time, so that nothing is reassociated and the compiler still fills its lanes. ``rows`` is the transpose: for
what is sequential in one contour (sorting, peaks, segments). Contours whose zeros were dropped have different lengths;
they are padded with zeros, which leave every sum as it is.
"""

import threading

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["Contours", "buffer"]

F32 = np.float32
Float32s = NDArray[np.float32]


class Contours:
    """A group of contours and the values nearly every functional needs.

    Parameters
    ----------
    x : float32 array, shape (frames, contours)
    nonzero : bool
        Drop, in each contour for itself, every frame whose value is exactly 0, and close the gaps.

    Attributes
    ----------
    count : int
        Number of contours.
    n : int64 array, shape (contours,)
        Frames that count.
    minimum, maximum, range, mean : float32 arrays, shape (contours,)
        0 where no frame is left. The mean is summed in double precision and rounded; it is this rounded mean that
        moments and regression use.
    """

    def __init__(self, x: Float32s, nonzero: bool = False) -> None:
        x = np.ascontiguousarray(x, F32)
        if x.ndim != 2 or x.shape[0] < 1:
            raise ValueError(f"contours: expected shape (frames >= 1, contours), got {x.shape}")
        self.x = x
        self.count = int(x.shape[1])
        self.n = np.empty(self.count, np.int64)
        if nonzero:
            closed = np.zeros_like(x)
            self.x = closed[: _close_gaps(x, closed, self.n)]
        else:
            self.n[:] = len(x)
        basics = np.empty((4, self.count), F32)
        _basics(self.x, self.n, basics)
        self.minimum: Float32s
        self.maximum: Float32s
        self.range: Float32s
        self.mean: Float32s
        self.minimum, self.maximum, self.range, self.mean = basics
        self._rows: Float32s | None = None

    @property
    def rows(self) -> Float32s:
        """The same values, shape (contours, frames)."""
        if self._rows is None:
            self._rows = np.ascontiguousarray(self.x.T)
        return self._rows

    def ascending(self) -> Float32s:
        """Each contour sorted, shape (contours, frames); the first ``n`` values of a row count. Use it at once."""
        rows = buffer("ascending", self.rows.shape)
        rows[:] = self.rows
        if int(self.n.min(initial=rows.shape[1])) < rows.shape[1]:
            rows[np.arange(rows.shape[1]) >= np.maximum(self.n, 1)[:, None]] = np.inf
        rows.sort(axis=1)
        return rows


def buffer(name: str, shape: tuple[int, int]) -> Float32s:
    """An array with anything in it, in the same memory for all of a thread's calls with this name.

    Of a long signal an array takes megabytes, and to have them mapped takes longer than to sum them up.
    """
    flat = getattr(_buffers, name, None)
    size = shape[0] * shape[1]
    if flat is None or flat.size < size:
        flat = np.empty(size, F32)
        setattr(_buffers, name, flat)
    array: Float32s = flat[:size].reshape(shape)
    return array


_buffers = threading.local()


@njit(cache=True, nogil=True, error_model="numpy")
def _close_gaps(x: Float32s, out: Float32s, n: NDArray[np.int64]) -> int:
    """Return the length of the longest contour, but at least 1."""
    n[:] = 0
    for i in range(x.shape[0]):
        for c in range(x.shape[1]):
            if x[i, c] != 0:
                out[n[c], c] = x[i, c]
                n[c] += 1
    longest = 1
    for c in range(n.size):
        longest = max(longest, n[c])
    return longest


@njit(cache=True, nogil=True, error_model="numpy")
def _basics(x: Float32s, n: NDArray[np.int64], out: Float32s) -> None:
    total = np.zeros(n.size)
    low, high, spread, mean = out[0], out[1], out[2], out[3]  # unpacked at once, the loops would not vectorise
    low[:] = x[0]
    high[:] = x[0]
    shortest = x.shape[0]
    for c in range(x.shape[1]):
        shortest = min(shortest, n[c])
    for i in range(shortest):
        row = x[i]
        for c in range(row.size):
            low[c] = min(low[c], row[c])
        for c in range(row.size):
            high[c] = max(high[c], row[c])
        for c in range(row.size):
            total[c] += row[c]
    for i in range(shortest, x.shape[0]):
        for c in range(x.shape[1]):
            if i < n[c]:
                v = x[i, c]
                low[c] = min(low[c], v)
                high[c] = max(high[c], v)
                total[c] += v
    for c in range(x.shape[1]):
        spread[c] = high[c] - low[c]
        mean[c] = np.float32(total[c] / n[c]) if n[c] else np.float32(0)
