"""Levels of harmonics: H1-H2, H1-A3 and the levels of the formants, relative to the fundamental.

Specification, part 02 section 12, rounded as in part 04 section 7.5. The harmonics are counted from the
fundamental as zero: "H1" is the second partial.
"""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .pitch import parabola

__all__ = ["HARMONIC_COLUMNS", "harmonic_levels"]

F32 = NDArray[np.float32]

HARMONIC_COLUMNS = (
    "logRelF0-H1-H2",
    "logRelF0-H1-A3",
    "F1amplitudeLogRelF0",
    "F2amplitudeLogRelF0",
    "F3amplitudeLogRelF0",
)

HARMONICS = 100
"""Harmonics looked at."""

_ZERO = np.float32(0)
_NONE = np.float32(-201)
_LOWEST = np.float32(-200)
_LIMIT = np.float32(201)
_BELOW = np.float32(0.8)
_ABOVE = np.float32(1.2)
_TWENTY = np.float32(20)
_LOG_ALPHA, _LOG_BETA, _LOG_GAMMA = np.array([0x355427DB, 0x3EDE5BD9, 0x3E9A2080], np.uint32).view(np.float32)

_kernel = njit(cache=True, nogil=True, error_model="numpy")


def harmonic_levels(magnitude: F32, lanes: NDArray[np.int64], f0: F32, formants: F32, *, resolution: float) -> F32:
    """Harmonic differences and formant levels of some frames of a block.

    Parameters
    ----------
    magnitude : ndarray of float32, shape (bins, 64)
        Magnitude spectra of a block of frames.
    lanes : ndarray of int64, shape (frames,)
        Where the frames are.
    f0 : ndarray of float32, shape (frames,)
        Their F0 in Hz, 0 where unvoiced.
    formants : ndarray of float32, shape (3, frames)
        Their formant frequencies in Hz, 0 where there is none.
    resolution : float
        Distance of two bins in Hz.

    Returns
    -------
    ndarray of float32, shape (5, frames)
        In dB, rows as in `HARMONIC_COLUMNS`. Unvoiced frames have differences 0 and levels -201.

    References
    ----------
    Specification, part 02 section 12 and part 04 section 7.5.
    """
    out = np.empty((5, len(f0)), np.float32)
    _levels(magnitude, lanes, f0, formants, resolution, out)
    return out


@_kernel
def _log10(x):  # type: ignore[no-untyped-def]
    """Decimal logarithm as the C library's single-precision function rounds it: from three parts of log 2 and log 10."""
    mantissa, exponent = math.frexp(x)
    if x >= 1:
        mantissa, exponent = mantissa * np.float32(2), exponent - 1
    whole = np.float32(exponent)
    part = np.float32(_LOG_BETA * np.float32(math.log(np.float32(mantissa))))
    return np.float32(np.float32(np.float32(_LOG_ALPHA * whole) + part) + np.float32(_LOG_GAMMA * whole))


@_kernel
def _bin(f, start, resolution, last):  # type: ignore[no-untyped-def]
    """Bin nearest to `f` Hz, the first one above not looked for below bin `start`; 0 beyond the last."""
    f = np.float64(f)
    i = min(np.int64(f / resolution), last + 1)
    while i > 0 and i * resolution > f:
        i -= 1
    while i <= last and not i * resolution > f:
        i += 1
    i = max(i, start)
    if i > last:
        return 0
    if i > 0 and i * resolution - f > f - (i - 1) * resolution:
        return i - 1
    return i


@_kernel
def _is_peak(spectrum, lane, i):  # type: ignore[no-untyped-def]
    here = spectrum[i, lane]
    left = i == 0 or here > spectrum[i - 1, lane]
    return left and (i == len(spectrum) - 1 or here > spectrum[i + 1, lane])


@_kernel
def _levels(magnitude, lanes, f0, formants, resolution, out):  # type: ignore[no-untyped-def]
    last = len(magnitude) - 1
    low, high = np.empty(3, np.float32), np.empty(3, np.float32)
    best, level, first = np.empty(3, np.float32), np.empty(3, np.float32), np.empty(3, np.float32)
    for n in range(len(f0)):
        pitch, lane = f0[n], lanes[n]
        if not pitch > 0:
            out[0, n], out[1, n], out[2, n], out[3, n], out[4, n] = _ZERO, _ZERO, _NONE, _NONE, _NONE
            continue
        end = _ZERO
        for j in range(3):
            low[j], high[j] = _BELOW * formants[j, n], _ABOVE * formants[j, n]
            best[j], level[j], first[j] = _ZERO, _ZERO, _NONE
            end = max(end, high[j])
        half = np.float32(0.5) * pitch
        running = _bin(half, 1, resolution, last)
        lowest = _bin(half, running, resolution, last)
        reference, base, before = _ZERO, np.float64(0), -1
        for h in range(HARMONICS):
            # A harmonic's peak lies within half an F0 of it, or with very wide bins in the next bin.
            if h > 2 and (h + 0.5) * pitch - 2 * resolution > end:
                break
            centre = _bin(np.float32(np.float32(h + 1) * pitch), running, resolution, last)
            found = -1
            if _is_peak(magnitude, lane, centre):
                found = centre
            else:
                lo = _bin(np.float32(np.float32(h + 0.5) * pitch), running, resolution, last)
                hi = _bin(np.float32(np.float32(h + 1.5) * pitch), centre, resolution, last)
                left, right = centre - 1, centre + 1
                while found < 0 and (left >= lo or right <= hi):
                    if right <= hi:
                        if _is_peak(magnitude, lane, right):
                            found = right
                            break
                        right += 1
                    if left >= lo:
                        if _is_peak(magnitude, lane, left):
                            found = left
                            break
                        left -= 1
            running = centre
            place, height, frequency, refined = centre, _ZERO, _ZERO, _ZERO
            if lowest <= found < last and found > 0:
                place, height = found, magnitude[found, lane]
                x, y = parabola(
                    (found - 1) * resolution,
                    np.float64(magnitude[found - 1, lane]),
                    found * resolution,
                    np.float64(height),
                    (found + 1) * resolution,
                    np.float64(magnitude[found + 1, lane]),
                )
                frequency, refined = np.float32(x), np.float32(y)
            if h == 0:
                reference = height
                base = np.float64(_log10(reference)) if reference > 0 else 0.0
                value = _ZERO
            elif not reference > 0:
                value = _NONE
            elif refined > 0:
                value = max(np.float32(_TWENTY * (np.float64(_log10(refined)) - base)), _LOWEST)
            else:
                value = _LOWEST
            if h > 0 and place == before:
                place, height, frequency, value = 0, _ZERO, _ZERO, _NONE
            before = place
            if h < 3:
                first[h] = value
            for j in range(3):
                if height > best[j] and low[j] <= frequency <= high[j]:
                    best[j], level[j] = height, value
        third = level[2] if best[2] > 0 else _LIMIT
        out[0, n] = min(max(np.float32(first[1] - first[2]), _NONE), _LIMIT)
        out[1, n] = min(max(np.float32(first[1] - third), _NONE), _LIMIT)
        for j in range(3):
            out[2 + j, n] = level[j]
