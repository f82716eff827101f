from pathlib import Path

import numpy as np
import pytest
import soundfile
from tones import RATE, corpus

import dsfx
from dsfx.errors import ConfigError
from dsfx.train.auxiliary import LIMIT, Auxiliary, Standard, functionals


def test_functionals_are_those_of_dsfx(tmp_path: Path) -> None:
    folder = corpus(tmp_path / "tones", speakers=1, takes=1).parent
    soundfile.write(folder / "tiny.wav", np.full(100, 0.1), RATE)
    paths = [*sorted(folder.glob("*.wav"))[::-1], sorted(folder.glob("*.wav"))[0]]
    work = tmp_path / "work"
    work.mkdir()
    lines: list[str] = []
    wanted = Auxiliary(components=0)
    found = functionals(paths, wanted, work, jobs=1, say=lines.append)
    assert list(found) == ["eGeMAPSv02"]
    assert lines[0] == "eGeMAPSv02 of 5 clips, as further targets"
    reference = dsfx.FeatureSet("eGeMAPSv02")
    for path, row in zip(paths, found["eGeMAPSv02"], strict=True):
        np.testing.assert_allclose(row, reference(*soundfile.read(path, dtype="float32")).to_numpy()[0], rtol=1e-5)
    assert np.isnan(found["eGeMAPSv02"][0]).all()
    # Nothing is computed a second time.
    stamp = (work / "auxiliary.parquet").stat().st_mtime_ns
    again = functionals(paths, wanted, work, jobs=1, say=lines.append)
    np.testing.assert_array_equal(again["eGeMAPSv02"], found["eGeMAPSv02"])
    assert (work / "auxiliary.parquet").stat().st_mtime_ns == stamp


def test_nothing_to_tell(tmp_path: Path) -> None:
    nothing = Auxiliary(functionals=False, components=0)
    assert nothing.sets == ()
    with pytest.raises(ConfigError, match="names no functionals and no components"):
        functionals([], nothing, tmp_path, jobs=1, say=print)


def values(clips: int, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    crafted = rng.normal(3, [1, 10, 0.1, 2], size=(clips, 4)).astype(np.float32)
    crafted[:, 3] = 7
    crafted[1, 0] = np.nan
    # Three directions and a little noise in twenty columns.
    wide = rng.normal(size=(clips, 3)) @ rng.normal(size=(3, 20)) + rng.normal(scale=1e-3, size=(clips, 20))
    return {"eGeMAPSv02": crafted, "ComParE_2016": (100 * wide).astype(np.float32)}


def test_targets_are_standardised() -> None:
    material = values(200)
    targets = Standard.fit(material, Auxiliary(components=3)).apply(material)
    assert targets.shape == (200, 4 + 3)
    assert targets.dtype == np.float32
    np.testing.assert_allclose(targets.mean(axis=0), 0, atol=0.05)
    np.testing.assert_allclose(targets.std(axis=0)[[0, 1, 2, 4, 5, 6]], 1, atol=0.05)
    assert (targets[:, 3] == 0).all()
    assert targets[1, 0] == 0
    assert np.abs(targets).max() <= LIMIT


def test_components_are_the_principal_ones() -> None:
    wide = values(200)["ComParE_2016"].astype(float)
    scaled = (wide - wide.mean(axis=0)) / wide.std(axis=0)
    u = np.linalg.svd(scaled, full_matrices=False)[0][:, :3] * np.sqrt(200)
    only = {"ComParE_2016": values(200)["ComParE_2016"]}
    found = Standard.fit(only, Auxiliary(functionals=False, components=3)).apply(only)
    np.testing.assert_allclose(np.abs(np.sum(found * u, axis=0) / 200), 1, atol=0.01)


def test_more_components_than_clips_and_values_off_the_scale() -> None:
    material = values(6)
    standard = Standard.fit(material, Auxiliary(components=10))
    targets = standard.apply(material)
    assert targets.shape == (6, 14)
    assert np.isfinite(targets).all()
    strange = {name: np.full_like(x, fill) for (name, x), fill in zip(material.items(), (1e30, np.inf), strict=True)}
    assert np.abs(standard.apply(strange)).max() <= LIMIT


def test_only_training_clips_count() -> None:
    material = values(60)
    first = {name: x[:30] for name, x in material.items()}
    changed = {name: np.concatenate([x[:30], x[30:] * 100]) for name, x in material.items()}
    wanted = Auxiliary(components=2)
    before, after = (Standard.fit(first, wanted).apply(x)[:30] for x in (material, changed))
    np.testing.assert_array_equal(before, after)
