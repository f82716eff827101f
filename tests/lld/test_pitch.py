"""Octave spectra, candidates, path: against slow second implementations."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsfx.errors import ConfigError
from dsfx.lld import pitch
from dsfx.lld.fft import LANES
from dsfx.lld.framing import Framing, gauss_window, prepare_samples
from dsfx.lld.spectrum import FrameSpectra

from . import voice_twins as twins
from .voice_signals import NAMES, make

RATES = (8000, 11025, 16000, 44100)


def framing_at(rate):
    return Framing(rate, 0.06, 0.01)


def magnitudes(rate, name):
    """Spectra of 12 frames, shape (bins, 64), of which the other lanes mean nothing."""
    framing = framing_at(rate)
    samples = prepare_samples(make(name, rate, 0.2))
    block = FrameSpectra(framing, gauss_window(framing.length), power=False)(samples, 0, 12)
    return block.magnitude.copy()


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("name", ["silence", "vibrato", "sine", "impulses", "noise"])
def test_from_spectrum_to_candidates(rate, name):
    framing = framing_at(rate)
    axis = pitch.octave_axis(framing)
    magnitude = magnitudes(rate, name)
    octave = pitch.octave_spectrum(magnitude, axis, frames=12)
    lanes, mean = pitch.subharmonic_sum(octave, axis)
    frequency, voicing, score = pitch.candidates(lanes, mean, axis, frames=12, count=6)
    sums = np.ascontiguousarray(lanes.T)
    for k in (0, 5, 11):
        expected = twins.octave_spectrum(magnitude[:, k], framing)
        # Both are rounded from double precision; a tie of the rounding or a cancellation to almost 0 may part them.
        scale = expected.max()
        np.testing.assert_allclose(octave[:, k], expected, rtol=2e-7, atol=1e-12 * scale, err_msg=f"frame {k}")
        np.testing.assert_array_equal(sums[k], twins.subharmonic_sum(octave[:, k], framing), err_msg=f"frame {k}")
        assert mean[k] == pytest.approx(np.mean(sums[k].astype(float)), rel=1e-14)
        found = twins.candidates(sums[k], framing, 6)
        found += [(0, 0, 0)] * (6 - len(found))
        np.testing.assert_array_equal(np.stack([frequency[k], voicing[k], score[k]]), np.array(found, "f").T)


def test_lanes_do_not_matter():
    magnitude = magnitudes(16000, "vibrato")
    axis = pitch.octave_axis(framing_at(16000))
    whole = pitch.octave_spectrum(magnitude, axis)
    part = pitch.octave_spectrum(magnitude, axis, frames=3)
    np.testing.assert_array_equal(whole[:, :3], part[:, :3])
    sums = [pitch.subharmonic_sum(octave, axis)[0] for octave in (whole, part)]
    np.testing.assert_array_equal(sums[0][:, :3], sums[1][:, :3])


@pytest.mark.parametrize("spectrum", ["one maximum first", "one maximum last", "one maximum within", "flat", "comb"])
def test_peak_enhancement_at_the_edges(spectrum):
    framing = framing_at(8000)
    bins = framing.bins
    m = np.ones(bins, np.float32)
    if spectrum == "one maximum first":
        m = np.linspace(2, 1, bins, dtype="f")
    elif spectrum == "one maximum last":
        m = np.linspace(1, 2, bins, dtype="f")
    elif spectrum == "one maximum within":
        m = 2 - np.abs(np.arange(bins) - 100).astype("f") / 200
    elif spectrum == "comb":
        m[5::9] = 3
    magnitude = np.repeat(m[:, None], LANES, axis=1)
    octave = pitch.octave_spectrum(magnitude, pitch.octave_axis(framing), frames=1)[:, 0]
    np.testing.assert_allclose(octave, twins.octave_spectrum(m, framing), rtol=2e-7, atol=1e-12)


def test_constants_at_16_khz():
    axis = pitch.octave_axis(framing_at(16000))
    assert axis.bins == 513
    assert axis.shifts.tolist() == [61, 97, 123, 143, 159, 173, 184, 195, 204, 213, 220, 228, 234, 240]
    assert axis.start == np.float32(np.log2(25))


def random_candidates(rng, frames, jumpy):
    """Candidates of a made-up utterance: a wandering pitch with octave errors, pauses and noise."""
    base = 150 * 2 ** np.cumsum(rng.normal(0, 0.4 if jumpy else 0.03, frames))
    frequency = base[:, None] * rng.choice([0.5, 1, 1.01, 1.5, 2, 3, 9], (frames, 6))
    voicing = rng.uniform(0, 1.05, (frames, 6))
    score = -np.sort(-rng.choice([0.5, 1, 1.5, 2, 2.5], (frames, 6)))
    missing = np.arange(6) >= rng.integers(0, 7, frames)[:, None]
    for values in (frequency, voicing, score):
        values[missing] = 0
    energy = rng.choice([0, 0.001, 0.01, 0.1], frames)
    return [np.ascontiguousarray(v, np.float32) for v in (frequency, voicing, score, energy)]


@pytest.mark.parametrize("window", [1, 2, 7, 30])
@pytest.mark.parametrize("jumpy", [False, True])
def test_path(window, jumpy):
    rng = np.random.default_rng(window)
    for frames in (0, 1, 2, 3, 40, 300):
        frequency, voicing, score, energy = random_candidates(rng, frames, jumpy)
        slow = twins.SlowPath((55, 1000), window, 6)
        fast = pitch.Path(f0_range=(55, 1000), window=window, voicing_threshold=0.7, energy_threshold=0.001, count=6)
        pieces, t = [], 0
        while t < frames:
            step = int(rng.integers(1, 20))
            pieces.append(fast.push(*(v[t : t + step] for v in (frequency, voicing, score, energy))))
            t += step
        for t in range(frames):
            slow.push([c for c in zip(frequency[t], voicing[t], score[t], strict=True) if c[0] > 0], energy[t])
        released = fast.decided
        assert fast.processed == frames
        pieces.append(fast.finish())
        expected, slow_released = slow.finish()
        assert released == slow_released
        np.testing.assert_array_equal(np.concatenate(pieces, axis=1).T.reshape(-1, 2), expected)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.integers(1, 4))
def test_path_decides_within_its_window(seed, window, count):
    rng = np.random.default_rng(seed)
    frequency, voicing, score, energy = random_candidates(rng, 60, True)
    path = pitch.Path(f0_range=(55, 1000), window=window, voicing_threshold=0.7, energy_threshold=0.001, count=count)
    slow = twins.SlowPath((55, 1000), window, count)
    parts = []
    for t in range(60):
        one = [np.ascontiguousarray(v[t : t + 1, :count]) for v in (frequency, voicing, score)]
        parts.append(path.push(*one, energy[t : t + 1]))
        slow.push([c for c in zip(*(v[0] for v in one), strict=True) if c[0] > 0], energy[t])
        assert path.decided == len(slow.fixed)
        if t > 0:
            assert path.processed - path.decided <= max(window, 2)
    parts.append(path.finish())
    np.testing.assert_array_equal(np.concatenate(parts, axis=1).T, slow.finish()[0])


def test_semitones():
    f0 = np.array([0, 27.6, 29.2, 55, 100.3, 440, 999.9], np.float32)
    expected = [twins.semitones(x) for x in f0]
    expected[1] = 1
    np.testing.assert_array_equal(pitch.semitones(f0, reference=27.5), np.array(expected, np.float32))
    rng = np.random.default_rng(0)
    f0 = rng.uniform(30, 1000, 2000).astype("f")
    np.testing.assert_array_equal(pitch.semitones(f0, reference=27.5), np.array([twins.semitones(x) for x in f0]))


def test_a_spectrum_must_reach_the_octave_axis():
    with pytest.raises(ConfigError, match="spectrum ends at"):
        pitch.octave_axis(Framing(90, 0.5, 0.1))


def test_names_are_all_made():
    for name in NAMES:
        signal = make(name, 8000, 0.3)
        assert signal.dtype == np.float32
        assert len(signal) == 2400
        assert len(make(name, 8000, 0)) == 0
