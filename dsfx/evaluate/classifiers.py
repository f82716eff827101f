"""Classifiers: what they are as scikit-learn pipelines, and a faster way to the same predictions.

The obvious way, a grid search over a `Pipeline` inside a cross-validation, computes the same inner products again for
every value of C. Here the matrix of inner products (the Gram matrix) of the standardised features is computed once per
training part, and all values of C, all kernels and the classifier's own solver work on it. The standardisation is
fitted to the training part alone either way, so the predictions are those of the pipeline.
"""

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError
from .data import GRID, Doubles, Indices, Parameters, Texts
from .protocols import inner_folds
from .scaling import Standard

__all__ = [
    "CLASSIFIERS",
    "DUAL_ROWS",
    "Classifier",
    "Outcome",
    "check_size",
    "choose",
    "classifier_of",
    "learn",
    "pipeline",
    "recall",
    "weights",
]

WIDTHS = (0.1, 1.0, 10.0)
"""Values of gamma, relative to one over the features' total variance."""
DUAL_ROWS = 8_000
"""Up to so many clips linear SVMs are solved in their dual form, on the Gram matrix; beyond, in their primal form."""


@dataclass(frozen=True)
class Classifier:
    """A kind of classifier, and the values of its parameters to choose from.

    Attributes
    ----------
    name : as ``--classifier`` takes it.
    words : for a methods section.
    grid : parameters, simplest first; of equally good ones the first is taken.
    """

    name: str
    words: str
    grid: tuple[Parameters, ...]


def classifier_of(name: str, grid: Sequence[float] = GRID) -> Classifier:
    """Return a classifier by its name.

    Raises
    ------
    ConfigError
        No such classifier, or an impossible C.
    """
    if not grid or any(not 0 < c < 1e9 for c in grid):
        raise ConfigError("--c: expected positive numbers, such as 0.001,0.01,0.1")
    values = sorted(set(grid))
    if name not in CLASSIFIERS:
        raise ConfigError(f"--classifier {name}: no such classifier; there are {', '.join(CLASSIFIERS)}")
    spread = f"C from {{{', '.join(f'{c:g}' for c in values)}}}"
    if name == "rbf-svm":
        cells = tuple({"C": c, "gamma": g} for c in values for g in WIDTHS)
        spread += f", gamma from {{{', '.join(f'{g:g}' for g in WIDTHS)}}} over the total variance"
    elif name == "mlp":
        return Classifier(name, CLASSIFIERS[name], ({},))
    else:
        cells = tuple({"C": c} for c in values)
    return Classifier(name, f"{CLASSIFIERS[name]}, {spread}", cells)


CLASSIFIERS = {
    "linear-svm": "a support vector machine with linear kernel (hinge loss, one class against one, classes weighted by "
    "inverse frequency)",
    "rbf-svm": "a support vector machine with radial basis functions (one class against one, classes weighted by "
    "inverse frequency)",
    "logistic": "multinomial logistic regression (L2 penalty, classes weighted by inverse frequency)",
    "mlp": "a network of two dense layers (256 and 128 rectified linear units, Adam, 100 epochs, L2 penalty 0.001, "
    "clips weighted by inverse class frequency)",
}


@dataclass(frozen=True)
class Outcome:
    """What a classifier says about a test part.

    Attributes
    ----------
    predicted : (clips,)
    parameters : those that were chosen.
    inner : UA in the inner folds, by parameters; NaN where there were none.
    seconds : of work.
    missing : NaN in the training part.
    notes : what went wrong on the way.
    """

    predicted: Texts
    parameters: Parameters
    inner: list[float]
    seconds: float
    missing: int
    notes: list[str]


def check_size(classifier: Classifier, clips: int, columns: int) -> None:
    """Raise `ConfigError` where a classifier would need more memory than a desk computer has."""
    if classifier.name != "linear-svm" and clips > DUAL_ROWS and 8 * clips * max(clips, columns) > 3e9:
        raise ConfigError(
            f"--classifier {classifier.name}: {clips} clips × {columns} columns would take "
            f"{8 * clips * max(clips, columns) / 1e9:.0f} GB or more; linear-svm takes no second copy"
        )


def recall(true: Texts, predicted: Texts) -> float:
    """Return the unweighted average of the recalls of the classes that occur."""
    return float(np.mean([np.mean(predicted[true == label] == label) for label in np.unique(true)]))


_Predict = Callable[[Parameters], Texts]


def learn(
    x: NDArray[np.float32],
    labels: Texts,
    speakers: Texts | None,
    train: Indices,
    test: Indices,
    classifier: Classifier,
    *,
    seed: int = 0,
) -> Outcome:
    """Tune on the training part, learn from it, and predict the test part.

    Parameters
    ----------
    x : (clips, columns)
    labels, speakers : (clips,)
        Without speakers the inner folds are stratified only.
    train, test : row numbers
    classifier : Classifier
    seed : int
        Of the classifiers that start at random.
    """
    began = time.perf_counter()
    y = labels[train]
    if len(set(y)) == 1:
        return Outcome(np.full(len(test), y[0]), {}, [], 0.0, 0, [f"only the class {y[0]} is there to learn from"])
    chosen, scores, notes = choose(x, y, None if speakers is None else speakers[train], classifier, seed, train)
    predict, missing = _fitted(x, labels, train, test, classifier.name, seed, notes)
    predicted = predict(chosen)
    return Outcome(predicted, chosen, scores, time.perf_counter() - began, missing, list(dict.fromkeys(notes)))


def choose(
    x: NDArray[np.float32],
    y: Texts,
    speakers: Texts | None,
    classifier: Classifier,
    seed: int = 0,
    rows: Indices | None = None,
) -> tuple[Parameters, list[float], list[str]]:
    """Choose parameters in inner folds of whole speakers.

    Parameters
    ----------
    x : (clips, columns)
    y, speakers : (rows,)
        Labels and speakers of the clips to learn from.
    classifier : Classifier
    seed : int
    rows : row numbers, optional
        Of the clips to learn from. The default is all.

    Returns
    -------
    parameters : dict
    scores : list of float
        Mean UA of each cell of the grid; NaN where there were no inner folds.
    notes : list of str
    """
    notes: list[str] = []
    at = np.arange(len(x)) if rows is None else rows
    labels = np.empty(len(x), y.dtype)
    labels[at] = y
    grid = list(classifier.grid)
    scores = np.full(len(grid), np.nan)
    if len(grid) > 1:
        folds = inner_folds(y, speakers)
        if folds:
            table = np.empty((len(folds), len(grid)))
            for row, (a, b) in enumerate(folds):
                predict, _ = _fitted(x, labels, at[a], at[b], classifier.name, seed, notes)
                table[row] = [recall(y[b], predict(parameters)) for parameters in grid]
            scores = table.mean(axis=0)
        else:
            notes.append("too few speakers or clips to tune: the middle of the grid was taken")
    chosen = grid[len(grid) // 2] if np.isnan(scores).any() else grid[int(np.argmax(scores))]
    return chosen, scores.tolist(), notes


def _fitted(
    x: NDArray[np.float32], labels: Texts, train: Indices, test: Indices, name: str, seed: int, notes: list[str]
) -> tuple[_Predict, int]:
    """Return a function that learns with given parameters and predicts the test part; and the number of NaN."""
    from sklearn.exceptions import ConvergenceWarning

    standard = Standard.fit(x, train)
    y = labels[train]
    n = len(train)
    if name == "linear-svm" and len(x) > DUAL_ROWS:
        from .primal import linear_svm

        weights_before: list[Doubles] = []

        def primal(parameters: Parameters) -> Texts:
            # The grid ascends, and the weights for one C are near those for the next.
            start = weights_before.pop() if weights_before else None
            predicted, after = linear_svm(x, labels, train, test, standard, parameters["C"], start=start)
            weights_before.append(after)
            return predicted

        return primal, standard.missing
    if name == "mlp":
        ready: tuple[Any, Any] = (
            standard.apply(x, train).astype(np.float32),
            standard.apply(x, test).astype(np.float32),
        )
    elif name == "logistic" and n >= x.shape[1]:
        ready = standard.apply(x, train), standard.apply(x, test)
    else:
        products = standard.gram(x, np.concatenate([train, test]))
        ready = products[:n, :n], products[n:, :n]
        if name == "logistic":
            # Coordinates in the space that the training part spans: as many as there are clips, not columns.
            values, vectors = np.linalg.eigh(ready[0])
            kept = values > values[-1] * 1e-10
            turn = vectors[:, kept] / np.sqrt(values[kept])
            ready = ready[0] @ turn, ready[1] @ turn
        elif name == "rbf-svm":
            norms = np.diag(products)
            variance = norms[:n].mean()
            squares = norms[:n, None] + norms[None, :n] - 2 * ready[0], norms[n:, None] + norms[None, :n] - 2 * ready[1]

    def predict(parameters: Parameters) -> Texts:
        inputs = ready
        if name == "rbf-svm":
            inputs = tuple(np.exp(-parameters["gamma"] / variance * np.maximum(part, 0)) for part in squares)
        model = estimator(name if name in {"logistic", "mlp"} else "precomputed", parameters, seed)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", ConvergenceWarning)
            fit_options = {"sample_weight": weights(y)} if name == "mlp" else {}
            model.fit(inputs[0], y, **fit_options)
        if any(issubclass(w.category, ConvergenceWarning) for w in caught) and name != "mlp":
            notes.append(f"{name} did not converge with {parameters}")
        return np.asarray(model.predict(inputs[1]))

    return predict, standard.missing


def weights(y: Texts) -> Doubles:
    """Return a weight for every clip: the inverse frequency of its class."""
    from sklearn.utils.class_weight import compute_sample_weight

    return np.asarray(compute_sample_weight("balanced", y))


def estimator(name: str, parameters: Parameters, seed: int = 0) -> Any:
    """Return the scikit-learn estimator of standardised features."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.neural_network import MLPClassifier
    from sklearn.svm import SVC

    if name == "mlp":
        return MLPClassifier((256, 128), alpha=1e-3, max_iter=100, n_iter_no_change=100, random_state=seed)
    c = parameters.get("C", 1.0)
    if name == "logistic":
        return LogisticRegression(C=c, class_weight="balanced", max_iter=2000, tol=1e-5)
    if name == "rbf-svm":
        return SVC(C=c, kernel="rbf", gamma=parameters["gamma"], class_weight="balanced")
    kernel = "precomputed" if name == "precomputed" else "linear"
    return SVC(C=c, kernel=kernel, class_weight="balanced", cache_size=500)


def pipeline(name: str, parameters: Parameters, seed: int = 0) -> Any:
    """Return the whole classifier as a scikit-learn `Pipeline`: imputation, standardisation, estimator."""
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    steps = [
        ("impute", SimpleImputer(strategy="mean", keep_empty_features=True)),
        ("scale", StandardScaler()),
        ("classify", estimator(name, parameters, seed)),
    ]
    return Pipeline(steps)
