import csv
import os
import signal
import subprocess
import sys
import time
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile
import torch
from tones import CLASSES, CONFIG, RATE, corpus

import dsfx
from dsfx.deep import load_model
from dsfx.errors import AudioError, ConfigError, DsfxError, InputError, MissingExtra, ModelError, OutputError
from dsfx.evaluate.tables import open_table
from dsfx.frontend import FrontEnd
from dsfx.train import train, work
from dsfx.train.config import Configuration, read_config
from dsfx.train.data import load, read_corpora
from dsfx.train.fit import fit, infer
from dsfx.train.work import Progress


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Configuration:
    path = tmp_path_factory.mktemp("config") / "c.toml"
    path.write_text(CONFIG)
    return read_config(path)


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return corpus(tmp_path_factory.mktemp("corpus") / "tones")


@pytest.fixture(scope="module")
def trained(labels: Path, config: Configuration, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("models") / "tones"
    return train(
        labels, output, config=config, epochs=15, folds="loso", seed=1, licence="MIT", notes=["A toy."], jobs=2
    )


@pytest.fixture(scope="module")
def several(config: Configuration, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("several")
    tables = [corpus(folder / "one", 3, 2), corpus(folder / "another", 2, 2, ["high", "low"])]
    options = {"corpora": ["first", "second"], "corpus_licences": ["MIT", "CC0"], "references": ["A 2001", "B 2002"]}
    return train(tables, folder / "m", config=config, epochs=3, folds=2, **options)


def test_the_folder_is_a_model(trained: Path, labels: Path, config: Configuration) -> None:
    assert sorted(str(path.relative_to(trained)) for path in trained.rglob("*")) == [
        "README.md",
        "confusion.png",
        "folds",
        "folds.csv",
        *[f"folds/fold-{number:02d}.{kind}" for number in range(3) for kind in ("npz", "parquet")],
        "hashes.txt",
        "learning-curves.csv",
        "learning-curves.png",
        "model.onnx",
        "model.toml",
        "oof.parquet",
        "weights.npz",
    ]
    assert not trained.with_name("tones.part").exists()
    model = load_model(trained)
    assert (model.name, model.licence, model.labels) == ("tones", "MIT", ("high", "low", "middle"))
    assert model.front_end == config.front_end
    assert model.dim == config.layers.n_features
    assert model.table["training"]["best_epochs"] == [model.table["training"]["epochs"]] == [15]
    assert model.table["training"]["onnx_difference"] <= 1e-5
    assert model.table["corpora"][0]["files"] == 27
    clips = [item.clip for item in load(read_corpora([labels]), config.front_end)]
    assert (trained / "hashes.txt").read_text().split() == sorted({clip.hash for clip in clips})
    assert len((trained / "learning-curves.csv").read_text().splitlines()) == 1 + 4 * 15


def test_it_has_learned_something(trained: Path, labels: Path) -> None:
    model = load_model(trained)
    right = []
    for path in sorted(labels.parent.glob("*.wav")):
        signal = soundfile.read(path, dtype="float32")[0]
        right.append(model.labels[int(model.view(signal).posteriors.argmax())] == path.name.split("-")[0])
    assert np.mean(right) > 0.8
    assert model.table["metrics"]["uar"] > 0.6


def test_metrics_follow_from_the_folds(trained: Path) -> None:
    with (trained / "folds.csv").open() as handle:
        rows = list(csv.DictReader(handle))
    names = list(CLASSES)
    metrics = load_model(trained).table["metrics"]

    def judge(rows: list[dict[str, str]]) -> tuple[int, float, float]:
        counts = {
            name: np.sum([[int(row[n]) for n in names] for row in rows if row["class"] == name], 0) for name in names
        }
        recalls = [counts[name][names.index(name)] / counts[name].sum() for name in names]
        total = sum(int(count.sum()) for count in counts.values())
        right = sum(int(counts[name][names.index(name)]) for name in names)
        return total, round(float(np.mean(recalls)), 4), round(right / total, 4)

    assert judge(rows) == (27, metrics["uar"], metrics["wa"])
    for speaker in metrics["speakers"]:
        own = [row for row in rows if row["speaker"] == speaker["speaker"]]
        assert judge(own) == (speaker["files"], speaker["uar"], speaker["wa"])


def test_tables_of_the_folds(trained: Path, labels: Path) -> None:
    oof = pq.read_table(trained / "oof.parquet").to_pandas()
    assert oof["file"].tolist() == [f"tones/{row.split(',')[0]}" for row in labels.read_text().splitlines()[1:]]
    assert (oof["end"].dt.total_seconds() > 0.39).all()
    assert set(oof["corpus"]) == {"tones"}
    assert (oof["label"] == [file.split("/")[1].split("-")[0] for file in oof["file"]]).all()
    deep = [name for name in oof if name.startswith("deep_")]
    posteriors = [f"posterior_{name}" for name in CLASSES]
    assert len(deep) == load_model(trained).dim
    np.testing.assert_allclose(oof[posteriors].sum(axis=1), 1, atol=1e-5)
    right = np.array(list(CLASSES))[oof[posteriors].to_numpy().argmax(axis=1)] == oof["label"]
    assert right.mean() == pytest.approx(load_model(trained).table["metrics"]["wa"], abs=1e-4)
    for number in range(3):
        others = pq.read_table(trained / "folds" / f"fold-{number:02d}.parquet").to_pandas()
        own = oof[oof["fold"] == f"{number:02d}"]
        assert set(others["fold"]) == {f"{number:02d}"}
        assert set(own["speaker"]) == {f"s{number}"}
        assert not set(own["speaker"]) & set(others["speaker"])
        assert sorted([*own["file"], *others["file"]]) == sorted(oof["file"])
        # Of the same clips, another extractor's features are others.
        again = oof.set_index("file").loc[others["file"], deep].to_numpy()
        assert np.abs(again - others[deep].to_numpy()).max() > 0.01
    frame = dsfx.read(trained / "oof.parquet", "deep")
    assert frame.shape == (27, len(deep))
    assert dsfx.read(trained / "oof.parquet").shape == (27, len(deep) + 3)


def test_the_card_says_it_all(trained: Path) -> None:
    card = " ".join((trained / "README.md").read_text(encoding="utf-8").split())
    model = load_model(trained)
    for part in (
        "# tones",
        "Licence: MIT",
        model.sha256,
        "| epochs | 15 |",
        "24 mel bands",
        "UAR",
        "| s2 | 9 |",
        "* A toy.",
        f"{100 * model.table['metrics']['uar']:.1f} %",
        "After Zhao et al.",
        "95 % interval",
    ):
        assert part in card, part


def test_several_corpora(several: Path) -> None:
    table = load_model(several).table
    assert [c["name"] for c in table["corpora"]] == ["first", "second"]
    assert [c["labels"] for c in table["corpora"]] == [["high", "low", "middle"], ["high", "low"]]
    assert [c["licence"] for c in table["corpora"]] == ["MIT", "CC0"]
    assert [c["reference"] for c in table["corpora"]] == ["A 2001", "B 2002"]
    assert table["labels"] == ["high", "low", "middle"]
    assert [(c["name"], c["classes"], c["files"]) for c in table["metrics"]["corpora"]] == [
        ("first", 3, 18),
        ("second", 2, 8),
    ]
    oof = pq.read_table(several / "oof.parquet").to_pandas()
    assert oof.groupby(["corpus", "speaker"])["fold"].nunique().eq(1).all()
    assert oof.groupby("fold")["corpus"].nunique().eq(2).all()
    with (several / "folds.csv").open() as handle:
        assert not any(int(row["middle"]) for row in csv.DictReader(handle) if row["corpus"] == "second")
    card = (several / "README.md").read_text()
    assert "| second | 2 | 8 |" in card
    assert "| second/s1 |" in card


def test_a_seed_gives_the_same_model_and_another_seed_another(
    labels: Path, tmp_path: Path, config: Configuration
) -> None:
    def run(name: str, seed: int) -> str:
        return load_model(train(labels, tmp_path / name, config=config, epochs=2, seed=seed)).sha256

    first = run("a", 3)
    assert first == run("b", 3)
    assert first != run("c", 4)


def test_no_network_hears_whom_it_must_not(
    labels: Path, tmp_path: Path, config: Configuration, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = {item.rows.tobytes(): item.clip.speaker for item in load(read_corpora([labels]), config.front_end)}
    heard = []

    def spy(material, *, held_out, **kwargs):
        heard.append([{known[rows.tobytes()] for rows in part.rows} for part in (material, held_out) if part])
        return fit(material, held_out=held_out, **kwargs)

    monkeypatch.setattr(work, "fit", spy)
    train(labels, tmp_path / "m", config=config, epochs=1, folds=2)
    assert heard == [[{"s1"}], [{"s0", "s2"}], [{"s0", "s1", "s2"}]]
    heard.clear()
    train(labels, tmp_path / "n", config=config, epochs=1, folds="loso", hold_out=1)
    assert len(heard) == 4
    for number, (learned, stopped) in enumerate(heard):
        assert len(learned | stopped) == len(learned) + len(stopped)
        assert f"s{number}" not in learned | stopped
    assert load_model(tmp_path / "n").table["training"]["held_out_speakers"] == [f"tones/{next(iter(heard[3][1]))}"]


def test_corpora_that_no_fold_leaves_out(tmp_path: Path, config: Configuration) -> None:
    tables = [corpus(tmp_path / "one", 3, 2), corpus(tmp_path / "another", 2, 2, ["high", "low"])]
    options = {"config": config, "epochs": 2, "folds": "loso"}
    found = train(tables, tmp_path / "m", fold_corpora=["one"], **options)
    unheard = pq.read_table(found / "oof.parquet").to_pandas()
    assert set(unheard["corpus"]) == {"one"}
    assert len(unheard) == 3 * 3 * 2
    assert not unheard.isna().any().any()
    assert sorted(path.name for path in (found / "folds").glob("*.parquet")) == [f"fold-0{k}.parquet" for k in range(3)]
    for number in range(3):
        heard = pq.read_table(found / "folds" / f"fold-0{number}.parquet").to_pandas()
        assert (heard["corpus"] == "another").sum() == 2 * 2 * 2
        assert set(heard["speaker"][heard["corpus"] == "one"]) == {"s0", "s1", "s2"} - {f"s{number}"}
    table = load_model(found).table
    assert [each["name"] for each in table["corpora"]] == ["one", "another"]
    assert [each["name"] for each in table["metrics"]["corpora"]] == ["one"]
    # Who has heard corpora that are not left out may be begun with.
    first = train(tables[1], tmp_path / "first", config=config, epochs=1)
    train(tables, tmp_path / "n", fold_corpora=["one"], start=first, **options)
    with pytest.raises(ConfigError, match="--start: first .* has learned from 8 of the 8 clips that the folds leave"):
        train(tables, tmp_path / "o", fold_corpora=["another"], start=first, **options)
    with pytest.raises(ConfigError, match="--fold-corpus two: expected one of one, another"):
        train(tables, tmp_path / "o", fold_corpora=["two"], **options)
    with pytest.raises(ConfigError, match="--fold-corpus: there are no folds; --folds loso"):
        train(tables, tmp_path / "o", config=config, fold_corpora=["one"])


def test_early_stopping(labels: Path, tmp_path: Path, config: Configuration) -> None:
    patient = replace(config, recipe=replace(config.recipe, epochs=30, patience=2, average=0.0))
    training = load_model(train(labels, tmp_path / "m", config=patient, hold_out=1)).table["training"]
    with (tmp_path / "m" / "learning-curves.csv").open() as handle:
        scores = [float(row["held_out"]) for row in csv.DictReader(handle)]
    assert training["best_epochs"] == [best := 1 + int(np.argmax(scores))]
    assert len(scores) in {30, best + 2}
    assert f"epoch {best} of 30" in (tmp_path / "m" / "README.md").read_text()


def test_members(labels: Path, tmp_path: Path, config: Configuration, trained: Path) -> None:
    """Each learns as it would alone, by a seed of its own; features stand side by side, posteriors are averaged."""
    pair = replace(config, layers=replace(config.layers, members=2))
    options = {"epochs": 15, "folds": "loso", "seed": 1}
    both = train(labels, tmp_path / "m", config=pair, jobs=2, **options)
    model = load_model(both)
    assert model.dim == 2 * config.layers.n_features
    assert model.table["training"]["onnx_difference"] <= 1e-5
    assert model.table["training"]["best_epochs"] == [15, 15]
    assert len((both / "learning-curves.csv").read_text().splitlines()) == 1 + 2 * 4 * 15
    assert "2 networks side by side" in " ".join((both / "README.md").read_text().split())
    second = train(labels, tmp_path / "n", config=config, **options | {"seed": 1 + work.STRIDE_OF_SEEDS})
    for name in ("oof.parquet", "folds/fold-01.parquet"):
        tables = [pq.read_table(folder / name).to_pandas() for folder in (both, trained, second)]
        found, *alone = (table.filter(like="deep_").to_numpy() for table in tables)
        np.testing.assert_array_equal(found, np.concatenate(alone, axis=1))
        found, *alone = (table.filter(like="posterior_").to_numpy() for table in tables)
        np.testing.assert_allclose(found, np.mean(alone, axis=0), atol=1e-6)
    for path in [labels.parent / f"high-0-{take}.wav" for take in range(3)]:
        signal = soundfile.read(path, dtype="float32")[0]
        views = [load_model(folder).view(signal) for folder in (both, trained, second)]
        np.testing.assert_allclose(views[0].posteriors, (views[1].posteriors + views[2].posteriors) / 2, atol=1e-5)
    with np.load(both / "weights.npz") as weights, np.load(second / "weights.npz") as other:
        np.testing.assert_array_equal(weights["1/conv1.weight"], other["0/conv1.weight"])


def test_folds_without_a_model(labels: Path, tmp_path: Path, config: Configuration, trained: Path) -> None:
    """The same folds, and what a model is made of is not there; taken up again without the option, it is."""
    options = {"config": config, "epochs": 15, "folds": "loso", "seed": 1}
    alone = train(labels, tmp_path / "m", folds_only=True, **options)
    absent = {path.relative_to(trained) for path in trained.rglob("*")} - {
        path.relative_to(alone) for path in alone.rglob("*")
    }
    assert absent == {Path("model.onnx"), Path("weights.npz")}
    for name in ("oof.parquet", "folds.csv", "folds/fold-01.parquet", "hashes.txt"):
        assert (alone / name).read_bytes() == (trained / name).read_bytes(), name
    found, expected = (tomllib.loads((folder / "model.toml").read_text()) for folder in (alone, trained))
    assert found["metrics"] == expected["metrics"]
    assert set(expected) - set(found) == {"sha256"}
    assert len((alone / "learning-curves.csv").read_text().splitlines()) == 1 + 3 * 15
    assert "No model is here" in (alone / "README.md").read_text()
    with pytest.raises(ModelError, match="no model to extract with; dsfx train without --folds-only makes it"):
        load_model(alone)
    assert open_table(alone).folded

    def stop(progress: Progress) -> None:
        if progress.number == 2 and progress.epoch and progress.epoch.number == 2:
            raise Stop

    with pytest.raises(Stop):
        train(labels, tmp_path / "whole", folds_only=True, on_progress=stop, **options)
    same(train(labels, tmp_path / "whole", **options), trained)


class Stop(Exception):
    pass


def test_a_cut_off_run_goes_on(labels: Path, tmp_path: Path, config: Configuration) -> None:
    def stop(progress: Progress) -> None:
        if progress.number == 2 and progress.epoch and progress.epoch.number == 2:
            raise Stop

    options = {"config": config, "epochs": 3, "folds": "loso"}
    with pytest.raises(Stop):
        train(labels, tmp_path / "m", on_progress=stop, **options)
    assert not (tmp_path / "m").exists()
    seen: list[Progress] = []
    train(labels, tmp_path / "m", on_progress=seen.append, **options)
    assert {progress.part.name for progress in seen} == {"fold-01", "fold-02", "all"}
    train(labels, tmp_path / "whole", **options)
    same(tmp_path / "m", tmp_path / "whole")


def same(one: Path, other: Path) -> None:
    for path in ["model.onnx", "folds.csv", "oof.parquet", "folds/fold-00.parquet", "folds/fold-02.parquet"]:
        assert (one / path).read_bytes() == (other / path).read_bytes(), path


@pytest.mark.parametrize("jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_killed_run_goes_on(labels: Path, tmp_path: Path, jobs: int, trained: Path) -> None:
    (tmp_path / "c.toml").write_text(CONFIG)
    command = [sys.executable, "-m", "dsfx", "train", labels, "-o", tmp_path / "tones", "--config", tmp_path / "c.toml"]
    command += ["--epochs", "15", "--folds", "loso", "--seed", "1", "--jobs", str(jobs)]
    process = subprocess.Popen(list(map(str, command)), stderr=subprocess.PIPE, text=True, bufsize=1)
    assert process.stderr is not None
    for line in process.stderr:
        if "epoch 4/15" in line and line.startswith(f"{jobs}/"):
            break
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stderr.close()
    checkpoints = [*(tmp_path / "tones.part" / "work").glob("*.checkpoint")]
    assert checkpoints
    # Workers end with the process that started them: nothing is written any more.
    time.sleep(1.0)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "tones.part" / "work").iterdir()}
    time.sleep(0.7)
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "tones.part" / "work").iterdir()}
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=True)
    assert "epoch 15/15" in done.stderr
    same(tmp_path / "tones", trained)


def test_an_unfinished_training_with_other_options_is_kept(labels: Path, tmp_path: Path, config: Configuration) -> None:
    def stop(progress: Progress) -> None:
        raise Stop

    with pytest.raises(Stop):
        train(labels, tmp_path / "m", config=config, epochs=2, on_progress=stop)
    with pytest.raises(OutputError, match=r"unfinished training with other options \(seed differ\).*--overwrite"):
        train(labels, tmp_path / "m", config=config, epochs=2, seed=9)
    assert [*(tmp_path / "m.part" / "work").glob("*.checkpoint")]
    train(labels, tmp_path / "m", config=config, epochs=2, seed=9, overwrite=True)
    assert load_model(tmp_path / "m").table["training"]["seed"] == 9


def test_existing_folders_are_kept(labels: Path, tmp_path: Path, config: Configuration) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "mine.txt").write_text("precious")
    with pytest.raises(OutputError, match=r"exists already.*--overwrite"):
        train(labels, tmp_path / "m", config=config, epochs=1)
    assert (tmp_path / "m" / "mine.txt").exists()
    train(labels, tmp_path / "m", config=config, epochs=1, overwrite=True)
    assert load_model(tmp_path / "m").name == "m"


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"epochs": 0}, ConfigError, "epochs is 0"),
        ({"folds": 1}, ConfigError, "1 folds over 3 speakers"),
        ({"folds": "all"}, ConfigError, "--folds all"),
        ({"folds_only": True}, ConfigError, "--folds-only: there are no folds"),
        ({"folds": "column:third"}, InputError, "no column 'third'"),
        ({"threads": 0}, ConfigError, "--threads is 0"),
        ({"jobs": 0}, ConfigError, "--jobs is 0"),
        ({"cache": -1}, ConfigError, "--cache is -1"),
        ({"device": "tpu"}, ConfigError, "--device tpu"),
        ({"column": "mood"}, InputError, "no column 'mood'"),
        ({"column": "language"}, InputError, "1 class"),
        ({"hold_out": 3}, ConfigError, "would take 3 of the 3 speakers of tones"),
        ({"corpora": ["a", "b"]}, ConfigError, "2 names for 1 label tables"),
        (
            {
                "config": Configuration(
                    front_end=FrontEnd(sampling_rate=RATE, window_length=0.5, fft_length=8192, hop=0.1)
                )
            },
            AudioError,
            "at least .* of 27 recordings cannot be trained on",
        ),
    ],
)
def test_bad_options(
    labels: Path,
    tmp_path: Path,
    config: Configuration,
    options: dict[str, object],
    error: type[Exception],
    message: str,
) -> None:
    with pytest.raises(error, match=message) as caught:
        train(labels, tmp_path / "m", **{"epochs": 1, "config": config, **options})
    assert "\n" not in str(caught.value)
    assert not any(tmp_path.iterdir())


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_no_gpu(labels: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--device cuda: torch sees no such device"):
        train(labels, tmp_path / "m", device="cuda")


def test_a_loss_that_is_not_finite(labels: Path, tmp_path: Path, config: Configuration) -> None:
    # Every step makes the weights up to nine times as large.
    steep = replace(config, recipe=replace(config.recipe, learning_rate=1.0, weight_decay=10.0, epochs=30))
    with pytest.raises(ConfigError, match="the loss is") as caught:
        train(labels, tmp_path / "m", config=steep)
    assert "\n" not in str(caught.value)


def test_unusable_recordings_are_refused_or_left_out(tmp_path: Path, config: Configuration) -> None:
    labels = corpus(tmp_path / "tones")
    soundfile.write(labels.parent / "low-0-0.wav", np.zeros(8000), RATE)
    (labels.parent / "high-1-1.wav").write_text("no sound")
    with pytest.raises(AudioError, match=r"2 of 27 recordings cannot be trained on; --skip-unusable"):
        train(labels, tmp_path / "m", config=config, epochs=1)
    notes: list[str] = []
    train(labels, tmp_path / "m", config=config, epochs=1, skip_unusable=True, on_note=notes.append)
    assert load_model(tmp_path / "m").table["corpora"][0]["files"] == 25
    assert len([note for note in notes if note.startswith("left out: ")]) == 2


@pytest.mark.parametrize(
    ("error", "message"), [(MemoryError(), "without s0: out of memory"), (OSError(28, "No space"), "the disk is full")]
)
def test_out_of_memory_or_disk(
    labels: Path,
    tmp_path: Path,
    config: Configuration,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    message: str,
) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise error

    monkeypatch.setattr(work, "infer", fail)
    with pytest.raises(DsfxError, match=message) as caught:
        train(labels, tmp_path / "m", config=config, epochs=1, folds="loso")
    assert "\n" not in str(caught.value)


def test_features_also_tell_functionals(labels: Path, tmp_path: Path, config: Configuration) -> None:
    path = tmp_path / "c.toml"
    path.write_text(f"{CONFIG.replace('auxiliary = 0.0', 'auxiliary = 1.0')}[auxiliary]\ncomponents = 0\n")
    train(labels, tmp_path / "m", config=path, epochs=1)
    assert load_model(tmp_path / "m").table["auxiliary"] == {"functionals": True, "components": 0}
    plain = train(labels, tmp_path / "n", config=config, epochs=1)
    assert load_model(plain).sha256 != load_model(tmp_path / "m").sha256
    assert "functionals of eGeMAPSv02" in (tmp_path / "m" / "README.md").read_text()
    assert not [*(tmp_path / "m").glob("auxiliary*")]


def test_what_has_no_room_in_the_cache_is_computed(labels: Path, tmp_path: Path, config: Configuration) -> None:
    small, large = (train(labels, tmp_path / str(c), config=config, epochs=1, cache=c) for c in (5e-5, 1.0))
    assert load_model(small).sha256 == load_model(large).sha256


def test_infer_does_not_depend_on_the_batch(labels: Path, config: Configuration) -> None:
    rows = [item.rows for item in load(read_corpora([labels]), config.front_end)]
    material = work.Material(
        rows=rows,
        targets=np.arange(len(rows)) % 3,
        corpora=np.zeros(len(rows), dtype=np.int64),
        allowed=np.ones((1, 3), dtype=bool),
    )
    recipe = replace(config.recipe, epochs=1)
    network = fit(material, front_end=config.front_end, layers=config.layers, recipe=recipe, seed=0).network
    features, posteriors = infer(network, rows, config.front_end, batch=32)
    for other in infer(network, rows, config.front_end, batch=1), infer(network, rows, config.front_end, batch=5):
        np.testing.assert_allclose(other[0], features, rtol=0, atol=1e-6)
        np.testing.assert_allclose(other[1], posteriors, rtol=0, atol=1e-6)


def test_threads_are_put_back(
    labels: Path, tmp_path: Path, config: Configuration, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = torch.get_num_threads()
    seen = []

    def spy(*args: object, **kwargs: object) -> None:
        seen.append(torch.get_num_threads())
        raise Stop

    monkeypatch.setattr(work, "fit", spy)
    with pytest.raises(Stop):
        train(labels, tmp_path / "m", config=config, threads=before + 1)
    assert seen == [before + 1]
    assert torch.get_num_threads() == before


@pytest.mark.parametrize("absent", ["torch", "onnx", "matplotlib"])
def test_without_the_extra(absent: str, labels: Path, tmp_path: Path) -> None:
    code = (
        f"import sys; sys.modules[{absent!r}] = None\n"
        "import dsfx.train\n"
        f"try: dsfx.train.train({str(labels)!r}, {str(tmp_path / 'm')!r})\n"
        "except dsfx.train.MissingExtra as error: print(error)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == f"training needs {absent}: pip install 'dsfx[train]' brings it\n"
    assert issubclass(MissingExtra, ImportError)
