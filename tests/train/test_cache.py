import pickle
from pathlib import Path

import numpy as np
import pytest
from tones import corpus

from dsfx.errors import OutputError
from dsfx.frontend import FrontEnd
from dsfx.train.cache import Spectrograms, store
from dsfx.train.data import load, read_corpora

FRONT_END = FrontEnd(sampling_rate=16000, n_mels=24, fft_length=512)


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return corpus(tmp_path_factory.mktemp("corpus") / "tones")


def stored(labels: Path, file: Path, size: float) -> tuple[list[np.ndarray], Spectrograms]:
    loaded = list(load(read_corpora([labels]), FRONT_END, max_seconds=0.6))
    clips, found = store(loaded, file, FRONT_END, 0.6, size)
    assert [clip.frames for clip in clips] == found.lengths.tolist() == [len(item.rows) for item in loaded]
    return [item.rows for item in loaded], found


@pytest.mark.parametrize("size", [0, 3000, 40_000, 1e9])
def test_whatever_the_room_the_numbers_are_the_same(labels: Path, tmp_path: Path, size: float) -> None:
    expected, found = stored(labels, tmp_path / "s", size)
    written = (tmp_path / "s").stat().st_size
    assert written <= size
    assert written == 4 * 24 * found.lengths[found.places >= 0].sum()
    if size == 1e9:
        assert (found.places >= 0).all()
    assert len(found) == len(expected)
    for rows, own in zip(expected, found, strict=True):
        np.testing.assert_array_equal(rows, own)


def test_parts_and_other_processes_share_the_file(labels: Path, tmp_path: Path) -> None:
    expected, found = stored(labels, tmp_path / "s", 20_000)
    assert 0 < (found.places >= 0).sum() < len(found)
    mask = np.arange(len(found)) % 3 == 1
    for part in (found.subset(mask), pickle.loads(pickle.dumps(found)).subset(np.flatnonzero(mask)), found[1::3]):
        assert len(part) == 9
        for rows, own in zip(expected[1::3], part, strict=True):
            np.testing.assert_array_equal(rows, own)
    found[int(np.argmax(found.places >= 0))]
    assert len(pickle.dumps(found)) < 20_000


def test_no_place_to_write(labels: Path, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="No such file or directory; a smaller --cache"):
        stored(labels, tmp_path / "nowhere" / "s", 1e9)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_one_line(labels: Path) -> None:
    with pytest.raises(OutputError, match="the disk is full; a smaller --cache"):
        stored(labels, Path("/dev/full"), 1e9)
