"""Range of a contour and where its extremes lie."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .contours import Contours, Float32s

__all__ = ["extremes"]

NAMES = ("range", "maxPos", "minPos")


def extremes(contours: Contours, out: Float32s) -> None:
    """Range and positions of the extremes.

    Parameters
    ----------
    contours : Contours
    out : float32 array of zeros, shape (contours, 3)
        `range`, maximum minus minimum; `maxPos`, `minPos`, index of the first maximum and minimum divided by the number
        of frames, so less than 1. All 0 for a contour without frames.
    """
    _extremes(contours.rows, contours.n, contours.minimum, contours.maximum, contours.range, out)


@njit(cache=True, nogil=True, error_model="numpy")
def _extremes(
    rows: Float32s, n: NDArray[np.int64], low: Float32s, high: Float32s, spread: Float32s, out: Float32s
) -> None:
    for c in range(rows.shape[0]):
        if n[c] == 0:
            continue
        row = rows[c]
        out[c, 0] = spread[c]
        i = 0
        while row[i] != high[c]:
            i += 1
        out[c, 1] = np.float32(i / n[c])
        i = 0
        while row[i] != low[c]:
            i += 1
        out[c, 2] = np.float32(i / n[c])
