"""Harmonic levels against a slow second implementation that looks at all harmonics."""

import numpy as np
import pytest

from dsfx.lld.fft import LANES
from dsfx.lld.framing import Framing, gauss_window, prepare_samples
from dsfx.lld.harmonics import harmonic_levels
from dsfx.lld.spectrum import FrameSpectra

from . import voice_twins as twins
from .voice_signals import make


def check(magnitude, f0, formant, framing):
    got = harmonic_levels(magnitude, f0, formant, resolution=1 / twins.duration(framing))
    for k in range(len(f0)):
        expected = twins.harmonics(magnitude[:, k], f0[k], formant[:, k], framing)
        np.testing.assert_array_equal(got[:, k], expected, err_msg=f"frame {k}, F0 {f0[k]}, formants {formant[:, k]}")


@pytest.mark.parametrize("rate", [4000, 8000, 11025, 16000])
@pytest.mark.parametrize("name", ["vibrato", "noise", "impulses", "silence", "loud sine", "gated"])
def test_against_the_slow_one(rate, name):
    framing = Framing(rate, 0.06, 0.01)
    samples = prepare_samples(make(name, rate, 0.6))
    magnitude = FrameSpectra(framing, gauss_window(framing.length))(samples, 0, 50).magnitude
    rng = np.random.default_rng(0)
    f0 = np.where(rng.uniform(size=50) < 0.5, rng.uniform(52, 1000, 50), rng.uniform(150, 220, 50)).astype("f")
    formant = np.sort(rng.uniform(50, 5450, (3, 50)), axis=0).astype("f")
    formant[rng.uniform(size=(3, 50)) < 0.1] = 0
    check(magnitude, f0, formant, framing)


def test_wide_bins_give_duplicates():
    """Bins of 62.5 Hz: neighbouring harmonics of a low voice share a bin."""
    framing = Framing(4000, 0.016, 0.01)
    rng = np.random.default_rng(1)
    magnitude = rng.uniform(0.01, 1, (framing.bins, LANES)).astype("f")
    f0 = rng.uniform(52, 120, LANES).astype("f")
    formant = np.sort(rng.uniform(100, 2000, (3, LANES)), axis=0).astype("f")
    check(magnitude, f0, formant, framing)


def test_unvoiced_frames():
    framing = Framing(16000, 0.06, 0.01)
    magnitude = np.ones((framing.bins, LANES), np.float32)
    got = harmonic_levels(magnitude, np.zeros(2, "f"), np.full((3, 2), 500, "f"), resolution=framing.resolution)
    assert got[:, 1].tolist() == [0, 0, -201, -201, -201]
