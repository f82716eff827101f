from hashlib import blake2b
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tones import corpus

from dsfx.errors import AudioError, ConfigError, InputError
from dsfx.frontend import FrontEnd
from dsfx.train.data import load, read_corpora, read_labels, read_mono, remarks

FRONT_END = FrontEnd(sampling_rate=16000)


def table(folder: Path, text: str) -> Path:
    path = folder / "labels.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_clips(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    mono = rng.normal(scale=0.1, size=16000).astype(np.float32)
    stereo = rng.normal(scale=0.1, size=(44100, 2)).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", mono, 16000, subtype="FLOAT")
    soundfile.write(tmp_path / "ä b.wav", stereo, 44100, subtype="FLOAT")
    path = table(tmp_path, "emotion,file,speaker,age\nx,a.wav,1,20\ny,ä b.wav,2,\n")
    entries = read_corpora([path], names=["c"])
    first, second = load(entries, FRONT_END)
    clip = first.clip
    assert (clip.corpus, clip.file, clip.speaker, clip.label, clip.seconds) == ("c", "c/a.wav", "1", "x", 1.0)
    assert clip.hash == blake2b(mono.tobytes(), digest_size=8).hexdigest()
    assert clip.frames == len(first.rows)
    np.testing.assert_array_equal(first.rows, FRONT_END.log_power(mono))
    assert second.clip.hash == blake2b(stereo.mean(axis=1).tobytes(), digest_size=8).hexdigest()
    assert second.rows.shape == first.rows.shape
    assert next(load(entries, FRONT_END, max_seconds=0.5)).clip.frames == FRONT_END.n_frames(8000)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,emotion\na.wav,x\n", r"no column 'speaker' \(columns: file, emotion\)"),
        ("file,speaker,mood\na.wav,1,x\n", r"no column 'emotion' \(columns: file, speaker, mood\).*--column names"),
        ("file,speaker,emotion\na.wav,1,x\n", "1 class"),
        ("file,speaker,emotion\n", "0 class"),
        ("", "no column 'file'"),
        ("file,speaker,emotion\na.wav,1,\n", "line 2: the cell 'emotion' is empty"),
        ("file,speaker,emotion\na.wav\n", "line 2: the cell 'speaker' is empty"),
        ("file,speaker,emotion\na.wav,1,x\na.wav,1,y\n", "line 3: a.wav stands there twice"),
    ],
)
def test_malformed_tables(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        read_labels(table(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_no_table(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        read_labels(tmp_path / "none.csv")
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not a CSV table"):
        read_labels(tmp_path / "binary.csv")


@pytest.mark.parametrize(("one", "other"), [("Anger", "anger"), ("anger ", "anger")])
def test_two_spellings_of_a_class(tmp_path: Path, one: str, other: str) -> None:
    path = table(tmp_path, f"file,speaker,emotion\na.wav,1,{one}\nb.wav,2,{other}\n")
    with pytest.raises(InputError, match=f"'{one}' and '{other}' .* differ in case or blanks only"):
        read_corpora([path])


def test_missing_recordings_are_counted(tmp_path: Path) -> None:
    path = corpus(tmp_path / "c")
    (path.parent / "low-1-0.wav").unlink()
    (path.parent / "low-2-0.wav").unlink()
    with pytest.raises(InputError, match=r"low-1-0\.wav: no such file; 2 of 27 recordings are missing"):
        read_corpora([path])


def test_names_of_corpora(tmp_path: Path) -> None:
    one, other = corpus(tmp_path / "x" / "wavs"), corpus(tmp_path / "y" / "wavs")
    with pytest.raises(ConfigError, match=r"two corpora would be called 'wavs': --corpus"):
        read_corpora([one, other])
    with pytest.raises(ConfigError, match="1 names for 2 label tables"):
        read_corpora([one, other], names=["x"])
    assert {entry.corpus for entry in read_corpora([one.rename(one.parent / "x.csv"), other])} == {"x", "wavs"}
    entries = read_corpora([one.parent / "x.csv", other], names=["x", "y"])
    assert len({entry.file for entry in entries}) == len(entries) == 54
    assert [entry.corpus for entry in entries] == ["x"] * 27 + ["y"] * 27


def test_a_recording_in_two_tables(tmp_path: Path) -> None:
    one = corpus(tmp_path / "one")
    other = tmp_path / "other" / "labels.csv"
    other.parent.mkdir()
    other.write_text("file,speaker,emotion\n../one/low-0-0.wav,1,x\n../one/low-0-1.wav,1,y\n")
    with pytest.raises(InputError, match="stands in two label tables"):
        read_corpora([one, other])


def test_a_class_of_one_speaker_is_remarked_on(tmp_path: Path) -> None:
    path = corpus(tmp_path / "c")
    assert remarks(read_corpora([path])) == []
    text = path.read_text().replace("low-1-0.wav,s1,f,low", "low-1-0.wav,s1,f,odd")
    path.write_text(text)
    [line] = remarks(read_corpora([path]))
    assert line.startswith("WARNING: c: the class 'odd' has one speaker (s1)")


def test_unusable_recordings(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "short.wav", np.full(1000, 0.1), 16000)
    soundfile.write(tmp_path / "silent.wav", np.zeros(8000), 16000)
    soundfile.write(tmp_path / "nan.wav", np.array([0.0, np.nan]), 16000, subtype="FLOAT")
    soundfile.write(tmp_path / "fine.wav", np.random.default_rng(0).normal(0, 0.1, 8000), 16000)
    (tmp_path / "text.wav").write_text("no sound")
    names = ["short", "silent", "nan", "fine", "text"]
    text = "file,speaker,emotion\n" + "".join(f"{name}.wav,1,{name}\n" for name in names)
    entries = read_corpora([table(tmp_path, text)])
    with pytest.raises(AudioError, match=r"short\.wav: 0\.0625 s, expected at least 0\.102 s"):
        list(load(entries, FRONT_END, min_frames=8))
    unusable: list[str] = []
    [fine] = load(entries, FRONT_END, min_frames=8, unusable=unusable)
    assert fine.clip.label == "fine"
    for line, words in zip(unusable, ["0.0625 s", "silent", "NaN", "not a sound file"], strict=True):
        assert words in line
        assert "\n" not in line
    with pytest.raises(AudioError, match=r"gone\.wav: cannot be read: No such file"):
        read_mono(tmp_path / "gone.wav")
