"""The soft limiter of slopes and ratios."""

import math

import numpy as np
from numba import njit

__all__ = ["soft_limit"]


@njit(cache=True, nogil=True, error_model="numpy")
def soft_limit(value: np.float32, linear: np.float32, room: np.float32) -> np.float32:
    """Leave values within ±`linear` alone and let the rest saturate at ±(`linear` + `room`).

    The hyperbolic tangent is formed from a logistic in single precision. For small arguments that is off by up to
    1e-4 of the excess, and it is meant to be.
    """
    one = np.float32(1)
    two = np.float32(2)
    if abs(value) <= linear:
        return value
    if value > linear:
        z = np.float32((math.sqrt(np.float64(value - linear) + 1.0) - 1.0) / (0.5 * np.float64(room)))
    else:
        z = -np.float32((math.sqrt(np.float64(-(value + linear)) + 1.0) - 1.0) / (0.5 * np.float64(room)))
    th = two * np.float32(1.0 / (1.0 + math.exp(-2.0 * np.float64(z)))) - one
    if value > linear:
        return linear + room * th
    return room * th - linear
