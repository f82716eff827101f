import numpy as np
import pytest

from dsfx.train.augment import Augmentation, interpolate

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
