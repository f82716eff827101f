"""Linear support vector machines in their primal form, for more rows than a Gram matrix can hold.

Squared hinge loss, one class against the rest, classes weighted by inverse frequency, solved by L-BFGS. The features
are standardised block by block while the solver runs: no second copy of them is held.
"""

import numpy as np
from numpy.typing import NDArray

from .data import Indices, Texts
from .scaling import Standard

__all__ = ["linear_svm"]

_ROWS = 4096


def linear_svm(
    x: NDArray[np.float32],
    labels: Texts,
    train: Indices,
    test: Indices,
    standard: Standard,
    c: float,
    *,
    start: NDArray[np.float64] | None = None,
    tolerance: float = 1e-4,
    iterations: int = 200,
) -> tuple[Texts, NDArray[np.float64]]:
    """Learn from the training part and predict the test part.

    Parameters
    ----------
    x : (clips, columns)
    labels : (clips,)
    train, test : row numbers
    standard : Standard
        Of the training part.
    c : float
        Weight of the loss against the squared weights.
    start : array, optional
        Weights to start from, such as those for another C.
    tolerance : float
        The solver stops where the loss falls by less than this share of it in an iteration.

    Returns
    -------
    predicted : (test clips,)
    weights : to start from next time.
    """
    from scipy.optimize import minimize

    classes, y = np.unique(labels[train], return_inverse=True)
    weights = (len(y) / (len(classes) * np.bincount(y)))[y].astype(np.float32)
    target = np.where(y[:, None] == np.arange(len(classes)), 1, -1).astype(np.float32)
    p, k = x.shape[1], len(classes)

    def objective(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        w = flat.reshape(p + 1, k)
        w32 = w.astype(np.float32)
        loss = 0.5 * float(np.sum(w[:p] ** 2))
        gradient = np.zeros((p + 1, k))
        gradient[:p] = w[:p]
        for begin in range(0, len(train), _ROWS):
            rows = slice(begin, begin + _ROWS)
            block = _block(x, train[rows], standard)
            gap = np.maximum(0, 1 - target[rows] * (block @ w32[:p] + w32[p]))
            loss += c * float(np.sum(weights[rows, None] * gap * gap, dtype=np.float64))
            slope = -2 * c * weights[rows, None] * target[rows] * gap
            gradient[:p] += block.T @ slope
            gradient[p] += slope.sum(axis=0, dtype=np.float64)
        return loss, gradient.reshape(-1)

    options = {"maxiter": iterations, "ftol": tolerance, "maxcor": 5}
    found = minimize(
        objective, np.zeros((p + 1) * k) if start is None else start, jac=True, method="L-BFGS-B", options=options
    )
    w = found.x.reshape(p + 1, k).astype(np.float32)
    scores = [_block(x, test[i : i + _ROWS], standard) @ w[:p] + w[p] for i in range(0, len(test), _ROWS)]
    return np.asarray(classes[np.concatenate(scores).argmax(axis=1)]), found.x


def _block(x: NDArray[np.float32], rows: Indices, standard: Standard) -> NDArray[np.float32]:
    block = x[rows]
    block -= standard.mean.astype(np.float32)
    block /= standard.scale.astype(np.float32)
    block[~np.isfinite(block)] = 0
    return block
