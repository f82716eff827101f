"""FeatureSet and Plan: tables, streams, sharing, and bad input."""

import pickle
import sys
from concurrent.futures import ThreadPoolExecutor
from subprocess import run

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dsfx
from dsfx.errors import AudioError, ConfigError
from dsfx.lld.long import frames_analysed
from dsfx.lld.spectrum import frames_transformed
from dsfx.plan import Plan, nanoseconds
from dsfx.setfile import read_set

RATE = 16000
LEVELS = [("eGeMAPSv02", "lld"), ("ComParE_2016", "lld"), ("ComParE_2016", "lld-delta")]


def speechlike(seconds, rate=RATE, seed=0):
    """Voiced stretches with vibrato, noise and silence in turn."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * rate)) / rate
    phase = np.cumsum(150 + 40 * np.sin(2 * np.pi * 0.7 * t)) / rate
    part = t * 1.7 % 1
    x = np.where(part < 0.6, 0.3 * (2 * (phase % 1) - 1), np.where(part < 0.8, 0.05 * rng.standard_normal(len(t)), 0))
    return (np.round(x * 32767) / 32768).astype(np.float32)


# -------------------------------------------------------------------------------------------------------------- tables


def test_functionals():
    features = dsfx.FeatureSet("eGeMAPSv02")
    signal = speechlike(2.0)
    table = features(signal, RATE)
    assert list(table.columns) == features.names
    assert table.shape == (1, 88)
    assert set(table.dtypes) == {np.dtype(np.float32)}
    assert table.index.names == ["start", "end"]
    assert table.index[0] == (pd.Timedelta(0), pd.Timedelta(2, "s"))
    assert len(features.units) == 88
    assert features.hash == read_set("eGeMAPSv02").hash
    assert np.isfinite(table.to_numpy()).all()


@pytest.mark.parametrize(("name", "level"), LEVELS)
def test_frame_levels(name, level):
    features = dsfx.FeatureSet(name, level=level)
    signal = speechlike(1.5)
    table = features(signal, RATE)
    long_frames = (len(signal) - 960) // 160 + 1
    assert table.shape == (long_frames + (3 if level == "lld-delta" else 1), len(features.names))
    start, end = (table.index.get_level_values(which) for which in ("start", "end"))
    assert start[0] == pd.Timedelta(0)
    assert start[1] == pd.Timedelta(10, "ms")
    assert end[0] == pd.Timedelta(20 if name == "eGeMAPSv02" else 60, "ms")
    assert end[-1] == pd.Timedelta(1.5, "s")
    assert start.is_monotonic_increasing or level == "lld-delta"


def test_no_deltas():
    with pytest.raises(ConfigError, match="eGeMAPSv02 has no deltas, expected level functionals or lld"):
        dsfx.FeatureSet("eGeMAPSv02", level="lld-delta")
    with pytest.raises(ConfigError, match="level is 'frames', expected one of functionals, lld, lld-delta"):
        dsfx.FeatureSet("eGeMAPSv02", level="frames")


def test_lists_and_doubles_are_signals_too():
    features = dsfx.FeatureSet("eGeMAPSv02")
    signal = speechlike(0.5)
    expected = features(signal, RATE)
    pd.testing.assert_frame_equal(features(signal.astype(np.float64), RATE), expected)
    pd.testing.assert_frame_equal(features(signal.tolist(), float(RATE)), expected)
    strided = np.repeat(signal, 2)[::2]
    pd.testing.assert_frame_equal(features(strided, RATE), expected)


@given(st.integers(0, 10**9), st.sampled_from([8000, 11025, 16000, 22050, 44056, 48000]))
def test_times_are_those_of_pandas(samples, rate):
    seconds = samples / rate
    expected = pd.to_timedelta(np.array([seconds]), unit="s").as_unit("ns")[0].value
    assert nanoseconds(np.array([seconds]))[0] == expected


# ------------------------------------------------------------------------------------------------------- changed sets


def test_hop_and_frame():
    signal = speechlike(1.0)
    normal = dsfx.FeatureSet("eGeMAPSv02", level="lld")
    dense = dsfx.FeatureSet("eGeMAPSv02", level="lld", hop=0.005)
    assert dense.name != normal.name
    assert len(dense(signal, RATE)) == (len(signal) - 960) // 80 + 2
    assert dense(signal, RATE).index[1][0] == pd.Timedelta(5, "ms")
    wide = dsfx.FeatureSet("eGeMAPSv02", level="lld", frame=0.04)
    assert wide(signal, RATE).index[1][1] - wide(signal, RATE).index[1][0] == pd.Timedelta(40, "ms")
    for changed in (dense, wide):
        functionals = dsfx.FeatureSet("eGeMAPSv02", frame=changed.spec.short, hop=changed.spec.hop)
        assert np.isfinite(functionals(signal, RATE).to_numpy()).all()


def test_a_set_of_my_own(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(
        """
        name = "mine"
        [frames]
        short = 0.025
        long = 0.050
        hop = 0.010
        [f0]
        range = [60, 500]
        lag = 20
        period_search = 0.2
        [descriptors]
        pitch = { kind = "f0" }
        "c{}" = { kind = "mfcc", first = 2, last = 5 }
        zcr = { kind = "zcr" }
        rms = { kind = "rms" }
        [[contours]]
        name = "raw"
        columns = ["rms", "zcr"]
        smoothing = "none"
        delta = "plain"
        [[contours]]
        name = "voiced cepstrum"
        gate = "voiced"
        columns = ["c{}", { of = "c2", gate = "unvoiced", as = "other" }]
        smoothing = "nonzero"
        suffix = "_smooth"
        [[contours]]
        name = "pitch"
        columns = ["pitch"]
        smoothing = "plain"
        delta = "plain"
        [lld]
        contours = ["pitch", "raw", "voiced cepstrum"]
        [[functionals]]
        contours = ["raw", "raw.delta", "pitch.delta", "voiced cepstrum"]
        frames = "nonzero"
        compute = ["amean", "stddev", "percentile5.0"]
        """,
        encoding="utf-8",
    )
    signal = speechlike(1.3)
    functionals = dsfx.FeatureSet(str(path))
    assert functionals.names[:4] == ["rms_amean", "rms_stddev", "rms_percentile5.0", "zcr_amean"]
    assert functionals.units[:3] == ["1 (full scale = 1)"] * 3
    assert np.isfinite(functionals(signal, RATE).to_numpy()).all()
    frames = dsfx.FeatureSet(str(path), level="lld")
    table = frames(signal, RATE)
    assert list(table.columns) == [
        "pitch", "rms", "zcr", "c2_smooth", "c3_smooth", "c4_smooth", "c5_smooth", "other_smooth",
    ]  # fmt: skip
    raw = (len(signal) - 800) // 160 + 1
    assert len(table) == raw
    voiced = table["pitch"].to_numpy()[1:-1] > 0
    assert ((table["c2_smooth"] != 0) & (table["other_smooth"] != 0)).sum() == 0
    assert voiced.any()
    # Unsmoothed contours are the descriptors themselves.
    squares = np.lib.stride_tricks.sliding_window_view(signal.astype(np.float64) * 32768 / 32767, 400)[::160] ** 2
    assert np.allclose(table["rms"], np.sqrt(squares.mean(axis=1))[: len(table)], rtol=1e-6)
    deltas = dsfx.FeatureSet(str(path), level="lld-delta")
    assert deltas.names == ["pitch_de", "rms_de", "zcr_de"]
    assert np.isfinite(deltas(signal, RATE).to_numpy()).all()


# -------------------------------------------------------------------------------------------------------------- reuse


@pytest.mark.parametrize(("name", "level"), [("eGeMAPSv02", "functionals"), ("ComParE_2016", "functionals"), *LEVELS])
def test_earlier_signals_leave_no_trace(name, level):
    """Not even one that was refused, one at another sampling rate, or one longer than a piece."""
    signals = [(speechlike(12, seed=2), RATE), (speechlike(0.4, seed=3), RATE), (speechlike(1.5, 8000), 8000)]
    signals += [(np.zeros(100), RATE), (speechlike(0.7, seed=4), RATE), (np.zeros(9000), 8000)]
    used = dsfx.FeatureSet(name, level=level)
    for signal, rate in signals * 2:
        pd.testing.assert_frame_equal(used(signal, rate), dsfx.FeatureSet(name, level=level)(signal, rate))
        with pytest.raises(AudioError):
            used(np.array([0.0, np.nan]), RATE)


@pytest.mark.parametrize(("name", "level"), [("ComParE_2016", "functionals"), *LEVELS])
def test_a_used_set_can_be_sent_to_another_process(name, level):
    signal, features = speechlike(0.6), dsfx.FeatureSet(name, level=level)
    table = features(signal, RATE)
    pd.testing.assert_frame_equal(pickle.loads(pickle.dumps(features))(signal, RATE), table)


def test_threads_share_a_set():
    features = dsfx.FeatureSet("eGeMAPSv02")
    signals = [speechlike(0.5 + 0.3 * k, seed=k) for k in range(5)] * 4
    with ThreadPoolExecutor(4) as pool:
        tables = list(pool.map(lambda signal: features(signal, RATE), signals))
    for signal, table in zip(signals, tables, strict=True):
        pd.testing.assert_frame_equal(table, dsfx.FeatureSet("eGeMAPSv02")(signal, RATE))


# ------------------------------------------------------------------------------------------------------------ sharing


def test_several_sets_share_one_analysis():
    """One transform per frame of either length, one F0 analysis, one path per tracker; and the values of each alone."""
    signal = speechlike(2.0)
    names = ["eGeMAPSv02", "ComParE_2016", "GeMAPSv01b", "eGeMAPSv01b"]
    alone = [dsfx.FeatureSet(name)(signal, RATE).to_numpy() for name in names]
    frames_transformed.clear()
    frames_analysed.clear()
    together = Plan([read_set(name) for name in names]).compute(signal, RATE)
    short, long = (len(signal) - 320) // 160 + 1, (len(signal) - 960) // 160 + 1
    assert dict(frames_transformed) == {512: short, 1024: long}
    assert frames_analysed["candidates"] == long
    assert frames_analysed["path"] == 2 * long
    for one, rows in zip(alone, together, strict=True):
        assert np.array_equal(one, rows.values)


def test_nothing_is_computed_for_nobody(tmp_path):
    """A set without F0 tracks none; a set without spectra transforms no short frame."""
    path = tmp_path / "energy.toml"
    path.write_text(
        'name = "energy"\n[frames]\nshort = 0.02\nlong = 0.06\nhop = 0.01\n[descriptors]\nrms = { kind = "rms" }\n'
        '[[contours]]\nname = "rms"\ncolumns = ["rms"]\nsmoothing = "plain"\n[lld]\ncontours = ["rms"]\n',
        encoding="utf-8",
    )
    frames_transformed.clear()
    frames_analysed.clear()
    table = dsfx.FeatureSet(str(path), level="lld")(speechlike(0.5), RATE)
    assert len(table) == (8000 - 320) // 160 + 2
    assert not sum(frames_transformed.values())
    assert not sum(frames_analysed.values())


def test_sets_that_cannot_share(tmp_path):
    text = (
        'name = "NAME"\n[frames]\nshort = 0.02\nlong = 0.06\nhop = 0.01\n[descriptors]\n'
        'flux = { kind = "flux_below", high = HIGH }\n[[contours]]\nname = "a"\ncolumns = ["flux"]\n'
        'smoothing = "none"\n[lld]\ncontours = ["a"]\n'
    )
    sets = []
    for name, high in (("one", "4000"), ("two", "5000")):
        path = tmp_path / f"{name}.toml"
        path.write_text(text.replace("NAME", name).replace("HIGH", high), encoding="utf-8")
        sets.append(read_set(str(path)))
    with pytest.raises(ConfigError, match="flux_below with high 4000 and 5000"):
        Plan(sets, "lld")


# ------------------------------------------------------------------------------------------------------------- streams


@pytest.mark.parametrize(("name", "level"), LEVELS)
def test_a_stream_gives_the_same_rows(name, level):
    plan = Plan([read_set(name)], level)
    signal = speechlike(25, seed=3)
    whole = plan.compute(signal, RATE)[0]
    for sizes in ([7777], [160000, 1, 319, 50000], [len(signal)], [100, 3 * RATE]):
        stream = plan.stream(RATE)
        parts, at, k = [], 0, 0
        while at < len(signal):
            parts += stream.push(signal[at : at + sizes[k % len(sizes)]])
            at += sizes[k % len(sizes)]
            k += 1
        parts += stream.finish()
        assert np.array_equal(np.concatenate([part.values for part in parts]), whole.values)
        assert np.array_equal(np.concatenate([part.start for part in parts]), whole.start)
        assert np.array_equal(np.concatenate([part.end for part in parts]), whole.end)


@pytest.mark.parametrize("samples", [0, 1, 319, 959, 960, 961, 1120, 1280, 2000, 5000])
def test_short_streams(samples):
    plan = Plan([read_set("ComParE_2016"), read_set("eGeMAPSv02")], "lld")
    signal = speechlike(0.5)[:samples]
    whole = plan.compute(signal, RATE)
    stream = plan.stream(RATE)
    stream.push(signal[: samples // 2])
    first = stream.push(signal[samples // 2 :])
    last = stream.finish()
    for expected, a, b in zip(whole, first, last, strict=True):
        assert len(a.values) == 0
        assert np.array_equal(b.values, expected.values, equal_nan=True)
        assert np.isnan(b.values).all() == (samples < 960)


def test_a_stream_does_not_grow():
    """What it keeps after an hour is what it kept after a minute."""

    def kept(stream):
        seen, total, todo = set(), 0, [stream._fronts, stream._tables]
        while todo:
            thing = todo.pop()
            if id(thing) in seen or isinstance(thing, (str, bytes, int, float, type)):
                continue
            seen.add(id(thing))
            if isinstance(thing, np.ndarray):
                total += thing.nbytes if thing.base is None else 0
            elif isinstance(thing, dict):
                todo += thing.values()
            elif isinstance(thing, (list, tuple, set)):
                todo += thing
            elif hasattr(thing, "__dict__"):
                todo += vars(thing).values()
        return total

    plan = Plan([read_set("ComParE_2016")], "lld-delta")
    stream = plan.stream(RATE)
    piece = speechlike(10, seed=1)
    sizes = []
    for k in range(24):
        stream.push(piece)
        if k in (5, 23):
            sizes.append(kept(stream))
    assert sizes[1] < 1.3 * sizes[0]


def test_no_stream_of_functionals():
    with pytest.raises(ConfigError, match="functionals need the whole signal"):
        Plan([read_set("eGeMAPSv02")]).stream(RATE)


# ----------------------------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize("samples", [0, 1, 319, 320, 959])
@pytest.mark.parametrize(("name", "level"), [("eGeMAPSv02", "functionals"), *LEVELS])
def test_too_short_is_nan(name, level, samples):
    table = dsfx.FeatureSet(name, level=level)(np.zeros(samples), RATE)
    assert len(table) == 1
    assert table.isna().all(axis=None)
    assert table.index[0] == (pd.Timedelta(0), pd.Timedelta(samples / RATE, "s"))


@pytest.mark.parametrize("value", [0.0, 0.5, -1.0, 1.0, 1e-9, 1 / 32768])
@pytest.mark.parametrize(("name", "level"), [("eGeMAPSv02", "functionals"), ("ComParE_2016", "functionals"), *LEVELS])
def test_constants_are_finite(name, level, value):
    for samples in (960, 1120, 4000):
        table = dsfx.FeatureSet(name, level=level)(np.full(samples, value), RATE)
        assert np.isfinite(table.to_numpy()).all()


@pytest.mark.parametrize(
    ("signal", "complaint"),
    [
        (np.zeros(2000, np.int16), "type int16, expected floating point"),
        (np.zeros((2, 2000)), r"shape \(2, 2000\), expected one channel"),
        (np.zeros((2000, 1)), r"shape \(2000, 1\)"),
        (0.5, r"shape \(\)"),
        ([0.0, float("nan")] * 1000, "sample 1 is nan"),
        (np.array([0.1] * 2000 + [np.inf]), "sample 2000 is inf"),
        (np.zeros(2000, complex), "type complex128"),
        (["a", "b"], "expected floating point"),
    ],
)
@pytest.mark.parametrize("level", ["functionals", "lld"])
def test_bad_signals(signal, complaint, level):
    with pytest.raises(AudioError, match=complaint):
        dsfx.FeatureSet("eGeMAPSv02", level=level)(signal, RATE)


@pytest.mark.parametrize("rate", [0, -1, float("nan"), float("inf"), 1000, 1e9])
def test_bad_rates(rate):
    for level in ("functionals", "lld"):
        with pytest.raises(AudioError, match="sampling rate"):
            dsfx.FeatureSet("ComParE_2016", level=level)(np.zeros(5000), rate)


def test_compat():
    rng = np.random.default_rng(0)
    signal = rng.uniform(-1, 1, 8000).astype(np.float32)
    grid = (np.trunc(signal * 32768) / 32768).astype(np.float32)
    plain, compat = dsfx.FeatureSet("eGeMAPSv02"), dsfx.FeatureSet("eGeMAPSv02", compat="int16")
    pd.testing.assert_frame_equal(compat(signal, RATE), plain(grid, RATE))
    assert not plain(signal, RATE).equals(plain(grid, RATE))
    with pytest.raises(ConfigError, match="compat"):
        dsfx.FeatureSet("eGeMAPSv02", compat="int8")(signal, RATE)


def test_imports_stay_light():
    code = (
        "import sys, dsfx, dsfx.describe, dsfx.setfile; dsfx.describe.describe('ComParE_2016');"
        "print([m for m in ('numba', 'pandas', 'torch', 'onnxruntime', 'sklearn', 'matplotlib') if m in sys.modules])"
    )
    assert run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
