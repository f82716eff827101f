"""Shares of time: above a level, rising, with left curvature."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .contours import Contours, Float32s

__all__ = ["times"]


def times(contours: Contours, out: Float32s, levels: Float32s) -> None:
    """Shares of the frames in which something holds.

    Parameters
    ----------
    contours : Contours
    out : float32 array of zeros, shape (contours, len(levels) + 2)
        Per level the share of frames above it; `risetime`, the share of steps that rise; `leftctime`, the share of
        inner frames where the slope grows. Strict comparisons: a plateau counts for neither.
    levels : float32 array, shape (levels,)
        Fractions of the range above the minimum.
    """
    _times(contours.x, contours.n, contours.minimum, contours.range, levels, out)


@njit(cache=True, nogil=True, error_model="numpy")
def _times(x: Float32s, n: NDArray[np.int64], low: Float32s, spread: Float32s, shares: Float32s, out: Float32s) -> None:
    # Frame numbers and counts are as wide as the values, so that the compiler fills its lanes.
    levels = shares.size
    thresholds, ends = np.empty((levels, n.size), np.float32), np.empty(n.size, np.int32)
    for c in range(n.size):
        ends[c] = n[c]
        for j in range(levels):
            thresholds[j, c] = shares[j] * spread[c] + low[c]
    counts = np.zeros((levels + 2, n.size), np.int32)
    rising, left = counts[levels], counts[levels + 1]
    for i in range(x.shape[0]):
        row = x[i]
        now = np.int32(i)
        for j in range(levels):
            level, above = thresholds[j], counts[j]
            for c in range(row.size):
                above[c] += (row[c] > level[c]) & (now < ends[c])
        if i > 0:
            before = x[i - 1]
            for c in range(row.size):
                rising[c] += (row[c] > before[c]) & (now < ends[c])
        if i > 1:
            before, first = x[i - 1], x[i - 2]
            for c in range(row.size):
                left[c] += (row[c] - before[c] > before[c] - first[c]) & (now < ends[c])
    for j in range(counts.shape[0]):
        fewer = max(j - levels + 1, 0)
        for c in range(n.size):
            out[c, j] = np.float32(counts[j, c] / max(n[c] - fewer, 1))
