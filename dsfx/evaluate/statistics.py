"""How sure a result is: everything here works on sums per speaker, since clips of one speaker are not independent.

The sums of one classifier have the shape (speakers, …), see `scores`. With several repeats of a protocol they are means
over the repeats.
"""

from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

import numpy as np

from .arrays import Doubles, Texts, Values
from .scores import CLASSIFICATION, Score, Task

__all__ = [
    "Comparison",
    "Interval",
    "chance",
    "compare",
    "holm",
    "interval",
    "mcnemar",
    "overlap",
    "words_of_effect",
]


EXACT = 14
"""Up to so many speakers all exchanges are tried."""


class Interval(NamedTuple):
    """A value and its confidence interval."""

    value: float
    low: float
    high: float


def resample(sums: Sequence[Doubles], times: int, seed: int) -> list[Doubles]:
    """Return sums (times, …) of speakers drawn with replacement, the same speakers for all of `sums`."""
    random = np.random.default_rng(seed)
    speakers, *cells = sums[0].shape
    drawn = [np.empty((times, *cells)) for _ in sums]
    step = max(1, 4_000_000 // speakers)
    for begin in range(0, times, step):
        size = min(step, times - begin)
        often = random.multinomial(speakers, np.full(speakers, 1 / speakers), size=size).astype(float)
        for out, values in zip(drawn, sums, strict=True):
            out[begin : begin + size] = np.tensordot(often, values, axes=1)
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
    sums: Doubles,
    scores: Sequence[Score] = CLASSIFICATION,
    *,
    times: int = 2000,
    seed: int = 0,
    level: float = 0.95,
    widen: float = 1.0,
) -> tuple[Interval, ...]:
    """Return scores with their confidence intervals, by a bootstrap that draws speakers.

    With one speaker there is no interval: its bounds are NaN. `widen` stretches intervals around the value, see
    `overlap`.
    """
    speakers = len(sums)
    values = [float(score.of(sums.sum(axis=0))) for score in scores]
    if speakers < 2:
        return tuple(Interval(value, np.nan, np.nan) for value in values)
    (drawn,) = resample([sums], times, seed)
    found = []
    for score, value in zip(scores, values, strict=True):
        low, high = (value + widen * (bound - value) for bound in expanded(score.of(drawn), speakers, level))
        found.append(Interval(value, max(score.low, low), min(score.high, high)))
    return tuple(found)


def chance(
    true: Values, predicted: Values, speakers: Texts, task: Task, *, times: int = 1000, seed: int = 0
) -> tuple[float, float, float]:
    """Compare the score that decides with what the same predictions give for shuffled labels.

    Labels are shuffled within each speaker, so whatever the classifier knows of speakers stays.

    Returns
    -------
    mean, high : float
        Of the score with shuffled labels; `high` is its 95th percentile.
    p : float
        How often shuffled labels do at least as well.
    """
    random = np.random.default_rng(seed)
    order = np.argsort(speakers, kind="stable")
    task, (labels, answers) = task.coded(true[order], predicted[order])
    who = np.unique(speakers[order], return_inverse=True)[1]
    everyone = np.zeros(len(who), np.intp)

    def score(values: Values) -> float:
        return float(task.scores[0].of(task.sums(values, answers, everyone, [0])[0]))

    shuffled = np.array([score(labels[np.lexsort((random.random(len(who)), who))]) for _ in range(times)])
    p = (1 + np.sum(shuffled >= score(labels) - 1e-12)) / (1 + times)
    return float(shuffled.mean()), float(np.quantile(shuffled, 0.95)), float(p)


class Comparison(NamedTuple):
    """How two classifiers differ on the same clips, in one score: the second minus the first."""

    difference: Interval
    p: float
    effect: float
    """Mean over deviation of the speakers' contributions."""
    better: int
    """Speakers for whom the second is better."""
    worse: int


def compare(
    first: Doubles,
    second: Doubles,
    score: Score = CLASSIFICATION[0],
    *,
    times: int = 10_000,
    seed: int = 0,
    level: float = 0.95,
) -> Comparison:
    """Test by paired permutation over speakers whether two classifiers are equally good.

    If they are, a speaker's predictions may be exchanged between the two without changing anything: the difference is
    compared with those of all such exchanges (of `times` random ones where there are more than 14 speakers). A speaker
    contributes to the difference half of what exchanging this one speaker takes from it.

    Parameters
    ----------
    first, second : (speakers, …)
        Sums over the same clips.
    score : Score
        The larger, the better.
    """
    speakers = len(first)
    gap, one, two = second - first, first.sum(axis=0), second.sum(axis=0)
    observed = float(score.of(two) - score.of(one))
    parts = (observed - (score.of(two - gap) - score.of(one + gap))) / 2

    def exchanged(some: Doubles) -> Doubles:
        moved = np.tensordot(some, gap, axes=1)
        return np.asarray(score.of(two - moved) - score.of(one + moved))

    if speakers <= EXACT:
        every = np.array(list(product([1.0, 0.0], repeat=speakers)))
        p = float(np.mean(np.abs(exchanged(every)) >= abs(observed) - 1e-12))
    else:
        random = np.random.default_rng(seed)
        step = max(1, 4_000_000 // speakers)
        gaps = [
            exchanged(random.choice([1.0, 0.0], size=(min(step, times - begin), speakers)))
            for begin in range(0, times, step)
        ]
        p = float((1 + np.sum(np.abs(np.concatenate(gaps)) >= abs(observed) - 1e-12)) / (1 + times))
    low = high = float("nan")
    if speakers > 1:
        drawn = resample([first, second], 2000, seed)
        low, high = expanded(score.of(drawn[1]) - score.of(drawn[0]), speakers, level)
    deviation = parts.std(ddof=1) if speakers > 1 else 0.0
    even = abs(observed) <= 1e-12
    effect = float(parts.mean() / deviation) if deviation > 1e-12 else (0.0 if even else float(np.inf * observed))
    return Comparison(
        Interval(0.0 if even else observed, low, high),
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
