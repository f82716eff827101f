"""Level of a contour's mean in decibels."""

import math

import numpy as np
from numba import njit

from .contours import Contours, Float32s

__all__ = ["level_of_mean"]

FLOOR = np.float32(1e-12)
DECIBELS = np.float32(10 / math.log(10))


def level_of_mean(contours: Contours, out: Float32s) -> None:
    """Ten times the decimal logarithm of the mean.

    Parameters
    ----------
    contours : Contours
    out : float32 array of zeros, shape (contours, 1)
        In dB; -120 for a mean of 1e-12 or less.
    """
    _level(contours.mean, out[:, 0])


@njit(cache=True, nogil=True, error_model="numpy")
def _level(mean: Float32s, out: Float32s) -> None:
    for c in range(mean.size):
        # The logarithm is that of the C library in single precision.
        out[c] = DECIBELS * np.float32(math.log(mean[c])) if mean[c] > FLOOR else np.float32(-120)
