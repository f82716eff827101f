"""Central moments of a contour."""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .contours import Contours, Float32s

__all__ = ["moments"]

NAMES = ("stddev", "skewness", "kurtosis", "stddevNorm")


def moments(contours: Contours, out: Float32s) -> None:
    """Population moments about the (rounded) mean.

    Parameters
    ----------
    contours : Contours
    out : float32 array of zeros, shape (contours, 4)
        `stddev`; `skewness`; `kurtosis` (3 for a Gaussian); `stddevNorm`, the standard deviation over the signed mean
        (the standard deviation itself if the mean is 0). All 0 for a constant contour or one without frames.
    """
    _moments(contours.x, contours.n, contours.mean, out)


@njit(cache=True, nogil=True, error_model="numpy")
def _moments(x: Float32s, n: NDArray[np.int64], mean: Float32s, out: Float32s) -> None:
    sums = np.zeros((3, n.size))
    second, third, fourth = sums[0], sums[1], sums[2]  # unpacked at once, the loops would not vectorise
    shortest = x.shape[0]
    for c in range(x.shape[1]):
        shortest = min(shortest, n[c])
    for i in range(shortest):
        row = x[i]
        for c in range(row.size):
            d = np.float64(row[c]) - np.float64(mean[c])
            second[c] += d * d
        for c in range(row.size):
            d = np.float64(row[c]) - np.float64(mean[c])
            third[c] += d * d * d
        for c in range(row.size):
            d = np.float64(row[c]) - np.float64(mean[c])
            fourth[c] += d * d * d * d
    for i in range(shortest, x.shape[0]):
        for c in range(x.shape[1]):
            if i < n[c]:
                d = np.float64(x[i, c]) - np.float64(mean[c])
                second[c] += d * d
                third[c] += d * d * d
                fourth[c] += d * d * d * d
    for c in range(x.shape[1]):
        if n[c] and second[c] > 0:
            m2 = second[c] / n[c]
            deviation = math.sqrt(m2)
            out[c, 0] = np.float32(deviation)
            out[c, 1] = np.float32(third[c] / n[c] / (m2 * deviation))
            out[c, 2] = np.float32(fourth[c] / n[c] / (m2 * m2))
            out[c, 3] = np.float32(deviation / mean[c] if mean[c] != 0 else deviation)
