"""Percentiles of a contour and ranges between them."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .contours import Contours, Float32s

__all__ = ["percentiles"]

Shares = NDArray[np.float64]
Pairs = NDArray[np.int64]


def percentiles(contours: Contours, out: Float32s, shares: Shares, ranges: Pairs) -> None:
    """Percentiles by linear interpolation between order statistics.

    Parameters
    ----------
    contours : Contours
    out : float32 array of zeros, shape (contours, len(shares) + len(ranges))
        Percentiles, then the distances between two of them. 0 for a contour without frames. Weights, products and their
        sum are single precision.
    shares : float64 array
        In [0, 1]; 0.5 is the median.
    ranges : int64 array, shape (ranges, 2)
        Which two percentiles.
    """
    _interpolate(contours.ascending(), contours.n, shares, ranges, out)


@njit(cache=True, nogil=True, error_model="numpy")
def _interpolate(ascending: Float32s, n: NDArray[np.int64], shares: Shares, ranges: Pairs, out: Float32s) -> None:
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
        for j in range(len(ranges)):
            out[c, shares.size + j] = abs(out[c, ranges[j, 1]] - out[c, ranges[j, 0]])
