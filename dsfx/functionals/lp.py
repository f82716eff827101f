"""Linear prediction of a contour."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .contours import Contours, Float32s

__all__ = ["linear_prediction"]


def linear_prediction(contours: Contours, out: Float32s) -> None:
    """Autocorrelation method, Levinson-Durbin recursion, all in single precision and in this order.

    No mean is removed and no window applied, so that the residual is a small difference of large numbers; the rounding
    is part of the result.

    Parameters
    ----------
    contours : Contours
    out : float32 array of zeros, shape (contours, order + 1)
        `lpgain`, residual energy per frame; `lpc0` …, the coefficients a_1 … of the error filter 1 + Σ a_j z^-j.
        All 0 for a contour of zeros.
    """
    _predict(contours.x, contours.n, out)


@njit(cache=True, nogil=True, error_model="numpy")
def _predict(x: Float32s, n: NDArray[np.int64], out: Float32s) -> None:
    r = np.zeros((out.shape[1], out.shape[0]), np.float32)
    _lags(x, r)
    _durbin(r, n, out)


@njit(cache=True, nogil=True, error_model="numpy")
def _lags(x: Float32s, r: Float32s) -> None:
    for i in range(x.shape[0]):
        row = x[i]
        for lag in range(min(i + 1, r.shape[0])):
            before = x[i - lag]
            sums = r[lag]
            for c in range(sums.size):
                sums[c] += row[c] * before[c]


@njit(cache=True, nogil=True, error_model="numpy")
def _durbin(r: Float32s, n: NDArray[np.int64], out: Float32s) -> None:
    one = np.float32(1)
    order = r.shape[0] - 1
    for c in range(r.shape[1]):
        error = r[0, c]
        if error == 0:
            continue
        a = out[c]  # a[0] is free for the gain: the coefficients start at 1
        for m in range(1, order + 1):
            if not np.isfinite(one / error):  # zero, or so small that its reciprocal is too large: as good as zero
                break
            s = r[m, c]
            for j in range(1, m):
                s += a[j] * r[m - j, c]
            k = (-one / error) * s
            for j in range(1, m // 2 + 1):
                left = a[j]
                a[j] += k * a[m - j]
                if 2 * j != m:
                    a[m - j] += k * left
            a[m] = k
            error *= one - k * k
        a[0] = np.float32(np.float64(error) / n[c])
