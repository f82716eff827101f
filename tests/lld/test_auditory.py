import math

import numpy as np
import pytest

from dsfx.errors import AudioError, ConfigError
from dsfx.lld import auditory
from dsfx.lld.fft import LANES
from dsfx.lld.framing import Framing

from . import twins
from .signals import RATES


def powers(framing, seed=0):
    """Power spectra of very different level; silence and a single line among them."""
    random = np.random.default_rng(seed)
    power = (random.chisquare(2, (framing.bins, LANES)) * 10.0 ** random.uniform(-12, 4, LANES)).astype(np.float32)
    power[:, 1] = 0
    power[:, 2] = np.arange(framing.bins) == 7
    return power


@pytest.mark.parametrize("compression", [0.33, 0.1, 0.999, -0.5, 2.0])
@pytest.mark.parametrize("floor", [auditory.FLOOR, 1e-40, 0.0])
def test_compression_is_the_rounded_power(compression, floor):
    if floor == 0 and compression < 0:
        return
    random = np.random.default_rng(0)
    exponent = np.float64(np.float32(compression))
    bank = auditory.mel_bank(Framing(16000, 0.02, 0.01))
    for _ in range(40):
        bands = (10.0 ** random.uniform(-12, 6, (bank.bands, LANES))).astype(np.float32)
        bands[random.random(bands.shape) < 0.05] = 0
        got = auditory.auditory_spectrum(bands, bank=bank, floor=floor, compression=compression)
        base = np.maximum(bands, np.float32(floor)) * bank.equal_loudness[:, None]
        expected = np.array([[math.pow(v, exponent) for v in row] for row in base.astype(np.float64)])
        assert np.array_equal(got, expected.astype(np.float32))


@pytest.mark.parametrize("rate", RATES)
def test_chain(rate):
    framing = Framing(rate, 0.02, 0.01)
    power = powers(framing)
    bank = auditory.mel_bank(framing)
    bands = auditory.mel_bands(power, bank=bank)[1:-1]
    spectrum = auditory.auditory_spectrum(bands, bank=bank)
    mean = auditory.band_mean(spectrum)
    cepstrum = auditory.mfcc(bands)
    weights = twins.loudness_weights(framing)
    assert np.array_equal(bank.equal_loudness, weights)
    for lane in (0, 1, 2, 3, 40, 63):
        expected = twins.mel_bands(power[:, lane], framing)
        assert np.array_equal(bands[:, lane], expected), lane
        loud = twins.auditory_spectrum(expected, weights)
        assert np.array_equal(spectrum[:, lane], loud), lane
        assert mean[lane] == twins.mean_in_order(loud), lane
        assert np.array_equal(cepstrum[:, lane], twins.mfcc(expected)), lane
    assert not cepstrum[:, 1].any()  # silence


@pytest.mark.parametrize(("rate", "bands", "low", "high"), [(16000, 40, 0, 8000), (8000, 20, 100, 6000)])
def test_other_banks(rate, bands, low, high):
    framing = Framing(rate, 0.025, 0.01)
    power = powers(framing)
    bank = auditory.mel_bank(framing, bands=bands, low=low, high=high)
    got = auditory.mel_bands(power, bank=bank)[1:-1]
    assert got.shape == (bands, LANES)
    assert np.array_equal(got[:, 5], twins.mel_bands(power[:, 5], framing, bands, low, high))
    coefficients = auditory.mfcc(got, first=2, last=9, lifter=12, floor=3)
    assert np.array_equal(coefficients[:, 5], twins.mfcc(got[:, 5], 2, 9, 12, 3))


def test_bands_share_the_power_of_every_bin():
    framing = Framing(16000, 0.02, 0.01)
    bank = auditory.mel_bank(framing)
    power = np.ones((framing.bins, LANES), np.float32)
    got = auditory.mel_bands(power, bank=bank)[1:-1][:, 0]
    inner = (bank.upper > 1) & (bank.upper <= 26)
    outer = bank.weight[bank.upper == 27].sum() + (1 - bank.weight[bank.upper == 1]).sum()
    assert got.sum() == pytest.approx(inner.sum() + outer, rel=1e-5)
    assert np.all(np.diff(bank.centres) > 0)
    assert (bank.first, bank.first + len(bank.upper) - 1) == (2, 255)


def test_rasta_in_blocks_of_any_size():
    framing = Framing(16000, 0.02, 0.01)
    bank = auditory.mel_bank(framing)
    frames = 150
    contours = (10.0 ** np.random.default_rng(3).uniform(-11, 3, (26, frames))).astype(np.float32)
    expected = np.array([twins.rasta(c, w) for c, w in zip(contours, bank.equal_loudness, strict=True)])
    for sizes in ([64, 64, 22], [1, 2, 1, 1, 5, 64, 64, 12]):
        rasta, parts, start = auditory.Rasta(bank, hop=0.01), [], 0
        for size in sizes:
            block = np.full((26, LANES), 7, np.float32)
            block[:, :size] = contours[:, start : start + size]
            parts.append(rasta(block, size)[:, :size])
            start += size
        got = np.concatenate(parts, axis=1)
        wrong = np.argwhere(got != expected)
        assert not len(wrong), f"blocks {sizes}: band and frame {wrong[0]}"


def test_rasta_of_something_constant_is_the_equal_loudness_curve():
    bank = auditory.mel_bank(Framing(16000, 0.02, 0.01))
    got = auditory.Rasta(bank, hop=0.01)(np.full((26, LANES), 3, np.float32), LANES)
    assert np.allclose(got, bank.equal_loudness[:, None] ** 0.33, rtol=1e-6)


@pytest.mark.parametrize(
    ("parameters", "error"),
    [
        ({"bands": 0}, ConfigError),
        ({"low": 500, "high": 400}, ConfigError),
        ({"low": -1}, ConfigError),
        ({"low": 9000, "high": 10000}, AudioError),
        ({"bands": 300}, AudioError),
    ],
)
def test_refused_banks(parameters, error):
    with pytest.raises(error):
        auditory.mel_bank(Framing(16000, 0.02, 0.01), **parameters)


@pytest.mark.parametrize(("first", "last"), [(5, 4), (-1, 3), (1, 26)])
def test_refused_coefficients(first, last):
    with pytest.raises(ConfigError, match="cepstral"):
        auditory.mfcc(np.ones((26, LANES), np.float32), first=first, last=last)
