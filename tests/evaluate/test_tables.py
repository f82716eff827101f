"""Which row has which label."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from corpus import write_labels, write_table

from dsfx.errors import ConfigError, InputError
from dsfx.evaluate.tables import gather, match, open_table, read_labels


def labels(tmp_path, files, folder="corpus"):
    rows = [{"file": name, "speaker": "a", "emotion": f"e{i}"} for i, name in enumerate(files)]
    return read_labels(write_labels(tmp_path / folder / "labels.csv", rows), "emotion")


@pytest.mark.parametrize(
    ("table", "labelled", "expected"),
    [
        (["a.wav", "b.wav"], ["audio/a.wav", "audio/b.wav"], {"a.wav": "audio/a.wav", "b.wav": "audio/b.wav"}),
        (["corpus/audio/a.wav"], ["audio/a.wav"], {"corpus/audio/a.wav": "audio/a.wav"}),
        (["elsewhere/audio/a.wav"], ["audio/a.wav"], {"elsewhere/audio/a.wav": "audio/a.wav"}),
        # The longest ending decides.
        (["x/a.wav", "y/a.wav"], ["x/a.wav", "y/a.wav"], {"x/a.wav": "x/a.wav", "y/a.wav": "y/a.wav"}),
        (["x/a.wav", "y/a.wav"], ["x/a.wav"], {"x/a.wav": "x/a.wav"}),
        # Another folder is another recording.
        (["x/a.wav"], ["y/a.wav"], {}),
        (["a.wav"], ["../corpus/a.wav"], {"a.wav": "../corpus/a.wav"}),
        (["../corpus/a.wav"], ["../corpus/a.wav"], {"../corpus/a.wav": "../corpus/a.wav"}),
        (["../../corpus/a.wav", "../../a.wav"], ["../corpus/a.wav"], {"../../corpus/a.wav": "../corpus/a.wav"}),
        (["corpus/a.wav"], ["../../corpus/a.wav"], {"corpus/a.wav": "../../corpus/a.wav"}),
        (["../x/../corpus/a.wav"], ["../corpus/a.wav"], {"../x/../corpus/a.wav": "../corpus/a.wav"}),
        (["ä/ß.wav"], ["./ä/ß.wav"], {"ä/ß.wav": "./ä/ß.wav"}),
    ],
)
def test_names_that_mean_the_same(tmp_path, table, labelled, expected):
    assert match(table, labels(tmp_path, labelled), Path("t.parquet")) == expected


def test_what_is_ambiguous_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"a\.wav may be x/a\.wav or y/a\.wav"):
        match(["a.wav"], labels(tmp_path, ["x/a.wav", "y/a.wav"]), Path("t.parquet"))
    with pytest.raises(InputError, match=r"a\.wav may be x/a\.wav or y/a\.wav"):
        match(["x/a.wav", "y/a.wav"], labels(tmp_path, ["a.wav"], "other"), Path("t.parquet"))


def test_rows_without_a_label_and_labels_without_a_row_are_told(tmp_path):
    table = write_table(tmp_path / "t.parquet", {"A": np.eye(3)}, ["a.wav", "b.wav", "c.wav"])
    found = gather([open_table(table)], labels(tmp_path, ["a.wav", "b.wav", "z.wav"]), [])
    assert found.file == ["a.wav", "b.wav"]
    assert found.remarks == [
        "1 of 3 rows of t.parquet have no label, c.wav first",
        "1 labels of labels.csv have no row in t.parquet, z.wav first",
    ]
    np.testing.assert_array_equal(found.features["A"], np.eye(3, dtype=np.float32)[:2])


def test_segments_are_joined_by_their_times(tmp_path):
    spans = [(0, 10**9), (10**9, 2 * 10**9)]
    table = write_table(tmp_path / "t.parquet", {"A": np.eye(2)}, ["a.wav", "a.wav"], spans=spans)
    rows = [
        {"file": "a.wav", "start": "1", "end": "2.001", "speaker": "x", "emotion": "late"},
        {"file": "a.wav", "start": "0", "end": "1", "speaker": "x", "emotion": "early"},
    ]
    found = gather([open_table(table)], read_labels(write_labels(tmp_path / "l.csv", rows), "emotion"), [])
    assert [row["emotion"] for row in found.cells] == ["early", "late"]
    # A label without times is that of all its file's rows.
    whole = read_labels(write_labels(tmp_path / "w.csv", [{"file": "a.wav", "emotion": "all"}]), "emotion")
    assert [row["emotion"] for row in gather([open_table(table)], whole, []).cells] == ["all", "all"]


def test_several_tables_and_concatenations(tmp_path):
    names = ["a.wav", "b.wav", "c.wav"]
    first = write_table(tmp_path / "one.parquet", {"A": np.eye(3), "B": 2 * np.eye(3)}, names)
    second = write_table(tmp_path / "two.parquet", {"B": 3 * np.eye(2)}, ["wavs/c.wav", "wavs/a.wav"])
    tables = [open_table(first), open_table(second)]
    known = labels(tmp_path, [f"wavs/{name}" for name in names])
    found = gather(tables, known, ["A+two:B", "one:B"])
    assert found.file == ["a.wav", "c.wav"]
    np.testing.assert_array_equal(found.features["A+two:B"], [[1, 0, 0, 0, 3], [0, 0, 1, 3, 0]])
    np.testing.assert_array_equal(found.features["one:B"], [[2, 0, 0], [0, 0, 2]])
    assert "1 rows of one.parquet are missing in another table and left out" in found.remarks
    with pytest.raises(ConfigError, match="no set 'B' in the tables; there are A, one:B, two:B"):
        gather(tables, known, ["B"])


def test_rows_that_repeat_others_are_left_out(tmp_path):
    table = write_table(tmp_path / "t.parquet", {"A": np.eye(3)}, ["a.wav", "b.wav", "a.wav"])
    found = gather([open_table(table)], labels(tmp_path, ["a.wav", "b.wav"]), [])
    np.testing.assert_array_equal(found.features["A"], np.eye(3)[:2])
    assert found.remarks == ["1 rows of t.parquet repeat an earlier one and are left out, a.wav first"]
    twice = [{"file": "b.wav", "emotion": "x"}, {"file": "a.wav", "emotion": "y"}, {"file": "b.wav", "emotion": "x"}]
    known = read_labels(write_labels(tmp_path / "l.csv", twice), "emotion")
    assert (len(known.rows), known.repeated) == (2, ["b.wav"])


def test_row_numbers_of_pandas_are_no_features(tmp_path):
    frame = pd.DataFrame({"file": ["a.wav", "b.wav"], "f0": [1.0, 2.0]}, index=[7, 9])
    frame.to_parquet(tmp_path / "t.parquet")
    frame.to_csv(tmp_path / "t.csv")
    assert open_table(tmp_path / "t.parquet").sets == {"t": ["f0"]}
    assert open_table(tmp_path / "t.csv").sets == {"t": ["f0"]}


def test_a_table_of_another_program(tmp_path):
    frame = pd.DataFrame({"file": ["a.wav", "b.wav"], "f0": [1.0, np.nan], "count": [3, 4], "note": ["x", "y"]})
    frame.to_parquet(tmp_path / "theirs.parquet")
    frame.to_csv(tmp_path / "theirs.csv", index=False)
    for name in ("theirs.parquet", "theirs.csv"):
        table = open_table(tmp_path / name)
        assert table.sets == {"theirs": ["f0", "count"]}
        found = gather([table], labels(tmp_path, ["b.wav", "a.wav"]), [])
        np.testing.assert_array_equal(found.features["theirs"], [[1, 3], [np.nan, 4]])
        assert found.hash == ["", ""]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,speaker\na.wav,x\n", "no column 'emotion' (columns: file, speaker); --column names"),
        ("file,emotion\na.wav,x\na.wav,y\n", "line 3: a.wav is labelled x and y"),
        ("file,start,end,emotion\na.wav,soon,1,x\n", "line 2: start and end are not both numbers"),
        ("", "no column 'file' (columns: none)"),
    ],
)
def test_wrong_labels_are_one_clear_line(tmp_path, text, message):
    (tmp_path / "l.csv").write_text(text)
    with pytest.raises(InputError) as caught:
        read_labels(tmp_path / "l.csv", "emotion")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (pd.DataFrame({"name": ["a"]}), "has no column `file`"),
        (pd.DataFrame({"file": ["a"], "note": ["x"]}), "has no numeric columns"),
        (pd.DataFrame({"file": pd.Series([], dtype=str), "f": pd.Series([], dtype=float)}), "has no rows"),
    ],
)
def test_wrong_tables_are_one_clear_line(tmp_path, frame, message):
    frame.to_parquet(tmp_path / "t.parquet")
    with pytest.raises(InputError) as caught:
        open_table(tmp_path / "t.parquet")
    assert message in str(caught.value)


def test_what_is_no_table(tmp_path):
    (tmp_path / "t.parquet").write_text("oops")
    for name, message in [("t.parquet", "not a feature table"), ("none.parquet", "no such file")]:
        with pytest.raises(InputError, match=message):
            open_table(tmp_path / name)
