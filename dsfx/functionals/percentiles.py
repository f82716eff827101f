"""Percentiles of a contour and ranges between them."""

from collections.abc import Sequence

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .contours import Contours, Float32s

__all__ = ["percentiles"]


def percentiles(contours: Contours, shares: Sequence[float]) -> Float32s:
    """Percentiles by linear interpolation between order statistics.

    Parameters
    ----------
    contours : Contours
    shares : sequence of float
        In [0, 1]; 0.5 is the median.

    Returns
    -------
    float32 array, shape (contours, len(shares))
        0 for a contour without frames. Weights, products and their sum are single precision.
    """
    out = np.zeros((contours.count, len(shares)), np.float32)
    _interpolate(contours.ascending, contours.n, np.asarray(shares, np.float64), out)
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def _interpolate(ascending: Float32s, n: NDArray[np.int64], shares: NDArray[np.float64], out: Float32s) -> None:
    for c in range(n.size):
        if n[c] == 0:
            continue
        for j in range(shares.size):
            place = shares[j] * (n[c] - 1)
            below = int(place)
            rest = place - below
            y = ascending[c, below]
            if rest > 0:
                y = y * np.float32(1 - rest) + ascending[c, below + 1] * np.float32(rest)
            out[c, j] = y
