"""Raw descriptors of short frames and zero crossings against the reference, run live: the same bits.

The reference gives smoothed values only, so ours are smoothed here (three frames, single precision).
"""

from functools import cache

import numpy as np
import pytest
from lld.signals import buzz, stress, two_tones

from dsfx.lld.energy import zero_crossing_rate
from dsfx.lld.framing import Framing, prepare_samples
from dsfx.lld.short import ShortFrames

from .compare import DATA, clips, read

opensmile = pytest.importorskip("opensmile")

COMPARE = [
    "audspec_lengthL1norm",
    "audspecRasta_lengthL1norm",
    "pcm_RMSenergy",
    "audSpec_Rfilt",
    "pcm_fftMag_fband250-650",
    "pcm_fftMag_fband1000-4000",
    "pcm_fftMag_spectralRollOff25.0",
    "pcm_fftMag_spectralRollOff50.0",
    "pcm_fftMag_spectralRollOff75.0",
    "pcm_fftMag_spectralRollOff90.0",
    "pcm_fftMag_spectralFlux",
    "pcm_fftMag_spectralCentroid",
    "pcm_fftMag_spectralEntropy",
    "pcm_fftMag_spectralVariance",
    "pcm_fftMag_spectralSkewness",
    "pcm_fftMag_spectralKurtosis",
    "pcm_fftMag_spectralSlope",
    "pcm_fftMag_psySharpness",
    "pcm_fftMag_spectralHarmonicity",
    "mfcc",
]
GEMAPS = ["loudness", "alphaRatio", "hammarbergIndex", "slope0-500", "slope500-1500", "spectralFlux", "mfcc"]


@cache
def reference(name):
    return opensmile.Smile(getattr(opensmile.FeatureSet, name), opensmile.FeatureLevel.LowLevelDescriptors)


def columns_of(name, table):
    """Columns of a table of the reference that belong to one of our descriptors."""
    if "Loudness_sma3" in table:
        if name == "mfcc":
            return [f"mfcc{i}_sma3" for i in range(1, 5)]
        return [{"loudness": "Loudness"}.get(name, name) + "_sma3"]
    if name == "mfcc":
        return [f"mfcc_sma[{i}]" for i in range(1, 15)]
    return [f"audSpec_Rfilt_sma[{i}]" for i in range(26)] if name == "audSpec_Rfilt" else [f"{name}_sma"]


def smooth(rows, count):
    """Moving average over three frames; beyond the end stands the last frame."""
    index = np.arange(count)
    before, here, after = (rows[np.clip(index + shift, 0, len(rows) - 1)] for shift in (-1, 0, 1))
    return ((here + before) + after) / np.float32(3)


def check(signal, rate, label):
    samples = prepare_samples(signal, compat="int16")
    stream = ShortFrames(rate, want=frozenset(COMPARE + GEMAPS))
    rows = stream.split(np.concatenate([stream.push(samples), stream.finish()]))
    rows["pcm_zcr"] = zero_crossing_rate(samples, framing=Framing(rate, 0.06, 0.01))[:, None]
    compared = 0
    for feature_set, names in (("ComParE_2016", [*COMPARE, "pcm_zcr"]), ("eGeMAPSv02", GEMAPS)):
        table = reference(feature_set).process_signal(signal, rate)
        for name in names:
            expected = table[columns_of(name, table)].to_numpy(np.float32)
            got = smooth(rows[name], len(table))[:, : expected.shape[1]]
            wrong = np.argwhere(got != expected)
            assert not len(wrong), (
                f"{label}, {feature_set}, {name}: {len(wrong)} of {expected.size} differ, first at frame and column "
                f"{wrong[0]}: {got[tuple(wrong[0])]} instead of {expected[tuple(wrong[0])]}"
            )
            compared += expected.size
    return compared


@pytest.mark.parametrize(("corpus", "count"), [("emodb", 10), ("ravdess", 10)])
def test_speech(corpus, count):
    files = clips(corpus, count)
    if not files:
        pytest.skip(f"needs real speech in {DATA / corpus}")
    assert len(files) >= 10
    for file in files:
        signal, rate = read(file)
        assert check(signal, rate, file.name) > 1000


# Where the hop is rounded, where the axis is not exact (11025 and 20775 Hz), and from the lowest usable rate up
# (1701 Hz: nothing above 1 kHz).
@pytest.mark.parametrize("rate", [1701, 2000, 7350, 8000, 11025, 16000, 20775, 22050, 24000, 44100, 48000, 96000])
def test_stress_signals(rate):
    for name, signal in stress(rate, 0.5):
        check(signal, rate, f"{name} at {rate} Hz")


def test_formula_signals():
    check(buzz(), 16000, "buzz")
    check(two_tones(), 16000, "two tones")
    check(buzz() * np.float32(2.5), 16000, "buzz beyond full scale")


@pytest.mark.parametrize("rate", [11025, 16000])
def test_short_signals(rate):
    framing = Framing(rate, 0.06, 0.01)
    for frames in range(3, 7):
        for more in (0, 1, framing.step - 1):
            samples = framing.length + (frames - 1) * framing.step + more
            check(buzz()[:samples], rate, f"{samples} samples at {rate} Hz")
