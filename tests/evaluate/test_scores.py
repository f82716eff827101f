"""Scores of sums against what they are by definition."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import pearsonr

from dsfx.evaluate import scores
from dsfx.evaluate import statistics as s


def numbers(random, speakers=8, clips=20, noise=0.5, centre=3.0):
    who = np.repeat([f"s{i}" for i in range(speakers)], clips)
    true = centre + random.normal(size=len(who))
    return true, true + noise * random.normal(size=len(who)), who


def ccc(true, predicted):
    """Lin 1989, word for word."""
    covariance = np.mean((true - true.mean()) * (predicted - predicted.mean()))
    return 2 * covariance / (true.var() + predicted.var() + (true.mean() - predicted.mean()) ** 2)


def sums(true, predicted, who):
    return scores.task_of(true).sums(true, predicted, who, sorted(set(who.tolist())))


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**6), st.floats(-1e4, 1e4), st.floats(0.01, 5))
def test_scores_of_numbers(seed, centre, noise):
    true, predicted, who = numbers(np.random.default_rng(seed), noise=noise, centre=centre)
    predicted = 0.7 * predicted + 0.1
    got = {score.name: float(score.of(sums(true, predicted, who).sum(axis=0))) for score in scores.REGRESSION}
    assert got["ccc"] == pytest.approx(ccc(true, predicted), abs=1e-7)
    assert got["pearson"] == pytest.approx(pearsonr(true, predicted)[0], abs=1e-7)
    assert got["rmse"] == pytest.approx(np.sqrt(np.mean((true - predicted) ** 2)), rel=1e-6)


def test_nothing_varies_nothing_is_told():
    true, _, who = numbers(np.random.default_rng(0))
    flat = sums(true, np.full(len(true), 7.3), who)
    assert np.all(scores.concordance(flat) == 0)
    assert np.all(scores.correlation(flat) == 0)
    assert scores.concordance(sums(true, true, who).sum(axis=0)) == pytest.approx(1)


def test_counts_are_those_of_a_loop():
    random = np.random.default_rng(1)
    classes, names = ["a", "b", "Ä"], ["x", "y"]
    true, predicted = (np.array(classes)[random.integers(0, 3, 50)] for _ in range(2))
    who = np.array(names)[random.integers(0, 2, 50)]
    expected = np.zeros((2, 3, 3))
    for cell in zip(who, true, predicted, strict=True):
        expected[names.index(cell[0]), classes.index(cell[1]), classes.index(cell[2])] += 1
    np.testing.assert_array_equal(scores.count(true, predicted, who, classes, names), expected)


def test_votes():
    classes, values = scores.task_of(np.array(["a", "b"])), scores.task_of(np.array([1.0, 2.0]))
    assert classes.vote(np.array(["b", "a", "b"])) == "b"
    assert classes.vote(np.array(["b", "a"])) == "a"
    assert values.vote(np.array([1.0, 2.0])) == 1.5
    assert (classes.name, values.name) == ("classification", "regression")


def test_the_permutation_test_of_numbers_is_what_it_says():
    """Against exchanging whole speakers' predictions and computing CCC anew, one exchange at a time."""
    from itertools import product

    random = np.random.default_rng(2)
    true, first, who = numbers(random, 6, 12, 1.5)
    second = true + 0.9 * random.normal(size=len(true))
    observed = ccc(true, second) - ccc(true, first)
    extreme = 0
    for flips in product([False, True], repeat=6):
        mask = np.array(flips)[np.searchsorted(sorted(set(who)), who)]
        gap = ccc(true, np.where(mask, first, second)) - ccc(true, np.where(mask, second, first))
        extreme += abs(gap) >= abs(observed) - 1e-12
    found = s.compare(sums(true, first, who), sums(true, second, who), scores.REGRESSION[0])
    assert found.p == pytest.approx(extreme / 64)
    assert found.difference.value == pytest.approx(observed)
    assert found.difference.low < observed < found.difference.high


def test_equally_good_regressions_have_uniform_p_values():
    from scipy.stats import binomtest, kstest

    random = np.random.default_rng(3)
    values = []
    for run in range(200):
        true, first, who = numbers(random, 10, 12, 1.0)
        second = true + random.normal(size=len(true))
        values.append(s.compare(sums(true, first, who), sums(true, second, who), scores.REGRESSION[0], seed=run).p)
    assert kstest(values, "uniform").pvalue > 0.01
    assert binomtest(int(np.sum(np.array(values) <= 0.05)), 200, 0.05).pvalue > 0.005


def test_intervals_of_numbers_cover_the_truth():
    """The truth: a CCC of 2 v / (2 v + noise²) in the limit of many speakers, with v = 1."""
    random = np.random.default_rng(4)
    truth, covered, small = 2 / (2 + 1.0), 0, 0
    for run in range(200):
        true, predicted, who = numbers(random, 12, 12, 1.0)
        found = s.interval(sums(true, predicted, who), scores.REGRESSION, times=400, seed=run)
        covered += found[0].low <= truth <= found[0].high
        shuffled = random.permutation(predicted)
        mean, _, p = s.chance(true, shuffled, who, scores.task_of(true), times=99, seed=run)
        assert abs(mean) < 0.1
        small += p <= 0.05
    # 95 % in 200 runs: fewer than 180 would happen by chance less than once in 500 times.
    assert covered >= 180, f"covered {covered} of 200"
    assert small <= 20, f"{small} of 200 p-values of noise are below 0.05"
