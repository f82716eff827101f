"""Stored classifiers, applied to new recordings."""

import csv

import numpy as np
import pytest
import soundfile
from corpus import clips, informative, linear, numbers, write_labels, write_table

import dsfx
from dsfx.errors import ConfigError, InputError, ModelError
from dsfx.evaluate import evaluate
from dsfx.evaluate.saved import load, predict


@pytest.fixture(scope="module")
def spoken(tmp_path_factory):
    """Synthetic recordings with labels and their features, and the folder of an evaluation that stored a classifier."""
    from dsfx.demo import write_corpus
    from dsfx.pipeline import extract

    folder = tmp_path_factory.mktemp("spoken")
    write_corpus(folder, takes=2)
    extract(folder / "wavs", sets="eGeMAPSv02", output=folder / "f.parquet")
    evaluate(folder / "f.parquet", folder / "labels.csv", folder / "out", c=(0.01, 0.1), times=200, save=True)
    return folder


def rows(path):
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def test_new_audio_gets_what_the_stored_classifier_says_of_its_features(spoken, tmp_path):
    stored = spoken / "out" / "pipeline.skops"
    files = sorted((spoken / "wavs").iterdir())[:3]
    count, failed, _ = predict(stored, files, tmp_path / "p.csv")
    assert (count, failed) == (3, 0)
    saved = load(stored)
    features = dsfx.read(spoken / "f.parquet")[saved.columns]
    for row in rows(tmp_path / "p.csv"):
        x = features.loc[[row["file"]]].to_numpy()
        expected = saved.probabilities(x)[0]
        assert list(saved.model.named_steps) == ["impute", "scale", "classify"]
        got = [float(row[f"p_{label}"]) for label in saved.classes]
        np.testing.assert_allclose(got, expected, atol=1e-6)
        assert row["label"] == saved.model.predict(x)[0]
        assert float(row["end"]) == pytest.approx(soundfile.info(spoken / "wavs" / row["file"]).duration)
    # A feature table of the same sets gives the same.
    predict(stored, [spoken / "f.parquet"], tmp_path / "t.csv")
    table = {row["file"]: row for row in rows(tmp_path / "t.csv")}
    assert all(table[row["file"]] == row for row in rows(tmp_path / "p.csv"))
    assert sum(abs(float(v)) for k, v in row.items() if k.startswith("p_")) == pytest.approx(1, abs=1e-5)


def test_what_fails_is_told(spoken, tmp_path):
    (tmp_path / "broken.wav").write_text("oops")
    count, failed, failures = predict(
        spoken / "out" / "pipeline.skops",
        [tmp_path / "broken.wav", min((spoken / "wavs").iterdir())],
        tmp_path / "p.csv",
    )
    assert (count, failed) == (1, 1)
    assert failures[0][0] == "broken.wav"


def test_files_that_are_no_classifier(spoken, tmp_path):
    import skops.io

    (tmp_path / "a.skops").write_text("oops")
    skops.io.dump({"format": 2, "model": print}, tmp_path / "b.skops")
    skops.io.dump({"format": 9}, tmp_path / "c.skops")
    for name, message in [
        ("none.skops", "no such file"),
        ("a.skops", "not a classifier that dsfx evaluate --save wrote"),
        ("b.skops", "holds builtins.print"),
        ("c.skops", "its format is 9, expected 2"),
    ]:
        with pytest.raises(ModelError, match=message):
            load(tmp_path / name)
    with pytest.raises(ConfigError, match=r"expected a name that ends in \.csv"):
        predict(spoken / "out" / "pipeline.skops", [spoken], tmp_path / "p.parquet")


@pytest.mark.parametrize("name", ["rbf-svm", "logistic", "mlp"])
def test_every_classifier_can_be_stored(tmp_path, name):
    labelled = clips()
    table = write_table(
        tmp_path / "t.parquet", {"A": informative(labelled, 6, 2.0)}, [str(r["file"]) for r in labelled]
    )
    labels = write_labels(tmp_path / "l.csv", labelled)
    evaluate(table, labels, tmp_path / "out", classifiers=(name,), c=(0.1, 1.0), times=200, save=True)
    predict(tmp_path / "out" / "pipeline.skops", [table], tmp_path / "p.csv")
    right = [a["label"] == b["emotion"] for a, b in zip(rows(tmp_path / "p.csv"), labelled, strict=True)]
    assert np.mean(right) > 0.8


def test_the_label_is_the_decision_and_probabilities_stand_beside_it(tmp_path):
    """Clips between two classes, where the two disagree now and then."""
    random = np.random.default_rng(0)
    labelled = [
        {"file": f"{s}-{i}.wav", "speaker": f"s{s}", "emotion": "rare" if i % 8 == 0 else "often"}
        for s in range(8)
        for i in range(24)
    ]
    x = random.normal(size=(len(labelled), 3)) + 0.8 * np.array([[r["emotion"] == "rare"] for r in labelled])
    table = write_table(tmp_path / "t.parquet", {"A": x}, [str(r["file"]) for r in labelled])
    evaluate(table, write_labels(tmp_path / "l.csv", labelled), tmp_path / "out", c=(0.1,), times=200, save=True)
    predict(tmp_path / "out" / "pipeline.skops", [table], tmp_path / "p.csv")
    saved = load(tmp_path / "out" / "pipeline.skops")
    got = rows(tmp_path / "p.csv")
    assert [row["label"] for row in got] == saved.model.predict(x.astype(np.float32).astype(float)).tolist()
    likely = ["rare" if float(row["p_rare"]) > 0.5 else "often" for row in got]
    # The classifier weighs classes equally, and the probabilities know which is rare.
    assert np.mean([row["label"] == "rare" for row in got]) > 0.2 > np.mean([label == "rare" for label in likely])
    assert np.mean([float(row["p_rare"]) for row in got]) == pytest.approx(1 / 8, abs=0.03)


@pytest.mark.parametrize("name", ["svr", "ridge"])
@pytest.mark.parametrize("many", [False, True])
def test_regressions_can_be_stored(tmp_path, monkeypatch, name, many):
    if many:
        monkeypatch.setattr("dsfx.evaluate.classifiers.DUAL_ROWS", 10)
    labelled = numbers()
    x = linear(labelled)
    table = write_table(tmp_path / "t.parquet", {"A": x}, [str(r["file"]) for r in labelled])
    labels = write_labels(tmp_path / "l.csv", labelled)
    evaluate(table, labels, tmp_path / "out", column="valence", classifiers=(name,), c=(0.1, 1.0), times=200, save=True)
    predict(tmp_path / "out" / "pipeline.skops", [table], tmp_path / "p.csv")
    got = rows(tmp_path / "p.csv")
    assert list(got[0]) == ["file", "start", "end", "label"]
    told = np.array([float(row["label"]) for row in got])
    assert np.sqrt(np.mean((told - [float(r["valence"]) for r in labelled]) ** 2)) < 0.4
    saved = load(tmp_path / "out" / "pipeline.skops")
    assert told.tolist() == saved.model.predict(x.astype(np.float32).astype(float)).tolist()


def test_many_clips_can_be_stored(tmp_path, monkeypatch):
    monkeypatch.setattr("dsfx.evaluate.classifiers.DUAL_ROWS", 10)
    labelled = clips()
    x = informative(labelled, 6, 2.0)
    x[::7, 2], x[3, 1] = np.nan, np.inf
    table = write_table(tmp_path / "t.parquet", {"A": x}, [str(r["file"]) for r in labelled])
    evaluate(table, write_labels(tmp_path / "l.csv", labelled), tmp_path / "out", c=(0.1, 1.0), times=200, save=True)
    predict(tmp_path / "out" / "pipeline.skops", [table], tmp_path / "p.csv")
    got = rows(tmp_path / "p.csv")
    assert np.mean([a["label"] == b["emotion"] for a, b in zip(got, labelled, strict=True)]) > 0.8
    assert sum(float(v) for k, v in got[0].items() if k.startswith("p_")) == pytest.approx(1, abs=1e-5)


def test_a_set_of_ones_own(tmp_path):
    """Its file is named when audio is to be told, and checked."""
    from importlib import resources

    from dsfx.demo import write_corpus
    from dsfx.pipeline import extract

    write_corpus(tmp_path, takes=2)
    text = (resources.files("dsfx.baselines") / "eGeMAPSv02.toml").read_text(encoding="utf-8")
    own = tmp_path / "own.toml"
    own.write_text(text.replace('"eGeMAPSv02"', '"mine"').replace("edges = [1000, 5000]", "edges = [1000, 4000]"))
    extract(tmp_path / "wavs", sets=str(own), output=tmp_path / "f.parquet")
    evaluate(tmp_path / "f.parquet", tmp_path / "labels.csv", tmp_path / "out", c=(0.1,), times=200, save=True)
    stored = tmp_path / "out" / "pipeline.skops"
    file = min((tmp_path / "wavs").iterdir())
    with pytest.raises(ConfigError, match=r"takes the set .*; --set FILE\.toml says what that is"):
        predict(stored, [file], tmp_path / "p.csv")
    (tmp_path / "other.toml").write_text(text)
    with pytest.raises(ConfigError, match="is eGeMAPSv02, and"):
        predict(stored, [file], tmp_path / "p.csv", sets=[str(tmp_path / "other.toml")])
    assert predict(stored, [file], tmp_path / "p.csv", sets=[str(own)])[0] == 1
    predict(stored, [tmp_path / "f.parquet"], tmp_path / "t.csv")
    assert rows(tmp_path / "p.csv")[0] in rows(tmp_path / "t.csv")


def test_too_few_clips_for_probabilities(tmp_path):
    labelled = [{"file": f"{i}.wav", "speaker": f"s{i % 2}", "emotion": "ab"[i // 2]} for i in range(3)]
    table = write_table(tmp_path / "t.parquet", {"A": np.eye(3)}, [str(r["file"]) for r in labelled])
    with pytest.raises(InputError, match="too few clips or speakers"):
        evaluate(table, write_labels(tmp_path / "l.csv", labelled), tmp_path / "out", times=200, save=True)
