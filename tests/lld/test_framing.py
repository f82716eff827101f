import numpy as np
import pytest

from dsfx.errors import AudioError, ConfigError
from dsfx.lld.framing import FrameBuffer, Framing, gauss_window, hamming_window, prepare_samples

# rate, hop, short length and transform, long length and transform
SIZES = [
    (8000, 80, 160, 256, 480, 512),
    (11025, 110, 221, 256, 662, 1024),
    (16000, 160, 320, 512, 960, 1024),
    (22050, 221, 441, 512, 1323, 2048),
    (24000, 240, 480, 512, 1440, 2048),
    (44100, 441, 882, 1024, 2646, 4096),
    (48000, 480, 960, 1024, 2880, 4096),
]


@pytest.mark.parametrize("sizes", SIZES)
def test_sizes(sizes):
    rate, hop, short, nfft, long, nfft_long = sizes
    frames = Framing(rate, 0.02, 0.01)
    assert (frames.step, frames.length, frames.nfft, frames.bins) == (hop, short, nfft, nfft // 2 + 1)
    assert frames.pad == (nfft - short) // 2
    assert (Framing(rate, 0.06, 0.01).length, Framing(rate, 0.06, 0.01).nfft) == (long, nfft_long)
    assert frames.resolution == pytest.approx(short / 0.02 / nfft, rel=1e-15)
    assert frames.frequencies[-1] == frames.resolution * (nfft // 2)


def test_the_quotient_of_durations_is_rounded_and_not_the_product():
    assert Framing(2025, 0.06, 0.01).length == 121  # 0.06 * 2025 is 121.5


def test_edges_that_fall_on_a_bin_of_the_axis():
    axis = Framing(20775, 0.02, 0.01).frequencies
    assert 649.999 < axis[16] < 650  # with the other order of operations it is 650
    for rate in (8000, 16000, 32000):
        assert {250.0, 500.0, 1000.0, 1500.0, 2000.0} <= set(Framing(rate, 0.02, 0.01).frequencies)


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 44100])
def test_count_of_ragged_lengths(rate):
    frames = Framing(rate, 0.02, 0.01)
    length, step = frames.length, frames.step
    for samples in (0, 1, step - 1, step, length - 1, length, length + 1, length + step - 1, length + step, 5 * length):
        starts = [s for s in range(0, samples, step) if s + length <= samples]
        assert frames.count(samples) == len(starts), samples


@pytest.mark.parametrize(
    ("rate", "frame", "hop", "error"),
    [
        (1000, 0.02, 0.01, AudioError),
        (0, 0.02, 0.01, AudioError),
        (-8000, 0.02, 0.01, AudioError),
        (float("nan"), 0.02, 0.01, AudioError),
        (float("inf"), 0.02, 0.01, AudioError),
        (4_000_000_000, 0.02, 0.01, AudioError),
        (16000, 0.02, 1e-6, AudioError),
        (16000, 0.0, 0.01, ConfigError),
        (16000, 0.02, -0.01, ConfigError),
        (16000, float("nan"), 0.01, ConfigError),
    ],
)
def test_refused(rate, frame, hop, error):
    with pytest.raises(error):
        Framing(rate, frame, hop)


def test_lowest_rate_named_in_the_message_is_accepted():
    with pytest.raises(AudioError, match="more than 1625 Hz"):
        Framing(1600, 0.02, 0.01)
    assert Framing(1626, 0.02, 0.01).nfft == 64


def test_16_bit_material_comes_through_exactly_either_way():
    codes = np.arange(-32768, 32768)
    expected = codes.astype(np.float32) / np.float32(32767)
    for compat in (None, "int16"):
        for kind in (np.float32, np.float64):
            assert np.array_equal(prepare_samples((codes / 32768).astype(kind), compat=compat), expected)


def codes_of(values, compat):
    return prepare_samples(np.array(values), compat=compat).astype(float) * 32767


def test_out_of_range_is_clipped_and_the_fraction_kept():
    values = [1.0, 1.5, -1.5, 0.99 / 32768, -1.5 / 32768, 1e300]
    assert codes_of(values, None) == pytest.approx([32767, 32767, -32768, 0.99, -1.5, 32767])


def test_compat_truncates_and_wraps():
    values = [0.99 / 32768, -1.5 / 32768, 1.0, 1.0001, 1.5, -1.00002, -1.00004, 1e6, np.nan, np.inf, -np.inf, 1e300]
    expected = [0, -1, -32768, -32765, -16384, -32768, 32767, 0, 0, 0, 0, 0]
    assert codes_of(values, "int16") == pytest.approx(expected)


def test_refused_signals():
    with pytest.raises(AudioError, match="sample 2 is nan"):
        prepare_samples(np.array([0.0, 0.1, np.nan]))
    with pytest.raises(AudioError, match="shape"):
        prepare_samples(np.zeros((2, 5)))
    with pytest.raises(AudioError, match="int16"):
        prepare_samples(np.zeros(5, np.int16))
    with pytest.raises(ConfigError, match="compat"):
        prepare_samples(np.zeros(5), compat="int8")  # type: ignore[arg-type]


def test_prepared_samples_are_a_copy():
    signal = np.zeros(5, np.float32)
    assert not np.shares_memory(prepare_samples(signal), signal)
    assert prepare_samples(np.zeros(0)).shape == (0,)


@pytest.mark.parametrize("length", [320, 221, 960])
def test_windows(length):
    n = np.arange(length)
    hamming = 0.54 - 0.46 * np.cos(2 * np.pi * n / (length - 1))
    centre = (length - 1) / 2
    gauss = np.exp(-0.5 * ((n - centre) / (0.4 * centre)) ** 2)
    assert np.abs(hamming_window(length) - hamming).max() < 1e-7
    assert np.abs(gauss_window(length) - gauss).max() < 1e-7
    assert hamming_window(length).dtype == np.float32


@pytest.mark.parametrize("hop", [0.01, 0.05])
def test_buffer_keeps_what_frames_still_need(hop):
    framing = Framing(16000, 0.02, hop)
    signal = np.arange(20000, dtype=np.float32)
    buffer, starts = FrameBuffer(framing), []
    for piece in np.split(signal, [7, 1000, 1001, 9000]):
        frames = buffer.push(piece)
        starts += [buffer.samples[t * framing.step] for t in range(frames)]
        buffer.drop(frames)
        assert len(buffer.samples) < max(framing.length, framing.step)
    assert starts == [t * framing.step for t in range(framing.count(len(signal)))]


def test_buffer_refuses_other_types():
    with pytest.raises(AudioError, match="prepare_samples"):
        FrameBuffer(Framing(16000, 0.02, 0.01)).push(np.zeros(5))


def test_any_layout_of_samples_will_do():
    signal = np.linspace(-1.5, 1.5, 101, dtype=np.float32)
    expected = prepare_samples(signal)
    read_only = signal.copy()
    read_only.setflags(write=False)
    spread = np.repeat(signal, 2)[::2]
    for other in (read_only, spread, signal.astype(">f4"), signal.astype(np.float64)):
        assert np.array_equal(prepare_samples(other), expected)


def test_the_first_sample_that_is_not_finite_is_named():
    for kind in (np.float32, np.float64):
        with pytest.raises(AudioError, match="sample 3 is inf"):
            prepare_samples(np.array([0, 0.1, 2, np.inf, np.nan], kind))
    assert prepare_samples(np.array([1e300, -1e300])).tolist() == prepare_samples(np.array([2.0, -2.0])).tolist()
