"""Formants against a slow second implementation; the root finder against what roots must satisfy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsfx.errors import ConfigError
from dsfx.lld.fft import LANES
from dsfx.lld.formants import formant_model, formants, polynomial_roots
from dsfx.lld.framing import Framing, hamming_window, prepare_samples
from dsfx.lld.spectrum import FrameSpectra

from . import voice_twins as twins
from .voice_signals import make


# 4000 Hz: the last bin is below the new Nyquist frequency and takes part.
@pytest.mark.parametrize("rate", [4000, 8000, 11025, 16000, 44100])
@pytest.mark.parametrize("name", ["vibrato", "noise", "sine", "lone impulses"])
def test_formants(rate, name):
    framing = Framing(rate, 0.02, 0.01)
    model = formant_model(framing)
    samples = prepare_samples(make(name, rate, 0.2, seed=3))
    block = FrameSpectra(framing, hamming_window(framing.length), power=False)(samples, 0, 17)
    frequency, bandwidth = formants(block.re, block.im, model, frames=17, count=5)
    for k in (0, 3, 8, 16):
        expected = twins.formants(block.re[:, k], block.im[:, k], framing, 5)
        np.testing.assert_array_equal(np.stack([frequency[:, k], bandwidth[:, k]]), expected, err_msg=f"frame {k}")


def test_fewer_formants_are_the_first_ones():
    framing = Framing(16000, 0.02, 0.01)
    samples = prepare_samples(make("vibrato", 16000, 0.3))
    block = FrameSpectra(framing, hamming_window(framing.length))(samples, 0, 20)
    model = formant_model(framing)
    all_ = formants(block.re, block.im, model, frames=20, count=5)
    some = formants(block.re, block.im, model, frames=20, count=2)
    for x, y in zip(all_, some, strict=True):
        np.testing.assert_array_equal(x[:2], y)
    assert (np.diff(all_[0], axis=0)[all_[0][1:] > 0] > 0).all()


def test_silence_has_no_formants():
    framing = Framing(8000, 0.02, 0.01)
    zeros = np.zeros((framing.bins, LANES), np.float32)
    frequency, bandwidth = formants(zeros, zeros, formant_model(framing), frames=64, count=3)
    assert not frequency.any()
    assert not bandwidth.any()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 13), st.integers(1, LANES))
def test_roots_give_back_their_polynomial(seed, order, frames):
    rng = np.random.default_rng(seed)
    coefficients = rng.normal(size=(order, LANES))
    re, im = polynomial_roots(coefficients, frames=frames)
    assert re.shape == im.shape == (order, frames)
    for k in range(frames):
        monic = np.poly(re[:, k] + 1j * im[:, k])
        np.testing.assert_allclose(monic[1:], -coefficients[:, k], rtol=0, atol=1e-8 * np.abs(coefficients).max() ** 2)


def test_multiple_roots_and_roots_at_zero():
    cases = [np.poly([0.5] * 5), np.poly([0.9, 0.9, 0.3, 0.3, -0.2]), np.poly([0, 0, 0.4, -0.7, 0.1]), np.eye(1, 6)[0]]
    coefficients = np.zeros((5, LANES))
    coefficients[:, : len(cases)] = -np.array(cases).T[1:]
    re, im = polynomial_roots(coefficients, frames=len(cases))
    for k, case in enumerate(cases):
        np.testing.assert_allclose(np.poly(re[:, k] + 1j * im[:, k]), case, atol=1e-12)


@pytest.mark.parametrize("options", [{"order": 0}, {"order": 400}, {"limits": (50, 6000)}, {"limits": (500, 100)}])
def test_impossible_models(options):
    with pytest.raises(ConfigError):
        formant_model(Framing(16000, 0.02, 0.01), **options)
