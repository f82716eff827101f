import numpy as np
import pytest

from dsfx.errors import ConfigError
from dsfx.lld.fft import LANES
from dsfx.lld.framing import Framing, gauss_window, hamming_window, prepare_samples
from dsfx.lld.spectrum import FrameSpectra, frames_transformed

from .signals import buzz
from .twins import magnitudes, real_transform


@pytest.mark.parametrize(
    ("rate", "frame", "hop", "windowed"),
    [
        (16000, 0.02, 0.01, False),
        (16000, 0.06, 0.01, True),
        (11025, 0.02, 0.01, False),  # odd length, hop does not divide it
        (8000, 0.025, 0.0125, True),
        (8000, 0.01, 0.04, False),  # gaps between the frames
    ],
)
def test_blocks_are_the_frames_of_the_signal(rate, frame, hop, windowed):
    framing = Framing(rate, frame, hop)
    window = (gauss_window if windowed else hamming_window)(framing.length)
    samples = prepare_samples(buzz())
    count = min(LANES, framing.count(len(samples)) - 3)
    block = FrameSpectra(framing, window, windowed_energy=windowed)(samples, 3, count)
    assert block.count == count
    for lane in (0, 1, count - 1):
        x = samples[(3 + lane) * framing.step :][: framing.length]
        y = np.zeros(framing.nfft, np.float32)
        y[framing.pad : framing.pad + framing.length] = x * window
        re, im = real_transform(y)
        assert np.array_equal(block.re[:, lane], re)
        assert np.array_equal(block.im[:, lane], im)
        assert np.array_equal(block.magnitude[:, lane], magnitudes(re, im))
        assert np.array_equal(block.power[:, lane], block.magnitude[:, lane] * block.magnitude[:, lane])
        squares = np.square(x * window if windowed else x).astype(np.float64)
        assert block.energy[lane] == np.cumsum(squares)[-1]


def test_the_end_of_the_signal_does_not_reach_the_frames_before_it():
    framing = Framing(16000, 0.06, 0.01)
    samples = prepare_samples(buzz())
    spectra = FrameSpectra(framing, gauss_window(framing.length))
    alone = spectra(samples[: framing.length + 2 * framing.step + 5], 0, 3).magnitude[:, :3].copy()
    assert np.array_equal(alone, spectra(samples, 0, 64).magnitude[:, :3])
    assert np.array_equal(alone, spectra(samples[: framing.length + 2 * framing.step], 0, 3).magnitude[:, :3])


def test_transforms_are_counted():
    framing = Framing(16000, 0.02, 0.01)
    spectra = FrameSpectra(framing, hamming_window(framing.length))
    before = frames_transformed[512]
    spectra(prepare_samples(buzz()), 0, 40)
    assert frames_transformed[512] == before + 40


def test_only_what_is_asked_for():
    framing = Framing(16000, 0.02, 0.01)
    samples = prepare_samples(buzz())
    full = FrameSpectra(framing, hamming_window(framing.length))(samples, 0, 64)
    bare = FrameSpectra(framing, hamming_window(framing.length), power=False, complex_spectrum=False)(samples, 0, 64)
    assert np.array_equal(full.magnitude, bare.magnitude)
    assert bare.re.size == bare.im.size == bare.power.size == 0
    before = frames_transformed[512]
    energy = FrameSpectra(framing, hamming_window(framing.length), transform=False)(samples, 0, 64).energy
    assert np.array_equal(full.energy, energy)
    assert frames_transformed[512] == before


@pytest.mark.parametrize(("first", "count"), [(-1, 5), (0, 65), (98, 2), (0, -1)])
def test_refused_frames(first, count):
    framing = Framing(16000, 0.02, 0.01)
    with pytest.raises(ConfigError, match="complete"):
        FrameSpectra(framing, hamming_window(framing.length))(np.zeros(16000, np.float32), first, count)


def test_refused_window():
    with pytest.raises(ConfigError, match="window"):
        FrameSpectra(Framing(16000, 0.02, 0.01), hamming_window(321))
