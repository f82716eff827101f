"""Three-frame averages and deltas of contours, in single precision and in the order given.

Every function computes the rows ``first`` to ``last - 1``, whose window lies inside the contour (before its first frame
the first frame is repeated), and after them one row for each row of ``limits``, which says how many frames of each
contour count there. Beyond those the last frame is repeated, but for a window that begins before the first frame: there
a frame that does not exist is 0.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .contours import Float32s

__all__ = ["close", "delta", "delta_in_segments", "smooth"]

Limits = NDArray[np.int64]


def smooth(x: Float32s, first: int, last: int, limits: Limits, nonzero: bool) -> Float32s:
    """Average of a frame and its two neighbours.

    Parameters
    ----------
    x : float32 array, shape (frames, contours)
    first, last : int
        Rows computed inside the contour.
    limits : int64 array, shape (rows, contours)
        Frames that count in the rows from `last` on.
    nonzero : bool
        A zero stays zero, and zeros do not enter the average of their neighbours.

    Returns
    -------
    float32 array, shape (last - first + len(limits), contours)
    """
    out = np.empty((last - first + len(limits), x.shape[1]), np.float32)
    (_smooth_nonzero if nonzero else _smooth)(x, first, last, limits, out)
    return out


def delta(x: Float32s, first: int, last: int, limits: Limits) -> Float32s:
    """Regression slope over two frames on either side, per frame.

    Parameters and result as for `smooth`.
    """
    out = np.empty((last - first + len(limits), x.shape[1]), np.float32)
    _delta(x, first, last, limits, out)
    return out


def delta_in_segments(
    x: Float32s, first: int, last: int, limits: Limits, denominator: np.float32
) -> tuple[Float32s, np.float32]:
    """Regression slope from the lags whose two frames are not zero, over one running denominator.

    The denominator grows with every lag of every contour that contributes and is never reset, so that the slopes shrink
    as time goes on.

    Parameters
    ----------
    x, first, last, limits
        As for `smooth`.
    denominator : float32
        Its value before row `first`; 10 at the beginning.

    Returns
    -------
    float32 array, shape (last - first + len(limits), contours)
    float32
        The denominator after the last row.
    """
    out = np.empty((last - first + len(limits), x.shape[1]), np.float32)
    return out, _delta_in_segments(x, first, last, limits, np.float32(denominator), out)


@njit(cache=True, nogil=True, error_model="numpy")
def close(x: Float32s, voiced: NDArray[np.bool_], open_in: NDArray[np.bool_]) -> None:
    """Set to 0 what counts in voiced or in unvoiced frames only.

    Parameters
    ----------
    x : float32 array, shape (frames, contours)
    voiced : bool array, shape (frames,)
    open_in : bool array, shape (2, contours)
        Whether each contour is left alone in unvoiced, and in voiced frames.
    """
    for i in range(x.shape[0]):
        leave = open_in[1 if voiced[i] else 0]
        for c in range(x.shape[1]):
            if not leave[c]:
                x[i, c] = np.float32(0)


@njit(cache=True, nogil=True, error_model="numpy")
def _frame(x: Float32s, i: int, c: int, row: int, half: int, limit: int) -> np.float32:
    if i < 0:
        return x[0, c]
    if i < limit:
        return x[i, c]
    return x[limit - 1, c] if row >= half else np.float32(0)


@njit(cache=True, nogil=True, error_model="numpy")
def _smooth(x: Float32s, first: int, last: int, limits: Limits, out: Float32s) -> None:
    three = np.float32(3)
    for o in range(first, last):
        a, b, d, y = x[max(o - 1, 0)], x[o], x[o + 1], out[o - first]
        for c in range(y.size):
            y[c] = ((b[c] + a[c]) + d[c]) / three
    for k in range(limits.shape[0]):
        o = last + k
        y = out[o - first]
        for c in range(y.size):
            n = limits[k, c]
            y[c] = ((_frame(x, o, c, o, 1, n) + _frame(x, o - 1, c, o, 1, n)) + _frame(x, o + 1, c, o, 1, n)) / three


@njit(cache=True, nogil=True, error_model="numpy")
def _smooth_nonzero(x: Float32s, first: int, last: int, limits: Limits, out: Float32s) -> None:
    for o in range(first, last + limits.shape[0]):
        for c in range(x.shape[1]):
            n = limits[o - last, c] if o >= last else o + 2
            y = _frame(x, o, c, o, 1, n)
            if y != 0:
                count = np.float32(1)
                before = _frame(x, o - 1, c, o, 1, n)
                if before != 0:
                    y += before
                    count += np.float32(1)
                after = _frame(x, o + 1, c, o, 1, n)
                if after != 0:
                    y += after
                    count += np.float32(1)
                y /= count
            out[o - first, c] = y


@njit(cache=True, nogil=True, error_model="numpy")
def _delta(x: Float32s, first: int, last: int, limits: Limits, out: Float32s) -> None:
    two = np.float32(2)
    ten = np.float32(10)
    for o in range(first, last):
        a, b, d, e = x[max(o - 2, 0)], x[max(o - 1, 0)], x[o + 1], x[o + 2]
        y = out[o - first]
        for c in range(y.size):
            y[c] = ((d[c] - b[c]) + two * (e[c] - a[c])) / ten
    for k in range(limits.shape[0]):
        o = last + k
        y = out[o - first]
        for c in range(y.size):
            n = limits[k, c]
            near = _frame(x, o + 1, c, o, 2, n) - _frame(x, o - 1, c, o, 2, n)
            far = _frame(x, o + 2, c, o, 2, n) - _frame(x, o - 2, c, o, 2, n)
            y[c] = (near + two * far) / ten


@njit(cache=True, nogil=True, error_model="numpy")
def _delta_in_segments(
    x: Float32s, first: int, last: int, limits: Limits, denominator: np.float32, out: Float32s
) -> np.float32:
    for o in range(first, last + limits.shape[0]):
        for c in range(x.shape[1]):
            n = limits[o - last, c] if o >= last else o + 3
            slope = np.float32(0)
            weight = np.float32(0)
            for lag in range(1, 3):
                after = _frame(x, o + lag, c, o, 2, n)
                before = _frame(x, o - lag, c, o, 2, n)
                if after != 0 and before != 0:
                    slope += np.float32(lag) * (after - before)
                    weight += np.float32(lag * lag)
            denominator += weight
            out[o - first, c] = slope / denominator
    return denominator
