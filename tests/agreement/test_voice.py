"""Voice descriptors against the reference, run live: the same bits.

The reference gives smoothed values only, so ours are smoothed here by a plain model of its last rows.
"""

from functools import cache

import numpy as np
import pytest
from lld.signals import buzz
from lld.voice_sets import COMPARE, GEMAPS
from lld.voice_signals import NAMES, make

from dsfx.lld.framing import Framing, prepare_samples
from dsfx.lld.long import LongFrames

from .compare import DATA, clips, read
from .voice_rows import smoothed

opensmile = pytest.importorskip("opensmile")


@cache
def reference(name):
    return opensmile.Smile(getattr(opensmile.FeatureSet, name), opensmile.FeatureLevel.LowLevelDescriptors)


def check(signal, rate, label):
    """Compare both sets; return the number of voiced rows."""
    stream = LongFrames(rate, frame=0.06, hop=0.01, trackers=[GEMAPS, COMPARE])
    first = stream.push(prepare_samples(signal, compat="int16"))
    last, released = stream.finish()
    voiced = 0
    for name, suffix, tracker, parts, done in (
        ("eGeMAPSv02", "_sma3nz", GEMAPS, (first[0], last[0]), released[0]),
        ("ComParE_2016", "_sma", COMPARE, (first[1], last[1]), released[1]),
    ):
        raw = np.concatenate(parts)
        table = reference(name).process_signal(signal, rate)
        expected = table[[column + suffix for column in tracker.columns]].to_numpy(np.float32)
        got = smoothed(raw, tracker.columns, done, joint=name == "eGeMAPSv02")
        assert got.shape == expected.shape == (len(raw) + 1, len(tracker.columns)), f"{label}, {name}"
        wrong = np.argwhere(got != expected)
        assert not len(wrong), (
            f"{label}, {name}: {len(wrong)} of {expected.size} differ, first {tracker.columns[wrong[0][1]]} in row "
            f"{wrong[0][0]}: {got[tuple(wrong[0])]} instead of {expected[tuple(wrong[0])]}"
        )
        voiced += int((expected[:, 0] > 0).sum())
    return voiced


@pytest.mark.parametrize(("corpus", "count"), [("emodb", 10), ("ravdess", 10)])
def test_speech(corpus, count):
    files = clips(corpus, count)
    if not files:
        pytest.skip(f"needs real speech in {DATA / corpus}")
    assert len(files) >= 10
    for file in files:
        signal, rate = read(file)
        assert check(signal, rate, file.name) > 20


@pytest.mark.slow
@pytest.mark.parametrize(("corpus", "count"), [("emodb", 107), ("ravdess", 120)])
def test_much_speech(corpus, count):
    test_speech(corpus, count)


# 11000 Hz: ten milliseconds are more than the hop. 96 kHz: rounding in the refined periods shows.
@pytest.mark.parametrize("rate", [8000, 11000, 11025, 16000, 22050, 24000, 44100, 48000, 96000])
def test_synthetic(rate):
    voiced = sum(check(make(name, rate, 0.7, seed=k), rate, f"{name} at {rate} Hz") for k, name in enumerate(NAMES))
    assert voiced > 200


@pytest.mark.parametrize("rate", [8000, 11025, 16000])
def test_forced_decisions(rate):
    signal = make("rivals", rate, 3)
    assert check(signal, rate, "rivals") > 400
    stream = LongFrames(rate, frame=0.06, hop=0.01, trackers=[GEMAPS])
    stream.push(prepare_samples(signal))
    assert stream.finish()[1] == [stream.frames - GEMAPS.path_window + 1]


def test_formula_signal():
    assert check(buzz(), 16000, "buzz") > 100


@pytest.mark.parametrize("rate", [11025, 16000])
def test_short_signals(rate):
    framing = Framing(rate, 0.06, 0.01)
    for frames in (1, 2, 3, 4, 5, 8):
        for more in (0, 1, framing.step - 1):
            samples = framing.length + (frames - 1) * framing.step + more
            for name in ("vibrato", "silence", "sine"):
                check(make(name, rate, samples / rate), rate, f"{name}, {samples} samples at {rate} Hz")


def test_the_range_of_the_integers():
    signal = make("vibrato", 16000, 0.5) * np.float32(3)
    check(np.clip(signal, -1, 1), 16000, "clipped at +1, which wraps")
    check(signal, 16000, "beyond full scale")
