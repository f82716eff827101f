"""Harmonics-to-noise ratio from the autocorrelation.

Specification, part 02 section 10. The autocorrelation is an inverse single-precision transform of the power spectrum
(part 04 section 7.4): neighbouring lags may tie to the last bits, and which of them is a peak decides several dB.
"""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .fft import LANES, Plan, complex_transform, scratch

__all__ = ["autocorrelation_hnr"]

F32 = NDArray[np.float32]

_ZERO = np.float32(0)
_HALF = np.float32(0.5)

_kernel = njit(cache=True, nogil=True, error_model="numpy")


def autocorrelation_hnr(magnitude: F32, f0: F32, tables: Plan, *, nyquist: float) -> F32:
    """Ratio of the periodic to the remaining energy, from the autocorrelation's peak near one period.

    Parameters
    ----------
    magnitude : ndarray of float32, shape (bins, 64)
        Magnitude spectra of voiced frames.
    f0 : ndarray of float32, shape (frames,)
        F0 in Hz (above 0) of the frames in the first lanes; the other lanes are not looked at (but must be finite).
    tables : Plan
        ``plan(2 * (bins - 1))``.
    nyquist : float
        Nominal frequency of the last bin in Hz.

    Returns
    -------
    ndarray of float32, shape (frames,)
        In dB, -90 to 110.

    References
    ----------
    Specification, part 02 section 10 and part 04 section 7.4.
    """
    half = len(magnitude) - 1
    re, im = scratch("power", 2 * half).reshape(2, half, LANES)
    out = np.empty(len(f0), np.float32)
    _fold(magnitude, tables.real_wr, tables.real_wi, re, im)
    complex_transform(re, im, tables)
    _hnr(re, im, tables.order, f0, nyquist, out)
    return out


@_kernel
def _fold(magnitude, real_wr, real_wi, re, im):  # type: ignore[no-untyped-def]
    """Power spectra (even, real) as input of a complex transform of half the length."""
    half = len(re)
    middle = half // 2
    for n in range(LANES):
        low, high = magnitude[0, n] * magnitude[0, n], magnitude[half, n] * magnitude[half, n]
        delta = _HALF * (low - high)
        re[0, n], im[0, n] = low - delta, -delta
        re[middle, n], im[middle, n] = magnitude[middle, n] * magnitude[middle, n], _ZERO
    for j in range(np.uint64(1), np.uint64(middle)):
        k = np.uint64(half) - j
        wr, wi = real_wr[j], real_wi[j]
        for n in range(LANES):
            low, high = magnitude[j, n] * magnitude[j, n], magnitude[k, n] * magnitude[k, n]
            x = low - high
            y, s = wr * x, wi * x
            re[j, n], im[j, n] = low - y, -s
            re[k, n], im[k, n] = high + y, -s


@_kernel
def _at(re, im, order, lag, lane):  # type: ignore[no-untyped-def]
    row = order[lag >> 1]
    value = im[row, lane] if lag & 1 else re[row, lane]
    return abs(value) / np.float32(len(re) + 1)


@_kernel
def _is_peak(re, im, order, lag, lane):  # type: ignore[no-untyped-def]
    here = _at(re, im, order, lag, lane)
    left = lag == 0 or here > _at(re, im, order, lag - 1, lane)
    return left and (lag == len(re) or here > _at(re, im, order, lag + 1, lane))


@_kernel
def _hnr(re, im, order, f0, nyquist, out):  # type: ignore[no-untyped-def]
    last = len(re)
    for n in range(len(f0)):
        wanted = min(int(2 * nyquist / np.float64(f0[n])), last)
        lag = -1
        if _is_peak(re, im, order, wanted, n):
            lag = wanted
        else:
            for away in range(1, last + 1):
                if wanted - away > 0 and _is_peak(re, im, order, wanted - away, n):
                    lag = wanted - away
                    break
                if wanted + away < last and _is_peak(re, im, order, wanted + away, n):
                    lag = wanted + away
                    break
        total = _at(re, im, order, 0, n)
        if lag < 0:
            here = _at(re, im, order, wanted, n)
            left, right = total > here, _at(re, im, order, last, n) > here
            if left and right:
                lag = 0 if wanted < (last + 1) // 2 else last
            elif left:
                lag = 0
            elif right:
                lag = last
            else:
                lag = wanted
        if lag <= 0:
            out[n] = 0
            continue
        periodic = _at(re, im, order, lag, n)
        rest = np.float32(total - periodic)
        ratio = 1e11 if rest == 0 else np.float64(periodic) / np.float64(rest)
        out[n] = np.float32(10 * math.log10(min(max(ratio, 1e-9), 1e11)))
