from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from dsfx.errors import ConfigError
from dsfx.lld.fft import LANES, complex_transform, lane_array, plan, real_magnitude, real_spectrum, scratch

from .twins import magnitudes, plain_transform, real_transform


def lanes(frames):
    """Frames, shape (n, lanes), as even and odd rows."""
    even, odd = lane_array(len(frames) // 2), lane_array(len(frames) // 2)
    even[:], odd[:] = frames[0::2], frames[1::2]
    return even, odd


def spectra(frames):
    n = len(frames)
    re, im = lane_array(n // 2 + 1), lane_array(n // 2 + 1)
    real_spectrum(*lanes(frames), plan(n), re, im)
    return re, im


def noise(n):
    frames = np.random.default_rng(n).standard_normal((n, LANES)).astype(np.float32)
    frames[:, 1] = 0
    frames[:, 2] = np.arange(n) == n // 3
    frames[:, 3] = 1
    return frames


@pytest.mark.parametrize("n", [64, 128, 256, 512, 1024])
def test_every_rounding_is_as_defined(n):
    frames = noise(n)
    re, im = spectra(frames)
    for lane in (0, 1, 2, 3, 63):
        expected_re, expected_im = real_transform(frames[:, lane])
        for name, got, expected in (("re", re, expected_re), ("im", im, expected_im)):
            wrong = np.flatnonzero(got[:, lane] != expected)
            assert not len(wrong), f"n {n}, lane {lane}, {name}: bins {wrong[:5]} differ"


@pytest.mark.parametrize("n", [64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384])
def test_it_is_a_fourier_transform(n):
    frames = noise(n)
    re, im = spectra(frames)
    expected = np.fft.rfft(frames.astype(np.float64), axis=0)
    assert np.abs(re - 1j * im - expected).max() < 3e-7 * np.abs(expected).max()  # the exponent is positive
    assert not im[0].any()
    assert not im[-1].any()


@pytest.mark.parametrize("n", [64, 512])
def test_magnitude_alone(n):
    frames = noise(n)
    magnitude = lane_array(n // 2 + 1)
    real_magnitude(*lanes(frames), plan(n), magnitude)
    re, im = spectra(frames)
    for lane in range(LANES):
        assert np.array_equal(magnitude[:, lane], magnitudes(re[:, lane], im[:, lane])), lane


@pytest.mark.parametrize("n", [64, 256])
def test_complex_half(n):
    frames = noise(n)
    even, odd = lanes(frames)
    complex_transform(even, odd, plan(n))
    for lane in (0, 2):
        z = [(frames[2 * j, lane], frames[2 * j + 1, lane]) for j in range(n // 2)]
        expected = np.array(plain_transform(z, top=True))
        assert np.array_equal(even[plan(n).order, lane], expected[:, 0])
        assert np.array_equal(odd[plan(n).order, lane], expected[:, 1])


def test_lanes_do_not_depend_on_each_other():
    frames = noise(128)
    shuffled = np.random.default_rng(0).permutation(LANES)
    assert np.array_equal(spectra(frames)[0][:, shuffled], spectra(frames[:, shuffled])[0])


@pytest.mark.parametrize("n", [0, 32, 100, 513])
def test_refused_lengths(n):
    with pytest.raises(ConfigError, match="power of two"):
        plan(n)


def test_lane_arrays_begin_with_a_cache_line():
    assert all(lane_array(rows).ctypes.data % 64 == 0 for rows in (1, 5, 257))


def test_scratch_arrays_are_used_again_within_a_thread_only():
    first = scratch("test", 7, np.float64)
    assert first.shape == (7, LANES)
    assert first.dtype == np.float64
    assert first.ctypes.data % 64 == 0
    assert scratch("test", 7, np.float64) is first
    assert scratch("test", 8, np.float64).shape == (8, LANES)
    mine = scratch("test", 8, np.float64)
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(scratch, "test", 8, np.float64).result() is not mine


def test_part_of_the_lanes():
    n = 256
    frames = np.random.default_rng(3).normal(size=(n, LANES)).astype(np.float32)
    whole, part = np.full((2, n // 2 + 1, LANES), -1, np.float32)
    for width, magnitude in ((LANES, whole), (16, part)):
        even, odd = np.ascontiguousarray(frames[::2]), np.ascontiguousarray(frames[1::2])
        real_magnitude(even, odd, plan(n), magnitude, width=width)
    assert np.array_equal(part[:, :16], whole[:, :16])
    assert (part[:, 16:] == -1).all()
