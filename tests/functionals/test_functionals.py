"""Functionals: against slow second implementations, bit by bit, and by what must hold whatever the contour."""

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsfx.errors import ConfigError
from dsfx.functionals.contours import Contours
from dsfx.functionals.summary import Summary

from . import twins

TABLES = Path(__file__).resolve().parents[3] / "shared" / "spec" / "tables"
PARAMETERS = {
    "lp": {"order": 5},
    "peaks": {"threshold": 0.1},
    "regression": {"slope_per": "second"},
    "segments": {"by": "levels", "levels": (0.25, 0.75), "most": 100},
}
LENGTHS = ("meanSegLen", "maxSegLen", "minSegLen", "segLenStddev", "numSegments")
NAMES = (
    "amean", "posamean", "rqmean", "flatness", "nnz", "range", "maxPos", "minPos", "stddev", "skewness", "kurtosis",
    "stddevNorm", "linregc1", "linregc2", "linregerrQ", "qregc1", "qregc2", "qregc3", "qregerrQ", "centroid",
    "upleveltime25", "upleveltime50", "upleveltime75", "upleveltime90", "risetime", "leftctime",
    "lpgain", "lpc0", "lpc1", "lpc2", "lpc3", "lpc4", "numPeaks", "meanPeakDist", "peakDistStddev", "peakRangeAbs",
    "peakRangeRel", "peakMeanAbs", "peakMeanMeanDist", "peakMeanRel", "minRangeRel", "meanRisingSlope",
    "stddevRisingSlope", "meanFallingSlope", "stddevFallingSlope", "quartile1", "quartile2", "quartile3",
    "percentile1.0", "percentile99.0", "iqr1-2", "iqr2-3", "iqr1-3", "pctlrange0-1",
)  # fmt: skip
ALL = Summary((*NAMES, *LENGTHS), PARAMETERS, 0.01)


def run_summary(by, most=100):
    block = {"by": by, "shortest": 3, "pause": 2, "most": most}
    return Summary(LENGTHS, {"segments": block}, 0.01)


def make(kind, n, seed):
    """One contour of every sort that happens: walks, ties, gaps, spikes, constants, offsets."""
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal(n)
    return {
        "noise": noise,
        "walk": np.cumsum(noise),
        "smooth": np.sin(np.arange(n) * rng.uniform(0.02, 0.8) + rng.uniform(0, 6)) + 0.1 * noise,
        "ties": rng.integers(-2, 3, n),
        "gaps": np.where(np.sin(np.arange(n) * 0.3 + rng.uniform(0, 6)) > 0, 120 + 10 * noise, 0),
        "spikes": np.where(rng.random(n) < 0.1, 100 * noise, 0),
        "constant": np.full(n, rng.standard_normal() * 10 ** rng.uniform(-4, 4)),
        "zeros": np.zeros(n),
        "offset": 1e5 + noise,
        "tiny": 1e-15 * noise,
        "huge": 1e7 * noise,
        "steps": np.repeat(noise[: n // 3 + 1], 3)[:n],
    }[kind].astype(np.float32)


KINDS = ("noise", "walk", "smooth", "ties", "gaps", "spikes", "constant", "zeros", "offset", "tiny", "huge", "steps")


def same(a, b):
    return a == b or (np.isnan(a) and np.isnan(b))


# Sums of doubles may end in another last bit of the double; a value that is zero in theory shows it.
LOOSE = {"skewness": 1e-9, "qregerrQ": 1e-9, "linregerrQ": 1e-9, "flatness": 0.0}


def compare(names, got, expected, label):
    for name, value in zip(names, got, strict=True):
        want = expected[name]
        if not same(value, want):
            error = abs(float(value) - float(want))
            assert error <= max(1.3e-7 * abs(float(want)), LOOSE.get(name, 0)), f"{label}: {name} {value} {want}"
            assert name in (
                "flatness", "skewness", "kurtosis", "linregc1", "linregc2", "linregerrQ", "qregc1", "qregc2", "qregc3",
                "qregerrQ",
            ), f"{label}: {name} is {value}, expected {want}"  # fmt: skip


contours = st.tuples(st.sampled_from(KINDS), st.integers(1, 400) | st.integers(1, 8), st.integers(0, 2**32 - 1))


@given(st.lists(contours, min_size=1, max_size=5), st.booleans())
@settings(max_examples=60, deadline=None)
def test_equal_the_slow_twins(cases, nonzero):
    n = min(case[1] for case in cases)
    x = np.stack([make(kind, n, seed) for kind, _, seed in cases], axis=1)
    group = Contours(x, nonzero)
    got, voiced, unvoiced = ALL(group), run_summary("nonzero runs", 4)(group), run_summary("zero runs")(group)
    for c, case in enumerate(cases):
        values = [v for v in x[:, c] if v != 0 or not nonzero]
        if not values:
            assert not got[c].any()
            assert not voiced[c].any()
            continue
        expected = twins.everything(values, 100.0)
        segments = twins.level_segments(values, (0.25, 0.75), 100)
        compare((*NAMES, *LENGTHS), got[c], expected | segments, f"{case}, {n} frames")
        compare(LENGTHS, voiced[c], twins.run_segments(values, False, 3, 2, 4), f"{case} voiced")
        compare(LENGTHS, unvoiced[c], twins.run_segments(values, True, 3, 2, 100), f"{case} unvoiced")


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 6, 7, 99, 100, 199, 200, 300, 301])
@pytest.mark.parametrize("kind", KINDS)
def test_lengths_and_kinds(kind, n):
    x = make(kind, n, n)
    expected = twins.everything(list(x), 100.0) | twins.level_segments(list(x), (0.25, 0.75), 100)
    compare((*NAMES, *LENGTHS), ALL(Contours(x[:, None]))[0], expected, f"{kind}, {n} frames")


def test_a_contour_is_the_same_in_any_company():
    x = np.stack([make(kind, 150, 3) for kind in KINDS], axis=1)
    for nonzero in (False, True):
        together = ALL(Contours(x, nonzero))
        for c in range(x.shape[1]):
            alone = ALL(Contours(x[:, c : c + 1], nonzero))[0]
            assert np.array_equal(together[c], alone, equal_nan=True), KINDS[c]


def test_the_order_of_names_is_the_order_of_columns():
    x = Contours(np.stack([make("walk", 90, k) for k in range(4)], axis=1))
    backwards = Summary(NAMES[::-1], PARAMETERS, 0.01)
    assert np.array_equal(backwards(x)[:, ::-1], Summary(NAMES, PARAMETERS, 0.01)(x))


def test_constants_have_no_spread():
    rng = np.random.default_rng(0)
    x = np.repeat(rng.standard_normal((1, 2000)).astype(np.float32), 173, axis=0)
    summary = Summary(("stddev", "skewness", "kurtosis", "range", "stddevNorm", "flatness"), PARAMETERS, 0.01)
    values = summary(Contours(x))
    assert not values[:, :5].any()
    assert np.allclose(values[:, 5], 1)


def test_silence():
    """What the specification lists for an all-zero contour without selection."""
    values = dict(zip((*NAMES, *LENGTHS), ALL(Contours(np.zeros((40, 1), np.float32)))[0], strict=True))
    others = {"flatness": 1, "peakMeanRel": 20}
    assert {name: value for name, value in values.items() if value} == others


@given(contours, st.floats(0.25, 4).map(lambda f: 2.0 ** round(np.log2(f))))
@settings(max_examples=30, deadline=None)
def test_a_power_of_two_scales(case, factor):
    """Positions, times and shares do not see the scale; values follow it."""
    kind, n, seed = case
    x = make(kind if kind not in ("tiny", "huge") else "noise", n, seed)[:, None]
    one, two = ALL(Contours(x))[0], ALL(Contours(x * np.float32(factor)))[0]
    for i, name in enumerate(NAMES):
        if name in ("maxPos", "minPos", "risetime", "leftctime", "nnz", "meanPeakDist", "numPeaks", "centroid"):
            assert one[i] == two[i], name
        elif name in ("amean", "range", "stddev", "quartile2", "peakRangeAbs", "meanRisingSlope", "rqmean"):
            assert two[i] == one[i] * np.float32(factor), name


def test_more_segments_than_are_recorded():
    x = np.tile([1, 1, 1, 1, 0, 0], 50).astype(np.float32)[:, None]
    few, many = run_summary("nonzero runs", 7)(Contours(x))[0], run_summary("nonzero runs", 100)(Contours(x))[0]
    per_second = LENGTHS.index("numSegments")
    assert few[per_second] * len(x) * 0.01 == pytest.approx(7)
    assert many[per_second] * len(x) * 0.01 == pytest.approx(50)


def test_refusals():
    with pytest.raises(ConfigError, match="no functional 'median'"):
        Summary(["median"], {}, 0.01)
    with pytest.raises(ConfigError, match="needs parameters 'lp'"):
        Summary(["lpgain"], {}, 0.01)
    with pytest.raises(ValueError, match="shape"):
        Contours(np.zeros((0, 3), np.float32))


@pytest.mark.skipif(not TABLES.is_dir(), reason=f"needs the tables in {TABLES}")
def test_published_check_values():
    """The four contours whose functionals the specification lists, to nine digits."""
    with (TABLES / "golden_contours.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["stage"] == "input"]
    x = np.array([[float(row[f"c{c}"]) for c in range(4)] for row in rows], np.float32)
    with (TABLES / "golden_functionals.csv").open(encoding="utf-8") as file:
        checks = list(csv.DictReader(file))
    runs = {"ComParE group F0": "nonzero runs", "GeMAPS voiced segments": "nonzero runs"}
    runs["GeMAPS unvoiced segments"] = "zero runs"
    percentiles = ("percentile20.0", "percentile50.0", "percentile80.0", "pctlrange0-2")
    assert len(checks) == 139
    for row in checks:
        group, name = row["group"], row["functional"]
        parameters = PARAMETERS | {"regression": {"slope_per": "frame" if group.endswith("NZ") else "second"}}
        if group in runs:
            parameters["segments"] = {"by": runs[group], "shortest": 3, "pause": 2, "most": 1000}
        nonzero = group in ("ComParE group NZ", "GeMAPS F0")
        names = percentiles if name in percentiles else ("percentile1.0", "percentile99.0", name)
        values = Summary(tuple(dict.fromkeys(names)), parameters, 0.01)(Contours(x, nonzero))
        got = values[:, list(dict.fromkeys(names)).index(name)]
        expected = np.array([float(row[f"c{c}"]) for c in range(4)], np.float32)
        assert np.array_equal(got, expected), (group, name, got, expected)


def test_sorted_contours_of_two_groups_one_after_the_other():
    first, second = (Contours(np.stack([make("walk", n, k) for k in range(3)], axis=1)) for n in (90, 40))
    for group in (first, second, first):
        assert np.array_equal(group.ascending(), np.sort(group.x.T, axis=1))
