import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny import LABELS, tiny_model

from dsfx import deep
from dsfx.errors import ConfigError, ModelError

RATE = 16000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def model(folder: Path) -> deep.Model:
    return deep.load_model(folder)


def noise(size: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(scale=0.1, size=size).astype(np.float32)


def test_model_says_what_it_is(model: deep.Model) -> None:
    assert model.name == "tiny"
    assert model.licence == "Apache-2.0"
    assert model.labels == tuple(LABELS)
    assert model.sampling_rate == RATE
    assert model.dim == 24
    assert model.columns[0] == "deep_000"
    assert model.columns[-1] == "deep_023"
    assert model.min_samples == 512 + 7 * 160
    assert model.max_seconds == 2.0


def test_features_do_not_depend_on_the_batch(model: deep.Model) -> None:
    sizes = [1632, 1633, 1791, 1792, 5000, 5000, 9999, 16000, 31999, 32000, *range(2000, 9000, 170)]
    signals = [noise(size, seed) for seed, size in enumerate(sizes)]
    together = model.embed(signals)
    assert together.dtype == np.float32
    assert np.isfinite(together).all()
    order = np.random.default_rng(1).permutation(len(signals))
    shuffled = model.embed([signals[i] for i in order])
    np.testing.assert_allclose(shuffled, together[order], rtol=0, atol=1e-6)
    for index, signal in enumerate(signals):
        np.testing.assert_allclose(model.embed([signal])[0], together[index], rtol=0, atol=1e-6)


@pytest.mark.parametrize("size", [0, 1, 159, 160, 511, 512, 513, 1631])
def test_too_short_is_nan_and_harms_no_other(model: deep.Model, size: int) -> None:
    good = noise(8000)
    rows = model.embed([good, noise(size), good])
    assert np.isnan(rows[1]).all()
    np.testing.assert_array_equal(rows[[0, 2]], model.embed([good, good]))
    assert np.isnan(model.embed_long([noise(size)])).all()


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0, -1.0])
def test_constant_signals_are_fine(model: deep.Model, value: float) -> None:
    assert np.isfinite(model.embed([np.full(8000, value)])).all()


def test_nothing_in_nothing_out(model: deep.Model) -> None:
    assert model.embed([]).shape == (0, 24)
    assert np.isnan(model.embed_long([])).all()


def test_gain_does_not_matter(model: deep.Model) -> None:
    signal = noise(16000)
    np.testing.assert_allclose(model.embed([signal * 0.25]), model.embed([signal]), atol=1e-4)


def test_long_signals_are_the_weighted_mean_of_their_windows(model: deep.Model) -> None:
    signal = noise(32000 * 2 + 9000)
    windows = model.embed([signal[:32000], signal[32000:64000], signal[64000:]]).astype(float)
    expected = (32000 * windows[0] + 32000 * windows[1] + 9000 * windows[2]) / len(signal)
    np.testing.assert_allclose(model.embed([signal])[0], expected, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(model.embed_long([signal]), model.embed([signal])[0])


def test_a_last_window_too_short_is_left_out(model: deep.Model) -> None:
    signal = noise(32000 + model.min_samples - 1)
    np.testing.assert_allclose(model.embed_long([signal]), model.embed([signal[:32000]])[0], rtol=0, atol=1e-6)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(size=st.integers(0, 80000), cuts=st.lists(st.integers(0, 80000), max_size=6))
def test_chunks_do_not_matter(model: deep.Model, size: int, cuts: list[int]) -> None:
    signal = noise(size)
    chunks = np.split(signal, sorted(cuts))
    np.testing.assert_array_equal(model.embed_long(iter(chunks)), model.embed_long([signal]))


def test_windows_against_slicing() -> None:
    signal = noise(1000)
    found = [window.copy() for window in deep.windows(np.array_split(signal, 7), 300)]
    assert [len(window) for window in found] == [300, 300, 300, 100]
    np.testing.assert_array_equal(np.concatenate(found), signal)


def test_batches_are_bounded_and_complete() -> None:
    lengths = [8, 32, 33, 6000, 6000, 4000, 4000, 4000, *[100] * 40]
    items = [(index, np.zeros((length, 1), dtype=np.float32)) for index, length in enumerate(lengths)]
    found = list(deep.batches(items))
    assert sorted(index for batch in found for index, _ in batch) == list(range(len(lengths)))
    for batch in found:
        padded = {deep.padded_length(len(rows)) for _, rows in batch}
        assert len(padded) == 1
        assert len(batch) == 1 or (len(batch) <= deep.BATCH and len(batch) * padded.pop() <= deep.BATCH_FRAMES)


def test_view(model: deep.Model) -> None:
    signal = noise(20001)
    view = model.view(signal)
    assert view.spectrogram.shape == (model.front_end.n_frames(20001), 24)
    assert view.step == pytest.approx(0.04)
    assert len(view.attention) == -(-len(view.spectrogram) // 4)
    assert view.attention.sum() == pytest.approx(1, abs=1e-5)
    assert view.posteriors.sum() == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(view.features, model.embed([signal])[0], rtol=0, atol=1e-6)
    for size in (0, 100, 32001):
        with pytest.raises(ConfigError, match="expected 1632 to 32000"):
            model.view(noise(size))


def test_two_dimensions_are_refused(model: deep.Model) -> None:
    with pytest.raises(ConfigError, match="2 dimensions"):
        model.embed([np.zeros((2, 8000))])


def test_model_travels_without_its_session(model: deep.Model) -> None:
    signal = noise(8000)
    before = model.embed([signal])
    assert "session" in model.__dict__
    other = pickle.loads(pickle.dumps(model))
    assert "session" not in other.__dict__
    np.testing.assert_array_equal(other.embed([signal]), before)


def test_missing_pieces(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no model 'nowhere'.*known: "):
        deep.load_model("nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match=r"model\.toml: No such file"):
        deep.load_model(tmp_path / "empty")
    folder = tiny_model(tmp_path / "headless")
    (folder / "model.onnx").unlink()
    with pytest.raises(ModelError, match=r"model\.onnx: No such file.*incomplete"):
        deep.load_model(folder)


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "swap"])
def test_damaged_graphs_are_not_loaded(tmp_path: Path, damage: str) -> None:
    folder = tiny_model(tmp_path / "m")
    path = folder / "model.onnx"
    content = bytearray(path.read_bytes())
    if damage == "flip":
        content[len(content) // 2] ^= 1
    elif damage == "cut":
        content = content[:-1]
    elif damage == "empty":
        content = bytearray()
    else:
        content = bytearray((tiny_model(tmp_path / "other", seed=1) / "model.onnx").read_bytes())
    loaded = deep.load_model(folder)
    path.write_bytes(content)
    with pytest.raises(ModelError, match="SHA-256 is not the one"):
        deep.load_model(folder)
    # And a swap between loading and first use is noticed as well.
    with pytest.raises(ModelError, match="SHA-256 is not the one"):
        loaded.embed([noise(8000)])


def test_not_toml(tmp_path: Path) -> None:
    folder = tiny_model(tmp_path / "m")
    for content in (b"name = ", b"\xff\xfe", b"", b"format = 1"):
        (folder / "model.toml").write_bytes(content)
        with pytest.raises(ModelError, match=r"model\.toml: ") as caught:
            deep.load_model(folder)
        assert "\n" not in str(caught.value)


FRONT_END = {"sampling_rate": 16000, "bands": "linear"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": None}, "'name' is missing"),
        ({"sha256": "ABC"}, "expected 64 hexadecimal"),
        ({"sha256": 5}, "sha256 is 5"),
        ({"labels": ["one"]}, "two or more"),
        ({"labels": [1, 2]}, "two or more"),
        ({"format": 2}, "another version"),
        ({"dim": 0}, "dim is 0"),
        ({"dim": True}, "dim is True"),
        ({"min_frames": 0}, "min_frames is 0"),
        ({"max_seconds": 0.01}, "max_seconds is 0.01"),
        ({"max_seconds": float("nan")}, "max_seconds is nan"),
        ({"max_seconds": 1e9}, "max_seconds is"),
        ({"frontend": FRONT_END}, "'window' is missing"),
    ],
)
def test_impossible_parameters(tmp_path: Path, changes: dict, message: str) -> None:
    folder = tiny_model(tmp_path / "m", **changes)
    with pytest.raises(ModelError, match=message) as caught:
        deep.load_model(folder)
    assert "\n" not in str(caught.value)
    assert "model.toml" in str(caught.value)


@pytest.mark.parametrize(("changes", "name"), [({"dim": 23}, "features"), ({"labels": ["a", "b"]}, "posteriors")])
def test_graphs_that_do_not_fit(tmp_path: Path, changes: dict, name: str) -> None:
    model = deep.load_model(tiny_model(tmp_path / "m", **changes))
    with pytest.raises(ModelError, match=f"'{name}' is .* after model.toml"):
        model.embed([noise(8000)])


def test_not_a_graph(tmp_path: Path) -> None:
    from hashlib import sha256

    folder = tiny_model(tmp_path / "m", sha256=sha256(b"junk").hexdigest())
    (folder / "model.onnx").write_bytes(b"junk")
    model = deep.load_model(folder)
    with pytest.raises(ModelError, match="onnxruntime cannot load it") as caught:
        model.embed([noise(8000)])
    assert "\n" not in str(caught.value)


def test_importing_is_light() -> None:
    heavy = ["onnxruntime", "pandas", "torch", "scipy", "soundfile", "onnx"]
    code = f"import sys, dsfx.deep, dsfx.train; print([m for m in {heavy} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
