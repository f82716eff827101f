"""HNR from the autocorrelation against a slow second implementation."""

import numpy as np
import pytest

from dsfx.lld.fft import LANES, plan
from dsfx.lld.framing import Framing, gauss_window, prepare_samples
from dsfx.lld.hnr import autocorrelation_hnr
from dsfx.lld.spectrum import FrameSpectra

from . import voice_twins as twins
from .voice_signals import make


def measure(magnitude, f0, framing):
    nyquist = 1 / twins.duration(framing) * (framing.bins - 1)
    return autocorrelation_hnr(magnitude, f0, plan(framing.nfft), nyquist=nyquist)


@pytest.mark.parametrize("rate", [8000, 11025])
@pytest.mark.parametrize("name", ["vibrato", "clipped", "sine", "noise", "impulses", "silence"])
def test_against_the_slow_one(rate, name):
    framing = Framing(rate, 0.06, 0.01)
    samples = prepare_samples(make(name, rate, 0.2))
    magnitude = FrameSpectra(framing, gauss_window(framing.length), power=False)(samples, 0, 8).magnitude
    f0 = np.array([180, 175.3, 230, 52, 1000, 90, 360, 61.7], np.float32)
    got = measure(magnitude, f0, framing)
    expected = [twins.hnr(magnitude[:, k], f0[k], framing) for k in range(8)]
    np.testing.assert_array_equal(got, np.array(expected, np.float32))


@pytest.mark.parametrize("shape", ["flat", "line", "slope"])
def test_no_peak_and_ties(shape):
    framing = Framing(8000, 0.06, 0.01)
    m = np.ones(framing.bins, np.float32)
    if shape == "line":
        m[:] = 0
        m[20] = 1
    elif shape == "slope":
        m = np.exp(-np.arange(framing.bins) / 3).astype(np.float32)
    f0 = np.array([60, 100, 500], np.float32)
    got = measure(np.repeat(m[:, None], LANES, axis=1), f0, framing)
    np.testing.assert_array_equal(got, np.array([twins.hnr(m, x, framing) for x in f0]))


def test_more_noise_less_hnr():
    framing = Framing(16000, 0.06, 0.01)
    values = []
    for level in (0.1, 0.5, 1, 4):
        noise = level * np.random.default_rng(0).standard_normal(1600)
        signal = (0.3 * make("sine", 16000, 0.1) / 0.4 + 0.1 * noise).astype("f")
        magnitude = FrameSpectra(framing, gauss_window(framing.length))(prepare_samples(signal), 0, 1).magnitude
        values.append(measure(magnitude, np.array([211.3], "f"), framing)[0])
    assert values == sorted(values, reverse=True)
    assert values[0] > values[-1] + 5
