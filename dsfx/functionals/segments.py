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


def level_segments(contours: Contours, out: Float32s, levels: tuple[float, float], most: int, step: float) -> None:
    """Segments between crossings of two levels by the running mean over three frames.

    The running mean starts from 0 (not from the first value), so that the first frame may count as a crossing; what
    follows the last crossing is not a segment.

    Parameters
    ----------
    contours : Contours
    out : float32 array of zeros, shape (contours, 5)
        `numSegments` per second; `meanSegLen`, `maxSegLen`, `minSegLen`, `segLenStddev` in seconds. 0 without segments.
    levels : two floats
        Fractions of the range above the minimum.
    most : int
        Segments beyond this many are not recorded.
    step : float
        Frame step in seconds.
    """
    low, high = np.float32(levels[0]), np.float32(levels[1])
    _between_crossings(contours.x, contours.n, contours.minimum, contours.range, low, high, most, np.float32(step), out)


def run_segments(
    contours: Contours, out: Float32s, of_zeros: bool, shortest: int, pause: int, most: int, step: float
) -> None:
    """Runs of non-zero frames, or of zero frames.

    Fewer than `pause` frames of the other kind do not end a run. Its length is the number of frames **minus one**.

    Parameters
    ----------
    contours : Contours
    out : float32 array of zeros, shape (contours, 5)
        As for `level_segments`.
    of_zeros : bool
        Take runs of zero frames instead.
    shortest : int
        Frames needed to begin a run.
    pause : int
        Frames of the other kind that end it.
    most, step
        As for `level_segments`.
    """
    _runs(contours.rows, contours.n, of_zeros, shortest, pause, most, np.float32(step), out)


@njit(cache=True, nogil=True, error_model="numpy")
def _between_crossings(
    x: Float32s,
    n: NDArray[np.int64],
    minimum: Float32s,
    spread: Float32s,
    low: np.float32,
    high: np.float32,
    most: int,
    step: np.float32,
    out: Float32s,
) -> None:
    least = np.maximum(2, n // 100 - 1)
    boundary = -(least // 2)
    crossing, lengths = np.empty(n.size, np.bool_), np.empty((n.size, most), np.int64)
    state = np.zeros((4, n.size), np.float32)
    lower, upper, total, previous = state[0], state[1], state[2], state[3]
    for c in range(n.size):
        lower[c], upper[c] = minimum[c] + spread[c] * low, minimum[c] + spread[c] * high
    # How many lengths there are stands in the first column of `out` meanwhile.
    for i in range(x.shape[0]):
        row = x[i]
        for c in range(row.size):
            total[c] += row[c]
        if i >= 3:
            oldest = x[i - 3]
            for c in range(row.size):
                total[c] -= oldest[c]
        width = np.float32(min(i + 1, 3))
        for c in range(row.size):
            v, u = total[c] / width, previous[c]
            a, b = lower[c], upper[c]
            crossing[c] = (
                ((v > a) & (u <= a)) | ((v < a) & (u >= a)) | ((v > b) & (u <= b)) | ((v < b) & (u >= b))
            )  # fmt: skip
            previous[c] = v
        for c in range(row.size):
            if crossing[c] and i - boundary[c] > least[c] and i < n[c]:
                count = int(out[c, 0])
                if count < lengths.shape[1]:
                    lengths[c, count] = i - boundary[c]
                    out[c, 0] = count + 1
                boundary[c] = i
    for c in range(n.size):
        _statistics(lengths[c, : int(out[c, 0])], n[c], step, out[c])


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
