"""Smoothing, deltas, and the game of counters at the end of the input."""

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsfx.functionals.ends import Stage, ends, play
from dsfx.functionals.smoothing import delta, delta_in_segments, smooth

TABLES = Path(__file__).resolve().parents[3] / "shared" / "spec" / "tables"
F = np.float32

# What a set like ComParE and a set like GeMAPS look like to the counters.
COMPARE = (
    Stage("voice", "window", ("pitch", "late"), 1),
    Stage("energy", "window", ("short", "long"), 1),
    Stage("spectrum", "window", ("short",), 1),
    Stage("voice de", "window", ("voice",), 2),
    Stage("energy de", "window", ("energy",), 2),
    Stage("spectrum de", "window", ("spectrum",), 2),
    Stage("A", "summary", ("energy", "energy de")),
    Stage("B", "summary", ("spectrum", "spectrum de")),
    Stage("NZ", "summary", ("voice", "voice de")),
    Stage("F0", "summary", ("voice",)),
    Stage("LLD", "summary", ("energy", "spectrum")),
    Stage("DE", "summary", ("energy de", "spectrum de")),
)
GEMAPS = (
    Stage("table", "table", ("pitch", "late", "long")),
    Stage("f0", "window", ("pitch",), 1),
    Stage("loudness", "window", ("short",), 1),
    Stage("voice", "window", ("table",), 1),
    Stage("voiced", "window", ("pitch",), 1),
    Stage("F0", "summary", ("f0",)),
    Stage("loud", "summary", ("loudness",)),
    Stage("V", "summary", ("voice", "voiced")),
    Stage("UV", "summary", ("voiced",)),
    Stage("level", "summary", ("short",)),
)


def window(x, row, half, limit):
    """Values a row sees: frames row - half … row + half of one contour."""
    seen = []
    for i in range(row - half, row + half + 1):
        if i < 0:
            seen.append(x[0])
        elif i < limit:
            seen.append(x[i])
        else:
            seen.append(x[limit - 1] if row >= half else F(0))
    return seen


def slow_smooth(x, limits, nonzero):
    out = np.zeros((len(limits), x.shape[1]), F)
    for row in range(len(limits)):
        for c in range(x.shape[1]):
            a, b, d = window(x[:, c], row, 1, limits[row, c])
            if not nonzero:
                out[row, c] = F(F(b + a) + d) / F(3)
            elif b != 0:
                parts = [b, *(v for v in (a, d) if v != 0)]
                total = parts[0]
                for v in parts[1:]:
                    total = F(total + v)
                out[row, c] = total / F(len(parts))
    return out


def slow_delta(x, limits, segments):
    out = np.zeros((len(limits), x.shape[1]), F)
    running = F(10)
    for row in range(len(limits)):
        for c in range(x.shape[1]):
            s = window(x[:, c], row, 2, limits[row, c])
            near, far = (s[1], s[3]), (s[0], s[4])
            if not segments:
                out[row, c] = F(F(near[1] - near[0]) + F(F(2) * F(far[1] - far[0]))) / F(10)
                continue
            slope, weight = F(0), F(0)
            for lag, (before, after) in ((1, near), (2, far)):
                if before != 0 and after != 0:
                    slope = F(slope + F(F(lag) * F(after - before)))
                    weight = F(weight + F(lag * lag))
            running = F(running + weight)
            out[row, c] = slope / running
    return out


def contours(seed, n, width):
    rng = np.random.default_rng(seed)
    x = rng.integers(-3, 4, (n, width)) * rng.choice([1.0, 0.1, 1 / 3], width)
    return x.astype(F)


@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 4), st.data())
@settings(max_examples=60, deadline=None)
def test_equal_the_slow_twins(seed, n, width, data):
    """Whatever the limits, and wherever the rows inside the contour end and those at its end begin."""
    x = contours(seed, n, width)
    rng = np.random.default_rng(seed)
    for half, fast, slow in (
        (1, lambda *a: smooth(*a, False), lambda *a: slow_smooth(*a, False)),
        (1, lambda *a: smooth(*a, True), lambda *a: slow_smooth(*a, True)),
        (2, delta, lambda *a: slow_delta(*a, False)),
        (2, lambda *a: delta_in_segments(*a, F(10))[0], lambda *a: slow_delta(*a, True)),
    ):
        inside = max(n - half, 0)
        limits = np.minimum(np.arange(n + half)[:, None] + half + 1, n) * np.ones((1, width), np.int64)
        limits[inside:] -= rng.integers(0, 2, (len(limits) - inside, width)) * (limits[inside:] > 1)
        last = data.draw(st.integers(0, inside))
        assert np.array_equal(fast(x, 0, last, limits[last:].astype(np.int64)), slow(x, limits))


def test_in_pieces():
    """Rows made later from a buffer that has forgotten the beginning are the same rows."""
    x = contours(5, 50, 3)
    end = np.full((2, 3), 50, np.int64)
    none = np.zeros((0, 3), np.int64)
    for nonzero in (False, True):
        whole = smooth(x, 0, 49, end, nonzero)
        first = smooth(x, 0, 20, none, nonzero)
        rest = smooth(x[19:], 1, 30, end - 19, nonzero)
        assert np.array_equal(np.concatenate([first, rest]), whole)
    end = np.full((4, 3), 50, np.int64)
    whole, total = delta_in_segments(x, 0, 48, end, F(10))
    first, sofar = delta_in_segments(x, 0, 20, none, F(10))
    rest, after = delta_in_segments(x[18:], 2, 30, end - 18, sofar)
    assert np.array_equal(np.concatenate([first, rest]), whole)
    assert after == total


def test_the_denominator_stays_single_precision():
    """Large enough it stops growing, as a single-precision sum of small steps does."""
    x = np.ones((10, 1), F)
    _, after = delta_in_segments(x, 2, 8, np.zeros((0, 1), np.int64), F(2**27))
    assert after == F(2**27)


@pytest.mark.parametrize("long", range(1, 26))
def test_counts_follow_the_closed_forms(long):
    """Frames and rows for every number of released frames, where the specification gives them in closed form."""
    short = long + 4
    for released in range(long):
        game = play(COMPARE, short, long, released)
        voiced = released or long
        assert game.frames == {
            "A": max(1, long - 2),
            "B": max(1, short - 2),
            "NZ": max(1, voiced - 2),
            "F0": voiced,
            "LLD": long,
            "DE": max(1, long - 2),
        }
        assert [game.rows(name) for name in ("voice", "energy", "spectrum")] == [long + 1, long + 1, short + 1]
        assert [game.rows(f"{name} de") for name in ("voice", "energy", "spectrum")] == [long + 3, long + 3, short + 3]
        game = play(GEMAPS, short, long, released)
        assert game.frames == {
            "F0": max(1, released),
            "loud": short,
            "V": voiced,
            "UV": max(1, released),
            "level": short,
        }


@pytest.mark.parametrize("long", range(1, 26))
def test_limits_follow_the_closed_forms(long):
    for released in range(long):
        compare, gemaps = play(COMPARE, long + 4, long, released), play(GEMAPS, long + 4, long, released)
        for t in range(long + 1):
            late = released if released and t in (released - 1, released) else long
            alone = long if released else min(t + 1, long)

            def sees(limits, t=t):
                return np.minimum(limits[t], t + 2).tolist()  # beyond its window a limit makes no difference

            assert sees(compare.limits["voice"]) == [min(long, t + 2), min(late, t + 2)]
            assert sees(gemaps.limits["voice"]) == [min(late, t + 2)]
            assert sees(gemaps.limits["f0"]) == [min(alone, t + 2)]
        if released >= 3:
            for t in range(long + 3):
                expected = released + 1 if released - 1 <= t <= released + 2 else long + 1
                if 2 <= long - released <= 5 and t == released + 3:
                    expected = long
                assert min(compare.limits["voice de"][t, 0], t + 3) == min(expected, t + 3)


@given(st.integers(9, 60), st.integers(1, 45), st.integers(3, 6))
@settings(max_examples=40, deadline=None)
def test_long_inputs_are_shifted_short_ones(released, undecided, surplus):
    long = released + undecided
    for stages in (COMPARE, GEMAPS):
        quick, plain = ends(stages, long + surplus, long, released), play(stages, long + surplus, long, released)
        assert quick.frames == plain.frames
        for name, limits in plain.limits.items():
            assert quick.rows(name) == plain.rows(name)
            half = 2 if name.endswith(" de") else 1
            reach = np.arange(len(limits))[:, None] + half + 1
            seen = np.minimum(limits, reach)
            assert (seen[: quick.first] == reach[: quick.first]).all()
            assert np.array_equal(np.minimum(quick.limits[name], reach[quick.first :]), seen[quick.first :])


@pytest.mark.skipif(not TABLES.is_dir(), reason=f"needs the tables in {TABLES}")
def test_published_check_values():
    with (TABLES / "golden_contours.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))

    def stage(name):
        return np.array([[float(row[f"c{c}"]) for c in range(4)] for row in rows if row["stage"] == name], F)

    x = stage("input")
    n = len(x)
    two, four = np.full((2, 4), n, np.int64), np.full((4, 4), n, np.int64)
    for name, got in (
        ("smooth", smooth(x, 0, n - 1, two, False)),
        ("smooth_nonzero", smooth(x, 0, n - 1, two, True)),
        ("delta", delta(x, 0, n - 2, four)),
        ("delta_in_segments", delta_in_segments(x, 0, n - 2, four, F(10))[0]),
    ):
        assert np.array_equal(got, stage(name)), name
