"""Logarithm and power of two in double precision that vectorise, which the C library's do not."""

import math

import numpy as np
from numba import njit

__all__ = ["exp2", "log2"]

SQRT_HALF_BITS = np.int64(0x3FE6A09E667F3BCD)
L0, L1, L2, L3, L4, L5, L6, L7, L8, L9 = (2 / math.log(2) / (2 * i + 1) for i in range(10))


@njit(cache=True, nogil=True, error_model="numpy")
def log2(x: float) -> float:
    """Logarithm of a positive normal number to 4e-16 relative, also near 1.

    x = 2^k m with m between sqrt(1/2) and sqrt(2), log m = 2 atanh((m - 1) / (m + 1)) by its series.
    """
    bits = np.float64(x).view(np.int64)
    k = (bits - SQRT_HALF_BITS) >> np.int64(52)
    m = np.int64(bits - (k << np.int64(52))).view(np.float64)
    s = (m - 1.0) / (m + 1.0)
    t = s * s
    t2 = t * t
    t4 = t2 * t2
    series = ((L0 + L1 * t) + (L2 + L3 * t) * t2) + ((L4 + L5 * t) + (L6 + L7 * t) * t2) * t4
    return np.float64(k) + s * (series + (L8 + L9 * t) * (t4 * t4))


E0, E1, E2, E3, E4, E5, E6, E7, E8, E9, E10, E11, E12, E13 = (math.log(2) ** i / math.factorial(i) for i in range(14))
SHIFT = 1.5 * 2**52


@njit(cache=True, nogil=True, error_model="numpy")
def exp2(x: float) -> float:
    """Power of two, |x| up to 1000, to 1e-15 relative."""
    # Adding and taking away a large number rounds to an integer, which then stands in the last bits.
    shifted = x + SHIFT
    f = x - (shifted - SHIFT)
    f2 = f * f
    f4 = f2 * f2
    low = (E0 + E1 * f) + (E2 + E3 * f) * f2
    middle = (E4 + E5 * f) + (E6 + E7 * f) * f2
    high = (E8 + E9 * f) + (E10 + E11 * f) * f2
    series = low + f4 * (middle + f4 * (high + f4 * (E12 + E13 * f)))
    exponent = np.float64(shifted).view(np.int64) << np.int64(52)
    return np.int64(np.float64(series).view(np.int64) + exponent).view(np.float64)
