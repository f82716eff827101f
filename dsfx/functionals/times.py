"""Shares of time: above a level, rising, with left curvature."""

from collections.abc import Sequence

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .contours import Contours, Float32s

__all__ = ["times"]


def times(contours: Contours, levels: Sequence[float]) -> Float32s:
    """Shares of the frames in which something holds.

    Parameters
    ----------
    contours : Contours
    levels : sequence of float
        Fractions of the range above the minimum.

    Returns
    -------
    float32 array, shape (contours, len(levels) + 2)
        Per level the share of frames above it; `risetime`, the share of steps that rise; `leftctime`, the share of
        inner frames where the slope grows. Strict comparisons: a plateau counts for neither.
    """
    out = np.zeros((contours.count, len(levels) + 2), np.float32)
    _times(contours.rows, contours.n, contours.minimum, contours.range, np.asarray(levels, np.float32), out)
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def _times(
    rows: Float32s, n: NDArray[np.int64], low: Float32s, spread: Float32s, levels: Float32s, out: Float32s
) -> None:
    k = levels.size
    for c in range(rows.shape[0]):
        if n[c] == 0:
            continue
        row = rows[c, : n[c]]
        for j in range(k):
            level = levels[j] * spread[c] + low[c]
            above = 0
            for v in row:
                above += v > level
            out[c, j] = np.float32(above / row.size)
        rising = 0
        for i in range(1, row.size):
            rising += row[i] > row[i - 1]
        if row.size > 1:
            out[c, k] = np.float32(rising / (row.size - 1))
        left = 0
        for i in range(2, row.size):
            left += row[i] - row[i - 1] > row[i - 1] - row[i - 2]
        if row.size > 2:
            out[c, k + 1] = np.float32(left / (row.size - 2))
