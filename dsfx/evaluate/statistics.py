"""How sure a result is: everything here works on counts per speaker, since clips of one speaker are not independent.

The counts of one classifier have the shape (speakers, classes, classes): true class, predicted class. With several
repeats of a protocol they are means over the repeats.
"""

from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Comparison",
    "Interval",
    "chance",
    "compare",
    "count",
    "holm",
    "interval",
    "mcnemar",
    "overlap",
    "unweighted",
    "weighted",
    "words_of_effect",
]

Doubles = NDArray[np.float64]
Texts = NDArray[np.str_]

EXACT = 14
"""Up to so many speakers all exchanges are tried."""


class Interval(NamedTuple):
    """A value and its confidence interval."""

    value: float
    low: float
    high: float


def count(true: Texts, predicted: Texts, speakers: Texts, classes: Sequence[str], names: Sequence[str]) -> Doubles:
    """Count clips by speaker, true class and predicted class; shape (speakers, classes, classes)."""
    counts = np.zeros((len(names), len(classes), len(classes)))
    where = {name: i for i, name in enumerate(classes)}
    who = {name: i for i, name in enumerate(names)}
    cells = zip(speakers.tolist(), true.tolist(), predicted.tolist(), strict=True)
    for speaker, label, answer in cells:
        counts[who[speaker], where[label], where[answer]] += 1
    return counts


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


def resample(counts: Sequence[Doubles], times: int, seed: int) -> list[Doubles]:
    """Return counts (times, classes, classes) of speakers drawn with replacement, the same ones for all of `counts`."""
    random = np.random.default_rng(seed)
    speakers, classes, _ = counts[0].shape
    drawn = [np.empty((times, classes, classes)) for _ in counts]
    step = max(1, 4_000_000 // speakers)
    for begin in range(0, times, step):
        size = min(step, times - begin)
        often = random.multinomial(speakers, np.full(speakers, 1 / speakers), size=size).astype(float)
        for out, values in zip(drawn, counts, strict=True):
            out[begin : begin + size] = (often @ values.reshape(speakers, -1)).reshape(size, classes, classes)
    return drawn


def expanded(values: Doubles, speakers: int, level: float = 0.95) -> tuple[float, float]:
    """Return an interval from bootstrapped values, by expanded percentiles.

    With few speakers plain percentiles give intervals that are too short: they know neither that the resampled
    deviation is too small by sqrt((n-1)/n) nor that Student's distribution has longer tails than the normal one.
    The expanded percentiles (Hesterberg 2015, "What teachers should know about the bootstrap") correct both.
    """
    from scipy.stats import norm, t

    tail = norm.cdf(-np.sqrt(speakers / (speakers - 1)) * t.ppf((1 + level) / 2, speakers - 1))
    low, high = np.quantile(values, [tail, 1 - tail])
    return float(low), float(high)


def overlap(sizes: Sequence[tuple[int, int]]) -> float:
    """Return by how much intervals of a cross-validation are too short if its folds are taken for independent.

    The training parts of the folds overlap, so what is odd about the clips at hand is odd about all folds. The variance
    of the mean over K folds is about 1/K + n_test/n_train of that of one fold, and not 1/K (Nadeau & Bengio 2003,
    "Inference for the generalization error", Machine Learning 52). For one division there is no such correction.

    Parameters
    ----------
    sizes : sequence of (int, int)
        Clips in the training and the test part of the folds of one repeat.
    """
    if len(sizes) < 2:
        return 1.0
    return float(np.sqrt(1 + sum(test / train for train, test in sizes)))


def interval(
    counts: Doubles, *, times: int = 2000, seed: int = 0, level: float = 0.95, widen: float = 1.0
) -> tuple[Interval, Interval]:
    """Return UA and WA with their confidence intervals, by a bootstrap that draws speakers.

    With one speaker there is no interval: its bounds are NaN. `widen` stretches intervals around the value, see
    `overlap`.
    """
    speakers = len(counts)
    pooled = counts.sum(axis=0)
    values = float(unweighted(pooled)), float(weighted(pooled))
    if speakers < 2:
        return Interval(values[0], np.nan, np.nan), Interval(values[1], np.nan, np.nan)
    (drawn,) = resample([counts], times, seed)

    def around(value: float, bounds: tuple[float, float]) -> Interval:
        low, high = (value + widen * (bound - value) for bound in bounds)
        return Interval(value, max(0.0, low), min(1.0, high))

    return (
        around(values[0], expanded(unweighted(drawn), speakers, level)),
        around(values[1], expanded(weighted(drawn), speakers, level)),
    )


def chance(
    true: Texts, predicted: Texts, speakers: Texts, classes: Sequence[str], *, times: int = 1000, seed: int = 0
) -> tuple[float, float, float]:
    """Compare UA with what the same predictions give for shuffled labels.

    Labels are shuffled within each speaker, so whatever the classifier knows of speakers stays.

    Returns
    -------
    mean, high : float
        Of UA with shuffled labels; `high` is its 95th percentile.
    p : float
        How often shuffled labels do at least as well.
    """
    random = np.random.default_rng(seed)
    index = {name: i for i, name in enumerate(classes)}
    labels, answers = (np.array([index[v] for v in values.tolist()]) for values in (true, predicted))
    order = np.argsort(speakers, kind="stable")
    labels, answers, who = labels[order], answers[order], np.unique(speakers[order], return_inverse=True)[1]
    totals = np.bincount(labels, minlength=len(classes))
    present = totals > 0

    def ua(values: NDArray[np.intp]) -> float:
        hits = np.bincount(values[values == answers], minlength=len(classes))
        return float(np.mean(hits[present] / totals[present]))

    shuffled = np.array([ua(labels[np.lexsort((random.random(len(who)), who))]) for _ in range(times)])
    p = (1 + np.sum(shuffled >= ua(labels) - 1e-12)) / (1 + times)
    return float(shuffled.mean()), float(np.quantile(shuffled, 0.95)), float(p)


class Comparison(NamedTuple):
    """How two classifiers differ on the same clips, in UA: the second minus the first."""

    difference: Interval
    p: float
    effect: float
    """Mean over deviation of the speakers' contributions."""
    better: int
    """Speakers for whom the second is better."""
    worse: int


def compare(first: Doubles, second: Doubles, *, times: int = 10_000, seed: int = 0, level: float = 0.95) -> Comparison:
    """Test by paired permutation over speakers whether two classifiers are equally good.

    If they are, a speaker's predictions may be exchanged between the two without changing anything: the difference in
    UA is compared with those of all such exchanges (of `times` random ones where there are more than 14 speakers).

    Parameters
    ----------
    first, second : (speakers, classes, classes)
        Counts of the same clips.
    """
    speakers = len(first)
    totals = first.sum(axis=(0, 2))
    present = totals > 0
    hits = np.diagonal(second, axis1=1, axis2=2) - np.diagonal(first, axis1=1, axis2=2)
    # UA is a sum over speakers, since both have the same clips.
    parts = (hits[:, present] / totals[present]).sum(axis=1) / present.sum()
    observed = parts.sum()
    if speakers <= EXACT:
        signs = np.array(list(product([1.0, -1.0], repeat=speakers)))
        p = float(np.mean(np.abs(signs @ parts) >= abs(observed) - 1e-12))
    else:
        random = np.random.default_rng(seed)
        step = max(1, 4_000_000 // speakers)
        sums = [
            random.choice([1.0, -1.0], size=(min(step, times - begin), speakers)) @ parts
            for begin in range(0, times, step)
        ]
        p = float((1 + np.sum(np.abs(np.concatenate(sums)) >= abs(observed) - 1e-12)) / (1 + times))
    low = high = float("nan")
    if speakers > 1:
        drawn = resample([first, second], 2000, seed)
        low, high = expanded(unweighted(drawn[1]) - unweighted(drawn[0]), speakers, level)
    deviation = parts.std(ddof=1) if speakers > 1 else 0.0
    effect = float(parts.mean() / deviation) if deviation > 0 else (0.0 if observed == 0 else float(np.inf * observed))
    return Comparison(
        Interval(float(observed), low, high),
        p,
        effect,
        int(np.sum(parts > 1e-12)),
        int(np.sum(parts < -1e-12)),
    )


def holm(values: Sequence[float]) -> list[float]:
    """Correct p-values of several comparisons by Holm's method."""
    corrected = [0.0] * len(values)
    largest = 0.0
    for rank, index in enumerate(np.argsort(values, kind="stable")):
        largest = max(largest, min(1.0, (len(values) - rank) * values[index]))
        corrected[index] = largest
    return corrected


def mcnemar(true: Texts, first: Texts, second: Texts) -> float:
    """Return the p-value of McNemar's exact test on clips: for one division, where speakers are few."""
    from scipy.stats import binomtest

    gained = int(np.sum((first != true) & (second == true)))
    lost = int(np.sum((first == true) & (second != true)))
    return float(binomtest(gained, gained + lost).pvalue) if gained + lost else 1.0


def words_of_effect(effect: float) -> str:
    """Say how large a standardised difference is, in Cohen's words."""
    size = abs(effect)
    return "negligible" if size < 0.2 else "small" if size < 0.5 else "medium" if size < 0.8 else "large"
