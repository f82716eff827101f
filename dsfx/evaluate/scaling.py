"""Standardisation of features without a second copy of them."""

from dataclasses import dataclass

import numpy as np

from .arrays import Doubles, Indices, Matrix

__all__ = ["Standard"]

_BLOCK = 512
"""Columns standardised at a time: no second copy of the features is ever held."""


@dataclass(frozen=True)
class Standard:
    """Means and scales of a training part; missing values become the mean.

    Attributes
    ----------
    mean, scale : (columns,)
    missing : number of NaN in the training part.
    """

    mean: Doubles
    scale: Doubles
    missing: int

    @classmethod
    def fit(cls, x: Matrix, rows: Indices) -> "Standard":
        """Fit to rows of `x`; a constant column gets the scale 1, a column without any value the mean 0."""
        mean, scale = np.zeros(x.shape[1]), np.ones(x.shape[1])
        missing = 0
        for begin in range(0, x.shape[1], _BLOCK):
            part = x[rows, begin : begin + _BLOCK].astype(np.float64)
            gaps = ~np.isfinite(part)
            if gaps.any():
                missing += int(gaps.sum())
                part[gaps] = 0.0
                count = np.maximum(len(rows) - gaps.sum(axis=0), 1)
                centre = part.sum(axis=0) / count
                part -= centre
                part[gaps] = 0.0
            else:
                centre = part.mean(axis=0)
                part -= centre
            # As StandardScaler after imputation of the mean: the deviation counts imputed values.
            deviation = np.sqrt(np.mean(part * part, axis=0))
            flat = deviation <= 10 * np.finfo(np.float64).eps * np.maximum(np.abs(centre), 1e-30) * np.sqrt(len(rows))
            mean[begin : begin + _BLOCK] = centre
            scale[begin : begin + _BLOCK] = np.where(flat, 1.0, deviation)
        return cls(mean, scale, missing)

    def apply(self, x: Matrix, rows: Indices, columns: slice = slice(None)) -> Doubles:
        """Return standardised rows, shape (rows, columns)."""
        part = (x[rows, columns].astype(np.float64) - self.mean[columns]) / self.scale[columns]
        part[~np.isfinite(part)] = 0.0
        return part

    def block(self, x: Matrix, rows: Indices) -> Matrix:
        """Return standardised rows in single precision, shape (rows, columns)."""
        part = x[rows]
        part -= self.mean.astype(np.float32)
        part /= self.scale.astype(np.float32)
        part[~np.isfinite(part)] = 0
        return part

    def gram(self, x: Matrix, rows: Indices) -> Doubles:
        """Return the inner products of standardised rows, shape (rows, rows)."""
        products = np.zeros((len(rows), len(rows)))
        for begin in range(0, x.shape[1], _BLOCK):
            part = self.apply(x, rows, slice(begin, begin + _BLOCK))
            products += part @ part.T
        return products
