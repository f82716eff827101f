"""Descriptors of a spectrum: band energies, roll-off, flux, moments, entropy, slopes, level ratios.

Specification, part 01 sections 10 and 11, part 04 sections 5 and 6. Arrays of a block are ``(bins, 64)``, one column
per frame; results are ``(64,)`` or ``(width, 64)``, written to `out` where that is given. A band edge in Hz is meant on
the nominal axis of a `Framing`.
"""

import math
from functools import lru_cache
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ..errors import ConfigError
from .elementary import log2
from .fft import LANES
from .framing import Framing
from .step import Step
from .wide import wide

__all__ = [
    "alpha_ratio",
    "band_energy",
    "band_slope",
    "centroid",
    "entropy",
    "flux",
    "hammarberg_index",
    "harmonicity",
    "moments",
    "power_sums",
    "roll_off",
    "sharpness",
    "slope",
]

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

POWER_FLOOR = np.float32(1e-7) * np.float32(1e-7)
PER_DECADE = 10 / math.log(10)


def _lanes() -> F32:
    return np.empty(LANES, np.float32)


def _ordered_sum(values: F64) -> float:
    """Sum from the first to the last value; `np.sum` adds in pairs, which shows where terms cancel."""
    return float(np.cumsum(values)[-1])


@lru_cache(maxsize=64)
def band_terms(framing: Framing, low: float, high: float) -> tuple[I64, F64]:
    """Bins of a band and their weights; the two edge bins count in part (specification, part 01 section 10 item 1)."""
    if not 0 <= low < high:
        raise ConfigError(f"band is {low} to {high} Hz, expected 0 <= low < high")
    f, resolution, last = framing.frequencies, framing.resolution, framing.bins - 1
    above = int(np.searchsorted(f, low, side="right"))
    left, left_weight = (above - 1, (f[above] - low) / resolution) if above <= last else (last, 1.0)
    reached = int(np.searchsorted(f, high, side="left"))
    if reached > last:
        right, right_weight = last, 1.0
    elif f[reached] == high:
        right, right_weight = reached, 1.0
    else:
        right, right_weight = reached - 1, (high - f[reached - 1]) / resolution
    between = list(range(left + 1, right))
    return np.array([left, *between, right]), np.array([left_weight, *(1.0 for _ in between), right_weight])


@Step
def band_energy(power: F32, *, framing: Framing, low: float, high: float, out: F32 | None = None) -> tuple[Any, ...]:
    """Power between two frequencies, divided by the number of bins of the spectrum without DC, shape (64,)."""
    bins, weights = band_terms(framing, low, high)
    result = _lanes() if out is None else out
    return _band_energy, power, bins, weights, np.empty(LANES), result


@Step
def power_sums(power: F32, *, framing: Framing, out: F64 | None = None) -> tuple[Any, ...]:
    """Total power and the sum of frequency times power, shape (2, 64), both without DC.

    Everything that is relative to the total power shares them.
    """
    sums = np.empty((2, LANES)) if out is None else out
    return _power_sums, power, framing.frequencies, sums


@Step
def roll_off(
    power: F32, sums: F64, *, framing: Framing, points: tuple[float, ...], out: F32 | None = None
) -> tuple[Any, ...]:
    """Frequency in Hz of the first bin that reaches each share of the total power, shape (len(points), 64).

    Parameters
    ----------
    power, sums
        As elsewhere.
    framing : Framing
    points : tuple of float
        Shares, 0 to 1.
    """
    shares = roll_off_shares(points)
    result = np.empty((len(points), LANES), np.float32) if out is None else out
    return _roll_off, power, sums, shares, framing.resolution, result


@lru_cache(maxsize=32)
def roll_off_shares(points: tuple[float, ...]) -> F64:
    if not all(0 <= p <= 1 for p in points):
        raise ConfigError(f"roll-off points are {points}, expected shares from 0 to 1")
    return np.array(points, dtype=np.float64)


@Step
def flux(magnitude: F32, previous: F32 | None, *, first: int, last: int, out: F32 | None = None) -> tuple[Any, ...]:
    """Root mean square change of the magnitudes of bins `first` to `last` from frame to frame, shape (64,).

    Parameters
    ----------
    magnitude : ndarray of float32, shape (bins, 64)
    previous : ndarray of float32, shape (bins,), or None
        Magnitudes of the frame before the block; None at the start of the signal, where the flux is 0.
    first, last : int
    """
    result = _lanes() if out is None else out
    before = magnitude[:, 0].copy() if previous is None else previous
    return _flux, magnitude, before, first, last, np.empty(LANES), result


@Step
def centroid(sums: F64, *, out: F32 | None = None) -> tuple[Any, ...]:
    """Mean frequency in Hz, weighted by power, shape (64,); 0 for silence."""
    result = _lanes() if out is None else out
    return _centroid, sums, result


@Step
def moments(power: F32, sums: F64, *, framing: Framing, out: F32 | None = None) -> tuple[Any, ...]:
    """Variance in Hz², skewness and kurtosis (3 for a Gaussian) about the centroid, shape (3, 64)."""
    result = np.empty((3, LANES), np.float32) if out is None else out
    return _moments, power, sums, framing.frequencies, np.empty(LANES), np.empty((3, LANES)), result


@Step
def entropy(power: F32, sums: F64, *, floor: float = 1e-7, out: F32 | None = None) -> tuple[Any, ...]:
    """Entropy in bit of the spectrum taken as a distribution, shape (64,).

    Both the powers and their total are floored, so for near silence this is no proper entropy.
    """
    result = _lanes() if out is None else out
    return _entropy, power, sums, float(floor), np.empty(LANES), np.empty(LANES), result


@Step
def slope(sums: F64, *, framing: Framing, out: F32 | None = None) -> tuple[Any, ...]:
    """Slope of the regression of power over frequency, times the number of bins less two, shape (64,)."""
    result = _lanes() if out is None else out
    return _slope, sums, *_regression_terms(framing), result


@lru_cache(maxsize=32)
def _regression_terms(framing: Framing) -> tuple[int, float, float]:
    f = framing.frequencies[1:]
    s_f, s_ff = _ordered_sum(f), _ordered_sum(f * f)
    return len(f), s_f, len(f) * s_ff - s_f * s_f


@Step
def sharpness(power: F32, sums: F64, *, framing: Framing, out: F32 | None = None) -> tuple[Any, ...]:
    """Psychoacoustic sharpness: the centroid on the Bark scale with more weight above 16 Bark, shape (64,)."""
    result = _lanes() if out is None else out
    return _sharpness, power, sums, _sharpness_weights(framing), result


@lru_cache(maxsize=32)
def _sharpness_weights(framing: Framing) -> F64:
    def weight(f: float) -> float:
        z = 26.81 / (1 + 1960 / f) - 0.53
        if z < 2:
            z = 0.85 * z + 0.3
        elif z > 20.1:
            z = 1.22 * z - 0.22 * 20.1
        return z * (1.0 if z <= 16 else 1 + ((z - 16) / 4) ** 1.5849625)

    return np.array([0.0, *(weight(float(f)) for f in framing.frequencies[1:])])


@Step
def harmonicity(power: F32, *, out: F32 | None = None) -> tuple[Any, ...]:
    """Mean absolute difference of successive local extrema of the power spectrum, shape (64,)."""
    result = _lanes() if out is None else out
    return _harmonicity, power, _lanes(), result


@lru_cache(maxsize=32)
def level_bins(framing: Framing, middle: float, high: float) -> tuple[int, int]:
    """First bin at or above `middle` and first bin above `high`."""
    if not 0 < middle < high:
        raise ConfigError(f"level ratio has edges {middle} and {high} Hz, expected 0 < middle < high")
    f = framing.frequencies
    return int(np.searchsorted(f, middle, side="left")), int(np.searchsorted(f, high, side="right"))


@Step
def alpha_ratio(
    power: F32, *, framing: Framing, middle: float = 1000.0, high: float = 5000.0, out: F32 | None = None
) -> tuple[Any, ...]:
    """Level of `middle` to `high` over the level below `middle` in dB, shape (64,); 0 if there is nothing below."""
    split, stop = level_bins(framing, middle, high)
    result = _lanes() if out is None else out
    return _alpha_ratio, power, split, stop, POWER_FLOOR, PER_DECADE, _lanes(), _lanes(), result


@Step
def hammarberg_index(
    power: F32, *, framing: Framing, middle: float = 2000.0, high: float = 5000.0, out: F32 | None = None
) -> tuple[Any, ...]:
    """Highest level below `middle` over the highest of `middle` to `high` in dB, shape (64,); 0 if the latter is 0."""
    split, stop = level_bins(framing, middle, high)
    result = _lanes() if out is None else out
    return _hammarberg, power, split, stop, POWER_FLOOR, PER_DECADE, _lanes(), _lanes(), result


@Step
def band_slope(power: F32, *, framing: Framing, low: float, high: float, out: F32 | None = None) -> tuple[Any, ...]:
    """Slope of the power level between two frequencies in dB/Hz, shape (64,).

    Not an exact weighted regression (a flat spectrum does not have slope 0), but the field's definition.
    """
    bins, weights, n, s_f, s_ff = _slope_terms(framing, low, high)
    result = _lanes() if out is None else out
    return (
        _band_slope,
        power,
        bins,
        weights,
        framing.frequencies,
        n,
        s_f,
        s_ff,
        POWER_FLOOR,
        np.empty((2, LANES)),
        result,
    )


@lru_cache(maxsize=32)
def _slope_terms(framing: Framing, low: float, high: float) -> tuple[I64, F64, float, float, float]:
    bins, weights = band_terms(framing, low, high)
    vf = weights * framing.frequencies[bins]
    return bins, weights, float(bins[-1] - bins[0]), _ordered_sum(vf), _ordered_sum(vf * vf)


@njit(cache=True, nogil=True, error_model="numpy")
def _band_energy(power: F32, bins: I64, weights: F64, total: F64, result: F32) -> None:
    total[:] = 0
    for t in range(len(bins)):
        row, w = power[bins[t]], weights[t]
        for i in range(LANES):
            total[i] += w * np.float64(row[i])
    n = len(power) - 1
    for i in range(LANES):
        result[i] = total[i] / n


@njit(cache=True, nogil=True, error_model="numpy")
def _power_sums(power: F32, frequencies: F64, sums: F64) -> None:
    wide()
    sums[:] = 0
    total, first = sums[0], sums[1]
    for k in range(1, len(power)):
        f = frequencies[k]
        for i in range(LANES):
            p = np.float64(power[k, i])
            total[i] += p
            first[i] += f * p


@njit(cache=True, nogil=True, error_model="numpy")
def _centroid(sums: F64, result: F32) -> None:
    for i in range(LANES):
        result[i] = sums[1, i] / sums[0, i] if sums[0, i] != 0 else 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def _slope(sums: F64, n: int, s_f: float, denominator: float, result: F32) -> None:
    for i in range(LANES):
        result[i] = (n - 1) * (n * sums[1, i] - s_f * sums[0, i]) / denominator


@njit(cache=True, nogil=True, error_model="numpy")
def _roll_off(power: F32, sums: F64, shares: F64, resolution: float, result: F32) -> None:
    # The running sum never falls, so the first bin that reaches a threshold is found by counting those below it.
    points = len(shares)
    running = np.zeros(LANES)
    threshold = np.empty((points, LANES))
    below = np.zeros((points, LANES))
    for s in range(points):
        for i in range(LANES):
            threshold[s, i] = shares[s] * sums[0, i]
    for k in range(1, len(power)):
        for i in range(LANES):
            running[i] += np.float64(power[k, i])
        for s in range(points):
            for i in range(LANES):
                below[s, i] += 1.0 if running[i] < threshold[s, i] else 0.0
    for s in range(points):
        for i in range(LANES):
            result[s, i] = (below[s, i] + 1) * resolution


@njit(cache=True, nogil=True, error_model="numpy")
def _flux(magnitude: F32, previous: F32, first: int, last: int, total: F64, result: F32) -> None:
    total[:] = 0
    for k in range(first, last + 1):
        row = magnitude[k]
        change = np.float64(row[0]) - np.float64(previous[k])
        total[0] += change * change
        for i in range(1, LANES):
            d = np.float64(row[i]) - np.float64(row[i - 1])
            total[i] += d * d
    n = last - first + 1
    for i in range(LANES):
        result[i] = np.sqrt(total[i] / n)


@njit(cache=True, nogil=True, error_model="numpy")
def _moments(power: F32, sums: F64, frequencies: F64, mean: F64, work: F64, result: F32) -> None:
    for i in range(LANES):
        mean[i] = np.float32(sums[1, i] / sums[0, i]) if sums[0, i] != 0 else np.float32(0)
    work[:] = 0
    second, third, fourth = work[0], work[1], work[2]
    for k in range(1, len(power)):
        f = frequencies[k]
        for i in range(LANES):
            d = f - mean[i]
            p = d * d * np.float64(power[k, i])
            second[i] += p
            p *= d
            third[i] += p
            fourth[i] += p * d
    for i in range(LANES):
        total = sums[0, i]
        variance = second[i] / total if total != 0 else 0.0
        result[0, i] = variance
        if variance > 0:
            result[1, i] = third[i] / (total * variance * np.sqrt(variance))
            result[2, i] = fourth[i] / (total * variance * variance)
        else:
            result[1, i] = 0
            result[2, i] = 0


@njit(cache=True, nogil=True, error_model="numpy")
def _entropy(power: F32, sums: F64, floor: float, total: F64, work: F64, result: F32) -> None:
    wide()
    least = np.float64(np.float32(floor))
    for i in range(LANES):
        total[i] = max(sums[0, i], least)
        work[i] = 0
    for k in range(1, len(power)):
        for i in range(LANES):
            # The logarithm of the quotient: a difference of logarithms would cancel in silence.
            p = max(np.float64(power[k, i]), floor) / total[i]
            work[i] += p * log2(p)
    for i in range(LANES):
        result[i] = -work[i]


@njit(cache=True, nogil=True, error_model="numpy")
def _sharpness(power: F32, sums: F64, weights: F64, result: F32) -> None:
    result[:] = 0
    for k in range(1, len(power)):
        w = weights[k]
        for i in range(LANES):
            result[i] += np.float32(np.float64(power[k, i]) * w)
    for i in range(LANES):
        quotient = np.float32(np.float64(result[i]) / sums[0, i]) if sums[0, i] != 0 else np.float32(0)
        result[i] = 0.11 * np.float64(quotient)


@njit(cache=True, nogil=True, error_model="numpy")
def _harmonicity(power: F32, extremum: F32, result: F32) -> None:
    wide()
    result[:] = 0
    extremum[:] = -1  # none yet: powers are not negative
    for k in range(np.uint64(3), np.uint64(len(power) - 2)):
        a, b, here, c, d = power[k - 2], power[k - 1], power[k], power[k + 1], power[k + 2]
        for i in range(LANES):
            p = here[i]
            high = (p > a[i]) & (p > b[i]) & (p > c[i]) & (p > d[i])
            low = (p < a[i]) & (p < b[i]) & (p < c[i]) & (p < d[i])
            found = high | low
            before = extremum[i]
            result[i] += abs(p - before) if found & (before >= 0) else np.float32(0)
            extremum[i] = p if found else before
    n = np.float32(len(power) - 1)
    for i in range(LANES):
        result[i] = result[i] / np.float32(2) / n


@njit(cache=True, nogil=True, error_model="numpy")
def _alpha_ratio(
    power: F32, split: int, stop: int, floor: np.float32, per_decade: float, lower: F32, upper: F32, result: F32
) -> None:
    lower[:] = 0
    upper[:] = 0
    for k in range(split):
        for i in range(LANES):
            lower[i] += power[k, i]
    for k in range(split, stop):
        for i in range(LANES):
            upper[i] += power[k, i]
    least = np.float32(math.log(floor))
    for i in range(LANES):
        if lower[i] == 0:
            level = np.float32(0)
        elif upper[i] > floor:
            level = np.float32(math.log(upper[i] / lower[i]))
        else:  # so also where the axis ends below `split`
            level = least - np.float32(math.log(lower[i]))
        result[i] = per_decade * np.float64(level)


@njit(cache=True, nogil=True, error_model="numpy")
def _hammarberg(
    power: F32, split: int, stop: int, floor: np.float32, per_decade: float, lower: F32, upper: F32, result: F32
) -> None:
    lower[:] = 0
    upper[:] = 0
    for k in range(split):
        for i in range(LANES):
            lower[i] = max(lower[i], power[k, i])
    for k in range(split, stop):
        for i in range(LANES):
            upper[i] = max(upper[i], power[k, i])
    for i in range(LANES):
        quotient = max(lower[i], floor) / upper[i] if upper[i] != 0 else np.float32(1)
        result[i] = per_decade * np.float64(math.log(quotient))


@njit(cache=True, nogil=True, error_model="numpy")
def _band_slope(
    power: F32,
    bins: I64,
    weights: F64,
    frequencies: F64,
    n: float,
    s_f: float,
    s_ff: float,
    floor: np.float32,
    work: F64,
    result: F32,
) -> None:
    work[:] = 0
    s_fv, s_v = work[0], work[1]
    per_decade = np.float32(PER_DECADE)
    for t in range(len(bins)):
        w, f = weights[t], frequencies[bins[t]]
        row = power[bins[t]]
        for i in range(LANES):
            level = per_decade * math.log(row[i]) if row[i] > floor else np.float32(-140)
            s_fv[i] += w * f * np.float64(level)
            s_v[i] += w * np.float64(level)
    denominator = n * s_ff - s_f * s_f
    for i in range(LANES):
        result[i] = (n * s_fv[i] - s_f * s_v[i]) / denominator if denominator != 0 else 0.0
