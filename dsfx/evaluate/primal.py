"""Linear models in their primal form, for more rows than a Gram matrix can hold.

Squared loss beyond a margin: of classes, one against the rest, on the wrong side of it (a support vector machine); of
numbers, outside of it (support vector regression; ridge regression where the margin is 0). Solved by L-BFGS. Features
are standardised block by block while the solver runs: no second copy of them is held.
"""

import numpy as np

from .arrays import Doubles, Indices, Matrix, Values
from .scaling import Standard

__all__ = ["fit", "one_against_rest", "scores"]

_ROWS = 4096


def one_against_rest(y: Values) -> tuple[Values, Matrix, Matrix]:
    """Return the classes, targets 1 and -1 of shape (clips, classes), and weights by inverse frequency."""
    classes, codes = np.unique(y, return_inverse=True)
    weights = (len(codes) / (len(classes) * np.bincount(codes)))[codes].astype(np.float32)
    return classes, np.where(codes[:, None] == np.arange(len(classes)), 1, -1).astype(np.float32), weights


def fit(
    x: Matrix,
    train: Indices,
    standard: Standard,
    target: Matrix,
    c: float,
    *,
    weights: Matrix | None = None,
    margin: float | None = None,
    start: Doubles | None = None,
    tolerance: float = 1e-4,
    iterations: int = 200,
) -> Doubles:
    """Learn from the training part.

    Parameters
    ----------
    x : (clips, columns)
    train : row numbers
    standard : Standard
        Of the training part.
    target : (rows, outputs)
        1 and -1 of classes; or numbers.
    c : float
        Weight of the loss against half the squared weights.
    weights : (rows,), optional
        Of the clips.
    margin : float, optional
        Errors of numbers that cost nothing. None: the targets are those of classes.
    start : array, optional
        What was found for another C.
    tolerance : float
        The solver stops where the loss falls by less than this share of it in an iteration.

    Returns
    -------
    array of shape (columns + 1, outputs)
        Weights of standardised features; the constant last.
    """
    from scipy.optimize import minimize

    p, k = x.shape[1], target.shape[1]
    often = np.ones((len(train), 1), np.float32) if weights is None else weights[:, None]

    def objective(flat: Doubles) -> tuple[float, Doubles]:
        w = flat.reshape(p + 1, k)
        w32 = w.astype(np.float32)
        loss = 0.5 * float(np.sum(w[:p] ** 2))
        gradient = np.zeros((p + 1, k))
        gradient[:p] = w[:p]
        for begin in range(0, len(train), _ROWS):
            rows = slice(begin, begin + _ROWS)
            block = standard.block(x, train[rows])
            found, wanted = block @ w32[:p] + w32[p], target[rows]
            if margin is None:
                wrong = -wanted * np.maximum(0, 1 - wanted * found)
            else:
                wrong = found - wanted
                wrong = np.sign(wrong) * np.maximum(np.abs(wrong) - np.float32(margin), 0)
            loss += c * float(np.sum(often[rows] * wrong * wrong, dtype=np.float64))
            slope = 2 * c * often[rows] * wrong
            gradient[:p] += block.T @ slope
            gradient[p] += slope.sum(axis=0, dtype=np.float64)
        return loss, gradient.reshape(-1)

    options = {"maxiter": iterations, "ftol": tolerance, "maxcor": 5}
    begin = np.zeros((p + 1) * k) if start is None else start.reshape(-1)
    return np.asarray(minimize(objective, begin, jac=True, method="L-BFGS-B", options=options).x).reshape(p + 1, k)


def scores(x: Matrix, rows: Indices, standard: Standard, weights: Doubles) -> Matrix:
    """Return what the weights say of rows, shape (rows, outputs)."""
    w = weights.astype(np.float32)
    parts = [standard.block(x, rows[i : i + _ROWS]) @ w[:-1] + w[-1] for i in range(0, len(rows), _ROWS)]
    return np.concatenate(parts) if parts else np.empty((0, w.shape[1]), np.float32)
