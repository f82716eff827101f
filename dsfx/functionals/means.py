"""Means of a contour: arithmetic, quadratic, of the positive values, and the flatness."""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .contours import Contours, Float32s

__all__ = ["means"]

NAMES = ("amean", "posamean", "rqmean", "flatness", "nnz")


def means(contours: Contours, out: Float32s) -> None:
    """Means of every contour.

    Parameters
    ----------
    contours : Contours
    out : float32 array of zeros, shape (contours, 5)
        `amean`; `posamean`, mean of the values > 0; `rqmean`, root of the mean square; `flatness`, geometric over
        arithmetic mean of the absolute values (zeros count in the arithmetic mean only; 1 if all are zero); `nnz`,
        share of non-zero values. All 0 for a contour without frames.
    """
    _means(contours.x, contours.n, contours.mean, out)


@njit(cache=True, nogil=True, error_model="numpy")
def _means(x: Float32s, n: NDArray[np.int64], mean: Float32s, out: Float32s) -> None:
    # The geometric mean needs Σ ln|x|. A product with its exponent split off now and then says the same without a
    # logarithm per frame: six factors of at most 2^128 (at least 2^-149) cannot leave the range of a double.
    # Rows by index: unpacked at once, the loops would not vectorise.
    sums, counts = np.zeros((4, n.size)), np.zeros((3, n.size), np.int64)
    positive, square, absolute, product = sums[0], sums[1], sums[2], sums[3]
    n_positive, n_nonzero, exponent = counts[0], counts[1], counts[2]
    bits = product.view(np.int64)
    product[:] = 1
    for i in range(x.shape[0]):
        row = x[i]
        for c in range(row.size):
            positive[c] += np.float64(max(row[c], np.float32(0)))
        for c in range(row.size):
            n_positive[c] += row[c] > 0
        for c in range(row.size):
            square[c] += np.float64(row[c]) * np.float64(row[c])
        for c in range(row.size):
            absolute[c] += abs(np.float64(row[c]))
        for c in range(row.size):
            n_nonzero[c] += row[c] != 0
        for c in range(row.size):
            product[c] *= abs(np.float64(row[c])) if row[c] != 0 else 1.0
        if i % 6 == 5:
            for c in range(row.size):
                exponent[c] += (bits[c] >> 52) - 1023
                bits[c] = (bits[c] & 0x000FFFFFFFFFFFFF) | 0x3FF0000000000000
    for c in range(x.shape[1]):
        if n[c] == 0:
            continue
        out[c, 0] = mean[c]
        if n_positive[c]:
            out[c, 1] = np.float32(positive[c] / n_positive[c])
        out[c, 2] = np.float32(math.sqrt(square[c] / n[c]))
        out[c, 3] = 1
        if absolute[c] > 0:
            log_mean = (math.log(product[c]) + exponent[c] * math.log(2.0)) / n_nonzero[c]
            out[c, 3] = np.float32(math.exp(log_mean) / (absolute[c] / n[c]))
        out[c, 4] = np.float32(n_nonzero[c] / n[c])
