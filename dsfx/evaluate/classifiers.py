"""Classifiers and regressions: what they are as scikit-learn pipelines, and a faster way to the same predictions.

The obvious way, a grid search over a `Pipeline` inside a cross-validation, computes the same inner products again for
every value of C. Here the matrix of inner products (the Gram matrix) of the standardised features is computed once per
training part, and all values of C, all kernels and the classifier's own solver work on it. The standardisation is
fitted to the training part alone either way, so the predictions are those of the pipeline.
"""

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError
from . import primal
from .arrays import Doubles, Indices, Matrix, Texts, Values
from .data import GRID, Parameters
from .protocols import inner_folds
from .scaling import Standard
from .scores import concordance, moments

__all__ = [
    "CLASSIFIERS",
    "DEFAULT",
    "DUAL_ROWS",
    "Classifier",
    "Outcome",
    "check_size",
    "choose",
    "classifier_of",
    "fitted_pipeline",
    "learn",
    "pipeline",
    "quality",
    "recall",
    "weights",
]

WIDTHS = (0.1, 1.0, 10.0)
"""Values of gamma, relative to one over the features' total variance."""
DUAL_ROWS = 8_000
"""Up to so many clips linear models are solved in their dual form, on the Gram matrix; beyond, in their primal form."""


@dataclass(frozen=True)
class Classifier:
    """A kind of classifier or regression, and the values of its parameters to choose from.

    Attributes
    ----------
    name : as ``--classifier`` takes it.
    task : "classification" or "regression".
    words : for a methods section.
    grid : parameters, simplest first; of equally good ones the first is taken.
    """

    name: str
    task: str
    words: str
    grid: tuple[Parameters, ...]


def classifier_of(name: str, grid: Sequence[float] = GRID, clips: int = 0) -> Classifier:
    """Return a classifier by its name, described for a number of clips.

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
    task, words = CLASSIFIERS[name]
    if clips > DUAL_ROWS:
        words = _PRIMAL_WORDS.get(name, words)
    if name == "mlp":
        return Classifier(name, task, words, ({},))
    words += f", C from {{{', '.join(f'{c:g}' for c in values)}}}"
    if name != "rbf-svm":
        return Classifier(name, task, words, tuple({"C": c} for c in values))
    words += f", gamma from {{{', '.join(f'{g:g}' for g in WIDTHS)}}} over the total variance"
    return Classifier(name, task, words, tuple({"C": c, "gamma": g} for c in values for g in WIDTHS))


CLASSIFIERS = {
    "linear-svm": (
        "classification",
        "a support vector machine with linear kernel (hinge loss, one class against one, classes weighted by inverse "
        "frequency)",
    ),
    "rbf-svm": (
        "classification",
        "a support vector machine with radial basis functions (one class against one, classes weighted by inverse "
        "frequency)",
    ),
    "logistic": (
        "classification",
        "multinomial logistic regression (L2 penalty, classes weighted by inverse frequency)",
    ),
    "mlp": (
        "classification",
        "a network of two dense layers (256 and 128 rectified linear units, Adam, 100 epochs, L2 penalty 0.001, clips "
        "weighted by inverse class frequency)",
    ),
    "svr": (
        "regression",
        "support vector regression with linear kernel (errors below 0.1 deviations of the labels cost nothing)",
    ),
    "ridge": ("regression", "ridge regression (L2 penalty 1/C on the weights for standardised labels)"),
}
_PRIMAL_WORDS = {
    "linear-svm": "a linear support vector machine (squared hinge loss, one class against the rest, classes weighted "
    "by inverse frequency)",
    "svr": "linear support vector regression (squared loss of errors beyond 0.1 deviations of the labels)",
}
DEFAULT = {"classification": "linear-svm", "regression": "svr"}
"""What is taken where nothing is named."""
_LINEAR = {"linear-svm", "svr", "ridge"}
"""Have a primal form."""
_DIRECT = {"logistic", "ridge"}
"""Take features, or coordinates in the space of the clips, not inner products."""
_MANY = "The number of unique classes is greater than 50%"
"""What scikit-learn says of many classes, which the user has asked for."""
_SLACK = 0.1
"""Of support vector regression: errors that cost nothing, in standard deviations of the labels."""


@dataclass(frozen=True)
class Outcome:
    """What a classifier says about a test part.

    Attributes
    ----------
    predicted : (clips,)
    parameters : those that were chosen.
    inner : UA, or CCC, in the inner folds, by parameters; NaN where there were none.
    seconds : of work.
    missing : NaN in the training part.
    notes : what went wrong on the way.
    every : (clips,) for each parameters of the grid, where the choice is left to the caller.
    """

    predicted: Values
    parameters: Parameters
    inner: list[float]
    seconds: float
    missing: int
    notes: list[str]
    every: list[Values] = field(default_factory=list)


def check_size(classifier: Classifier, clips: int, columns: int) -> None:
    """Raise `ConfigError` where a classifier would need more memory than a desk computer has."""
    if classifier.name not in _LINEAR and clips > DUAL_ROWS and 8 * clips * max(clips, columns) > 3e9:
        raise ConfigError(
            f"--classifier {classifier.name}: {clips} clips × {columns} columns would take "
            f"{8 * clips * max(clips, columns) / 1e9:.0f} GB or more; {DEFAULT[classifier.task]} takes no second copy"
        )


def recall(true: Values, predicted: Values) -> float:
    """Return the unweighted average of the recalls of the classes that occur."""
    return float(np.mean([np.mean(predicted[true == label] == label) for label in np.unique(true)]))


def quality(true: Values, predicted: Values) -> float:
    """Return what parameters are chosen by: UA of classes, CCC of numbers."""
    if true.dtype.kind != "f":
        return recall(true, predicted)
    everyone = np.zeros(len(true), np.intp)
    return float(concordance(moments(true - true.mean(), predicted - true.mean(), everyone, [0])[0]))


_Predict = Callable[[Parameters], Values]


def learn(
    x: Matrix,
    labels: Values,
    speakers: Texts | None,
    train: Indices,
    test: Indices,
    classifier: Classifier,
    *,
    seed: int = 0,
    tune: bool = True,
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
    tune : bool
        Whether to choose the parameters here. Without, the outcome has the predictions for all of them.
    """
    began = time.perf_counter()
    y = labels[train]
    if len(set(y)) == 1:
        return Outcome(np.full(len(test), y[0]), {}, [], 0.0, 0, [f"all clips to learn from are {y[0]}"])
    if not tune:
        remarks: list[str] = []
        predict, missing = _fitted(x, labels, train, test, classifier.name, seed, remarks)
        every = [predict(parameters) for parameters in classifier.grid]
        return Outcome(every[0], {}, [], time.perf_counter() - began, missing, list(dict.fromkeys(remarks)), every)
    chosen, scores, notes = choose(x, y, None if speakers is None else speakers[train], classifier, seed, train)
    predict, missing = _fitted(x, labels, train, test, classifier.name, seed, notes)
    predicted = predict(chosen)
    return Outcome(predicted, chosen, scores, time.perf_counter() - began, missing, list(dict.fromkeys(notes)))


def choose(
    x: Matrix,
    y: Values,
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
        Mean UA, or CCC, of each cell of the grid; NaN where there were no inner folds.
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
                table[row] = [quality(y[b], predict(parameters)) for parameters in grid]
            scores = table.mean(axis=0)
        else:
            notes.append("too few speakers or clips to tune: the middle of the grid was taken")
    chosen = grid[len(grid) // 2] if np.isnan(scores).any() else grid[int(np.argmax(scores))]
    return chosen, scores.tolist(), notes


def _fitted(
    x: Matrix, labels: Values, train: Indices, test: Indices, name: str, seed: int, notes: list[str]
) -> tuple[_Predict, int]:
    """Return a function that learns with given parameters and predicts the test part; and the number of NaN."""
    from sklearn.exceptions import ConvergenceWarning

    standard = Standard.fit(x, train)
    y, n = labels[train], len(train)
    numbers = y.dtype.kind == "f"
    if name in _LINEAR and len(x) > DUAL_ROWS:
        before: list[Doubles] = []

        def primal_predict(parameters: Parameters) -> Values:
            # The grid ascends, and the weights for one C are near those for the next.
            classes, found = _primal(name, x, y, train, standard, parameters, before.pop() if before else None)
            before.append(found)
            values = primal.scores(x, test, standard, found)
            if classes is None:
                return _back(values[:, 0], y)
            return np.asarray(classes[values.argmax(axis=1)])

        return primal_predict, standard.missing
    if name == "mlp":
        ready: tuple[Any, Any] = (
            standard.apply(x, train).astype(np.float32),
            standard.apply(x, test).astype(np.float32),
        )
    elif name in _DIRECT and n >= x.shape[1]:
        ready = standard.apply(x, train), standard.apply(x, test)
    else:
        products = standard.gram(x, np.concatenate([train, test]))
        ready = products[:n, :n], products[n:, :n]
        if name in _DIRECT:
            # Coordinates in the space that the training part spans: as many as there are clips, not columns.
            values, vectors = np.linalg.eigh(ready[0])
            kept = values > values[-1] * 1e-10
            turn = vectors[:, kept] / np.sqrt(values[kept])
            ready = ready[0] @ turn, ready[1] @ turn
        elif name == "rbf-svm":
            norms = np.diag(products)
            variance = norms[:n].mean()
            squares = norms[:n, None] + norms[None, :n] - 2 * ready[0], norms[n:, None] + norms[None, :n] - 2 * ready[1]

    def predict(parameters: Parameters) -> Values:
        inputs = ready
        if name == "rbf-svm":
            inputs = tuple(np.exp(-parameters["gamma"] / variance * np.maximum(part, 0)) for part in squares)
        model = estimator(name, parameters, seed, kernel="precomputed")
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", ConvergenceWarning)
            warnings.filterwarnings("ignore", _MANY)
            fit_options = {"sample_weight": weights(y)} if name == "mlp" else {}
            model.fit(inputs[0], _scaled(y) if numbers else y, **fit_options)
        if any(issubclass(w.category, ConvergenceWarning) for w in caught) and name != "mlp":
            notes.append(f"{name} did not converge with {parameters}")
        predicted = np.asarray(model.predict(inputs[1]))
        return _back(predicted, y) if numbers else predicted

    return predict, standard.missing


def _scaled(y: Doubles) -> Doubles:
    return (y - y.mean()) / y.std()


def _back(values: NDArray[Any], y: Doubles) -> Doubles:
    return values.astype(np.float64) * y.std() + y.mean()


def _primal(
    name: str, x: Matrix, y: Values, train: Indices, standard: Standard, parameters: Parameters, start: Doubles | None
) -> tuple[Values | None, Doubles]:
    """Return the classes, None for numbers, and the weights; those of numbers for scaled labels."""
    c = parameters["C"]
    if name == "linear-svm":
        classes, target, often = primal.one_against_rest(y)
        return classes, primal.fit(x, train, standard, target, c, weights=often, start=start)
    target = _scaled(y)[:, None].astype(np.float32)
    # Half the squared weights stand against the loss there, and in ridge regression all of them.
    margin, c = (_SLACK, c) if name == "svr" else (0.0, c / 2)
    return None, primal.fit(x, train, standard, target, c, margin=margin, start=start)


def weights(y: Texts) -> Doubles:
    """Return a weight for every clip: the inverse frequency of its class."""
    from sklearn.utils.class_weight import compute_sample_weight

    return np.asarray(compute_sample_weight("balanced", y))


def estimator(name: str, parameters: Parameters, seed: int = 0, *, kernel: str | None = None) -> Any:
    """Return the scikit-learn estimator of standardised features; a kernel replaces the support vectors' own."""
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.neural_network import MLPClassifier
    from sklearn.svm import SVC, SVR

    if name == "mlp":
        return MLPClassifier((256, 128), alpha=1e-3, max_iter=100, n_iter_no_change=100, random_state=seed)
    c = parameters.get("C", 1.0)
    if name == "logistic":
        return LogisticRegression(C=c, class_weight="balanced", max_iter=2000, tol=1e-5)
    if name == "ridge":
        return Ridge(alpha=1 / c)
    if name == "svr":
        return SVR(C=c, kernel=kernel or "linear", epsilon=_SLACK, cache_size=500)
    own = {"kernel": "linear"} if name == "linear-svm" else {"kernel": "rbf", "gamma": parameters["gamma"]}
    return SVC(C=c, class_weight="balanced", cache_size=500, **({"kernel": kernel} if kernel else own))


def pipeline(name: str, parameters: Parameters, seed: int = 0) -> Any:
    """Return imputation, standardisation (of labels, too, if numbers) and estimator as a scikit-learn `Pipeline`."""
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    steps = [
        ("impute", SimpleImputer(strategy="mean", keep_empty_features=True)),
        ("scale", StandardScaler()),
        ("classify", estimator(name, parameters, seed)),
    ]
    if CLASSIFIERS[name][0] == "regression":
        return TransformedTargetRegressor(Pipeline(steps), transformer=StandardScaler())
    return Pipeline(steps)


def fitted_pipeline(x: Matrix, y: Values, rows: Indices, name: str, parameters: Parameters, seed: int = 0) -> Any:
    """Return the `pipeline` learned from rows of `x`, whose labels are `y`; by the same solver as in `learn`."""
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # networks stop after a fixed number of epochs
        warnings.filterwarnings("ignore", _MANY)
        if name not in _LINEAR or len(x) <= DUAL_ROWS:
            part = x[rows].astype(np.float64)
            part[~np.isfinite(part)] = np.nan
            options = {"classify__sample_weight": weights(y)} if name == "mlp" else {}
            return pipeline(name, parameters, seed).fit(part, y, **options)
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import LinearSVC

    standard = Standard.fit(x, rows)
    classes, found = _primal(name, x, y, rows, standard, parameters, None)
    # Steps that are fitted to rows with the mean and the deviation of all rows are fitted to all rows.
    impute = SimpleImputer(strategy="mean", keep_empty_features=True).fit(standard.mean[None])
    scale = StandardScaler().fit(np.stack([standard.mean - standard.scale, standard.mean + standard.scale]))
    if classes is None:
        model = Ridge(alpha=1 / parameters["C"])
        model.coef_, model.intercept_ = found[:-1, 0] * y.std(), float(found[-1, 0] * y.std() + y.mean())
    else:
        model = LinearSVC(C=parameters["C"], class_weight="balanced")
        found = found[:, 1:] - found[:, :1] if len(classes) == 2 else found
        model.classes_, model.coef_, model.intercept_ = classes, found[:-1].T, found[-1]
    model.n_features_in_ = x.shape[1]
    return Pipeline([("impute", impute), ("scale", scale), ("classify", model)])
