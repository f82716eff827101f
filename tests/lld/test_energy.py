import numpy as np
import pytest

from dsfx.lld.energy import ZeroCrossings, mean_square_energy, rms_energy, zero_crossing_rate
from dsfx.lld.framing import Framing, prepare_samples

from .signals import RATES, buzz, stress
from .twins import crossing_rate


def test_energies():
    sums = np.array([0.0, 1.0, 320.0, 1e-30])
    assert np.array_equal(mean_square_energy(sums, length=320), (sums / 320).astype(np.float32))
    assert np.array_equal(rms_energy(sums, length=320), np.sqrt(sums / 320).astype(np.float32))


@pytest.mark.parametrize("rate", RATES)
def test_zero_crossings(rate):
    framing = Framing(rate, 0.06, 0.01)
    for name, signal in stress(rate, 0.13):
        samples = prepare_samples(signal)
        got = zero_crossing_rate(samples, framing=framing)
        frames = [samples[t * framing.step :][: framing.length] for t in range(framing.count(len(samples)))]
        expected = [crossing_rate(frame) for frame in frames]
        assert got.dtype == np.float32
        assert np.array_equal(got, expected), f"{name}: frame {np.argmax(got != expected)}"


def test_zeros_count_as_crossings_unless_the_signal_only_touches_zero():
    framing = Framing(1000, 0.1, 0.1)
    silence, touching, crossing = (np.zeros(100, np.float32) for _ in range(3))
    touching[:] = 1
    touching[50] = 0
    crossing[:50], crossing[51:] = 1, -1
    rates = [zero_crossing_rate(signal, framing=framing)[0] for signal in (silence, touching, crossing)]
    assert rates == pytest.approx([0.98, 0.0, 0.01])


def test_in_pieces():
    framing = Framing(16000, 0.06, 0.01)
    samples = prepare_samples(buzz())
    stream = ZeroCrossings(framing)
    pieces = [stream.push(piece) for piece in np.split(samples, [1, 959, 960, 961, 5000, 5001, 15999])]
    assert np.array_equal(np.concatenate(pieces), zero_crossing_rate(samples, framing=framing))


@pytest.mark.parametrize("samples", [0, 1, 159, 160, 959, 960, 961, 1119, 1120])
def test_ragged_lengths(samples):
    framing = Framing(16000, 0.06, 0.01)
    assert zero_crossing_rate(np.zeros(samples, np.float32), framing=framing).shape == (framing.count(samples),)
