"""Every model that ships, one by one."""

import csv
import re
from hashlib import blake2b
from pathlib import Path

import numpy as np
import pytest

from dsfx.deep import DEFAULT, catalogue, load_model

DATA = Path(__file__).parents[2] / "shared" / "data"
NAMES = sorted(catalogue())


def test_the_default_ships() -> None:
    assert DEFAULT in NAMES
    assert load_model().name == DEFAULT


@pytest.mark.parametrize("name", NAMES)
class TestModel:
    def test_small_complete_and_named_as_its_folder(self, name: str) -> None:
        model = load_model(name)
        assert model.name == name
        for file in ("README.md", "hashes.txt", "folds.csv"):
            assert (model.folder / file).is_file()
        assert sum(path.stat().st_size for path in model.folder.iterdir()) < 5e6

    def test_features(self, name: str) -> None:
        model = load_model(name)
        rng = np.random.default_rng(0)
        sizes = [model.min_samples, model.min_samples + 1, 30000, 45000, 100001]
        signals = [rng.normal(scale=0.05, size=size).astype(np.float32) for size in sizes]
        together = model.embed([*signals, np.zeros(model.min_samples - 1)])
        assert together.shape == (6, len(model.columns))
        assert np.isfinite(together[:-1]).all()
        assert np.isnan(together[-1]).all()
        for signal, expected in zip(signals, together, strict=False):
            np.testing.assert_allclose(model.embed([signal])[0], expected, rtol=0, atol=1e-6)

    def test_card(self, name: str) -> None:
        model = load_model(name)
        card = " ".join((model.folder / "README.md").read_text(encoding="utf-8").split())
        metrics = model.table["metrics"]
        for part in (model.sha256, model.licence, "## Data", "## Front end", "## Network", "## Training", "## Use and"):
            assert part in card
        assert f"**UAR {100 * metrics['uar']:.1f} %, WA {100 * metrics['wa']:.1f} %**" in card

    def test_metrics_follow_from_the_folds(self, name: str) -> None:
        model = load_model(name)
        with (model.folder / "folds.csv").open(encoding="utf-8") as handle:
            rows = list(csv.DictReader(handle))
        labels = list(model.labels)
        metrics = model.table["metrics"]
        sizes = {corpus["name"]: corpus["files"] for corpus in model.table["corpora"]}
        assert [corpus["name"] for corpus in metrics["corpora"]] == list(sizes)
        for corpus in metrics["corpora"]:
            confusion = np.zeros((len(labels), len(labels)), dtype=int)
            for row in rows:
                if row["corpus"] == corpus["name"]:
                    confusion[labels.index(row["class"])] += [int(row[label]) for label in labels]
            assert confusion.sum() == sizes[corpus["name"]]
            there = confusion.sum(axis=1) > 0
            assert there.sum() == corpus["classes"]
            assert np.mean(np.diag(confusion)[there] / confusion.sum(axis=1)[there]) == pytest.approx(
                corpus["uar"], abs=1e-4
            )
            assert np.trace(confusion) / confusion.sum() == pytest.approx(corpus["wa"], abs=1e-4)
        for key in ("uar", "wa"):
            assert metrics[key] == pytest.approx(np.mean([corpus[key] for corpus in metrics["corpora"]]), abs=1e-4)

    def test_hashes(self, name: str) -> None:
        hashes = (load_model(name).folder / "hashes.txt").read_text().split("\n")[:-1]
        assert all(re.fullmatch("[0-9a-f]{16}", line) for line in hashes)
        assert hashes == sorted(set(hashes))


@pytest.mark.skipif(not (DATA / "emodb").is_dir(), reason="needs the development corpora in ../shared/data")
class TestOnEmoDB:
    @staticmethod
    def clips(step: int) -> list[tuple[str, np.ndarray]]:
        import soundfile

        with (DATA / "emodb" / "labels.csv").open(encoding="utf-8") as handle:
            rows = list(csv.DictReader(handle))[::step]
        return [(row["emotion"], soundfile.read(DATA / "emodb" / row["file"], dtype="float32")[0]) for row in rows]

    def test_it_knows_what_it_was_trained_on(self) -> None:
        model = load_model("emodb")
        clips = self.clips(step=9)
        known = set((model.folder / "hashes.txt").read_text().split())
        assert all(blake2b(signal.tobytes(), digest_size=8).hexdigest() in known for _, signal in clips)
        right = [model.labels[int(model.view(signal).posteriors.argmax())] == label for label, signal in clips]
        assert np.mean(right) > 0.9

    @pytest.mark.slow
    def test_features_of_every_clip_alone_and_together(self) -> None:
        model = load_model("emodb")
        signals = [signal for _, signal in self.clips(step=1)]
        together = model.embed(signals)
        assert len(together) == 535
        assert np.isfinite(together).all()
        alone = np.concatenate([model.embed([signal]) for signal in signals])
        np.testing.assert_allclose(alone, together, rtol=0, atol=1e-6)
        backwards = model.embed(signals[::-1])[::-1]
        np.testing.assert_allclose(backwards, together, rtol=0, atol=1e-6)
        assert np.unique(together, axis=0).shape == together.shape
