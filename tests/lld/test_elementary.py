import math

import numpy as np

from dsfx.lld import elementary


def test_logarithm():
    random = np.random.default_rng(0)
    values = np.concatenate(
        [np.exp(random.uniform(-700, 700, 2000)), 1 + random.uniform(-1e-3, 1e-3, 2000), 2.0 ** np.arange(-9, 9)]
    )
    got = np.array([elementary.log2(v) for v in values])
    expected = np.array([math.log2(v) for v in values])
    assert np.all(np.abs(got - expected) <= 1e-15 * np.abs(expected))


def test_power_of_two():
    random = np.random.default_rng(0)
    values = np.concatenate([random.uniform(-1000, 1000, 3000), random.uniform(-1, 1, 3000), np.arange(-20, 20) / 2])
    got = np.array([elementary.exp2(v) for v in values])
    expected = np.array([2.0**v for v in values])
    assert np.all(np.abs(got - expected) <= 1e-15 * expected)
    assert elementary.exp2(0.0) == 1
    assert elementary.exp2(-3.0) == 0.125
