"""What is told about clips, classes or numbers, and how well.

Scores are computed from sums over clips that add up over speakers, shape (speakers, …): for classes how many clips of
a true class were taken for a class, for numbers the moments of labels and predictions. So a bootstrap over speakers and
the exchange of speakers between two classifiers never go back to the clips.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .arrays import Doubles, Values

__all__ = [
    "CLASSIFICATION",
    "REGRESSION",
    "Score",
    "Task",
    "concordance",
    "correlation",
    "count",
    "error",
    "moments",
    "task_of",
    "unweighted",
    "weighted",
]


@dataclass(frozen=True)
class Score:
    """A score: its name, its value for sums of shape (…, cells), and its bounds."""

    name: str
    of: Callable[[Doubles], Doubles]
    low: float
    high: float


# Classes -------------------------------------------------------------------------------------------------------------


def count(
    true: NDArray[Any], predicted: NDArray[Any], speakers: NDArray[Any], classes: Sequence[Any], names: Sequence[Any]
) -> Doubles:
    """Count clips by speaker, true class and predicted class; shape (speakers, classes, classes).

    Classes and names ascend.
    """
    k = len(classes)
    who, row, column = (
        np.searchsorted(np.asarray(order), values)
        for order, values in ((names, speakers), (classes, true), (classes, predicted))
    )
    cells = np.bincount((who * k + row) * k + column, minlength=len(names) * k * k)
    return cells.reshape(len(names), k, k).astype(np.float64)


def unweighted(counts: Doubles) -> Doubles:
    """Return UA, the mean recall of the classes that occur, of counts (…, classes, classes)."""
    totals = counts.sum(axis=-1)
    hits = np.diagonal(counts, axis1=-2, axis2=-1)
    recalls = np.divide(hits, totals, out=np.zeros_like(hits), where=totals > 0)
    return np.asarray(recalls.sum(axis=-1) / np.maximum((totals > 0).sum(axis=-1), 1))


def weighted(counts: Doubles) -> Doubles:
    """Return WA, the share of clips that are right, of counts (…, classes, classes)."""
    hits = np.diagonal(counts, axis1=-2, axis2=-1).sum(axis=-1)
    return np.asarray(hits / np.maximum(counts.sum(axis=(-2, -1)), 1))


# Numbers -------------------------------------------------------------------------------------------------------------


def moments(true: Doubles, predicted: Doubles, speakers: NDArray[Any], names: Sequence[Any]) -> Doubles:
    """Sum 1, t, p, t², p² and t·p over the clips of every speaker; shape (speakers, 6). Names ascend."""
    who = np.searchsorted(np.asarray(names), speakers)
    terms = (np.ones_like(true), true, predicted, true * true, predicted * predicted, true * predicted)
    return np.stack([np.bincount(who, weights=term, minlength=len(names)) for term in terms], axis=-1)


def _spread(sums: Doubles) -> tuple[Doubles, Doubles, Doubles, Doubles]:
    """Variances of labels and predictions, their covariance, and the difference of their means."""
    _, t, p, tt, pp, tp = np.moveaxis(sums, -1, 0) / np.maximum(sums[..., 0], 1e-300)
    # What is left of the square of a constant is rounding.
    variances = [np.where(v > 1e-12 * square, v, 0.0) for v, square in ((tt - t * t, tt), (pp - p * p, pp))]
    return variances[0], variances[1], tp - t * p, t - p


def concordance(sums: Doubles) -> Doubles:
    """Return Lin's concordance correlation coefficient (CCC) of moments (…, 6); 0 where nothing varies."""
    t, p, both, shift = _spread(sums)
    whole = t + p + shift * shift
    return np.divide(2 * both, whole, out=np.zeros_like(whole), where=(t > 0) & (p > 0))


def correlation(sums: Doubles) -> Doubles:
    """Return Pearson's correlation of moments (…, 6); 0 where labels or predictions do not vary."""
    t, p, both, _ = _spread(sums)
    whole = np.sqrt(t * p)
    return np.clip(np.divide(both, whole, out=np.zeros_like(whole), where=whole > 0), -1, 1)


def error(sums: Doubles) -> Doubles:
    """Return the root of the mean squared error (RMSE) of moments (…, 6)."""
    n, _, _, tt, pp, tp = np.moveaxis(sums, -1, 0)
    return np.asarray(np.sqrt(np.maximum(tt + pp - 2 * tp, 0) / np.maximum(n, 1e-300)))


# Both ----------------------------------------------------------------------------------------------------------------

CLASSIFICATION = (Score("ua", unweighted, 0.0, 1.0), Score("wa", weighted, 0.0, 1.0))
REGRESSION = (
    Score("ccc", concordance, -1.0, 1.0),
    Score("pearson", correlation, -1.0, 1.0),
    Score("rmse", error, 0.0, np.inf),
)


@dataclass(frozen=True)
class Task:
    """What is to be told.

    Attributes
    ----------
    scores : the first decides.
    classes : in order; None for numbers.
    centre : taken off labels and predictions before they are squared.
    """

    scores: tuple[Score, ...]
    classes: tuple[Any, ...] | None
    centre: float = 0.0

    @property
    def name(self) -> str:
        """The kind, as ``--task`` takes it."""
        return "regression" if self.classes is None else "classification"

    def sums(
        self, true: NDArray[Any], predicted: NDArray[Any], speakers: NDArray[Any], names: Sequence[Any]
    ) -> Doubles:
        """Return the sums that scores are computed from, shape (speakers, …)."""
        if self.classes is None:
            return moments(true - self.centre, predicted - self.centre, speakers, names)
        return count(true, predicted, speakers, self.classes, names)

    def coded(self, *values: NDArray[Any]) -> tuple["Task", list[NDArray[Any]]]:
        """Return the task with numbers, which are quicker, for the names of classes, and values so changed."""
        if self.classes is None:
            return self, list(values)
        codes = [np.searchsorted(np.asarray(self.classes), v) for v in values]
        return replace(self, classes=tuple(range(len(self.classes)))), codes

    def vote(self, answers: NDArray[Any]) -> Any:
        """Return one answer for several: the most frequent class, or the mean."""
        if self.classes is None:
            return float(answers.mean())
        values, often = np.unique(answers, return_counts=True)
        return values[int(np.argmax(often))]


def task_of(labels: Values) -> Task:
    """Return the task that labels set: to tell numbers where they are numbers, classes where they are texts."""
    if labels.dtype.kind == "f":
        return Task(REGRESSION, None, float(labels.mean()))
    return Task(CLASSIFICATION, tuple(np.unique(labels).tolist()))
