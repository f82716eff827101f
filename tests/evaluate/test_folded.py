"""Features that every fold has of its own."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from corpus import CLASSES, clips, informative, write_labels, write_table

import dsfx
from dsfx.errors import ConfigError, InputError
from dsfx.evaluate import evaluate
from dsfx.evaluate.classifiers import Outcome, classifier_of
from dsfx.evaluate.folded import chosen
from dsfx.evaluate.protocols import Fold

C = (0.01, 0.1)
ROWS = clips()
FILES = [str(row["file"]) for row in ROWS]
SPEAKERS = np.array([row["speaker"] for row in ROWS])
fold_of = np.array([f"{int(str(s)[1:]) // 2:02d}" for s in SPEAKERS])
RANDOM = np.random.default_rng(0)
TURNS = [np.eye(12)[RANDOM.permutation(12)] * RANDOM.choice([-1, 1], 12) for _ in range(3)]


def write_fold(path: Path, x: np.ndarray, chosen: np.ndarray, identity: str) -> None:
    """A table with a column `fold`, as a training writes it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    metadata = {"sets": json.dumps({"deep": identity}), "config": json.dumps({"out_of_fold": {"folds": 3}})}
    hashes = [f"{i:016x}" for i in np.flatnonzero(chosen) + 1]
    files = [f"corpus/{file}" for file, own in zip(FILES, chosen, strict=True) if own]
    write_table(path, {"deep": x[chosen]}, files, hashes=hashes, metadata=metadata)
    table = pq.read_table(path)
    kept = table.schema.metadata
    fold = fold_of[chosen].tolist() if identity.startswith("out") else [path.stem[-2:]] * int(chosen.sum())
    table = table.append_column("fold", pa.array(fold)).append_column("label", pa.array(["x"] * len(fold)))
    pq.write_table(table.replace_schema_metadata(kept), path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Three extractors that see the same and give it in different columns, with different signs."""
    folder = tmp_path_factory.mktemp("folded")
    truth = informative(ROWS, 12, 1.0, seed=1)
    views = [truth @ turn for turn in TURNS]
    model = folder / "model"
    everything = np.ones(len(ROWS), bool)
    unheard = np.select([(fold_of == f"{k:02d}")[:, None] for k in range(3)], views)
    write_fold(model / "oof.parquet", unheard, everything, "out-of-fold:1")
    for k in range(3):
        write_fold(model / "folds" / f"fold-{k:02d}.parquet", views[k], fold_of != f"{k:02d}", f"in-fold:{k}")
    (model / "model.toml").write_text("")
    other = informative(ROWS, 6, 0.3, seed=4)
    write_table(folder / "other.parquet", {"crafted": other}, [f"corpus/{file}" for file in FILES])
    write_table(folder / "same.parquet", {"deep": other}, [f"corpus/{file}" for file in FILES])
    write_table(
        folder / "turned.parquet",
        {f"view{k}": view for k, view in enumerate(views)},
        [f"corpus/{file}" for file in FILES],
    )
    write_labels(
        folder / "corpus" / "l.csv", [r | {"fold": f"{fold}"} for r, fold in zip(ROWS, fold_of.tolist(), strict=True)]
    )
    return folder


def run(folder: Path, features: str, *args: object, **options: object) -> dict:
    options = {"c": C, "times": 200, **options}
    return evaluate(folder / features, folder / "corpus" / "l.csv", *args, **options)


def test_each_fold_learns_from_its_own_extractor(folder, tmp_path):
    sets = ("deep", "deep+crafted", "crafted+deep", "crafted")
    fixed = {"c": (0.01,)}
    found = run(folder, "model", tmp_path / "out", tables=(str(folder / "other.parquet"),), sets=sets, **fixed)
    results = {r["set"]: r for r in found["results"]}
    # The order of columns does not matter: as if there was one extractor, and far better than mixed ones.
    one = run(folder, "turned.parquet", sets=("view0",), protocol="column:fold", **fixed)["results"][0]
    mixed = run(folder, "model/oof.parquet", protocol="column:fold", **fixed)["results"][0]
    assert results["deep"]["confusion"] == one["confusion"]
    assert results["deep"]["ua"]["value"] > mixed["ua"]["value"] + 0.2
    assert results["deep+crafted"]["confusion"] == results["crafted+deep"]["confusion"]
    assert results["deep+crafted"]["columns"] == 18
    assert found["protocol"]["words"].startswith("cross-validation with 3 folds of whole speakers, each with a deep")
    assert found["protocol"]["speaker_independent"]
    assert not any("unknown" in line or "OUT-OF-FOLD" in line for line in found["warnings"])
    predictions = pq.read_table(tmp_path / "out" / "predictions.parquet").to_pandas()
    assert predictions.groupby(["set", "file"]).size().eq(1).all()


def test_a_folder_goes_before_a_table_with_a_set_of_the_same_name(folder):
    found = run(folder, "model", tables=(str(folder / "same.parquet"),), sets=("deep", "same:deep"))
    deep, same = (next(r for r in found["results"] if r["set"] == name) for name in ("deep", "same:deep"))
    assert (deep["columns"], same["columns"]) == (12, 6)
    assert deep["confusion"] == run(folder, "model")["results"][0]["confusion"]


def test_workers_and_resumption_give_the_same(folder, tmp_path):
    first = run(folder, "model", tmp_path / "out", jobs=2)
    assert len([*(tmp_path / "out" / ".folds").glob("*.json")]) == 3
    again = run(folder, "model", tmp_path / "out")
    assert first["results"][0]["seconds"] == again["results"][0]["seconds"]
    assert first["results"][0]["confusion"] == run(folder, "model")["results"][0]["confusion"]


def test_standardised_by_speaker(folder):
    one = run(folder, "turned.parquet", sets=("view0",), protocol="column:fold")["results"][0]["ua"]["value"]
    assert run(folder, "model", standardise="speaker")["results"][0]["ua"]["value"] > one - 0.1


def test_out_of_fold_rows_alone_come_with_a_warning(folder):
    found = run(folder, "model/oof.parquet", protocol="kfold:3")
    assert any(line.startswith("OUT-OF-FOLD FEATURES of several extractors") for line in found["warnings"])
    assert not any("unknown" in line for line in found["warnings"])


def test_rows_that_an_extractor_has_learned_from_are_a_leak(folder):
    with pytest.raises(InputError, match=r"LEAK: deep: these are features of the very clips"):
        run(folder, "model/folds/fold-01.parquet")


def test_what_does_not_go_together(folder, tmp_path):
    with pytest.raises(ConfigError, match="--protocol kfold:3: the folds are those of"):
        run(folder, "model", protocol="kfold:3")
    with pytest.raises(ConfigError, match="--test and --save need features of one extractor"):
        run(folder, "model", tmp_path / "out", save=True)
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "model.toml").write_text("")
    with pytest.raises(InputError, match="a model without folds.*--folds"):
        run(tmp_path, "plain")


def test_labels_that_do_not_fit_the_folds(folder, tmp_path):
    rows = [row | {"speaker": "one"} for row in ROWS]
    labels = write_labels(tmp_path / "corpus" / "l.csv", rows)
    with pytest.raises(InputError, match="speaker one is in fold 00 and in another"):
        evaluate(folder / "model", labels)
    labels = write_labels(tmp_path / "corpus" / "m.csv", [row for row in ROWS if row["speaker"] in {"s0", "s1"}])
    with pytest.raises(InputError, match=r"all labelled clips are in one fold.*oof\.parquet has features"):
        evaluate(folder / "model", labels)


def test_a_fold_is_missing(folder, tmp_path):
    model = tmp_path / "model"
    model.mkdir()
    for name in ("model.toml", "oof.parquet"):
        (model / name).write_bytes((folder / "model" / name).read_bytes())
    with pytest.raises(InputError, match=r"fold-00\.parquet: no such file"):
        evaluate(model, folder / "corpus" / "l.csv")


def test_tables_with_further_columns_can_be_read(folder):
    frame = dsfx.read(folder / "model" / "oof.parquet")
    assert frame.shape == (len(ROWS), 12)
    assert len(CLASSES) == 3


def test_parameters_of_a_fold_are_chosen_in_the_others():
    labels = np.array(list("aabbaabbaabb"))
    folds = [
        Fold(str(k), 0, np.setdiff1d(np.arange(12), np.arange(4 * k, 4 * k + 4)), np.arange(4 * k, 4 * k + 4))
        for k in range(3)
    ]
    right, wrong, half = np.array(list("aabb")), np.array(list("bbaa")), np.array(list("aaba"))
    # In its own fold the first is best for all of them; what counts is what the others say.
    every = [[right, wrong, half], [right, half, wrong], [wrong, right, right]]
    parts = [(fold, Outcome(each[0], {}, [], 0.0, 0, [], each)) for fold, each in zip(folds, every, strict=True)]
    classifier = classifier_of("linear-svm", (0.1, 1.0, 10.0), 12)
    found = chosen(parts, labels, classifier)
    assert [outcome.parameters["C"] for outcome in found] == [1.0, 10.0, 0.1]
    assert [outcome.predicted.tolist() for outcome in found] == [wrong.tolist(), wrong.tolist(), wrong.tolist()]
    assert found[2].inner == [1.0, 0.375, 0.375]
    assert not found[0].every
