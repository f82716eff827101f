"""From what the user names to a list of segments."""

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dsfx.errors import InputError
from dsfx.inputs import plan_items


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * 100)
    return path


def names(*inputs: Path) -> list[str]:
    return [item.file for item in plan_items(inputs)[0]]


def test_a_folder_is_walked_in_the_order_of_its_sorted_paths(tmp_path):
    for name in [
        "b.wav",
        "a/z.flac",
        "a/b/c.OGG",
        "B.wav",
        "a.wav",
        "a/notes.txt",
        ".hidden.wav",
        ".cache/x.wav",
        "ä.mp3",
    ]:
        touch(tmp_path / name)
    expected = sorted(
        p.relative_to(tmp_path) for p in tmp_path.rglob("*") if p.suffix.lower() in {".wav", ".flac", ".ogg", ".mp3"}
    )
    expected = [p.as_posix() for p in expected if not any(part.startswith(".") for part in p.parts)]
    assert names(tmp_path) == expected
    assert len(expected) == 6


def test_links_are_followed_and_loops_are_not(tmp_path):
    touch(tmp_path / "a/x.wav")
    (tmp_path / "a/loop").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "b").symlink_to(tmp_path / "a", target_is_directory=True)
    items, remarks = plan_items([tmp_path])
    assert [i.file for i in items] == ["a/x.wav", "b/x.wav"]
    assert [(r.file, r.warning) for r in remarks] == [
        ("a/loop", "link to a folder it lies in: not followed"),
        ("b/loop", "link to a folder it lies in: not followed"),
    ]


def test_a_dangling_link_and_a_pipe_are_errors_of_their_own(tmp_path):
    (tmp_path / "gone.wav").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe.wav")
    touch(tmp_path / "x.wav")
    assert {i.file: i.error for i in plan_items([tmp_path])[0]} == {
        "gone.wav": "cannot be read: No such file or directory",
        "pipe.wav": "not a regular file",
        "x.wav": None,
    }


@pytest.mark.skipif(os.name != "posix", reason="names are bytes on POSIX only")
def test_names_that_are_not_utf8_or_hold_line_breaks(tmp_path):
    (tmp_path / "wavs").mkdir()
    folder = os.fsencode(tmp_path / "wavs")
    for name in [b"caf\xe9.wav", "😀 and space.wav".encode(), b"two\nlines.wav"]:
        with open(folder + b"/" + name, "wb") as file:  # noqa: PTH123
            file.write(b"x")
    assert names(tmp_path / "wavs") == ["caf\\xe9.wav", "two\\nlines.wav", "😀 and space.wav"]


def test_a_list_of_paths(tmp_path):
    touch(tmp_path / "b.wav")
    touch(tmp_path / "sub/a.wav")
    (tmp_path / "list.txt").write_text("sub/a.wav\n\nb.wav\n./missing.wav\n")
    items, _ = plan_items([tmp_path / "list.txt"])
    assert [(i.file, i.error) for i in items] == [
        ("sub/a.wav", None),
        ("b.wav", None),
        ("missing.wav", "cannot be read: No such file or directory"),
    ]


def test_a_table_of_segments(tmp_path):
    touch(tmp_path / "x.wav")
    (tmp_path / "t.csv").write_text(
        "speaker,file,start,end\n1,x.wav,0.5,1.25\n2,x.wav,,\n3,x.wav,-1,2\n4,x.wav,2,1\n5,x.wav,1,1\n"
        "6,x.wav,soon,2\n7,x.wav,0,inf\n8,,0,1\n9,x.wav,0.5,1.25\n"
    )
    items, remarks = plan_items([tmp_path / "t.csv"])
    assert [(i.start, i.end, i.error) for i in items] == [
        (500_000_000, 1_250_000_000, None),
        (0, None, None),
        (-1_000_000_000, 2_000_000_000, "start -1 s is negative"),
        (2_000_000_000, 1_000_000_000, "end 1 s is not after start 2 s"),
        (1_000_000_000, 1_000_000_000, "end 1 s is not after start 1 s"),
        (0, 2_000_000_000, "start 'soon' is not a number of seconds"),
        (0, None, "end inf s is not a time inside a recording"),
        (0, 1_000_000_000, "the table names no file in this row"),
    ]
    assert [(r.file, r.start, r.warning) for r in remarks] == [
        ("x.wav", 500_000_000, "listed more than once: extracted once")
    ]


def test_a_parquet_table_with_durations_or_seconds(tmp_path):
    touch(tmp_path / "x.wav")
    start = pa.array([0, 250_000_000], pa.int64()).cast(pa.duration("ns"))
    pq.write_table(pa.table({"file": ["x.wav"] * 2, "start": start, "end": [0.5, None]}), tmp_path / "t.parquet")
    items, _ = plan_items([tmp_path / "t.parquet"])
    assert [(i.start, i.end) for i in items] == [(0, 500_000_000), (250_000_000, None)]


@pytest.mark.parametrize("ending", ["csv", "tsv", "parquet"])
def test_a_table_that_is_none(tmp_path, ending):
    (tmp_path / f"t.{ending}").write_bytes(b"path,start\nx.wav,\xff\n")
    with pytest.raises(InputError, match=r"has no column `file`|not a Parquet table|not a CSV table"):
        plan_items([tmp_path / f"t.{ending}"])


def test_a_missing_input(tmp_path):
    with pytest.raises(InputError, match="nowhere: no such file or directory"):
        plan_items([tmp_path / "nowhere"])


def test_two_inputs_with_one_name(tmp_path):
    touch(tmp_path / "a/x.wav")
    touch(tmp_path / "b/x.wav")
    with pytest.raises(InputError, match=r"both be named 'x.wav'.*give the folder that holds both"):
        plan_items([tmp_path / "a", tmp_path / "b"])
    assert names(tmp_path) == ["a/x.wav", "b/x.wav"]


def test_the_same_recording_twice_is_extracted_once(tmp_path):
    touch(tmp_path / "a/x.wav")
    items, remarks = plan_items([tmp_path / "a", tmp_path / "a" / "x.wav"])
    assert len(items) == len(remarks) == 1


def test_an_unreadable_folder_is_an_error_of_its_own(shared_folder, ordinary_user):
    touch(shared_folder / "x.wav")
    (shared_folder / "closed").mkdir()
    (shared_folder / "closed").chmod(0)
    with ordinary_user():
        items, _ = plan_items([shared_folder])
    assert [(i.file, i.error) for i in items] == [("closed", "cannot be read: Permission denied"), ("x.wav", None)]
