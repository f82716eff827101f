"""The complete chain against the reference, run live: names, order, shapes, times and every bit of every value."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytest.importorskip("opensmile")

from .compare import DATA, RATES, TABLES, clips, compare, on_grid, read, signals

FEW = TABLES[:5]
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason=f"needs the recordings in {DATA}")


def check(signal, rate, label, tables=TABLES):
    for name, level in tables:
        complaints = compare(signal, rate, name, level).complaints()
        assert not complaints, f"{label}, {rate} Hz, {name}, {level}: {complaints[:5]} ({len(complaints)} in all)"


@pytest.mark.parametrize("rate", RATES)
def test_synthetic_signals(rate):
    """A different quarter of the signals at each rate, so that each is checked at two."""
    made = signals(rate)
    for k, label in enumerate(made):
        if (k + RATES.index(rate)) % 4 == 0:
            check(made[label], rate, label, FEW)


@needs_data
@pytest.mark.parametrize("corpus", ["emodb", "ravdess"])
def test_speech(corpus):
    found = clips(corpus, 3)
    assert found
    for path in found:
        check(*read(path), path.name)


@st.composite
def random_signals(draw):
    rate = draw(st.sampled_from(RATES))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    parts = []
    for _ in range(draw(st.integers(1, 5))):
        t = np.arange(draw(st.integers(1, rate // 3))) / rate
        level = 10 ** draw(st.floats(-4.5, 0.3))
        kind = draw(st.sampled_from(["noise", "tone", "saw", "zeros", "dc", "clicks"]))
        f = draw(st.floats(40, 1200))
        if kind == "noise":
            parts.append(level * rng.standard_normal(len(t)))
        elif kind == "tone":
            parts.append(level * np.sin(2 * np.pi * f * t))
        elif kind == "saw":
            parts.append(level * (2 * (f * t % 1) - 1) + level * draw(st.floats(0, 0.3)) * rng.standard_normal(len(t)))
        elif kind == "clicks":
            parts.append(level * (rng.random(len(t)) < 0.003))
        else:
            parts.append(np.full(len(t), level if kind == "dc" else 0.0))
    return on_grid(np.concatenate(parts)), rate


@given(random_signals())
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
def test_random_signals(case):
    check(*case, "random signal", FEW)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=4, deadline=None)
def test_other_than_16_bit(seed):
    """Truncation to 16 bits and wrap-around, for who wants the reference's own."""
    rng = np.random.default_rng(seed)
    signal = (rng.standard_normal(8000) * 10 ** rng.uniform(-4, 0.5)).astype(np.float32)
    signal[:8] = [1, -1, 1.0001, 1.5, -1.00002, -1.00004, 3e9, -3e9]
    check(signal, 16000, f"random floats {seed}", FEW)


@needs_data
def test_the_comparison_can_fail():
    """Complete identity invites doubt: one step of 16 bits in one sample must be seen."""
    signal, rate = read(clips("emodb", 1)[0])
    for name, level in FEW:
        good = compare(signal, rate, name, level)
        assert not good.complaints()
        changed = signal.copy()
        changed[len(changed) // 2] += 1 / 32768
        from .compare import Comparison, ours

        other = ours(name, level).compute(changed, rate)[0].values
        assert Comparison(good.names, good.expected, other, []).complaints()


@pytest.mark.slow
@pytest.mark.parametrize("rate", RATES)
def test_all_synthetic_signals(rate):
    for label, signal in signals(rate, seed=1).items():
        check(signal, rate, label)


@pytest.mark.slow
@needs_data
@pytest.mark.parametrize("corpus", ["emodb", "ravdess"])
def test_much_speech(corpus):
    found = clips(corpus, 160)
    assert len(found) >= 150
    for path in found:
        check(*read(path), path.name)


@pytest.mark.slow
@given(random_signals())
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
def test_many_random_signals(case):
    check(*case, "random signal")
