"""Percentiles of a contour and ranges between them."""

from collections.abc import Sequence

import numpy as np

from .contours import Contours, Float32s

__all__ = ["percentiles"]


def percentiles(contours: Contours, shares: Sequence[float]) -> Float32s:
    """Percentiles by linear interpolation between order statistics.

    Parameters
    ----------
    contours : Contours
    shares : sequence of float
        In [0, 1]; 0.5 is the median.

    Returns
    -------
    float32 array, shape (contours, len(shares))
        0 for a contour without frames. Weights, products and their sum are single precision.
    """
    ordered = contours.ascending
    last = np.maximum(contours.n - 1, 0)[:, None]
    place = np.asarray(shares, np.float64) * last
    below = place.astype(np.int64)
    rest = place - below
    above = np.minimum(below + 1, last)
    lower = np.take_along_axis(ordered, below, 1)
    upper = np.take_along_axis(ordered, above, 1)
    between = lower * (1 - rest).astype(np.float32) + upper * rest.astype(np.float32)
    out = np.where(rest == 0, lower, between)
    out[contours.n == 0] = 0
    return out
