import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from dsfx.deep import load_model
from dsfx.errors import AudioError, ConfigError, InputError, MissingExtra, OutputError
from dsfx.frontend import FrontEnd
from dsfx.train import train, training
from dsfx.train.augment import Augmentation
from dsfx.train.data import load_clips
from dsfx.train.fit import Recipe, fit, infer
from dsfx.train.network import Layers

RATE = 16000
FRONT_END = FrontEnd(sampling_rate=RATE, n_mels=24, fft_length=512)
LAYERS = Layers(channels=(4, 6, 8), filters=5, units=7, attention=6, dense=9)
SMALL = {"front_end": FRONT_END, "layers": LAYERS}
CLASSES = {"high": 3000, "low": 300, "middle": 1000}


def corpus(folder: Path, speakers: int = 3, takes: int = 3) -> Path:
    """Tones in noise: the class is the pitch, each speaker has a level and a detuning of their own."""
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True)
    lines = ["file,speaker,gender,emotion,language"]
    for speaker in range(speakers):
        for label, hertz in CLASSES.items():
            for take in range(takes):
                size = int(rng.uniform(0.4, 0.8) * RATE)
                tone = np.sin(2 * np.pi * hertz * (1 + 0.05 * speaker) * np.arange(size) / RATE)
                name = f"{label}-{speaker}-{take}.wav"
                soundfile.write(folder / name, 0.1 * (speaker + 1) * tone + rng.normal(scale=0.02, size=size), RATE)
                lines.append(f"{name},s{speaker},f,{label},xx")
    path = folder / "labels.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return corpus(tmp_path_factory.mktemp("corpus") / "tones")


@pytest.fixture(scope="module")
def trained(labels: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("models") / "tones"
    recipe = Recipe(batch=8, learning_rate=0.02)
    return train(
        labels, output, epochs=12, folds="loso", seed=1, licence="MIT", recipe=recipe, notes=["A toy."], **SMALL
    )


def test_the_folder_is_a_model(trained: Path, labels: Path) -> None:
    assert sorted(path.name for path in trained.iterdir()) == [
        "README.md",
        "folds.csv",
        "hashes.txt",
        "model.onnx",
        "model.toml",
    ]
    assert not trained.with_name("tones.part").exists()
    model = load_model(trained)
    assert (model.name, model.licence, model.labels) == ("tones", "MIT", ("high", "low", "middle"))
    assert model.front_end == FRONT_END
    assert model.dim == LAYERS.n_features
    assert model.table["training"]["epochs"] == 12
    assert model.table["training"]["onnx_difference"] <= 1e-5
    assert model.table["corpora"][0]["files"] == 27
    clips = load_clips(labels, FRONT_END)
    assert (trained / "hashes.txt").read_text().split() == sorted({clip.hash for clip in clips})


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


def test_the_card_says_it_all(trained: Path) -> None:
    card = " ".join((trained / "README.md").read_text(encoding="utf-8").split())
    model = load_model(trained)
    for part in (
        "# tones",
        "Licence: MIT",
        model.sha256,
        "12 epochs",
        "24 mel bands",
        "UAR",
        "| s2 | 9 |",
        "* A toy.",
        f"{100 * model.table['metrics']['uar']:.1f} %",
        "After Zhao et al.",
    ):
        assert part in card, part


def test_a_seed_gives_the_same_model_and_another_seed_another(labels: Path, tmp_path: Path) -> None:
    def run(name: str, seed: int) -> str:
        return load_model(train(labels, tmp_path / name, epochs=2, seed=seed, **SMALL)).sha256

    assert run("a", 3) == run("b", 3)
    assert run("c", 4) != run("a2", 3)


def test_no_fold_hears_its_speakers(labels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clips = load_clips(labels, FRONT_END)
    known = {clip.rows.tobytes(): clip.speaker for clip in clips}
    heard = []

    def spy(rows, *args, **kwargs):
        heard.append({known[item.tobytes()] for item in rows})
        return fit(rows, *args, **kwargs)

    monkeypatch.setattr(training, "fit", spy)
    train(labels, tmp_path / "m", epochs=1, folds=2, **SMALL)
    assert heard == [{"s1"}, {"s0", "s2"}, {"s0", "s1", "s2"}]


def test_a_cut_off_run_goes_on(labels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(line: str) -> None:
        if line.startswith("without s1: UAR"):
            raise KeyboardInterrupt

    settings = {"epochs": 1, "folds": "loso", **SMALL}
    with pytest.raises(KeyboardInterrupt):
        train(labels, tmp_path / "m", report=stop, **settings)
    assert not (tmp_path / "m").exists()
    lines: list[str] = []
    train(labels, tmp_path / "m", report=lines.append, **settings)
    assert not any(line.startswith(("without s0", "without s1")) for line in lines)
    assert any(line.startswith("without s2") for line in lines)
    train(labels, tmp_path / "whole", **settings)
    for name in ("model.onnx", "folds.csv"):
        assert (tmp_path / "m" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_folds_of_another_configuration_are_not_used(labels: Path, tmp_path: Path) -> None:
    def stop(line: str) -> None:
        if line.startswith("without s0: UAR"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(labels, tmp_path / "m", epochs=1, folds="loso", report=stop, **SMALL)
    lines: list[str] = []
    train(labels, tmp_path / "m", epochs=1, folds="loso", seed=9, report=lines.append, **SMALL)
    assert any(line.startswith("without s0: UAR") for line in lines)


def test_existing_folders_are_kept(labels: Path, tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "mine.txt").write_text("precious")
    with pytest.raises(OutputError, match=r"exists already.*--overwrite"):
        train(labels, tmp_path / "m", epochs=1, **SMALL)
    assert (tmp_path / "m" / "mine.txt").exists()
    train(labels, tmp_path / "m", epochs=1, overwrite=True, **SMALL)
    assert load_model(tmp_path / "m").name == "m"


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"epochs": 0}, ConfigError, "0 epochs"),
        ({"folds": 1}, ConfigError, "1 folds over 3 speakers"),
        ({"folds": 4}, ConfigError, "4 folds over 3 speakers"),
        ({"folds": "all"}, ConfigError, "folds is 'all'"),
        ({"threads": 0}, ConfigError, "threads is 0"),
        ({"column": "mood"}, InputError, "no column 'mood'"),
        (
            {"front_end": FrontEnd(sampling_rate=RATE, window_length=0.5, fft_length=8192, hop=0.1)},
            AudioError,
            "at least",
        ),
    ],
)
def test_bad_options(labels: Path, tmp_path: Path, options: dict, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message) as caught:
        train(labels, tmp_path / "m", **{"epochs": 1, **SMALL, **options})
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "m").exists()


def test_a_loss_that_is_not_finite(labels: Path, tmp_path: Path) -> None:
    recipe = Recipe(learning_rate=1e30)
    with pytest.raises(ConfigError, match=r"the loss is .* a lower learning rate helps"):
        train(labels, tmp_path / "m", epochs=5, recipe=recipe, **SMALL)


def test_silence_can_be_trained_on(tmp_path: Path) -> None:
    lines = ["file,speaker,emotion"]
    for index in range(4):
        soundfile.write(tmp_path / f"{index}.wav", np.zeros(8000), RATE)
        lines.append(f"{index}.wav,s{index % 2},{'ab'[index // 2]}")
    (tmp_path / "labels.csv").write_text("\n".join(lines))
    model = load_model(train(tmp_path / "labels.csv", tmp_path / "m", epochs=1, **SMALL))
    assert np.isfinite(model.embed([np.zeros(8000)])).all()


def test_infer_does_not_depend_on_the_batch(labels: Path) -> None:
    clips = load_clips(labels, FRONT_END)
    rows = [clip.rows for clip in clips]
    targets = np.arange(len(rows)) % 3
    network = fit(rows, targets, 3, front_end=FRONT_END, layers=LAYERS, recipe=Recipe(epochs=1), seed=0)
    features, posteriors = infer(network, rows, FRONT_END, batch=32)
    for other in infer(network, rows, FRONT_END, batch=1), infer(network, rows, FRONT_END, batch=5):
        np.testing.assert_allclose(other[0], features, rtol=0, atol=1e-6)
        np.testing.assert_allclose(other[1], posteriors, rtol=0, atol=1e-6)


def test_threads_are_put_back(labels: Path, tmp_path: Path) -> None:
    before = torch.get_num_threads()
    train(labels, tmp_path / "m", epochs=1, threads=before + 1, **SMALL)
    assert torch.get_num_threads() == before


@pytest.mark.parametrize("absent", ["torch", "onnx"])
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


def test_augmentation_is_part_of_what_resuming_compares() -> None:
    assert repr(Recipe()) != repr(Recipe(augmentation=Augmentation(warp=0.2)))
