"""Statistics against known truth, and against slow, obvious versions."""

import numpy as np
import pytest
from scipy.stats import binomtest, kstest

from dsfx.evaluate import scores
from dsfx.evaluate import statistics as s

CLASSES = ["a", "b", "c", "d"]


def corpus(random, speakers=10, clips=24):
    who = np.repeat([f"s{i}" for i in range(speakers)], clips)
    return np.array(CLASSES)[random.integers(0, 4, len(who))], who


def answers(random, true, skill, who=None, spread=0.0):
    """Right with the probability `skill` (different from speaker to speaker by `spread`), else anything."""
    level = np.full(len(true), skill)
    if who is not None:
        for name in np.unique(who):
            level[who == name] += random.normal() * spread
    return np.where(random.random(len(true)) < level, true, np.array(CLASSES)[random.integers(0, 4, len(true))])


def counts(true, predicted, who):
    return scores.count(true, predicted, who, CLASSES, sorted(set(who)))


def test_ua_and_wa_are_those_of_scikit_learn():
    from sklearn.metrics import accuracy_score, balanced_accuracy_score

    random = np.random.default_rng(0)
    true, who = corpus(random)
    predicted = answers(random, true, 0.4)
    pooled = counts(true, predicted, who).sum(axis=0)
    assert scores.unweighted(pooled) == pytest.approx(balanced_accuracy_score(true, predicted))
    assert scores.weighted(pooled) == pytest.approx(accuracy_score(true, predicted))


def test_the_interval_covers_the_truth_as_often_as_it_says():
    """Speakers differ in how well they are understood; the truth is the mean over all speakers there might be."""
    random = np.random.default_rng(1)
    skill, spread, runs = 0.4, 0.1, 200
    truth = skill + (1 - skill) / 4
    covered = 0
    for run in range(runs):
        true, who = corpus(random)
        ua, _ = s.interval(counts(true, answers(random, true, skill, who, spread), who), times=500, seed=run)
        covered += ua.low <= truth <= ua.high
    # 95 % in 200 runs: fewer than 180 would happen by chance less than once in 500 times.
    assert 180 <= covered <= 199, f"covered {covered} of {runs}"


def test_noise_is_at_chance():
    random = np.random.default_rng(2)
    covered, values, small = 0, [], 0
    for run in range(200):
        true, who = corpus(random)
        predicted = answers(random, true, 0.0)
        ua, _ = s.interval(counts(true, predicted, who), times=300, seed=run)
        covered += ua.low <= 0.25 <= ua.high
        mean, _, p = s.chance(true, predicted, who, scores.task_of(np.array(CLASSES)), times=99, seed=run)
        values.append(mean)
        small += p <= 0.05
    assert covered >= 180, f"covered {covered} of 200"
    assert np.mean(values) == pytest.approx(0.25, abs=0.01)
    assert binomtest(small, 200, 0.05).pvalue > 0.005, f"{small} of 200 p-values of noise are below 0.05"


@pytest.mark.parametrize("speakers", [10, 20])
def test_equally_good_sets_have_uniform_p_values(speakers):
    random = np.random.default_rng(3)
    values = []
    for run in range(200):
        true, who = corpus(random, speakers)
        first, second = (answers(random, true, 0.5, who, 0.1) for _ in range(2))
        values.append(s.compare(counts(true, first, who), counts(true, second, who), times=999, seed=run).p)
    assert kstest(values, "uniform").pvalue > 0.01
    assert binomtest(int(np.sum(np.array(values) <= 0.05)), 200, 0.05).pvalue > 0.005


def test_the_same_predictions_do_not_differ():
    random = np.random.default_rng(4)
    true, who = corpus(random)
    same = counts(true, answers(random, true, 0.5), who)
    found = s.compare(same, same)
    assert (found.p, found.effect, found.difference.value) == (1.0, 0.0, 0.0)


def test_a_planted_difference_is_found():
    random = np.random.default_rng(5)
    true, who = corpus(random)
    worse, better = answers(random, true, 0.4), answers(random, true, 0.6)
    found = s.compare(counts(true, worse, who), counts(true, better, who))
    assert found.p < 0.01
    assert 0.05 < found.difference.low < found.difference.value < found.difference.high < 0.3
    assert s.words_of_effect(found.effect) == "large"
    assert found.better >= 8
    back = s.compare(counts(true, better, who), counts(true, worse, who))
    assert back.p == found.p
    assert back.difference.value == pytest.approx(-found.difference.value)


def test_the_permutation_test_is_what_it_says():
    """Against exchanging whole speakers' predictions and computing UA anew, one exchange at a time."""
    from itertools import product

    random = np.random.default_rng(6)
    true, who = corpus(random, 6, 12)
    a, b = counts(true, answers(random, true, 0.4), who), counts(true, answers(random, true, 0.55), who)
    observed = scores.unweighted(b.sum(axis=0)) - scores.unweighted(a.sum(axis=0))
    extreme = 0
    for flips in product([False, True], repeat=6):
        mask = np.array(flips)[:, None, None]
        gap = scores.unweighted(np.where(mask, a, b).sum(axis=0)) - scores.unweighted(np.where(mask, b, a).sum(axis=0))
        extreme += abs(gap) >= abs(observed) - 1e-12
    found = s.compare(a, b)
    assert found.p == pytest.approx(extreme / 64)
    assert found.difference.value == pytest.approx(observed)


def test_holm():
    assert s.holm([0.01, 0.04, 0.03, 0.5]) == pytest.approx([0.04, 0.09, 0.09, 0.5])
    assert s.holm([0.6, 0.7]) == [1.0, 1.0]
    assert s.holm([]) == []


def test_mcnemar():
    true = np.array(["a"] * 20)
    first = np.array(["a"] * 10 + ["b"] * 10)
    second = np.array(["a"] * 18 + ["b"] * 2)
    assert s.mcnemar(true, first, second) == pytest.approx(binomtest(8, 8).pvalue)
    assert s.mcnemar(true, first, first) == 1.0


def test_overlapping_training_parts_widen_intervals():
    assert s.overlap([(90, 10)] * 10) == pytest.approx(np.sqrt(1 + 10 / 9))
    assert s.overlap([(50, 50)]) == 1.0
    random = np.random.default_rng(8)
    true, who = corpus(random)
    cells = counts(true, answers(random, true, 0.5), who)
    plain, wide = (s.interval(cells, widen=w)[0] for w in (1.0, 1.5))
    assert wide.high - wide.value == pytest.approx(1.5 * (plain.high - plain.value))
    assert wide.value - wide.low == pytest.approx(1.5 * (plain.value - plain.low))


def test_one_speaker_has_no_interval():
    random = np.random.default_rng(7)
    true, who = corpus(random, 1)
    ua, _ = s.interval(counts(true, answers(random, true, 0.5), who))
    assert np.isnan([ua.low, ua.high]).all()
    assert ua.value > 0.3
