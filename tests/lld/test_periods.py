import math

import numpy as np
import pytest

from dsfx.lld import jitter


def segments(count, shortest, longest, seed):
    """Two noisy periods each, on the 16-bit grid, some with an offset."""
    random = np.random.default_rng(seed)
    t = np.arange(2 * longest)
    for _ in range(count):
        period = random.uniform(shortest + 3, longest - 3)
        x = sum(np.cos(2 * np.pi * k * (t / period + random.random())) / k for k in range(1, 9))
        x = 3000 * x + random.choice([0, 9000]) + random.uniform(0, 500) * random.standard_normal(len(t))
        yield (np.round(x) / 32767).astype(np.float32)


@pytest.mark.parametrize(("shortest", "longest"), [(3, 9), (15, 27), (90, 111), (100, 167), (290, 360)])
def test_correlations_are_within_their_bounds(shortest, longest):
    work = jitter.workspace(longest)
    for segment in segments(20, shortest, longest, 1):
        jitter._correlate(segment, shortest, longest, work)
        for k, lag in enumerate(range(shortest, longest + 1)):
            u, v = segment[:lag].astype(np.float64), segment[lag : 2 * lag].astype(np.float64)
            u, v = u - u.mean(), v - v.mean()
            expected = math.fsum(u * v) / math.sqrt(math.fsum(u * u) * math.fsum(v * v))
            assert abs(work[3, k] - expected) <= work[4, k] + 1e-14
            assert jitter._exact_correlation(segment, lag) == pytest.approx(expected, abs=1e-12)
            assert work[4, k] < 1e-9


def test_constant_periods_have_no_correlation():
    segment = np.full(60, 0.25, np.float32)
    segment[45:] = np.linspace(0, 0.2, 15)
    work = jitter.workspace(30)
    jitter._correlate(segment, 20, 30, work)
    assert np.all(np.isnan(work[3, :11]))  # 20 to 30 samples from the begin on are constant


@pytest.mark.parametrize(("shortest", "longest", "rate"), [(15, 27, 8000), (100, 167, 16000), (290, 360, 48000)])
def test_the_period_is_that_of_exact_correlations(shortest, longest, rate):
    work = jitter.workspace(longest)
    correlation, doubt = work[3, : longest - shortest + 1], work[4, : longest - shortest + 1]
    saved = number = 0
    for segment in segments(300, shortest, longest, 2):
        jitter._correlate(segment, shortest, longest, work)
        peak = jitter._best_lag(segment, shortest, correlation, doubt)
        if peak == 0:
            continue
        exact = correlation.copy()
        for i in range(peak - 1, peak + 2):
            exact[i] = jitter._exact_correlation(segment, shortest + i)
        before = correlation.copy()
        got = jitter._refine(segment, shortest, peak, 1 / rate, correlation, doubt)
        place, height = jitter._vertex(exact, peak)
        assert got == (np.float32(abs(shortest + place) * (1 / rate)), height > 0.5)
        saved += np.array_equal(before, correlation)
        number += 1
    assert number > 200
    assert saved > 0.7 * number  # otherwise the bounds are too wide to be of use
