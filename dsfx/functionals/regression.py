"""Straight line and parabola through a contour, and its centre of gravity in time."""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .contours import Contours, Float32s
from .limiter import soft_limit

__all__ = ["regression"]

NAMES = (
    "linregc1", "linregc2", "linregerrQ", "qregc1", "qregc2", "qregc3", "qregerrQ", "centroid",
)  # fmt: skip


def regression(contours: Contours, out: Float32s, frames_per_unit: float) -> None:
    """Least-squares fits over the frame index, normalised by the contour's range.

    Parameters
    ----------
    contours : Contours
    out : float32 array of zeros, shape (contours, 8)
        Line `m·i + t`: `linregc1` (m, softly limited), `linregc2` (t above the minimum), `linregerrQ` (mean square
        error). Parabola `a·i² + b·i + c`: `qregc1`, `qregc2` (a, b, softly limited), `qregc3` (c above the minimum),
        `qregerrQ`. All divided by the range (the errors by its square); 0 for a constant contour. `centroid`: mean
        frame index weighted by the absolute values, divided by the number of frames.
    frames_per_unit : float
        Slopes are given per this many frames: 1, or the frames of a second.
    """
    _regression(
        contours.x,
        contours.n,
        contours.minimum,
        contours.range,
        contours.mean,
        float(frames_per_unit),
        out,
    )


@njit(cache=True, nogil=True, error_model="numpy")
def _regression(
    x: Float32s,
    n: NDArray[np.int64],
    low: Float32s,
    spread: Float32s,
    mean: Float32s,
    per_unit: float,
    out: Float32s,
) -> None:
    work = np.zeros((10, n.size))
    y1, y2, weighted, absolute = work[0], work[1], work[2], work[3]
    shortest = x.shape[0]
    for c in range(x.shape[1]):
        shortest = min(shortest, n[c])
    for i in range(x.shape[0]):
        row = x[i]
        t = np.float64(i)
        for c in range(row.size):
            y1[c] += t * row[c]
        for c in range(row.size):
            y2[c] += t * t * row[c]
        for c in range(row.size):
            weighted[c] += t * abs(np.float64(row[c]))
        for c in range(row.size):
            absolute[c] += abs(np.float64(row[c]))
    for c in range(x.shape[1]):
        _coefficients(n[c], mean[c], y1[c], y2[c], work[4:9, c])
        work[9, c] = 1.0 / spread[c] if spread[c] > 0 else 0.0
    _errors(x, n, shortest, work[4:9], work[9], y1, y2)
    for c in range(x.shape[1]):
        if n[c] == 0:
            continue
        m, t0, a, b, c0 = work[4, c], work[5, c], work[6, c], work[7, c], work[8, c]
        scale = work[9, c]
        reach = np.float64(spread[c]) if spread[c] > 0 else 1.0
        limit = np.float32(reach / 10)
        room = np.float32(reach / 10 + 0.01)
        limit2 = np.float32(math.sqrt(reach / 10))
        room2 = np.float32(math.sqrt(reach / 10) + 0.01)
        out[c, 0] = np.float32(np.float64(soft_limit(np.float32(m), limit, room)) * per_unit * scale)
        out[c, 1] = np.float32((t0 - low[c]) * scale)
        out[c, 2] = np.float32(y1[c] / n[c])
        out[c, 3] = np.float32(np.float64(soft_limit(np.float32(a), limit2, room2)) * (per_unit * per_unit) * scale)
        out[c, 4] = np.float32(np.float64(soft_limit(np.float32(b), limit, room)) * per_unit * scale)
        out[c, 5] = np.float32((c0 - low[c]) * scale)
        out[c, 6] = np.float32(y2[c] / n[c])
        if absolute[c] > 0:
            out[c, 7] = np.float32(np.float64(np.float32(weighted[c] / absolute[c])) / n[c])


@njit(cache=True, nogil=True, error_model="numpy")
def _coefficients(frames: int, mean: np.float32, y1: float, y2: float, out: NDArray[np.float64]) -> None:
    # The order of these expressions is part of the definition: another one differs in the last bit now and then.
    n = np.float64(frames)
    y0 = np.float64(mean) * n
    if frames < 2:
        out[:] = 0
        out[1] = out[4] = y0
        return
    s1 = (n - 1) * n / 2
    s2 = (n - 1) * n * (2 * n - 1) / 6
    s3 = s1 * s1
    s4 = (n - 1) * n * (2 * n - 1) * (3 * (n - 1) * (n - 1) + 3 * (n - 1) - 1) / 30
    q = s1 / s2
    out[1] = (y0 - y1 * q) / (n - s1 * q)
    out[0] = (y1 - out[1] * s1) / s2
    det = s4 * s2 * n + 2 * s3 * s1 * s2 - s2 * s2 * s2 - s3 * s3 * n - s1 * s1 * s4
    if det == 0:
        out[2:] = 0
        return
    out[2] = ((s2 * n - s1 * s1) * y2 + (s1 * s2 - s3 * n) * y1 + (s3 * s1 - s2 * s2) * y0) / det
    out[3] = ((s1 * s2 - s3 * n) * y2 + (s4 * n - s2 * s2) * y1 + (s3 * s2 - s4 * s1) * y0) / det
    out[4] = ((s3 * s1 - s2 * s2) * y2 + (s3 * s2 - s4 * s1) * y1 + (s4 * s2 - s3 * s3) * y0) / det


@njit(cache=True, nogil=True, error_model="numpy")
def _errors(
    x: Float32s,
    n: NDArray[np.int64],
    shortest: int,
    fit: NDArray[np.float64],
    scale: NDArray[np.float64],
    linear: NDArray[np.float64],
    square: NDArray[np.float64],
) -> None:
    slope, offset, a, b, c0 = fit[0], fit[1], fit[2], fit[3], fit[4]  # unpacked at once, it would not vectorise
    linear[:] = 0
    square[:] = 0
    for i in range(shortest):
        row = x[i]
        t = np.float64(i)
        for c in range(row.size):
            d = (np.float64(row[c]) - (slope[c] * t + offset[c])) * scale[c]
            linear[c] += d * d
        for c in range(row.size):
            d = (np.float64(row[c]) - (a[c] * t * t + b[c] * t + c0[c])) * scale[c]
            square[c] += d * d
    for i in range(shortest, x.shape[0]):
        t = np.float64(i)
        for c in range(x.shape[1]):
            if i < n[c]:
                d = (np.float64(x[i, c]) - (slope[c] * t + offset[c])) * scale[c]
                linear[c] += d * d
                d = (np.float64(x[i, c]) - (a[c] * t * t + b[c] * t + c0[c])) * scale[c]
                square[c] += d * d
