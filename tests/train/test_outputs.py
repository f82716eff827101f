import csv
from pathlib import Path

import numpy as np
import pytest

from dsfx.train.data import Clip
from dsfx.train.fit import among
from dsfx.train.folds import Part
from dsfx.train.outputs import metrics, write_confusions, write_curves
from dsfx.train.pictures import confusion, learning_curves

CLASSES = ["a", "b", "c"]


def material() -> tuple[list[Clip], np.ndarray, np.ndarray]:
    """Corpus x has the classes a and b, corpus y has b and c; one speaker of the latter is hard."""
    rows = [
        ("x", "1", "a", "a"),
        ("x", "1", "b", "b"),
        ("x", "2", "a", "b"),
        ("x", "2", "b", "b"),
        ("y", "1", "b", "c"),
        ("y", "1", "c", "b"),
        ("y", "1", "c", "c"),
    ]
    clips = [Clip(corpus, f"{i}", Path(), who, label) for i, (corpus, who, label, _) in enumerate(rows)]
    return clips, *(np.array([CLASSES.index(row[i]) for row in rows]) for i in (2, 3))


def test_each_corpus_is_scored_on_its_own_classes() -> None:
    clips, targets, found = material()
    result = metrics(clips, targets, found, CLASSES)
    x, y = result["corpora"]
    assert (x["name"], x["classes"], x["files"], x["uar"], x["wa"]) == ("x", 2, 4, 0.75, 0.75)
    assert (y["name"], y["classes"], y["files"], y["uar"], y["wa"]) == ("y", 2, 3, 0.25, 0.3333)
    assert x["uar_interval"][0] <= 0.75 <= x["uar_interval"][1]
    assert "uar_interval" not in y
    assert result["uar"] == 0.5
    assert [(s["corpus"], s["speaker"], s["files"], s["uar"]) for s in result["speakers"]] == [
        ("x", "1", 2, 1.0),
        ("x", "2", 2, 0.5),
        ("y", "1", 3, 0.25),
    ]


def test_posteriors_of_other_corpora_do_not_count() -> None:
    posteriors = np.array([[0.2, 0.3, 0.5], [0.1, 0.2, 0.7]], dtype=np.float32)
    assert among(posteriors, np.array([[True, True, False], [True, True, True]])).tolist() == [1, 2]


def test_confusions_and_their_picture(tmp_path: Path) -> None:
    clips, targets, found = material()
    write_confusions(tmp_path / "folds.csv", clips, CLASSES, targets, found)
    with (tmp_path / "folds.csv").open() as handle:
        lines = list(csv.DictReader(handle))
    assert [line["corpus"] for line in lines] == ["x"] * 4 + ["y"] * 2
    assert lines[-1] == {"corpus": "y", "speaker": "1", "class": "c", "a": "0", "b": "1", "c": "1"}
    assert sum(int(line[name]) for line in lines for name in CLASSES) == len(clips)
    confusion(tmp_path / "folds.csv", tmp_path / "one.png")
    confusion(tmp_path / "folds.csv", tmp_path / "two.png")
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
    assert (tmp_path / "one.png").stat().st_size > 5000


@pytest.mark.parametrize("stopped", [False, True])
def test_curves_and_their_picture(tmp_path: Path, stopped: bool) -> None:
    parts = [Part(name, "", *(np.zeros(1, bool),) * 3) for name in ("fold-00", "fold-01", "all")]
    histories = [
        np.array([[n, 1 / n, 0.5, 0.25 if stopped else np.nan, 0.1] for n in range(1, length)]) for length in (4, 3, 4)
    ]
    write_curves(tmp_path / "c.csv", parts, histories)
    with (tmp_path / "c.csv").open() as handle:
        lines = list(csv.DictReader(handle))
    assert [line["network"] for line in lines] == ["fold-00"] * 3 + ["fold-01"] * 2 + ["all"] * 3
    assert {line["held_out"] for line in lines} == {"0.2500" if stopped else ""}
    learning_curves(tmp_path / "c.csv", tmp_path / "c.png")
    assert (tmp_path / "c.png").read_bytes().startswith(b"\x89PNG")
