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
    thresholds = levels[:, None] * contours.range + contours.minimum
    counts = np.zeros((len(levels) + 2, contours.count), np.int32)
    _times(contours.x, contours.n, contours.n.astype(np.int32), thresholds, counts, out)


@njit(cache=True, nogil=True, error_model="numpy")
def _times(
    x: Float32s,
    n: NDArray[np.int64],
    ends: NDArray[np.int32],
    thresholds: Float32s,
    counts: NDArray[np.int32],
    out: Float32s,
) -> None:
    # Frame numbers and counts are as wide as the values, so that the compiler fills its lanes.
    levels = thresholds.shape[0]
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
