import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsfx.errors import ConfigError
from dsfx.frontend import BANDS, BLOCK, NORMALISATIONS, WINDOWS, FrontEnd, mel_filters

RATE = 16000

GRID = [
    FrontEnd(sampling_rate=16000),
    FrontEnd(sampling_rate=8000, upper_hz=4000.0, fft_length=512, n_mels=40, normalisation="none"),
    FrontEnd(
        sampling_rate=16000, bands="linear", n_mels=0, lower_hz=0.0, upper_hz=4000.0, fft_length=800, window="hamming"
    ),
    FrontEnd(sampling_rate=44100, window_length=0.025, fft_length=2048, window="blackman", normalisation="bands"),
    # A hop longer than the window, and lengths that are no round number of samples.
    FrontEnd(
        sampling_rate=11025, upper_hz=5512.5, window_length=0.02, hop=0.0333, fft_length=1024, window="rectangular"
    ),
]


def noise(size: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(scale=0.1, size=size).astype(np.float32)


def slow(signal: np.ndarray, front: FrontEnd) -> np.ndarray:
    """One frame after the other, one band after the other, in double precision."""
    size, hop = round(front.window_length * front.sampling_rate), round(front.hop * front.sampling_rate)
    n = np.arange(size)
    cosine = np.cos(2 * np.pi * n / size)
    window = {
        "hann": 0.5 - 0.5 * cosine,
        "hamming": 0.54 - 0.46 * cosine,
        "blackman": 0.42 - 0.5 * cosine + 0.08 * np.cos(4 * np.pi * n / size),
        "rectangular": np.ones(size),
    }[front.window]
    window = window / window.sum()
    rows = []
    start = 0
    while start + size <= len(signal):
        power = np.abs(np.fft.rfft(signal[start : start + size].astype(float) * window, front.fft_length)) ** 2
        hertz = np.fft.rfftfreq(front.fft_length, 1 / front.sampling_rate)
        if front.bands == "linear":
            row = power[(hertz >= front.lower_hz - 1e-6) & (hertz <= front.upper_hz + 1e-6)]
        else:
            edges = np.linspace(
                *(2595 * np.log10(1 + f / 700) for f in (front.lower_hz, front.upper_hz)), front.n_mels + 2
            )
            mels = 2595 * np.log10(1 + hertz / 700)
            row = np.array([power @ np.interp(mels, edges[band : band + 3], [0, 1, 0]) for band in range(front.n_mels)])
        rows.append(np.log(np.maximum(row, front.floor)))
        start += hop
    out = np.array(rows)
    if front.normalisation == "level":
        out -= out.mean()
    elif front.normalisation == "bands":
        out -= out.mean(axis=0)
    return out


@pytest.mark.parametrize("front", GRID, ids=lambda front: f"{front.sampling_rate}-{front.bands}-{front.window}")
def test_against_the_slow_way(front: FrontEnd) -> None:
    signal = noise(front.sampling_rate)
    signal[4000:5000] = 0
    found, expected = front.spectrogram(signal), slow(signal, front)
    assert found.dtype == np.float32
    assert found.shape == expected.shape == (front.n_frames(len(signal)), front.n_bands)
    error = np.abs(found - expected).max(axis=1)
    # Logarithms of bins near the floor magnify the rounding of a float32 FFT.
    assert error.max() < 5e-3, f"frame {error.argmax()} is off by {error.max()}"
    assert np.median(np.abs(found - expected)) < 2e-6


@pytest.mark.parametrize("front", GRID, ids=lambda front: f"{front.sampling_rate}-{front.bands}-{front.window}")
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_chunks_do_not_change_a_bit(front: FrontEnd, data: st.DataObject) -> None:
    size = data.draw(st.integers(0, 3 * BLOCK * front.hop_samples + front.window_samples))
    cuts = data.draw(st.lists(st.integers(0, size), max_size=8))
    signal = noise(size)
    parts = list(front.stream(np.split(signal, sorted(cuts))))
    rows = np.concatenate([np.empty((0, front.n_bands), dtype=np.float32), *parts])
    assert all(len(part) <= BLOCK for part in parts)
    np.testing.assert_array_equal(rows, front.log_power(signal))
    np.testing.assert_array_equal(front.normalise(rows), front.spectrogram(signal))


def test_a_prefix_gives_the_first_frames_to_the_bit() -> None:
    front = FrontEnd(sampling_rate=RATE, normalisation="none")
    signal = noise(3 * RATE)
    whole = front.spectrogram(signal)
    for size in (512, 513, 5000, 11000, 20000):
        np.testing.assert_array_equal(front.spectrogram(signal[:size]), whole[: front.n_frames(size)])


@pytest.mark.parametrize(
    ("size", "frames"), [(0, 0), (1, 0), (159, 0), (160, 0), (511, 0), (512, 1), (513, 1), (671, 1), (672, 2)]
)
def test_ragged_lengths(size: int, frames: int) -> None:
    front = FrontEnd(sampling_rate=RATE)
    assert front.min_samples == 512
    assert front.n_frames(size) == frames
    assert front.spectrogram(noise(size)).shape == (frames, 80)
    assert sum(len(part) for part in front.stream([noise(size)])) == frames


def test_fewest_samples_for_so_many_frames() -> None:
    for front in GRID:
        for count in (1, 2, 7, BLOCK, BLOCK + 1):
            assert front.n_frames(front.n_samples(count)) == count
            assert front.n_frames(front.n_samples(count) - 1) == count - 1


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("length", [0.016, 0.032, 0.064])
def test_a_full_scale_sine_has_a_quarter_whatever_the_window(window: str, length: float) -> None:
    front = FrontEnd(
        sampling_rate=RATE,
        window=window,
        window_length=length,
        bands="linear",
        n_mels=0,
        lower_hz=0.0,
        normalisation="none",
    )
    sine = np.sin(2 * np.pi * 1000 * np.arange(RATE) / RATE)
    assert np.exp(front.spectrogram(sine)[:, 64]) == pytest.approx(0.25, rel=1e-3)


@pytest.mark.parametrize("value", [0.0, 1.0, -1.0])
@pytest.mark.parametrize("front", GRID, ids=lambda front: f"{front.sampling_rate}-{front.bands}")
def test_silence_and_constants(value: float, front: FrontEnd) -> None:
    rows = front.spectrogram(np.full(front.sampling_rate, value))
    assert np.isfinite(rows).all()
    if value == 0 and front.normalisation == "none":
        np.testing.assert_array_equal(rows, np.log(np.float32(front.floor)))
    elif value == 0:
        np.testing.assert_allclose(rows, 0, atol=1e-5)


@pytest.mark.parametrize("front", GRID, ids=lambda front: f"{front.sampling_rate}-{front.bands}")
def test_samples_beyond_reason_are_survived(front: FrontEnd) -> None:
    signal = noise(front.sampling_rate)
    signal[1000:3000] *= 1e15
    signal[5000] = np.finfo(np.float32).max
    assert np.isfinite(front.spectrogram(signal)).all()


def test_gain_does_not_matter_after_the_level_is_removed() -> None:
    front = FrontEnd(sampling_rate=RATE, floor=1e-20)
    signal = noise(RATE)
    np.testing.assert_allclose(front.spectrogram(signal * 0.125), front.spectrogram(signal), atol=1e-4)


def test_bands_normalisation_takes_a_channel_away() -> None:
    front = FrontEnd(sampling_rate=RATE, normalisation="bands")
    np.testing.assert_allclose(front.spectrogram(noise(RATE)).mean(axis=0), 0, atol=1e-5)


def test_mel_triangles() -> None:
    hertz = np.linspace(0, 8000, 4001)
    filters = mel_filters(hertz, 10, 0.0, 8000.0)
    assert filters.shape == (4001, 10)
    assert filters.max(axis=0) == pytest.approx(1, abs=0.03)
    # Neighbours overlap by half: between the first and the last centre the weights sum to one.
    inner = (hertz > hertz[filters[:, 0].argmax()]) & (hertz < hertz[filters[:, -1].argmax()])
    np.testing.assert_allclose(filters[inner].sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("front", GRID, ids=lambda front: str(front.sampling_rate))
def test_there_and_back(front: FrontEnd) -> None:
    assert FrontEnd.from_table(front.to_table()) == front


def test_foreign_tables() -> None:
    table = GRID[0].to_table()
    with pytest.raises(ConfigError, match="unknown parameter 'colour'"):
        FrontEnd.from_table({**table, "colour": 1})
    del table["hop"]
    with pytest.raises(ConfigError, match="'hop' is missing"):
        FrontEnd.from_table(table)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"upper_hz": 8000.1}, "upper_hz is 8000.1, expected at most 8000, half the sampling rate"),
        ({"lower_hz": 8000.0}, "lower_hz is 8000.0"),
        ({"lower_hz": -1.0}, "lower_hz is -1.0"),
        ({"lower_hz": float("nan")}, "finite"),
        ({"upper_hz": "8k"}, "finite number"),
        ({"fft_length": 511}, "at least the 512 samples of the window"),
        ({"fft_length": 1 << 21}, "at most 1048576"),
        ({"fft_length": 1024.0}, "whole number"),
        ({"sampling_rate": True}, "whole number"),
        ({"sampling_rate": 0}, "expected 100 to"),
        ({"window": "kaiser"}, "expected one of hann"),
        ({"bands": "bark"}, "expected one of linear, mel"),
        ({"normalisation": "z"}, "expected one of none, level, bands"),
        ({"window_length": 0.00001}, "at least two samples"),
        ({"hop": 0.0}, "at least one sample"),
        ({"hop": -0.01}, "at least one sample"),
        ({"floor": 0.0}, "positive"),
        ({"n_mels": 0}, "n_mels is 0"),
        ({"n_mels": 512}, "mel band 0 of 512 holds no FFT bin"),
        ({"bands": "linear"}, "expected 0 with linear bands"),
        ({"bands": "linear", "n_mels": 0, "lower_hz": 1.0, "upper_hz": 2.0}, "no FFT bin lies between 1 and 2 Hz"),
    ],
)
def test_impossible_parameters(changes: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        FrontEnd(**{"sampling_rate": RATE, **changes})
    assert "\n" not in str(caught.value)


def test_lists_are_complete() -> None:
    for name, known in (("window", WINDOWS), ("bands", BANDS), ("normalisation", NORMALISATIONS)):
        for value in known:
            n_mels = 0 if value == "linear" else 80
            assert FrontEnd(sampling_rate=RATE, n_mels=n_mels, **{name: value}).n_bands > 0


def test_the_number_of_threads_does_not_change_a_bit() -> None:
    code = (
        "import hashlib, numpy as np; from dsfx.frontend import FrontEnd\n"
        "x = np.random.default_rng(0).normal(scale=0.1, size=50000).astype(np.float32)\n"
        "print(hashlib.md5(FrontEnd(sampling_rate=16000).spectrogram(x).tobytes()).hexdigest())"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "OPENBLAS_NUM_THREADS": threads, "OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for threads in ("1", "2")
    }
    assert len(found) == 1
