"""Segments of a contour and the statistics of their lengths.

Two ways to cut: at crossings of levels relative to the range, and into runs of zero or non-zero frames.
"""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .contours import Contours, Float32s

__all__ = ["level_segments", "run_segments"]

NAMES = ("numSegments", "meanSegLen", "maxSegLen", "minSegLen", "segLenStddev")


def level_segments(contours: Contours, levels: tuple[float, float], most: int, step: float) -> Float32s:
    """Segments between crossings of two levels by the running mean over three frames.

    The running mean starts from 0 (not from the first value), so that the first frame may count as a crossing; what
    follows the last crossing is not a segment.

    Parameters
    ----------
    contours : Contours
    levels : two floats
        Fractions of the range above the minimum.
    most : int
        Segments beyond this many are not recorded.
    step : float
        Frame step in seconds.

    Returns
    -------
    float32 array, shape (contours, 5)
        `numSegments` per second; `meanSegLen`, `maxSegLen`, `minSegLen`, `segLenStddev` in seconds. 0 without segments.
    """
    out = np.zeros((contours.count, len(NAMES)), np.float32)
    low, spread = contours.minimum, contours.range
    lower = (low + spread * np.float32(levels[0])).astype(np.float32)
    upper = (low + spread * np.float32(levels[1])).astype(np.float32)
    _between_crossings(contours.rows, contours.n, lower, upper, most, np.float32(step), out)
    return out


def run_segments(contours: Contours, of_zeros: bool, shortest: int, pause: int, most: int, step: float) -> Float32s:
    """Runs of non-zero frames, or of zero frames.

    Fewer than `pause` frames of the other kind do not end a run. Its length is the number of frames **minus one**.

    Parameters
    ----------
    contours : Contours
    of_zeros : bool
        Take runs of zero frames instead.
    shortest : int
        Frames needed to begin a run.
    pause : int
        Frames of the other kind that end it.
    most, step
        As for `level_segments`.

    Returns
    -------
    float32 array, shape (contours, 5)
        As for `level_segments`.
    """
    out = np.zeros((contours.count, len(NAMES)), np.float32)
    _runs(contours.rows, contours.n, of_zeros, shortest, pause, most, np.float32(step), out)
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def _between_crossings(
    rows: Float32s,
    n: NDArray[np.int64],
    lower: Float32s,
    upper: Float32s,
    most: int,
    step: np.float32,
    out: Float32s,
) -> None:
    lengths = np.empty(most, np.int64)
    three = np.float32(3)
    for c in range(rows.shape[0]):
        row = rows[c, : n[c]]
        least = max(2, n[c] // 100 - 1)
        boundary = -(least // 2)
        count = 0
        total = np.float32(0)
        previous = np.float32(0)
        a, b = lower[c], upper[c]
        for i in range(row.size):
            total += row[i]
            if i >= 3:
                total -= row[i - 3]
            v = total / (three if i >= 2 else np.float32(i + 1))
            # Above, on or below a level as 1, 0, -1: a crossing changes the sign, or leaves the level.
            if ((v > a) & (previous <= a)) | ((v < a) & (previous >= a)) | ((v > b) & (previous <= b)) | (
                (v < b) & (previous >= b)
            ) and i - boundary > least:
                if count < most:
                    lengths[count] = i - boundary
                    count += 1
                boundary = i
            previous = v
        _statistics(lengths[:count], n[c], step, out[c])


@njit(cache=True, nogil=True, error_model="numpy")
def _runs(
    rows: Float32s,
    n: NDArray[np.int64],
    of_zeros: bool,
    shortest: int,
    pause: int,
    most: int,
    step: np.float32,
    out: Float32s,
) -> None:
    lengths = np.empty(most, np.int64)
    for c in range(rows.shape[0]):
        count = 0
        start = last = active = idle = 0
        inside = False
        for i in range(n[c]):
            if (rows[c, i] == 0) == of_zeros:
                if active == 0:
                    start = i
                idle = 0
                last = i
                active += 1
                inside = inside or active >= shortest
            elif active:
                idle += 1
                if idle >= pause:
                    if inside and count < most:
                        lengths[count] = last - start
                        count += 1
                    active = idle = 0
                    inside = False
        if inside and count < most:
            lengths[count] = last - start
            count += 1
        _statistics(lengths[:count], n[c], step, out[c])


@njit(cache=True, nogil=True, error_model="numpy")
def _statistics(lengths: NDArray[np.int64], frames: int, step: np.float32, out: Float32s) -> None:
    count = np.float32(lengths.size)
    if lengths.size == 0:
        return
    longest = smallest = lengths[0]
    total = 0
    for length in lengths:
        longest = max(longest, length)
        smallest = min(smallest, length)
        total += length
    mean = np.float32(total) / count
    out[0] = count / (step * np.float32(frames))
    out[1] = mean * step
    out[2] = np.float32(longest) * step
    out[3] = np.float32(smallest) * step
    if lengths.size > 1:
        variance = np.float32(0)
        for length in lengths:
            d = np.float32(length) - mean
            variance += d * d
        out[4] = np.float32(math.sqrt(variance / count)) * step
