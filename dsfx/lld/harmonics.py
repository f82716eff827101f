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


def harmonic_levels(magnitude: F32, f0: F32, formants: F32, *, resolution: float) -> F32:
    """Harmonic differences and formant levels of a block of frames.

    Parameters
    ----------
    magnitude : ndarray of float32, shape (bins, 64)
        Magnitude spectra.
    f0 : ndarray of float32, shape (frames,)
        F0 in Hz of the frames in the first lanes, 0 where unvoiced.
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
    _levels(magnitude, f0, formants, resolution, out)
    return out


@_kernel
def _log10(x):  # type: ignore[no-untyped-def]
    """Decimal logarithm rounded as the C library's single-precision function: in three parts."""
    mantissa, exponent = math.frexp(x)
    if x >= 1:
        mantissa, exponent = mantissa * 2, exponent - 1
    whole = np.float32(exponent)
    part = np.float32(_LOG_BETA * np.float32(math.log(np.float32(mantissa))))
    return np.float32(np.float32(np.float32(_LOG_ALPHA * whole) + part) + np.float32(_LOG_GAMMA * whole))


@_kernel
def _bin(f, start, resolution, last):  # type: ignore[no-untyped-def]
    """Bin nearest to `f` Hz, the first one above not looked for below bin `start`; 0 beyond the last."""
    f = np.float64(f)
    above = f * (1 / resolution)
    if above > last + 2:
        return 0
    i = np.int64(above)
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
def _is_peak(spectrum, i):  # type: ignore[no-untyped-def]
    here = spectrum[i]
    left = i == 0 or here > spectrum[i - 1]
    return left and (i == len(spectrum) - 1 or here > spectrum[i + 1])


@_kernel
def _refine(spectrum, i, resolution):  # type: ignore[no-untyped-def]
    """Frequency and height of the peak at bin `i`, single precision."""
    x, y = parabola(
        (i - 1) * resolution,
        np.float64(spectrum[i - 1]),
        i * resolution,
        np.float64(spectrum[i]),
        (i + 1) * resolution,
        np.float64(spectrum[i + 1]),
    )
    return np.float32(x), np.float32(y)


@_kernel
def _level(refined, reference):  # type: ignore[no-untyped-def]
    """Level of a height relative to the fundamental's magnitude."""
    if not reference > 0:
        return _NONE
    if not refined > 0:
        return _LOWEST
    difference = np.float64(_log10(refined)) - np.float64(_log10(reference))
    return max(np.float32(_TWENTY * difference), _LOWEST)


@_kernel
def _levels(magnitude, f0, formants, resolution, out):  # type: ignore[no-untyped-def]
    last = len(magnitude) - 1
    spectrum = np.empty(last + 1, np.float32)
    low, high = np.empty(3, np.float32), np.empty(3, np.float32)
    best, refined_best, number = np.empty(3, np.float32), np.empty(3, np.float32), np.empty(3, np.int64)
    first, level = np.empty(3, np.float32), np.empty(3, np.float32)
    for n in range(len(f0)):
        pitch = f0[n]
        if not pitch > 0:
            out[0, n], out[1, n], out[2, n], out[3, n], out[4, n] = _ZERO, _ZERO, _NONE, _NONE, _NONE
            continue
        end = _ZERO
        for j in range(3):
            low[j], high[j] = _BELOW * formants[j, n], _ABOVE * formants[j, n]
            # The harmonic with the highest magnitude within a formant's range so far.
            best[j], number[j], first[j] = _ZERO, 0, _NONE
            end = max(end, high[j])
        # What may be looked at, side by side in memory.
        count = min(int((max(end, 3 * pitch) + 2 * pitch) / resolution) + 4, last + 1)
        for i in range(count):
            spectrum[i] = magnitude[i, n]
        half = np.float32(0.5) * pitch
        running = _bin(half, 1, resolution, last)
        lowest = _bin(half, running, resolution, last)
        reference, before = _ZERO, -1
        for h in range(HARMONICS):
            # A harmonic's peak lies within half an F0 of it, or with very wide bins in the next bin.
            if h > 2 and (h + 0.5) * pitch - 2 * resolution > end:
                break
            centre = _bin(np.float32(np.float32(h + 1) * pitch), running, resolution, last)
            found = -1
            if _is_peak(spectrum, centre):
                found = centre
            else:
                lo = _bin(np.float32(np.float32(h + 0.5) * pitch), running, resolution, last)
                hi = _bin(np.float32(np.float32(h + 1.5) * pitch), centre, resolution, last)
                left, right = centre - 1, centre + 1
                while found < 0 and (left >= lo or right <= hi):
                    if right <= hi:
                        if _is_peak(spectrum, right):
                            found = right
                            break
                        right += 1
                    if left >= lo:
                        if _is_peak(spectrum, left):
                            found = left
                            break
                        left -= 1
            running = centre
            clear = lowest <= found < last and found > 0
            place = found if clear else centre
            height = spectrum[found] if clear else _ZERO
            if h == 0:
                reference = height
            duplicate = h > 0 and place == before
            before = 0 if duplicate else place
            if 0 < h < 3:
                refined = _refine(spectrum, found, resolution)[1] if clear else _ZERO
                first[h] = _NONE if duplicate else _level(refined, reference)
            if duplicate or not clear:
                continue
            # The exact frequency matters only where the harmonic would be the highest of a range it may lie in.
            refined = np.float32(-1)
            frequency = _ZERO
            for j in range(3):
                if height > best[j] and (found - 1) * resolution <= high[j] and (found + 1) * resolution >= low[j]:
                    if refined == -1:
                        frequency, refined = _refine(spectrum, found, resolution)
                    if low[j] <= frequency <= high[j]:
                        best[j], refined_best[j], number[j] = height, refined, h
        for j in range(3):
            # The fundamental itself is at 0 dB; so is, by definition, what was not found.
            level[j] = _level(refined_best[j], reference) if number[j] > 0 else _ZERO
        third = level[2] if best[2] > 0 else _LIMIT
        out[0, n] = min(max(np.float32(first[1] - first[2]), _NONE), _LIMIT)
        out[1, n] = min(max(np.float32(first[1] - third), _NONE), _LIMIT)
        for j in range(3):
            out[2 + j, n] = level[j]
