import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile
from tones import CONFIG, corpus

from dsfx.deep import load_model
from dsfx.errors import ConfigError, InputError
from dsfx.train import train
from dsfx.train.config import Configuration, read_config


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A configuration, two corpora, and a model with folds of the first."""
    folder = tmp_path_factory.mktemp("start")
    (folder / "c.toml").write_text(CONFIG)
    corpus(folder / "one", speakers=2, takes=2)
    corpus(folder / "another", speakers=2, takes=2, classes=["low", "high"])
    train(folder / "one" / "labels.csv", folder / "first", config=folder / "c.toml", epochs=6, folds=2, licence="MIT")
    return folder


@pytest.fixture
def config(folder: Path) -> Configuration:
    return read_config(folder / "c.toml")


@pytest.mark.parametrize("start", ["first", "first/folds/fold-00.npz"])
def test_what_was_learned_stays(folder: Path, tmp_path: Path, config: Configuration, start: str) -> None:
    gentle = replace(config, recipe=replace(config.recipe, learning_rate=1e-6))
    other = folder / "another" / "labels.csv"
    begun = train(other, tmp_path / "begun", config=gentle, epochs=1, start=folder / start)
    fresh = train(other, tmp_path / "fresh", config=gentle, epochs=1)
    file = folder / start if start.endswith("npz") else folder / start / "weights.npz"
    for name in ("0/conv1.weight", "0/forwards.weight_ih_l0", "0/dense.weight"):
        expected, found, others = (np.load(path)[name] for path in (file, begun / "weights.npz", fresh / "weights.npz"))
        np.testing.assert_allclose(found, expected, atol=1e-3)
        assert np.abs(others - expected).max() > 0.01
    assert load_model(begun).table["training"]["start"].startswith("first")
    assert "MIT" in load_model(begun).table["training"]["start"]
    own, heard = (set((model / "hashes.txt").read_text().split()) for model in (fresh, begun))
    assert own < heard
    assert len(heard - own) == (12 if start == "first" else 6)


def test_members_begin_with_those_of_the_start(folder: Path, tmp_path: Path, config: Configuration) -> None:
    labels = folder / "another" / "labels.csv"
    gentle = replace(config, recipe=replace(config.recipe, learning_rate=1e-6))
    pair = replace(gentle, layers=replace(config.layers, members=2))
    train(folder / "one" / "labels.csv", tmp_path / "pair", config=pair, epochs=1)

    def weights(path: Path, member: int) -> np.ndarray:
        with np.load(path / "weights.npz") as found:
            return found[f"{member}/conv1.weight"]

    both = train(labels, tmp_path / "both", config=pair, epochs=1, start=tmp_path / "pair")
    assert np.abs(weights(both, 0) - weights(both, 1)).max() > 0.01
    for member in (0, 1):
        np.testing.assert_allclose(weights(both, member), weights(tmp_path / "pair", member), atol=1e-3)
    # More members than the start has: they begin alike, and part because of their seeds.
    alike = train(labels, tmp_path / "alike", config=pair, epochs=1, start=folder / "first")
    for member in (0, 1):
        np.testing.assert_allclose(weights(alike, member), weights(folder / "first", 0), atol=1e-3)
    assert (weights(alike, 0) != weights(alike, 1)).any()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut off", b"neither", "empty"])
def test_damaged_weights(folder: Path, tmp_path: Path, config: Configuration, content: bytes | str) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(folder / "first", broken)
    if isinstance(content, bytes):
        (broken / "weights.npz").write_bytes(content)
    else:
        np.savez(broken / "weights.npz")
    with pytest.raises(InputError, match=r"--start .*broken: cannot be read \(") as caught:
        train(folder / "another" / "labels.csv", tmp_path / "m", config=config, start=broken)
    assert "\n" not in str(caught.value)


def test_networks_stand_beside(folder: Path, tmp_path: Path, config: Configuration) -> None:
    """Their features follow and are those that they gave before; all else is as without them."""
    labels = folder / "another" / "labels.csv"
    options = {"config": config, "epochs": 2, "folds": 2}
    found = train(labels, tmp_path / "found", beside=folder / "first", **options)
    plain = train(labels, tmp_path / "plain", **options)
    models = [load_model(path) for path in (found, plain, folder / "first")]
    assert [model.dim for model in models] == [2 * config.layers.width, config.layers.width, config.layers.width]
    whole, own = (model.table["parameters"] for model in models[:2])
    heads = config.layers.dense * (config.layers.width + 1 + 2) + 2
    assert whole == 2 * own - heads
    file = sorted(labels.parent.glob("*.wav"))[0]
    signal = soundfile.read(file, dtype="float32")[0]
    both, own = (model.view(signal) for model in models[:2])
    features = [model.embed([signal])[0] for model in models]
    np.testing.assert_allclose(features[0], np.concatenate(features[1:]), atol=1e-5)
    np.testing.assert_allclose(both.posteriors, own.posteriors, atol=1e-6)
    np.testing.assert_allclose(both.attention, own.attention, atol=1e-6)
    for name in ("oof.parquet", "folds/fold-00.parquet"):
        wide, narrow = (pq.read_table(path / name).to_pandas() for path in (found, plain))
        width = config.layers.width
        values = wide.filter(like="deep_").to_numpy()
        np.testing.assert_array_equal(values[:, :width], narrow.filter(like="deep_").to_numpy())
        files = wide["file"].tolist()
        assert name != "oof.parquet" or f"another/{file.name}" in files
        if f"another/{file.name}" in files:
            place = files.index(f"another/{file.name}")
            np.testing.assert_allclose(values[place, width:], features[2], atol=1e-5)
    assert "first (MIT)" in models[0].table["training"]["beside"]
    assert "The features of first (MIT)" in " ".join((found / "README.md").read_text().split())
    heard = set((folder / "first" / "hashes.txt").read_text().split())
    assert heard < set((found / "hashes.txt").read_text().split())
    with pytest.raises(ConfigError, match="--beside: first .* has learned from 12 of the 12 clips"):
        train(folder / "one" / "labels.csv", tmp_path / "m", config=config, folds=2, beside=folder / "first")


def test_folds_over_what_the_start_has_heard_are_refused(folder: Path, tmp_path: Path, config: Configuration) -> None:
    labels = folder / "one" / "labels.csv"
    with pytest.raises(
        ConfigError, match="first .* has learned from 12 of the 12 clips that the folds leave out, so none"
    ):
        train(labels, tmp_path / "m", config=config, epochs=1, folds=2, start=folder / "first")
    assert load_model(train(labels, tmp_path / "m", config=config, epochs=1, start=folder / "first")).name == "m"


def test_a_start_that_does_not_fit(folder: Path, tmp_path: Path, config: Configuration) -> None:
    labels = folder / "another" / "labels.csv"
    wider = replace(config, layers=replace(config.layers, units=9))
    with pytest.raises(ConfigError, match=r"\[layers\] units is 7 there and 9 here"):
        train(labels, tmp_path / "m", config=wider, start=folder / "first")
    with pytest.raises(InputError, match="expected a folder that dsfx train made"):
        train(labels, tmp_path / "m", config=config, start=tmp_path / "nowhere")
    assert not any(tmp_path.iterdir())
