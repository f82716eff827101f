"""Tables for other programs, read back by other programs' readers."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

sys.path.insert(0, str(Path(__file__).parent / "evaluate"))
from corpus import write_labels, write_table

from dsfx.errors import DsfxError
from dsfx.export import export

FILES = ["a b.wav", "sub/it's.wav", "ü.wav", "left out.wav"]
LABELS = ["wütend, sehr", "calm", "calm"]


@pytest.fixture
def table(tmp_path) -> Path:
    x = np.array([[1.5, 0, np.nan], [1e-20, -3, 0.1], [0, 0, 0], [9, 9, 9]], np.float32)
    write_labels(tmp_path / "l.csv", [{"file": f, "emotion": e} for f, e in zip(FILES, LABELS, strict=False)])
    return write_table(tmp_path / "t.parquet", {"A": x, "B": 2 * x[:, :1]}, FILES)


def values(table) -> np.ndarray:
    return pd.read_parquet(table).filter(regex="^A_").to_numpy()


def test_csv(table, tmp_path):
    assert export(table, tmp_path / "o.csv", labels=tmp_path / "l.csv") == (3, 4)
    frame = pd.read_csv(tmp_path / "o.csv")
    assert list(frame.columns) == ["file", "start", "end", "emotion", "A_0", "A_1", "A_2", "B_0"]
    assert frame["file"].tolist() == FILES[:3]
    assert frame["emotion"].tolist() == LABELS
    np.testing.assert_array_equal(frame[["A_0", "A_1", "A_2"]].to_numpy(np.float32), values(table)[:3])


def test_arff(table, tmp_path):
    from scipy.io import arff

    assert export(table, tmp_path / "o.arff", labels=tmp_path / "l.csv", sets=["A"]) == (3, 3)
    text = (tmp_path / "o.arff").read_text(encoding="utf-8")
    assert "@attribute 'emotion' {'calm','wütend, sehr'}" in text
    assert text.splitlines()[-3:] == [
        "'a b.wav@0-1',1.5,0.0,?,'wütend, sehr'",
        "'sub/it\\'s.wav@0-1',1e-20,-3.0,0.1,'calm'",
        "'ü.wav@0-1',0.0,0.0,0.0,'calm'",
    ]
    # SciPy's reader takes no text, so without the names:
    plain = [line for line in text.splitlines() if not line.startswith("@attribute file")]
    plain = [line.split(",", 1)[1] if line.endswith("'") and "@0-1" in line else line for line in plain]
    (tmp_path / "plain.arff").write_text("\n".join(plain).replace("wütend, sehr", "angry"))
    data, meta = arff.loadarff(tmp_path / "plain.arff")
    assert meta.names() == ["A_0", "A_1", "A_2", "emotion"]
    np.testing.assert_array_equal(np.array(data[["A_0", "A_1", "A_2"]].tolist(), np.float32), values(table)[:3])


def test_libsvm(table, tmp_path):
    from sklearn.datasets import load_svmlight_file

    export(table, tmp_path / "o.libsvm", labels=tmp_path / "l.csv", sets=["A"])
    x, y = load_svmlight_file(str(tmp_path / "o.libsvm"), n_features=3, zero_based=False)
    np.testing.assert_array_equal(x.toarray().astype(np.float32), np.nan_to_num(values(table)[:3]))
    classes = pd.read_csv(tmp_path / "o.libsvm.classes.csv", index_col="number")["emotion"]
    assert [classes[int(number)] for number in y] == LABELS
    assert pd.read_csv(tmp_path / "o.libsvm.rows.csv")["file"].tolist() == FILES[:3]
    assert pd.read_csv(tmp_path / "o.libsvm.columns.csv")["column"].tolist() == ["A_0", "A_1", "A_2"]


def test_numpy(table, tmp_path):
    assert export(table, tmp_path / "o.npy", sets=["A"]) == (4, 3)
    np.testing.assert_array_equal(np.load(tmp_path / "o.npy"), values(table))
    assert pd.read_csv(tmp_path / "o.npy.rows.csv")["file"].tolist() == FILES


@pytest.mark.parametrize("name", ["o.csv", "o.arff", "o.libsvm", "o.npy"])
def test_a_table_of_many_pieces(tmp_path, monkeypatch, name):
    from dsfx import store

    monkeypatch.setattr(store, "_GROUP_BYTES", 4 * 2 * 100)
    x = np.random.default_rng(0).normal(size=(5000, 2)).astype(np.float32)
    table = write_table(tmp_path / "t.parquet", {"A": x}, [f"{i}.wav" for i in range(5000)])
    export(table, tmp_path / name)
    read = {
        "o.csv": lambda path: pd.read_csv(path)[["A_0", "A_1"]].to_numpy(np.float32),
        "o.npy": np.load,
        "o.arff": lambda path: np.array(
            [line.rsplit(",", 2)[1:] for line in path.read_text().splitlines() if line.startswith("'")], np.float32
        ),
        "o.libsvm": lambda path: np.array(
            [[cell.split(":")[1] for cell in line.split()[1:]] for line in path.read_text().splitlines()], np.float32
        ),
    }[name]
    np.testing.assert_array_equal(read(tmp_path / name), x)


@pytest.mark.parametrize(
    ("output", "options", "message"),
    [
        ("o.xls", {}, "expected a name that ends in .csv, .arff, .libsvm, .npy"),
        ("o.csv", {"sets": ["C"]}, "--set C: no such set"),
        ("o.csv", {"labels": "none.csv"}, "no such file"),
        ("t.parquet/o.csv", {}, "t.parquet is a file, expected a folder"),
        ("t.parquet/no/o.csv", {}, "expected a file that can be written"),
    ],
)
def test_what_is_wrong_is_one_clear_line(table, tmp_path, output, options, message):
    with pytest.raises(DsfxError) as caught:
        export(table, tmp_path / output, **options)
    assert message in str(caught.value)
    assert not (tmp_path / output).exists()
