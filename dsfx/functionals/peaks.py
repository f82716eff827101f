"""Significant peaks and valleys of a contour, and the slopes between them."""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .contours import Contours, Float32s
from .limiter import soft_limit

__all__ = ["peaks"]

NAMES = (
    "numPeaks", "meanPeakDist", "peakDistStddev", "peakRangeAbs", "peakRangeRel", "peakMeanAbs", "peakMeanMeanDist",
    "peakMeanRel", "minRangeRel", "meanRisingSlope", "stddevRisingSlope", "meanFallingSlope", "stddevFallingSlope",
)  # fmt: skip


def peaks(contours: Contours, out: Float32s, threshold: float, step: float) -> None:
    """Pick extrema that stand out by a share of the range, and describe them.

    Parameters
    ----------
    contours : Contours
    out : float32 array of zeros, shape (contours, 13)
        `numPeaks` per second; mean and deviation of the distance of peaks in seconds (the deviation measures from the
        valley before each peak); range of the peaks, the same relative to the contour's range; mean of the peaks, minus
        the contour's mean, over the contour's mean (softly limited); range of the valleys relative to the contour's;
        mean and deviation of the rising and the falling slopes per second. All 0 for a contour without frames.
    threshold : float
        Share of the range.
    step : float
        Frame step in seconds.
    """
    _peaks(contours.rows, contours.n, contours.range, contours.mean, np.float32(threshold), np.float32(step), out)


@njit(cache=True, nogil=True, error_model="numpy")
def _candidates(row: Float32s, place: NDArray[np.int64]) -> int:
    """Strict local extrema, two frames away from either end, in time order."""
    count = 0
    for i in range(2, row.size - 2):
        left, y, right = row[i - 1], row[i], row[i + 1]
        place[count] = i
        count += ((y > left) & (y > right)) | ((y < left) & (y < right))
    return count


@njit(cache=True, nogil=True, error_model="numpy")
def _pick(row: Float32s, theta: np.float32, place: NDArray[np.int64], kind: NDArray[np.int64]) -> int:
    """Positions of the extrema that count, peaks and valleys strictly alternating; kind 1 is a peak, -1 a valley."""
    found = _candidates(row, place)
    # 1. Drop peaks that do not stand out. kind 0: dropped.
    before = valley = top = row[0]
    accepted = -1
    deep = False
    for j in range(found):
        i = place[j]
        y = row[i]
        step_away = abs(y - before) >= theta
        if y > row[i - 1]:
            kind[j] = 1
            if step_away:
                top, accepted, deep = y, j, False
            elif y - valley < theta:
                kind[j] = 0
            else:
                if np.float64(y) > 1.05 * np.float64(top):
                    if accepted >= 0:
                        kind[accepted] = 0
                    top, accepted = y, j
                elif deep:
                    top, accepted = y, j
                else:
                    kind[j] = 0
                deep = False
        else:
            kind[j] = -1
            if step_away:
                deep = True
                valley = y
        before = y
    # 2. Drop valleys that are not deep enough below the last peak; 3. of neighbours of one kind keep the more extreme.
    top = row[0]
    count = 0
    for j in range(found):
        if kind[j] == 0:
            continue
        i = place[j]
        y = row[i]
        if kind[j] == 1:
            top = y
        elif top - y < theta:
            continue
        if count and kind[count - 1] == kind[j]:
            last = row[place[count - 1]]
            if (kind[j] == 1 and y > last) or (kind[j] == -1 and y < last):
                place[count - 1] = i
        else:
            place[count] = i
            kind[count] = kind[j]
            count += 1
    return count


@njit(cache=True, nogil=True, error_model="numpy")
def _slopes(
    row: Float32s, place: NDArray[np.int64], kind: NDArray[np.int64], count: int, step: np.float32, out: Float32s
) -> None:
    """Mean and deviation of rising slopes, then of falling ones.

    The slope from the last extremum to the end of the contour enters the mean, with the sign it has, and the divisor
    of the deviation, but not its sum.
    """
    zero = np.float32(0)
    last = row.size - 1
    if count == 0:
        v = (row[last] - row[0]) / np.float32(row.size)
        out[0] = v if v > 0 else zero
        out[2] = v if v < 0 else zero
        return
    end = place[count - 1]
    end_slope = (row[last] - row[end]) / (np.float32(last - end) * step)
    for which in range(2):
        sign = 1 - 2 * which
        total = zero
        n = 0
        for j in range(count):
            if kind[j] == sign:
                total += _slope(row, place, j, sign, step)
                n += 1
        inner = n
        if kind[count - 1] != sign:
            total += end_slope
            n += 1
        if n == 0:
            continue
        mean = total / np.float32(n)
        squares = zero
        if inner:
            for j in range(count):
                if kind[j] == sign:
                    d = _slope(row, place, j, sign, step) - mean
                    squares += d * d
        out[2 * which] = mean
        out[2 * which + 1] = np.float32(math.sqrt(squares / np.float32(n)))


@njit(cache=True, nogil=True, error_model="numpy")
def _slope(row: Float32s, place: NDArray[np.int64], j: int, sign: int, step: np.float32) -> np.float32:
    start = place[j - 1] if j else 0
    rise = row[place[j]] - row[start]
    if sign < 0:
        rise = -rise
    return rise / (np.float32(place[j] - start) * step)


@njit(cache=True, nogil=True, error_model="numpy")
def _peaks(
    rows: Float32s,
    n: NDArray[np.int64],
    spread: Float32s,
    mean: Float32s,
    threshold: np.float32,
    step: np.float32,
    out: Float32s,
) -> None:
    place, kind = np.empty(rows.shape[1] + 1, np.int64), np.empty(rows.shape[1] + 1, np.int64)
    zero = np.float32(0)
    one = np.float32(1)
    ten = np.float32(10)
    for c in range(rows.shape[0]):
        if n[c] == 0:
            continue
        row = rows[c, : n[c]]
        count = _pick(row, threshold * spread[c], place, kind)
        peaks = valleys = 0
        high = low = high_valley = low_valley = total = distance = zero
        first = last = 0
        for j in range(count):
            y = row[place[j]]
            if kind[j] == 1:
                if peaks == 0:
                    high = low = y
                    first = place[j]
                high = max(high, y)
                low = min(low, y)
                last = place[j]
                total += y
                peaks += 1
            else:
                if valleys == 0:
                    high_valley = low_valley = y
                high_valley = max(high_valley, y)
                low_valley = min(low_valley, y)
                valleys += 1
        peak_mean = total / np.float32(peaks) if peaks else zero
        out[c, 0] = np.float32(peaks) / (np.float32(n[c]) * step)
        if peaks > 1:
            distance = np.float32(last - first) / np.float32(peaks - 1)
            squares = zero
            for j in range(2, count):
                if kind[j] == 1:
                    d = np.float32(place[j] - place[j - 1]) - distance
                    squares += d * d
            out[c, 1] = distance * step
            out[c, 2] = np.float32(math.sqrt(squares / np.float32(peaks - 1))) * step
        out[c, 3] = high - low
        out[c, 4] = min(abs((high - low) / spread[c]), one) if spread[c] != 0 else high - low
        out[c, 5] = peak_mean
        out[c, 6] = peak_mean - mean[c]
        out[c, 7] = soft_limit(peak_mean / mean[c], ten, ten) if mean[c] != 0 else np.float32(20)
        valley_range = high_valley - low_valley
        out[c, 8] = min(abs(valley_range / spread[c]), one) if spread[c] != 0 else valley_range
        _slopes(row, place, kind, count, step, out[c, 9:13])
