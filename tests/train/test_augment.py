from dataclasses import replace

import numpy as np
import pytest

from dsfx.train.augment import Augmentation, interpolate, reverberate

ROWS = np.random.default_rng(0).normal(-6, 2, size=(120, 40)).astype(np.float32)
NOTHING = Augmentation(warp=0, tempo=0, equaliser=0, noise=-200, mask_frames=0, mask_bands=0)


def test_a_seed_gives_the_same_change() -> None:
    change = Augmentation()
    first, second, other = (change(ROWS, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, second)
    assert first.shape != other.shape or not np.allclose(first, other)
    assert first.dtype == np.float32


def test_the_original_is_left_alone() -> None:
    before = ROWS.copy()
    Augmentation()(ROWS, np.random.default_rng(0))
    np.testing.assert_array_equal(ROWS, before)


def test_without_any_change_nothing_changes() -> None:
    for seed in range(4):
        np.testing.assert_allclose(NOTHING(ROWS, np.random.default_rng(seed)), ROWS, atol=1e-4)


@pytest.mark.parametrize("frames", [1, 2, 3, 8, 120, 1000])
def test_any_length(frames: int) -> None:
    rows = np.resize(ROWS, (frames, 40))
    for seed in range(20):
        found = Augmentation()(rows, np.random.default_rng(seed))
        assert found.shape[1] == 40
        assert np.isfinite(found).all()
        assert max(4, round(frames * np.exp(-0.15))) <= len(found) <= max(4, round(frames * np.exp(0.15)))


def test_warp_moves_a_line_by_its_share() -> None:
    rows = np.full((50, 40), -10, dtype=np.float32)
    rows[:, 20] = 0
    found = {
        int(
            Augmentation(warp=0.2, tempo=0, equaliser=0, noise=-200, mask_frames=0, mask_bands=0)(
                rows, np.random.default_rng(seed)
            )
            .mean(axis=0)
            .argmax()
        )
        for seed in range(60)
    }
    assert min(found) >= round(20 * np.exp(-0.2)) - 1
    assert max(found) <= round(20 * np.exp(0.2)) + 1
    assert len(found) > 4


def test_masks_take_the_clips_mean() -> None:
    masked = Augmentation(warp=0, tempo=0, equaliser=0, noise=-200, mask_frames=0.5, mask_bands=0)
    found = masked(ROWS, np.random.default_rng(3))
    changed = ~np.isclose(found, ROWS, atol=1e-3).all(axis=1)
    assert 0 < changed.sum() < 120
    np.testing.assert_allclose(found[changed], ROWS.mean(), atol=1e-2)


def test_interpolate_against_numpy() -> None:
    at = np.linspace(0, 119, 77)
    expected = np.stack([np.interp(at, np.arange(120), column) for column in ROWS.T], axis=1)
    np.testing.assert_allclose(interpolate(ROWS, at), expected, atol=1e-5)
    np.testing.assert_array_equal(interpolate(ROWS[:1], np.zeros(3)), np.repeat(ROWS[:1], 3, axis=0))


def changes(change: Augmentation, seeds: int = 40) -> list[np.ndarray]:
    """What it does to those clips, of many seeds, that it changes."""
    found = [change(ROWS, np.random.default_rng(seed)) - ROWS for seed in range(seeds)]
    changed = [each for each in found if np.abs(each).max() > 1e-3]
    assert seeds / 4 < len(changed) < seeds  # every second clip
    return changed


def test_gain_is_one_shift_of_all() -> None:
    shifts = changes(replace(NOTHING, gain=20.0))
    for shift in shifts:
        np.testing.assert_allclose(shift, shift.mean(), atol=1e-4)
    decibels = np.array([shift.mean() for shift in shifts]) * 10 / np.log(10)
    assert -20 <= decibels.min() < -10 < 10 < decibels.max() <= 20


def test_band_limit_takes_bands_from_the_top() -> None:
    for change in changes(replace(NOTHING, band_limit=0.5)):
        first = int(np.flatnonzero(np.abs(change).max(axis=0) > 1e-3)[0])
        assert 20 <= first < 40
        np.testing.assert_allclose((ROWS + change)[:, first:], ROWS.min(), atol=1e-4)
        np.testing.assert_allclose(change[:, :first], 0, atol=1e-4)


def test_reverberation_fills_the_pauses() -> None:
    speech = np.full((200, 4), -15.0, dtype=np.float32)
    speech[:100] = -3.0
    ringing = reverberate(speech, 60, share=0.5)
    np.testing.assert_allclose(ringing[50:100], -3.0, atol=0.01)
    # 60 dB down after 60 frames, from half of the power at the end.
    expected = np.log(0.5) - 3.0 - np.arange(1, 31) / 60 * 6 * np.log(10)
    np.testing.assert_allclose(ringing[100:130, 0], expected, atol=0.05)
    np.testing.assert_allclose(reverberate(speech, 60, share=0.0), speech, atol=1e-5)
    for change in changes(replace(NOTHING, reverberation=60.0)):
        assert np.isfinite(change).all()


def test_reverberation_against_a_loop() -> None:
    decay = 10 ** (-6 / 25)
    state, expected = np.zeros(40), []
    for power in np.exp(ROWS.astype(np.float64)):
        state = decay * state + (1 - decay) * power
        expected.append(np.log(0.7 * power + 0.3 * state))
    np.testing.assert_allclose(reverberate(ROWS, 25, share=0.3), np.array(expected), atol=1e-5)
