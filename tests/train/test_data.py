from hashlib import blake2b
from pathlib import Path

import numpy as np
import pytest
import soundfile

from dsfx.errors import AudioError, InputError
from dsfx.frontend import FrontEnd
from dsfx.train.data import load_clips, read_labels, read_mono

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
    first, second = load_clips(path, FRONT_END)
    assert (first.file, first.speaker, first.label, first.seconds) == ("a.wav", "1", "x", 1.0)
    assert first.hash == blake2b(mono.tobytes(), digest_size=8).hexdigest()
    np.testing.assert_array_equal(first.rows, FRONT_END.log_power(mono))
    assert second.hash == blake2b(stereo.mean(axis=1).tobytes(), digest_size=8).hexdigest()
    assert second.rows.shape == first.rows.shape
    assert len(load_clips(path, FRONT_END, max_seconds=0.5)[0].rows) == FRONT_END.n_frames(8000)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,emotion\na.wav,x\n", "no column 'speaker'"),
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


def test_another_column(tmp_path: Path) -> None:
    path = table(tmp_path, "file,speaker,mood\na.wav,1,x\nb.wav,1,y\n")
    assert [row["mood"] for row in read_labels(path, "mood")] == ["x", "y"]


def test_unusable_recordings(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "short.wav", np.zeros(1000), 16000)
    soundfile.write(tmp_path / "nan.wav", np.array([0.0, np.nan]), 16000, subtype="FLOAT")
    (tmp_path / "text.wav").write_text("no sound")
    path = table(tmp_path, "file,speaker,emotion\nshort.wav,1,x\nmissing.wav,1,y\n")
    with pytest.raises(AudioError, match=r"short\.wav: 0\.0625 s, expected at least 0\.102 s"):
        load_clips(path, FRONT_END, min_frames=8)
    with pytest.raises(AudioError, match=r"missing\.wav: cannot be read: No such file"):
        load_clips(path, FRONT_END)
    with pytest.raises(AudioError, match=r"text\.wav: not a sound file"):
        read_mono(tmp_path / "text.wav")
    with pytest.raises(AudioError, match=r"nan\.wav: has NaN"):
        read_mono(tmp_path / "nan.wav")
