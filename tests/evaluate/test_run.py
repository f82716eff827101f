"""Evaluations from tables to reports."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from corpus import CLASSES, clips, informative, linear, numbers, write_labels, write_table

from dsfx.errors import ConfigError, DsfxError, InputError
from dsfx.evaluate import evaluate
from dsfx.evaluate.report import methods, terminal

C = (0.01, 0.1, 1.0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Two informative sets and one of noise, with labels that need escaping."""
    folder = tmp_path_factory.mktemp("evaluation")
    rows = clips()
    sets = {
        "good": informative(rows, 30, 1.0, seed=1),
        "fair<b>": informative(rows, 10, 0.4, seed=2),
        "noise": np.random.default_rng(3).normal(size=(len(rows), 20)),
    }
    write_table(folder / "f.parquet", sets, [str(r["file"]) for r in rows])
    write_labels(folder / "corpus" / "l.csv", [r | {"file": f"wavs/{r['file']}", "fold": r["speaker"]} for r in rows])
    return folder


@pytest.fixture(scope="module")
def found(folder) -> dict:
    return evaluate(folder / "f.parquet", folder / "corpus" / "l.csv", folder / "out", c=C, times=500)


def test_results(folder, found):
    results = {r["set"]: r for r in found["results"]}
    assert [r["set"] for r in found["results"]] == ["good", "fair<b>", "noise"]
    assert results["good"]["ua"]["value"] > 0.9
    assert results["noise"]["ua"]["low"] < 1 / 3 < results["noise"]["ua"]["high"]
    assert results["noise"]["chance"]["p"] > 0.05 > results["fair<b>"]["chance"]["p"]
    assert len(results["good"]["per_speaker"]) == 6
    stored = json.loads((folder / "out" / "results.json").read_text(encoding="utf-8"))
    assert stored == json.loads(json.dumps(found))
    for result in stored["results"]:
        assert set(result["ua"]) == set(result["wa"]) == {"value", "low", "high"}
        assert result["protocol"] == "loso"
    pair = next(p for p in found["comparisons"] if p["worse"]["set"] == "noise" and p["better"]["set"] == "good")
    assert pair["p_holm"] < 0.1
    assert "good with linear-svm is better than noise with linear-svm by" in pair["words"]


def test_sets_are_compared_under_the_same_classifier(folder):
    found = evaluate(
        folder / "f.parquet", folder / "corpus" / "l.csv", classifiers=("linear-svm", "logistic"), c=(0.1,), times=200
    )
    pairs = [(e["better"], e["worse"]) for e in found["comparisons"]]
    assert len(pairs) == 6
    assert all(a["classifier"] == b["classifier"] for a, b in pairs)
    one = evaluate(
        folder / "f.parquet",
        folder / "corpus" / "l.csv",
        sets=("good",),
        classifiers=("linear-svm", "logistic"),
        c=(0.1,),
        times=200,
    )
    assert len(one["comparisons"]) == 1


def test_predictions_give_the_results(folder, found):
    frame = pd.read_parquet(folder / "out" / "predictions.parquet")
    assert list(frame.columns) == [
        *("set", "classifier", "repeat", "fold", "file", "start", "end", "speaker", "label", "predicted")
    ]
    for result in found["results"]:
        mine = frame[frame["set"] == result["set"]]
        assert len(mine) == result["clips"] == 72
        assert (mine["fold"] == mine["speaker"]).all()
        right = mine["label"] == mine["predicted"]
        assert right.mean() == pytest.approx(result["wa"]["value"], abs=1e-6)
        assert right.groupby(mine["label"]).mean().mean() == pytest.approx(result["ua"]["value"], abs=1e-6)


def test_the_same_again_whatever_the_number_of_workers(folder, found):
    again = evaluate(folder / "f.parquet", folder / "corpus" / "l.csv", c=C, times=500, jobs=2)
    for a, b in zip(found["results"], again["results"], strict=True):
        assert {k: a[k] for k in ("set", "ua", "wa", "confusion", "chance")} == {
            k: b[k] for k in ("set", "ua", "wa", "confusion", "chance")
        }


def test_finished_folds_are_not_computed_again(folder, found, monkeypatch):
    from dsfx.evaluate import run

    calls = []
    monkeypatch.setattr(run, "learn", lambda *a, **k: calls.append(a) or pytest.fail("computed again"))
    again = evaluate(folder / "f.parquet", folder / "corpus" / "l.csv", folder / "out", c=C, times=500)
    assert not calls
    assert again["results"] == found["results"]


def test_the_other_protocols(folder):
    labels = folder / "corpus" / "l.csv"
    by_column = evaluate(folder / "f.parquet", labels, sets=("good",), protocol="column:fold", c=C, times=200)
    loso = evaluate(folder / "f.parquet", labels, sets=("good",), c=C, times=200)
    assert by_column["results"][0]["confusion"] == loso["results"][0]["confusion"]
    grouped = evaluate(
        folder / "f.parquet", labels, sets=("noise+good",), protocol="kfold:3", repeats=2, c=C, times=200
    )
    assert (grouped["protocol"]["repeats"], len(grouped["results"][0]["folds"])) == (2, 6)
    assert sum(map(sum, grouped["results"][0]["confusion"])) == pytest.approx(72)
    loud = evaluate(folder / "f.parquet", labels, sets=("good",), protocol="random:4", c=C, times=200)
    assert loud["warnings"][0].startswith("RANDOM FOLDS")
    assert not loud["results"][0]["speaker_independent"]
    assert "NOT speaker-independent" in methods(loud)
    own = evaluate(folder / "f.parquet", labels, sets=("fair<b>",), standardise="speaker", c=C, times=200)
    assert own["results"][0]["ua"]["value"] > 0.5


def test_another_corpus(folder, tmp_path):
    rows = [r for r in clips(4) if r["emotion"] != "trist"] + [
        {"file": "s9/x.wav", "speaker": "s0", "emotion": "elated"}
    ]
    known = [r for r in rows if r["emotion"] != "elated"]
    x = np.concatenate([informative(known, 30, 1.0, seed=1), np.zeros((1, 30))])
    other = write_table(
        tmp_path / "b.parquet", {"good": x}, [str(r["file"]) for r in rows], hashes=["f" * 16] * len(rows)
    )
    labels = write_labels(tmp_path / "b.csv", rows)
    found = evaluate(
        folder / "f.parquet",
        folder / "corpus" / "l.csv",
        test=(str(other), str(labels)),
        sets=("good",),
        c=C,
        times=200,
    )
    (result,) = found["results"]
    assert result["classes"] == ["calm", "Ärger"]
    assert (result["clips"], result["speakers"]) == (32, 4)
    assert result["ua"]["value"] > 0.8
    assert "classes of the training corpus alone are left out: trist" in found["remarks"]
    assert "only 4 speakers are tested" in found["warnings"][0]


def test_windows_vote(folder, tmp_path):
    rows = clips()
    x = np.repeat(informative(rows, 10, 0.5, seed=4), 3, axis=0)
    x += np.random.default_rng(0).normal(size=x.shape)
    spans = [(k * 10**9, (k + 1) * 10**9) for _ in rows for k in range(3)]
    files = [str(r["file"]) for r in rows for _ in range(3)]
    table = write_table(tmp_path / "w.parquet", {"A": x}, files, spans=spans)
    each, voted = (
        evaluate(table, folder / "corpus" / "l.csv", vote=vote, c=C, times=200)["results"][0] for vote in (False, True)
    )
    assert (each["clips"], voted["clips"]) == (216, 72)
    assert voted["wa"]["value"] > each["wa"]["value"]


def test_noise_is_at_chance_as_often_as_the_interval_says(tmp_path):
    """From features to intervals: classifiers that learn noise."""
    from dsfx.evaluate import scores, statistics
    from dsfx.evaluate.classifiers import classifier_of, learn
    from dsfx.evaluate.protocols import make_protocol

    rows = clips(8, 4)
    labels = np.array([str(r["emotion"]) for r in rows])
    speakers = np.array([str(r["speaker"]) for r in rows])
    folds = make_protocol("loso", labels, speakers).folds
    random = np.random.default_rng(0)
    covered, values = 0, []
    for run in range(200):
        x = random.normal(size=(len(rows), 10)).astype(np.float32)
        predicted = np.empty_like(labels)
        for fold in folds:
            predicted[fold.test] = learn(
                x, labels, speakers, fold.train, fold.test, classifier_of("linear-svm", (0.1,))
            ).predicted
        counts = scores.count(labels, predicted, speakers, sorted(CLASSES), sorted(set(speakers)))
        widen = statistics.overlap([(len(fold.train), len(fold.test)) for fold in folds])
        ua, _ = statistics.interval(counts, times=500, seed=run, widen=widen)
        covered += ua.low <= 1 / 3 <= ua.high
        values.append(ua.value)
    assert np.mean(values) == pytest.approx(1 / 3, abs=0.015)
    # 95 % in 200 runs: fewer than 180 would happen by chance less than once in 500 times.
    assert covered >= 180, f"covered {covered} of 200"


# Numbers -------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def valence(tmp_path_factory) -> Path:
    """A set that tells a number but for some noise, one with more noise, and one that tells nothing."""
    folder = tmp_path_factory.mktemp("valence")
    rows = numbers()
    sets = {
        "good": linear(rows, noise=0.3),
        "fair": linear(rows, noise=2.0, seed=1),
        "noise": np.random.default_rng(3).normal(size=(len(rows), 6)),
    }
    write_table(folder / "f.parquet", sets, [str(r["file"]) for r in rows])
    write_labels(folder / "l.csv", rows)
    return folder


@pytest.fixture(scope="module")
def told(valence) -> dict:
    return evaluate(
        valence / "f.parquet", valence / "l.csv", valence / "out", column="valence", c=(0.01, 0.1, 1.0), times=500
    )


def test_numbers(valence, told):
    assert told["task"] == "regression"
    assert "the column valence holds 88 different numbers and is taken for numbers" in told["remarks"][0]
    good, fair, noise = told["results"]
    assert [r["set"] for r in told["results"]] == ["good", "fair", "noise"]
    # Noise of 0.3 on labels with a deviation of 1.15: no regression does better, and a good one not much worse.
    assert 0.3 * 0.8 < good["rmse"]["value"] < 0.3 * 1.3
    assert 0.9 < good["ccc"]["low"] < good["ccc"]["value"] < good["ccc"]["high"] <= 1
    assert good["pearson"]["value"] >= good["ccc"]["value"] > fair["ccc"]["value"] > 0.3
    assert abs(noise["ccc"]["value"]) < 0.2
    assert noise["ccc"]["low"] < 0
    assert noise["chance"]["p"] > 0.05 > fair["chance"]["p"]
    # Shuffled within speakers, labels keep the speakers' means.
    assert abs(good["chance"]["ccc"]) < 0.2
    assert all(set(s) == {"speaker", "clips", "ccc", "pearson", "rmse"} for s in good["per_speaker"])
    assert all(fold["inner_ccc"][0] is not None for fold in good["folds"])
    pair = next(p for p in told["comparisons"] if (p["better"]["set"], p["worse"]["set"]) == ("good", "noise"))
    assert pair["p_holm"] < 0.05
    assert "good with svr is better than noise with svr by" in pair["words"]
    assert "in CCC" in pair["words"]


def test_predictions_of_numbers_give_the_results(valence, told):
    frame = pd.read_parquet(valence / "out" / "predictions.parquet")
    for result in told["results"]:
        mine = frame[frame["set"] == result["set"]]
        assert mine["predicted"].dtype == mine["label"].dtype == float
        assert np.sqrt(np.mean((mine["label"] - mine["predicted"]) ** 2)) == pytest.approx(
            result["rmse"]["value"], abs=1e-6
        )
        assert np.corrcoef(mine["label"], mine["predicted"])[0, 1] == pytest.approx(
            result["pearson"]["value"], abs=1e-6
        )
    again = evaluate(
        valence / "f.parquet", valence / "l.csv", valence / "out", column="valence", c=(0.01, 0.1, 1.0), times=500
    )
    assert again["results"] == told["results"]


def test_the_report_of_numbers(valence, told, capsys):
    page = (valence / "out" / "report.html").read_text(encoding="utf-8")
    assert page.count("<svg") == 2 + 3
    assert page.count("<circle") == 3 + 3 * 8 + 3 * 96
    assert "valence, as labelled" in page
    assert "concordance" in methods(told)
    assert "96 clips of 8 speakers were used (1.0" in methods(told)
    terminal(told)
    assert "RMSE" in capsys.readouterr().out


def test_numbers_by_other_ways(valence, tmp_path):
    table, labels = valence / "f.parquet", valence / "l.csv"
    both = evaluate(
        table, labels, column="valence", sets=("good",), classifiers=("svr", "ridge"), c=(1.0,), times=200,
        protocol="kfold:4", repeats=2,
    )  # fmt: skip
    assert {r["classifier"] for r in both["results"]} == {"svr", "ridge"}
    assert all(r["ccc"]["value"] > 0.9 for r in both["results"])
    crossed = evaluate(
        table, labels, column="valence", sets=("good",), test=(str(table), str(labels)), c=(1.0,), times=200,
        allow_leakage=True,
    )  # fmt: skip
    assert crossed["results"][0]["ccc"]["value"] > 0.9
    assert "p_mcnemar" not in crossed
    forced = evaluate(table, labels, column="valence", sets=("good",), task="classification", c=(1.0,), times=200)
    assert forced["task"] == "classification"
    few = [r | {"valence": round(float(r["valence"]))} for r in numbers()]
    rounded = write_labels(tmp_path / "few.csv", few)
    found = evaluate(table, rounded, column="valence", sets=("good",), c=(1.0,), times=200)
    assert found["task"] == "classification"
    assert any("holds 5 different numbers and is taken for classes" in line for line in found["remarks"])
    found = evaluate(table, rounded, column="valence", sets=("good",), task="regression", c=(1.0,), times=200)
    assert found["results"][0]["ccc"]["value"] > 0.9


def test_regressions_of_noise_tell_nothing():
    """CCC is about 0, or a little below: such predictions are the mean of the training part, which is low where the
    labels of the speaker that is left out are high."""
    from dsfx.evaluate import scores, statistics
    from dsfx.evaluate.classifiers import classifier_of, learn
    from dsfx.evaluate.protocols import make_protocol

    random = np.random.default_rng(0)
    values, covered, above = [], 0, 0
    for run in range(60):
        rows = numbers(8, 8, seed=run)
        y = np.array([float(row["valence"]) for row in rows])
        speakers = np.array([str(row["speaker"]) for row in rows])
        x = random.normal(size=(len(y), 5)).astype(np.float32)
        folds = make_protocol("loso", y, speakers).folds
        predicted = np.empty_like(y)
        for fold in folds:
            classifier = classifier_of("ridge", (0.01,))
            predicted[fold.test] = learn(x, y, speakers, fold.train, fold.test, classifier).predicted
        task = scores.task_of(y)
        widen = statistics.overlap([(len(fold.train), len(fold.test)) for fold in folds])
        sums = task.sums(y, predicted, speakers, sorted(set(speakers.tolist())))
        ccc = statistics.interval(sums, task.scores, times=300, seed=run, widen=widen)[0]
        values.append(ccc.value)
        covered += ccc.low <= 0 <= ccc.high
        above += ccc.low > 0
    assert -0.1 < np.mean(values) < 0.02
    # 97.5 % in 60 runs: more than 5 above 0 would happen by chance once in 300 times.
    assert above <= 5, f"{above} of 60 intervals of noise are above 0"
    assert covered >= 48, f"covered {covered} of 60"


def test_windows_are_averaged(tmp_path):
    rows = numbers()
    x = np.repeat(linear(rows), 3, axis=0)
    x += np.random.default_rng(0).normal(size=x.shape)
    spans = [(k * 10**9, (k + 1) * 10**9) for _ in rows for k in range(3)]
    table = write_table(tmp_path / "w.parquet", {"A": x}, [str(r["file"]) for r in rows for _ in range(3)], spans=spans)
    labels = write_labels(tmp_path / "l.csv", rows)
    each, voted = (
        evaluate(table, labels, column="valence", vote=vote, c=(0.01,), times=200)["results"][0]
        for vote in (False, True)
    )
    assert (each["clips"], voted["clips"]) == (288, 96)
    assert voted["rmse"]["value"] < each["rmse"]["value"]


def test_three_numbers(tmp_path):
    rows = [{"file": f"{i}.wav", "speaker": f"s{i}", "valence": i} for i in range(3)]
    table = write_table(tmp_path / "t.parquet", {"A": np.eye(3)}, [str(r["file"]) for r in rows])
    labels = write_labels(tmp_path / "l.csv", rows)
    found = evaluate(table, labels, tmp_path / "out", column="valence", task="regression", times=200)
    assert found["results"][0]["clips"] == 3


# Leakage -------------------------------------------------------------------------------------------------------------


def test_a_planted_leak_is_refused(folder, tmp_path, capsys):
    from tiny import tiny_model

    rows = clips()
    model = tiny_model(tmp_path / "knows")
    seen = [f"{i:016x}" for i in range(1, 11)]
    (model / "hashes.txt").write_text("\n".join(seen) + "\n")
    from dsfx.deep import load_model

    identity = json.dumps({"deep:knows": load_model(model).sha256})
    table = write_table(
        tmp_path / "d.parquet",
        {"deep:knows": informative(rows)},
        [str(r["file"]) for r in rows],
        metadata={"sets": identity},
    )
    labels = folder / "corpus" / "l.csv"
    with pytest.raises(
        InputError, match=r"deep:knows: its model knows was trained on 10 of the 72 evaluated clips; --all"
    ):
        evaluate(table, labels, models=(str(model),), c=C)
    out = tmp_path / "out"
    found = evaluate(table, labels, out, models=(str(model),), allow_leakage=True, c=C, times=200)
    line = "LEAK: deep:knows: its model knows was trained on 10 of the 72 evaluated clips"
    assert line in found["warnings"]
    assert line in json.loads((out / "results.json").read_text())["warnings"]
    assert f'<p class="warn">{line}' in (out / "report.html").read_text()
    import pyarrow.parquet as pq

    assert line in pq.read_schema(out / "predictions.parquet").metadata[b"warnings"].decode()
    terminal(found)
    assert f"WARNING: {line}" in " ".join(capsys.readouterr().out.split("\n"))
    # Without the model's folder a leak cannot be told, and that is said.
    blind = evaluate(table, labels, c=C, times=200)
    assert "which clips its model was trained on is unknown" in blind["warnings"][0]
    # A model that has not seen a clip is fine.
    (model / "hashes.txt").write_text("f" * 16 + "\n")
    assert evaluate(table, labels, models=(str(model),), c=C, times=200)["warnings"] == []


def test_equal_audio_on_both_sides_is_refused(folder, tmp_path):
    rows = clips()
    hashes = [f"{i:016x}" for i in range(1, len(rows) + 1)]
    hashes[70] = hashes[2]
    table = write_table(tmp_path / "d.parquet", {"A": informative(rows)}, [str(r["file"]) for r in rows], hashes=hashes)
    labels = folder / "corpus" / "l.csv"
    with pytest.raises(
        InputError, match=r"LEAK: 1 pairs of clips with equal audio are divided .* s0/calm-2\.wav and s5/"
    ):
        evaluate(table, labels, c=C)
    found = evaluate(table, labels, allow_leakage=True, c=C, times=200)
    assert found["warnings"][0].startswith("LEAK: 1 pairs")
    assert any("equal audio and different labels" in line for line in found["remarks"])
    # Twice the same speaker is no leak where speakers are not divided.
    hashes[70] = f"{99:016x}"
    hashes[1] = hashes[2]
    table = write_table(tmp_path / "e.parquet", {"A": informative(rows)}, [str(r["file"]) for r in rows], hashes=hashes)
    assert evaluate(table, labels, c=C, times=200)["warnings"] == []


# Bad input -----------------------------------------------------------------------------------------------------------


def bad(change):
    rows = clips()
    return [change(dict(row)) for row in rows]


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (lambda r: r | {"file": "x" + str(r["file"])}, {}, "none of its 72 rows has a label"),
        (lambda r: r | {"emotion": ""}, {}, "the labels name nothing"),
        (lambda r: r | {"emotion": "calm"}, {}, "all 72 labelled clips are 'calm', expected at least two classes"),
        (lambda r: r | {"speaker": "me"}, {}, "all clips are of one speaker (me)"),
        (lambda r: {k: v for k, v in r.items() if k != "speaker"}, {}, "--group names it"),
        (
            lambda r: r | {"speaker": "" if r["speaker"] == "s3" else r["speaker"]},
            {},
            "12 labelled clips have an empty",
        ),
        (
            lambda r: r | {"emotion": "1" if r["emotion"] == "calm" else r["emotion"]},
            {},
            "mixes numbers and words (1 and",
        ),
        (lambda r: r, {"task": "regression"}, "--task regression needs numbers, and the column 'emotion' holds 'calm'"),
        (
            lambda r: r | {"emotion": 3},
            {"task": "regression"},
            "all 72 labelled clips are '3', expected at",
        ),
        (lambda r: r, {"task": "ranking"}, "--task ranking: expected auto"),
        (
            lambda r: r,
            {"classifiers": ("ridge",)},
            "--classifier ridge: is for regression, and the column 'emotion' is",
        ),
        (lambda r: r, {"column": "mood"}, "no column 'mood'"),
        (lambda r: r, {"sets": ("B",)}, "no set 'B' in the tables; there are A"),
        (lambda r: r, {"times": 3}, "--bootstrap 3"),
        (lambda r: r, {"jobs": -1}, "--jobs -1"),
        (lambda r: r, {"models": ("nowhere",)}, "no model 'nowhere'"),
        (lambda r: r, {"save": True, "standardise": "speaker"}, "--save: a stored classifier"),
    ],
)
def test_bad_input_is_one_clear_line(tmp_path, change, options, message):
    table = write_table(tmp_path / "t.parquet", {"A": informative(clips())}, [str(r["file"]) for r in clips()])
    labels = write_labels(tmp_path / "l.csv", bad(change))
    with pytest.raises(DsfxError) as caught:
        evaluate(table, labels, c=C, **options)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_three_rows(tmp_path):
    rows = [{"file": f"{i}.wav", "speaker": f"s{i}", "emotion": "ab"[i % 2]} for i in range(3)]
    table = write_table(tmp_path / "t.parquet", {"A": np.eye(3)}, [str(r["file"]) for r in rows])
    found = evaluate(table, write_labels(tmp_path / "l.csv", rows), tmp_path / "out", times=200)
    assert found["results"][0]["clips"] == 3
    assert "fold s1: no clip of the class b is in the training part" in found["warnings"][0]


def test_missing_values_and_constant_columns_are_counted(tmp_path):
    rows = clips()
    x = informative(rows, 8, 1.5)
    x[:, 0], x[::5, 1], x[:, 2] = 3.0, np.nan, np.nan
    table = write_table(tmp_path / "t.parquet", {"A": x}, [str(r["file"]) for r in rows])
    found = evaluate(table, write_labels(tmp_path / "l.csv", rows), c=C, times=200)
    assert "A: 87 missing values, replaced by the mean of the training part" in found["remarks"]
    assert "A: 2 of 8 columns are constant and tell nothing" in found["remarks"]
    assert found["results"][0]["ua"]["value"] > 0.7
    assert all(fold["imputed"] >= 60 for fold in found["results"][0]["folds"])


def test_a_class_that_only_one_speaker_has(tmp_path):
    rows = [
        r | {"emotion": "only" if r["speaker"] == "s1" and i % 5 == 0 else r["emotion"]} for i, r in enumerate(clips())
    ]
    table = write_table(tmp_path / "t.parquet", {"A": informative(clips())}, [str(r["file"]) for r in rows])
    found = evaluate(table, write_labels(tmp_path / "l.csv", rows), c=C, times=200)
    assert found["warnings"] == [
        "fold s1: no clip of the class only is in the training part, so its clips in the test part count as errors"
    ]
    assert found["results"][0]["recall"]["only"] == 0


# The page and the command --------------------------------------------------------------------------------------------


def test_the_report_is_self_contained(folder, found):
    page = (folder / "out" / "report.html").read_text(encoding="utf-8")
    assert "http://" not in page.replace("http://www.w3.org/2000/svg", "")
    assert "https://" not in page
    assert "fair&lt;b&gt;" in page
    assert "fair<b>" not in page
    for label in CLASSES:
        assert label in page
    assert methods(found).startswith("72 clips of 6 speakers were used (calm 24, trist 24, Ärger 24).")


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize(("kind", "expected"), [("folder", (2, 3 + 18)), ("valence", (5, 3 + 24 + 288))])
def test_the_report_in_a_browser(request, found, told, tmp_path, width, kind, expected):
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        pytest.skip("needs chromium")
    page = (request.getfixturevalue(kind) / "out" / "report.html").read_text(encoding="utf-8")
    # The page measures itself: every picture has a size, and nothing is wider than the window.
    probe = """<script>addEventListener("load", () => {
      const boxes = [...document.querySelectorAll("svg")].map(s => s.getBoundingClientRect());
      const marks = [...document.querySelectorAll("svg circle")].map(s => s.getBoundingClientRect().width);
      document.title = JSON.stringify({pictures: boxes.length, small: boxes.filter(b => b.width < 200 || b.height < 60)
        .length, marks: marks.filter(w => w > 2).length,
        over: document.documentElement.scrollWidth - document.documentElement.clientWidth});
    });</script>"""
    (tmp_path / "page.html").write_text(page.replace("</body>", f"{probe}</body>"), encoding="utf-8")
    done = subprocess.run(
        [
            *(browser, "--headless", "--no-sandbox", "--disable-gpu", f"--window-size={width},1200", "--dump-dom"),
            *("--enable-logging=stderr", f"--user-data-dir={tmp_path / 'profile'}", f"file://{tmp_path / 'page.html'}"),
        ],
        text=True,
        capture_output=True,
        timeout=120,
        check=True,
    )
    measured = json.loads(done.stdout.split("<title>")[1].split("</title>")[0].replace("&quot;", '"'))
    assert measured == {"pictures": expected[0], "small": 0, "marks": expected[1], "over": 0}
    assert "CONSOLE" not in done.stderr


def test_the_command(folder, tmp_path):
    command = [sys.executable, "-m", "dsfx", "evaluate", "f.parquet", "corpus/l.csv", "-o", str(tmp_path / "out")]
    done = subprocess.run(
        [*command, "--set", "good", "--protocol", "random:3", "--c", "0.1,1"],
        cwd=folder,
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "WARNING: RANDOM FOLDS" in done.stdout
    assert "linear-svm" in done.stdout
    assert {p.name for p in (tmp_path / "out").iterdir()} >= {"report.html", "results.json", "predictions.parquet"}
    assert "dsfx evaluate f.parquet" in (tmp_path / "out" / "report.html").read_text()
    done = subprocess.run([*command, "--c", "none"], cwd=folder, text=True, capture_output=True, check=False)
    assert done.returncode == 2
    assert "expected numbers such as" in done.stderr
    (tmp_path / "file").write_text("")
    command[-1] = str(tmp_path / "file")
    done = subprocess.run(command, cwd=folder, text=True, capture_output=True, check=False)
    assert done.returncode == 2
    assert "expected a folder that can be written" in done.stderr


def test_without_scikit_learn_the_extra_is_named(monkeypatch):
    from dsfx.errors import MissingExtra

    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(MissingExtra, match=r"evaluation needs sklearn: pip install 'dsfx\[evaluate\]'"):
        evaluate("f.parquet", "l.csv")


def test_wrong_options_of_python():
    with pytest.raises(ConfigError, match="expected global or speaker"):
        evaluate("f.parquet", "l.csv", standardise="both")
