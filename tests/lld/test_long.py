"""The stream over long frames: same rows however it is fed, only what is wanted, work shared, bounded memory."""

import dataclasses
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsfx.errors import AudioError, ConfigError
from dsfx.lld.fft import LANES
from dsfx.lld.framing import Framing, gauss_window, hamming_window, prepare_samples
from dsfx.lld.long import VOICE_COLUMNS, FormantFeed, LongFrames, Tracker, frames_analysed
from dsfx.lld.short import ShortFrames
from dsfx.lld.spectrum import FrameSpectra, frames_transformed

from . import voice_twins as twins
from .signals import buzz
from .voice_sets import COMPARE, GEMAPS
from .voice_signals import make

ALL = dataclasses.replace(GEMAPS, want=frozenset(VOICE_COLUMNS))


def stream(rate, trackers, **options):
    return LongFrames(rate, frame=0.06, hop=0.01, trackers=trackers, **options)


def whole(signal, rate, trackers):
    frames = stream(rate, trackers)
    first = frames.push(prepare_samples(signal))
    last, released = frames.finish()
    return [np.concatenate([a, b]) for a, b in zip(first, last, strict=True)], released


def in_pieces(signal, rate, trackers, sizes):
    frames = stream(rate, trackers)
    samples, parts, at = prepare_samples(signal), [[] for _ in trackers], 0
    for size in sizes:
        for part, rows in zip(parts, frames.push(samples[at : at + size]), strict=True):
            part.append(rows)
        at += size
    for part, rows in zip(parts, frames.push(samples[at:]), strict=True):
        part.append(rows)
    last, released = frames.finish()
    return [np.concatenate([*part, rows]) for part, rows in zip(parts, last, strict=True)], released


def slow(signal, rate, tracker):
    """Rows of the slow second implementations; only the transforms are the fast ones."""
    long, short = Framing(rate, 0.06, 0.01), Framing(rate, 0.02, 0.01)
    samples = prepare_samples(signal)
    count = long.count(len(samples))
    path = twins.SlowPath(tracker.f0_range, tracker.path_window, 6)
    long_spectra = FrameSpectra(long, gauss_window(long.length), windowed_energy=True)
    short_spectra = FrameSpectra(short, hamming_window(short.length))
    magnitude, formants = [], []
    for first in range(0, count, LANES):
        size = min(LANES, count - first)
        block = long_spectra(samples, first, size)
        fine = short_spectra(samples, first, size)
        for k in range(size):
            magnitude.append(block.magnitude[:, k].copy())
            octave = twins.octave_spectrum(magnitude[-1], long)
            found = twins.candidates(twins.subharmonic_sum(octave, long), long, 6)
            path.push(found, np.float32(np.sqrt(block.energy[k] / long.length)))
            formants.append(twins.formants(fine.re[:, k], fine.im[:, k], short, 3))
    rows, released = path.finish()
    cycles = twins.cycles(rows[:, 0], samples, long, tracker.period_search)
    table = []
    for (f0, voicing), (jitter, ddp, shimmer, noise), m, formant in zip(rows, cycles, magnitude, formants, strict=True):
        levels = [0, 0, -201, -201, -201] if f0 == 0 else twins.harmonics(m, f0, formant[0], long)
        hnr = twins.hnr(m, f0, long) if f0 else 0
        values = [twins.semitones(f0), f0, voicing, jitter, ddp, shimmer, 20 * np.log10(1 + float(shimmer)), noise, hnr]
        values += [levels[0], levels[1]]
        for j in range(3):
            values += [formant[0, j], formant[1, j], levels[2 + j]]
        table.append(values)
    return np.array(table, np.float32).reshape(-1, len(VOICE_COLUMNS)), released


@pytest.mark.parametrize(
    ("rate", "name"),
    [(16000, "buzz"), (8000, "vibrato"), (8000, "rivals"), (11025, "gated"), (8000, "lone impulses")],
)
def test_against_the_slow_ones(rate, name):
    signal = buzz() if name == "buzz" else make(name, rate, 0.9, seed=5)
    expected, released = slow(signal, rate, ALL)
    (got,), (fast_released,) = whole(signal, rate, [ALL])
    assert released == fast_released
    for k, column in enumerate(VOICE_COLUMNS):
        np.testing.assert_array_equal(got[:, k], expected[:, k], err_msg=column)


def test_formula_signal_has_the_published_values():
    """Check values of the specification, part 02 annex B, to the digits given there."""
    (gemaps, compare), _ = whole(buzz(), 16000, [GEMAPS, COMPARE])
    assert len(gemaps) == len(compare) == 95
    assert (gemaps[:67, 0] > 0).all()
    assert not gemaps[67:, 0].any()
    assert gemaps[10, :6].tolist() == pytest.approx([27.81726, 0.006950118, 0.4739944, 9.568705, 3.348309, 16.4695])
    assert gemaps[10, 6:9].tolist() == pytest.approx([186.4017, 2277.424, 0])
    assert compare[10].tolist() == pytest.approx([137.1361, 0.8037871, 0.006950118, 0.0007343268, 0.05608706, 31.15434])
    assert compare[80].tolist() == [0, 0, 0, 0, 0, -100]


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from([(8000, "vibrato"), (8000, "gated"), (11000, "patched"), (8000, "sine")]),
    st.lists(st.integers(0, 9000), max_size=12),
    st.booleans(),
)
def test_pieces_do_not_matter(case, sizes, gated):
    rate, name = case
    signal = make(name, rate, 2.2, seed=1)
    trackers = [dataclasses.replace(GEMAPS, gate_formants=gated), COMPARE]
    expected, released = whole(signal, rate, trackers)
    got, also_released = in_pieces(signal, rate, trackers, sizes)
    assert released == also_released
    for a, b in zip(got, expected, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("rate", [8000, 16000, 11025])
def test_ragged_lengths(rate):
    framing = Framing(rate, 0.06, 0.01)
    signal = make("vibrato", rate, 2, seed=2)
    full, _ = whole(signal, rate, [GEMAPS, COMPARE])
    lengths = [0, 1, framing.step, framing.length - 1]
    for frames in (1, 2, 3, 63, 64, 65, 130):
        more = framing.length + (frames - 1) * framing.step
        lengths += [more - 1, more, more + 1, more + framing.step - 1]
    for length in lengths:
        got, released = whole(signal[:length], rate, [GEMAPS, COMPARE])
        count = framing.count(length)
        for rows, tracker, all_rows, done in zip(got, (GEMAPS, COMPARE), full, released, strict=True):
            assert rows.shape == (count, len(tracker.columns))
            assert 0 <= done <= max(count - 1, 0)
            # What was decided before the end does not depend on what comes after.
            np.testing.assert_array_equal(rows[:done], all_rows[:done])


@pytest.mark.parametrize("name", VOICE_COLUMNS)
def test_one_descriptor_alone(name):
    signal = make("vibrato", 8000, 1.1)
    (full,), _ = whole(signal, 8000, [ALL])
    (alone,), _ = whole(signal, 8000, [dataclasses.replace(ALL, want=frozenset({name}))])
    np.testing.assert_array_equal(alone[:, 0], full[:, VOICE_COLUMNS.index(name)])


def test_gated_formants_are_the_voiced_ones():
    signal = make("gated", 16000, 3)
    (free,), _ = whole(signal, 16000, [ALL])
    (gated,), _ = whole(signal, 16000, [dataclasses.replace(ALL, gate_formants=True)])
    voiced = free[:, 0] > 0
    assert 0.2 < voiced.mean() < 0.9
    np.testing.assert_array_equal(gated[voiced], free[voiced])
    for name in ("F1frequency", "F2bandwidth"):
        assert not gated[~voiced, VOICE_COLUMNS.index(name)].any()


def test_work_is_shared_and_only_done_where_wanted():
    signal = make("gated", 8000, 1.5)
    count = Framing(8000, 0.06, 0.01).count(len(signal))

    def work(trackers):
        frames_analysed.clear()
        frames_transformed.clear()
        rows, _ = whole(signal, 8000, trackers)
        return rows, dict(frames_analysed), dict(frames_transformed)

    (gemaps, compare), done, transformed = work([GEMAPS, COMPARE])
    voiced = int((gemaps[:, 0] > 0).sum())
    assert done == {
        "candidates": count, "path": 2 * count, "formants": count, "hnr": voiced, "harmonics": voiced,
    }  # fmt: skip
    assert transformed == {512: count, 256: count}
    _, done, transformed = work([COMPARE])
    assert done == {"candidates": count, "path": count}
    assert transformed == {512: count}
    _, done, _ = work([dataclasses.replace(GEMAPS, gate_formants=True)])
    assert done["formants"] == voiced
    (alone,), _, _ = work([COMPARE])
    np.testing.assert_array_equal(alone, compare)


@pytest.mark.parametrize("gated", [False, True])
def test_formants_from_somebody_elses_transforms(gated):
    signal = make("gated", 8000, 2.5)
    tracker = dataclasses.replace(ALL, gate_formants=gated)
    (expected,), _ = whole(signal, 8000, [tracker])
    feed = FormantFeed(Framing(8000, 0.02, 0.01), gated=gated)
    short = ShortFrames(8000, want=frozenset(), on_block=feed.push)
    long = stream(8000, [tracker], formants=feed)
    frames_transformed.clear()
    samples, parts = prepare_samples(signal), []
    for start in range(0, len(samples), 3001):
        short.push(samples[start : start + 3001])
        parts += long.push(samples[start : start + 3001])
    short.finish()
    parts += long.finish()[0]
    np.testing.assert_array_equal(np.concatenate(parts), expected)
    assert frames_transformed[256] == Framing(8000, 0.02, 0.01).count(len(samples))
    assert feed.frames >= long.frames


def test_a_feed_that_comes_late_is_refused():
    feed = FormantFeed(Framing(8000, 0.02, 0.01), gated=False)
    long = stream(8000, [ALL], formants=feed)
    with pytest.raises(ConfigError, match="short frames first"):
        long.push(prepare_samples(make("sine", 8000, 1)))


def test_memory_is_bounded():
    piece = prepare_samples(make("vibrato", 8000, 4))
    frames = stream(8000, [GEMAPS, COMPARE])
    sizes = []
    tracemalloc.start()
    for k in range(40):
        frames.push(piece)
        if k % 10 == 9:
            sizes.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert max(sizes) < 1.05 * min(sizes) + 20000


def test_a_few_voiced_frames_do_not_hold_rows_back_for_ever():
    tone, silence = make("vibrato", 8000, 0.3), np.zeros(8000, np.float32)
    frames = stream(8000, [GEMAPS])
    rows = len(frames.push(prepare_samples(tone))[0])
    for _ in range(20):
        rows += len(frames.push(prepare_samples(silence))[0])
    assert rows > 2000 - 700


def test_no_voice_no_values():
    (gemaps, compare), released = whole(make("silence", 8000, 1), 8000, [GEMAPS, COMPARE])
    assert set(np.unique(gemaps)) == {0, -201}
    assert set(np.unique(compare)) == {0, -100}
    assert released == [len(gemaps) - 1] * 2


def test_trackers_with_different_numbers_of_candidates():
    few = dataclasses.replace(COMPARE, candidates=2)
    signal = make("two voices", 8000, 1)
    (alone,), _ = whole(signal, 8000, [few])
    (beside, _), _ = whole(signal, 8000, [few, COMPARE])
    np.testing.assert_array_equal(alone, beside)


def test_no_tracker():
    assert stream(8000, []).push(np.zeros(2000, np.float32)) == []


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"want": frozenset({"F0"})}, "no voice descriptor 'F0'"),
        ({"f0_range": (100, 50)}, "f0_range"),
        ({"f0_range": (0, 50)}, "f0_range"),
        ({"path_window": 0}, "path_window"),
        ({"period_search": 1.0}, "period_search"),
        ({"candidates": 0}, "candidates"),
    ],
)
def test_impossible_trackers(change, word):
    with pytest.raises(ConfigError, match=word):
        dataclasses.replace(GEMAPS, **change)


def test_impossible_streams():
    with pytest.raises(ConfigError, match="gate_formants"):
        stream(8000, [GEMAPS, dataclasses.replace(GEMAPS, gate_formants=True)])
    with pytest.raises(ConfigError, match="raise the lowest F0"):
        stream(8000, [dataclasses.replace(COMPARE, f0_range=(20, 500))])
    with pytest.raises(AudioError, match="too low"):
        stream(500, [COMPARE])
    with pytest.raises(AudioError, match="prepare_samples"):
        stream(8000, [COMPARE]).push(np.zeros(100))


def test_tracker_names_its_columns_in_order():
    assert GEMAPS.columns[0] == "F0semitoneFrom27.5Hz"
    assert GEMAPS.columns[-1] == "F3amplitudeLogRelF0"
    assert COMPARE.columns == (
        "F0final", "voicingFinalUnclipped", "jitterLocal", "jitterDDP", "shimmerLocal", "logHNR"
    )  # fmt: skip
    assert Tracker(want=frozenset(), f0_range=(50, 500), path_window=30, period_search=0.1).columns == ()
