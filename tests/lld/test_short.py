import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsfx.errors import AudioError, ConfigError
from dsfx.lld.framing import Framing, prepare_samples
from dsfx.lld.short import ShortFrames
from dsfx.lld.spectrum import frames_transformed

from . import twins
from .signals import RATES, buzz, stress, two_tones

COMPARE = frozenset(
    {
        "audspec_lengthL1norm",
        "audspecRasta_lengthL1norm",
        "pcm_RMSenergy",
        "audSpec_Rfilt",
        "pcm_fftMag_fband250-650",
        "pcm_fftMag_fband1000-4000",
        *(f"pcm_fftMag_spectralRollOff{p}" for p in ("25.0", "50.0", "75.0", "90.0")),
        *(f"pcm_fftMag_spectral{n}" for n in ("Flux", "Centroid", "Entropy", "Variance", "Skewness", "Kurtosis")),
        "pcm_fftMag_spectralSlope",
        "pcm_fftMag_psySharpness",
        "pcm_fftMag_spectralHarmonicity",
        "mfcc",
    }
)
GEMAPS = frozenset(
    {
        "loudness",
        "alphaRatio",
        "hammarbergIndex",
        "slope0-500",
        "slope500-1500",
        "spectralFlux",
        "mfcc",
        "meanSquareEnergy",
    }
)
ALL = COMPARE | GEMAPS


def rows(samples, rate, *, cuts=(), **parameters):
    stream = ShortFrames(rate, **parameters)
    parts = [stream.push(piece) for piece in np.split(samples, cuts)] + [stream.finish()]
    return stream.split(np.concatenate(parts))


def same(got, expected):
    assert got.keys() == expected.keys()
    for name, values in expected.items():
        assert got[name].dtype == np.float32
        assert got[name].shape == values.shape, name
        wrong = np.argwhere(got[name] != values)
        assert not len(wrong), f"{name}: frame and column {wrong[0]} of {len(wrong)}"


@pytest.mark.parametrize(("signal", "rate"), [(buzz(), 16000), (two_tones(), 16000), (buzz()[:6000], 11025)])
def test_the_chain_from_samples_to_rows(signal, rate):
    samples = prepare_samples(signal)
    got = rows(samples, rate, want=ALL)
    framing = Framing(rate, 0.02, 0.01)
    weights = twins.loudness_weights(framing)
    window = [twins.f(0.54 - 0.46 * np.cos(2 * np.pi * i / (framing.length - 1))) for i in range(framing.length)]
    checked = [0, 1, 12, framing.count(len(samples)) - 1]
    spectra, bands = {}, []
    for t in sorted({*checked, *(t - 1 for t in checked if t)}):
        y = np.zeros(framing.nfft, np.float32)
        x = samples[t * framing.step :][: framing.length]
        y[framing.pad : framing.pad + framing.length] = x * window
        spectra[t] = twins.magnitudes(*twins.real_transform(y))
    for t in checked:
        magnitude, power = spectra[t], spectra[t] * spectra[t]
        x = samples[t * framing.step :][: framing.length]
        mean_square = np.cumsum(np.square(x).astype(np.float64))[-1] / framing.length
        bands = twins.mel_bands(power, framing)
        relative = twins.descriptors(power, framing)
        last = max(k for k in range(framing.bins) if framing.frequencies[k] < 5000)
        expected = {
            "pcm_RMSenergy": twins.f(np.sqrt(mean_square)),
            "meanSquareEnergy": twins.f(mean_square),
            "loudness": twins.mean_in_order(twins.auditory_spectrum(bands, weights)),
            "audspec_lengthL1norm": twins.mean_in_order(twins.auditory_spectrum(bands, weights)),
            "mfcc": twins.mfcc(bands),
            "pcm_fftMag_fband250-650": twins.band_energy(power, framing, 250, 650),
            "pcm_fftMag_fband1000-4000": twins.band_energy(power, framing, 1000, 4000),
            "pcm_fftMag_spectralRollOff25.0": relative["roll_off"][0],
            "pcm_fftMag_spectralRollOff90.0": relative["roll_off"][3],
            "pcm_fftMag_spectralFlux": twins.flux(magnitude, spectra[t - 1], 1, framing.bins - 1) if t else 0,
            "pcm_fftMag_spectralCentroid": relative["centroid"],
            "pcm_fftMag_spectralEntropy": relative["entropy"],
            "pcm_fftMag_spectralVariance": relative["moments"][0],
            "pcm_fftMag_spectralSkewness": relative["moments"][1],
            "pcm_fftMag_spectralKurtosis": relative["moments"][2],
            "pcm_fftMag_spectralSlope": relative["slope"],
            "pcm_fftMag_psySharpness": relative["sharpness"],
            "pcm_fftMag_spectralHarmonicity": twins.harmonicity(power),
            "alphaRatio": twins.alpha_ratio(power, framing),
            "hammarbergIndex": twins.hammarberg_index(power, framing),
            "slope0-500": twins.band_slope(power, framing, 0, 500),
            "slope500-1500": twins.band_slope(power, framing, 500, 1500),
            "spectralFlux": twins.flux(magnitude, spectra[t - 1], 0, last) if t else 0,
        }
        for name, value in expected.items():
            assert np.array_equal(got[name][t], np.atleast_1d(value)), f"{name}, frame {t}"


@settings(max_examples=25, deadline=None)
@given(cuts=st.lists(st.integers(0, 16000), max_size=8).map(sorted))
def test_pieces_make_no_difference(cuts):
    samples = prepare_samples(buzz())
    same(rows(samples, 16000, cuts=cuts, want=ALL), rows(samples, 16000, want=ALL))


def test_many_small_pieces():
    samples = prepare_samples(buzz())
    same(rows(samples, 8000, cuts=range(0, 16000, 100), want=ALL), rows(samples, 8000, want=ALL))


@pytest.mark.parametrize("want", [*sorted(ALL)])
def test_a_descriptor_is_the_same_alone(want):
    samples = prepare_samples(buzz())
    assert np.array_equal(rows(samples, 16000, want=frozenset({want}))[want], rows(samples, 16000, want=ALL)[want])


@pytest.mark.parametrize("rate", RATES)
def test_finite_for_every_signal(rate):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name, signal in stress(rate):
            for scale in (1, 1e-3, 1e-12, 1e-30):
                got = rows(prepare_samples(signal * np.float32(scale)), rate, want=ALL)
                for descriptor, values in got.items():
                    assert np.isfinite(values).all(), f"{descriptor} of {name} times {scale}"


@pytest.mark.parametrize("rate", RATES)
def test_ragged_lengths(rate):
    framing = Framing(rate, 0.02, 0.01)
    length, step = framing.length, framing.step
    samples = prepare_samples(np.resize(buzz(), 70 * step))
    whole = rows(samples, rate, want=ALL)
    for n in (0, 1, step - 1, step, length - 1, length, length + 1, length + step, length + 63 * step):
        got = rows(samples[:n], rate, want=ALL)
        for name, values in got.items():
            assert values.shape == (framing.count(n), whole[name].shape[1]), f"{name}, {n} samples"
            assert np.array_equal(values, whole[name][: len(values)]), f"{name}, {n} samples"


def test_silence():
    got = rows(np.zeros(16000, np.float32), 16000, want=ALL)
    nonzero = {name for name, values in got.items() if values.any()}
    assert nonzero == {
        "loudness",
        "audspec_lengthL1norm",
        "audspecRasta_lengthL1norm",
        "audSpec_Rfilt",
        "pcm_fftMag_spectralEntropy",
        "slope0-500",
        "slope500-1500",
        *(f"pcm_fftMag_spectralRollOff{p}" for p in ("25.0", "50.0", "75.0", "90.0")),
    }
    for values in got.values():
        assert np.all(values == values[0])  # from the first frame on


def test_each_frame_is_transformed_once():
    before = frames_transformed.total()
    rows(prepare_samples(buzz()), 16000, cuts=[5000, 5100], want=ALL)
    assert frames_transformed.total() == before + 99
    rows(prepare_samples(buzz()), 16000, want=frozenset({"pcm_RMSenergy", "meanSquareEnergy"}))
    assert frames_transformed.total() == before + 99


def test_others_see_the_spectra():
    seen = []
    samples = prepare_samples(buzz())
    stream = ShortFrames(16000, want=GEMAPS, on_block=lambda block: seen.append((block.count, block.re.copy())))
    first = stream.push(samples[:15000])
    last = stream.finish()
    assert [count for count, _ in seen] == [64, 28]
    assert all(re.shape == (257, 64) and re.any() for _, re in seen)
    plain = rows(samples[:15000], 16000, want=GEMAPS)
    same(stream.split(np.concatenate([first, last])), plain)


def test_parameters_reach_the_descriptors():
    samples = prepare_samples(buzz())
    names = {"mfcc", "audSpec_Rfilt", "pcm_fftMag_fband100-200", "pcm_fftMag_spectralRollOff95", "slope1500-2500.5"}
    got = rows(samples, 16000, want=frozenset(names), bands=40, mfcc_first=0, mfcc_last=12, frame=0.025, hop=0.005)
    assert {name: values.shape[1] for name, values in got.items()} == {
        **dict.fromkeys(names, 1),
        "mfcc": 13,
        "audSpec_Rfilt": 40,
    }
    assert len(got["mfcc"]) == Framing(16000, 0.025, 0.005).count(16000)
    changes = [
        ("loudness", {"compression": 0.5}),
        ("loudness", {"loudness_floor": 1.0}),
        ("loudness", {"mel_high": 4000.0}),
        ("loudness", {"mel_low": 300.0}),
        ("audSpec_Rfilt", {"rasta_low": 2.0}),
        ("audSpec_Rfilt", {"rasta_high": 20.0}),
        ("mfcc", {"mfcc_lifter": 12.0}),
        ("mfcc", {"mfcc_floor": 1e6}),
        ("alphaRatio", {"alpha_edges": (800.0, 4000.0)}),
        ("hammarbergIndex", {"hammarberg_edges": (1500.0, 4000.0)}),
        ("spectralFlux", {"flux_high": 3000.0}),
        ("pcm_fftMag_spectralEntropy", {"entropy_floor": 1e-2}),
    ]
    for name, parameters in changes:
        plain, changed = (rows(samples, 16000, want=frozenset({name}), **p)[name] for p in ({}, parameters))
        assert not np.array_equal(plain, changed), f"{name} {parameters}"


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"want": {"jitterLocal"}}, ConfigError, "jitterLocal"),
        ({"want": {"slope"}}, ConfigError, "slopeLOW-HIGH"),
        ({"want": {"slope500-100"}}, ConfigError, "band"),
        ({"want": {"pcm_fftMag_fband650-650"}}, ConfigError, "band"),
        ({"want": {"pcm_fftMag_spectralRollOff250"}}, ConfigError, "roll-off"),
        ({"want": {"mfcc"}, "mfcc_last": 26}, ConfigError, "cepstral"),
        ({"want": {"alphaRatio"}, "alpha_edges": (5000, 1000)}, ConfigError, "level ratio"),
        ({"want": {"spectralFlux"}, "flux_high": 0}, ConfigError, "flux_high"),
        ({"want": {"loudness"}, "bands": 0}, ConfigError, "bands"),
        ({"want": {"loudness"}, "sampling_rate": 1000}, AudioError, "too low"),
    ],
)
def test_refused_before_any_audio(parameters, error, message):
    parameters = {"sampling_rate": 16000, **parameters, "want": frozenset(parameters["want"])}
    with pytest.raises(error, match=message):
        ShortFrames(**parameters)
