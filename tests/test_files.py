from pathlib import Path

import pytest

from dsfx.errors import InputError, OutputError
from dsfx.files import csv_rows, output_file

ROWS = [{"file": "a, b.wav", "start": "0,5"}, {"file": "c;d.wav", "start": "1"}]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_tables_of_any_spreadsheet(tmp_path: Path, separator: str, mark: str, line_end: str) -> None:
    cells = [["file", "start"], *([f'"{value}"' for value in row.values()] for row in ROWS)]
    text = mark + "".join(separator.join(line) + line_end for line in cells)
    (tmp_path / "t.csv").write_text(text, encoding="utf-8", newline="")
    with csv_rows(tmp_path / "t.csv", "a table") as rows:
        assert rows.fieldnames == ["file", "start"]
        assert list(rows) == ROWS


def test_one_column_and_none(tmp_path: Path) -> None:
    (tmp_path / "one.csv").write_text("file\na;b.wav\n")
    with csv_rows(tmp_path / "one.csv", "a table") as rows:
        assert list(rows) == [{"file": "a;b.wav"}]
    (tmp_path / "none.csv").write_text("")
    with csv_rows(tmp_path / "none.csv", "a table") as rows:
        assert (rows.fieldnames, list(rows)) == (None, [])


@pytest.mark.parametrize("content", ["file,start\nä.wav,0\n".encode("utf-16"), "file\nä.wav\n".encode("latin-1")])
def test_other_encodings_are_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "t.csv").write_bytes(content)
    with (
        pytest.raises(InputError, match=r"t\.csv: not a CSV table in UTF-8"),
        csv_rows(tmp_path / "t.csv", "a table") as rows,
    ):
        list(rows)


def test_no_table(tmp_path: Path) -> None:
    with (
        pytest.raises(InputError, match=r"t\.csv: No such file or directory; expected a label table"),
        csv_rows(tmp_path / "t.csv", "a label table"),
    ):
        pass


def test_what_fails_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "o.csv").write_text("before")
    with pytest.raises(ZeroDivisionError), output_file(tmp_path / "o.csv") as path:
        path.write_text("half")
        1 / 0  # noqa: B018
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("o.csv", "before")]
    with output_file(tmp_path / "o.csv") as path:
        path.write_text("after")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("o.csv", "after")]


def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    with (
        pytest.raises(OutputError, match=r"-o .*o\.csv: No space left on device; expected"),
        output_file(tmp_path / "new" / "o.csv") as path,
    ):
        path.write_text("half")
        raise OSError(28, "No space left on device")
    assert not list((tmp_path / "new").iterdir())
