import math

import numpy as np
import pytest

from dsfx.errors import ConfigError
from dsfx.lld import spectral
from dsfx.lld.fft import LANES
from dsfx.lld.framing import Framing

from . import twins
from .signals import RATES
from .test_auditory import powers

LANES_CHECKED = (0, 1, 2, 3, 40, 63)


def same(got, expected, what):
    got, expected = np.asarray(got), np.asarray(expected)
    assert np.array_equal(got, expected), f"{what}: {got} is not {expected}"


@pytest.mark.parametrize("rate", RATES)
def test_relative_to_total_power(rate):
    framing = Framing(rate, 0.02, 0.01)
    power = powers(framing)
    sums = spectral.power_sums(power, framing=framing)
    points = (0.25, 0.5, 0.75, 0.9)
    got = {
        "roll_off": spectral.roll_off(power, sums, framing=framing, points=points),
        "centroid": spectral.centroid(sums),
        "moments": spectral.moments(power, sums, framing=framing),
        "entropy": spectral.entropy(power, sums),
        "slope": spectral.slope(sums, framing=framing),
        "sharpness": spectral.sharpness(power, sums, framing=framing),
    }
    for lane in LANES_CHECKED:
        for name, expected in twins.descriptors(power[:, lane], framing, points).items():
            same(got[name][..., lane], expected, f"{name}, lane {lane}")


@pytest.mark.parametrize("rate", [*RATES, 20775, 2000])
@pytest.mark.parametrize(
    ("low", "high"), [(250, 650), (1000, 4000), (0, 500), (500, 1500), (10, 20), (3000, 99000), (50000, 99000)]
)
def test_bands(rate, low, high):
    framing = Framing(rate, 0.02, 0.01)
    power = powers(framing)
    energy = spectral.band_energy(power, framing=framing, low=low, high=high)
    slope = spectral.band_slope(power, framing=framing, low=low, high=high)
    for lane in LANES_CHECKED:
        same(energy[lane], twins.band_energy(power[:, lane], framing, low, high), f"energy, lane {lane}")
        same(slope[lane], twins.band_slope(power[:, lane], framing, low, high), f"slope, lane {lane}")


@pytest.mark.parametrize("rate", [*RATES, 3000])
def test_levels(rate):
    framing = Framing(rate, 0.02, 0.01)
    power = powers(framing)
    power[:, 3] = np.arange(framing.bins) == 0
    power[:, 40] = framing.frequencies > 1200
    for lane in LANES_CHECKED:
        same(
            spectral.alpha_ratio(power, framing=framing)[lane], twins.alpha_ratio(power[:, lane], framing), f"α, {lane}"
        )
        same(
            spectral.hammarberg_index(power, framing=framing)[lane],
            twins.hammarberg_index(power[:, lane], framing),
            f"Hammarberg, {lane}",
        )


@pytest.mark.parametrize(("first", "last"), [(1, 256), (0, 159)])
def test_flux(first, last):
    magnitude = np.random.default_rng(0).random((257, LANES), np.float32)
    before = np.random.default_rng(1).random(257).astype(np.float32)
    got = spectral.flux(magnitude, before, first=first, last=last)
    same(got[0], twins.flux(magnitude[:, 0], before, first, last), "lane 0")
    for lane in (1, 30, 63):
        same(got[lane], twins.flux(magnitude[:, lane], magnitude[:, lane - 1], first, last), f"lane {lane}")
    start = spectral.flux(magnitude, None, first=first, last=last)
    assert start[0] == 0
    same(start[1:], got[1:], "later lanes")


def test_harmonicity():
    random = np.random.default_rng(0)
    power = random.random((129, LANES)).astype(np.float32)
    power[:, 1] = 0
    power[:, 2] = np.arange(129)
    power[:, 3] = np.arange(129) % 7 == 0
    power[:, 4] = random.integers(0, 3, 129)  # ties
    got = spectral.harmonicity(power)
    for lane in range(LANES):
        same(got[lane], twins.harmonicity(power[:, lane]), f"lane {lane}")
    assert got[1] == got[2] == 0


def test_silence():
    framing = Framing(16000, 0.02, 0.01)
    power = np.zeros((framing.bins, LANES), np.float32)
    sums = spectral.power_sums(power, framing=framing)
    assert np.all(spectral.roll_off(power, sums, framing=framing, points=(0.25, 0.9)) == 31.25)
    share = 1e-7 / float(np.float32(1e-7))  # of each bin: not quite 1
    assert spectral.entropy(power, sums)[0] == pytest.approx(-256 * share * math.log2(share), rel=1e-6)
    assert spectral.band_slope(power, framing=framing, low=0, high=500)[0] == pytest.approx(0.112)
    assert spectral.band_slope(power, framing=framing, low=500, high=1500)[0] == pytest.approx(0.07636364)


@pytest.mark.parametrize(
    "call",
    [
        lambda p, f: spectral.band_energy(p, framing=f, low=500, high=500),
        lambda p, f: spectral.band_slope(p, framing=f, low=-1, high=500),
        lambda p, f: spectral.alpha_ratio(p, framing=f, middle=0, high=500),
        lambda p, f: spectral.hammarberg_index(p, framing=f, middle=900, high=500),
        lambda p, f: spectral.roll_off(p, np.zeros((2, LANES)), framing=f, points=(0.5, 25)),
    ],
)
def test_refused_parameters(call):
    framing = Framing(16000, 0.02, 0.01)
    with pytest.raises(ConfigError, match="expected"):
        call(np.zeros((framing.bins, LANES), np.float32), framing)
