"""Jitter, shimmer and waveform HNR against a slow second implementation, bit by bit."""

import numpy as np
import pytest

from dsfx.errors import ConfigError
from dsfx.lld.framing import Framing, prepare_samples
from dsfx.lld.jitter import Cycles

from . import voice_twins as twins
from .voice_signals import make

CASES = [
    ("vibrato", 180, 0.1),
    ("vibrato", 170, 0.25),
    ("noise", 90, 0.25),
    ("patched", 140, 0.25),
    ("whole periods", 160, 0.25),
    ("dc", 125, 0.1),
    ("square", 100.3, 0.25),
    ("silence", 100, 0.1),
    ("impulses", 120, 0.25),
]


def contour(frames, f0, seed):
    """F0 around `f0` with pauses."""
    rng = np.random.default_rng(seed)
    values = f0 * rng.uniform(0.93, 1.07, frames)
    values[rng.uniform(size=frames) < 0.25] = 0
    return values.astype(np.float32)


# 11000 Hz: ten milliseconds are a sample more than the hop.
@pytest.mark.parametrize("rate", [2000, 8000, 11000, 11025])
@pytest.mark.parametrize(("name", "f0", "search"), CASES)
def test_cycles(rate, name, f0, search):
    framing = Framing(rate, 0.06, 0.01)
    samples = prepare_samples(make(name, rate, 0.35))
    f0 = contour(framing.count(len(samples)), f0, 1)
    expected = twins.cycles(f0, samples, framing, search)
    got = Cycles(framing, search=search, longest_period=1 / 52, noise=True).push(f0, samples, offset=0)
    for k, column in enumerate(("jitter", "jitter DDP", "shimmer", "HNR")):
        np.testing.assert_array_equal(got[k], expected[:, k], err_msg=f"{column} of {name} at {rate} Hz")


def test_frame_by_frame_with_only_the_samples_needed():
    framing = Framing(11000, 0.06, 0.01)
    samples = prepare_samples(make("vibrato", 11000, 1.0))
    f0 = contour(framing.count(len(samples)), 180, 2)
    whole = Cycles(framing, search=0.25, longest_period=1 / 52, noise=True).push(f0, samples, offset=0)
    cycles = Cycles(framing, search=0.25, longest_period=1 / 52, noise=True)
    rows = []
    for k in range(len(f0)):
        first, stop = cycles.needs, k * framing.step + framing.length
        rows.append(cycles.push(f0[k : k + 1], samples[first:stop].copy(), offset=first))
        assert stop - first < 3 * framing.length
    np.testing.assert_array_equal(np.concatenate(rows, axis=1), whole)


def test_without_noise_the_rest_is_the_same():
    framing = Framing(8000, 0.06, 0.01)
    samples = prepare_samples(make("vibrato", 8000, 0.5))
    f0 = contour(framing.count(len(samples)), 180, 3)
    with_noise, without = (
        Cycles(framing, search=0.1, longest_period=1 / 55, noise=noise).push(f0, samples, offset=0)
        for noise in (True, False)
    )
    np.testing.assert_array_equal(with_noise[:3], without[:3])


def test_perfect_periods_have_no_jitter():
    framing = Framing(8000, 0.06, 0.01)
    samples = prepare_samples(make("whole periods", 8000, 0.5))
    f0 = np.full(framing.count(len(samples)), 160, np.float32)
    jitter, ddp, shimmer, _ = Cycles(framing, search=0.1, longest_period=1 / 55, noise=True).push(f0, samples, offset=0)
    assert jitter[2:].max() < 1e-6
    assert ddp[2:].max() < 1e-6
    assert shimmer.max() < 1e-6


@pytest.mark.parametrize(("search", "lowest", "word"), [(0, 55, "share"), (1, 55, "share"), (0.25, 40, "lowest F0")])
def test_impossible_parameters(search, lowest, word):
    with pytest.raises(ConfigError, match=word):
        Cycles(Framing(16000, 0.06, 0.01), search=search, longest_period=1 / lowest, noise=True)
