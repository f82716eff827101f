"""What tests share: where real speech lies, and how to make recordings."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import numpy as np
import pytest
import soundfile

os.environ.setdefault("OMP_NUM_THREADS", "1")

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def emodb() -> Path:
    """The folder of a corpus of real emotional speech: audio/ and labels.csv."""
    folder = DATA / "emodb"
    if not folder.exists():
        pytest.skip(f"needs real speech in {folder}")
    return folder


@pytest.fixture
def voice() -> Callable[..., np.ndarray]:
    """Make something like a voice: harmonics of a gliding pitch, in [-1, 1)."""

    def make(duration: float = 1.0, rate: int = 16_000, pitch: float = 120.0, seed: int = 0) -> np.ndarray:
        random = np.random.default_rng(seed)
        t = np.arange(round(duration * rate)) / rate
        phase = 2 * np.pi * pitch * (t + 0.05 * np.sin(2 * np.pi * 3 * t) / 3)
        tone = sum(np.sin(k * phase) / k for k in range(1, 20) if k * pitch < rate / 2.5)
        return (0.2 * tone * (0.6 + 0.4 * np.sin(2 * np.pi * 4 * t)) + 0.01 * random.normal(size=t.size)).astype("f4")

    return make


@pytest.fixture
def wavs(tmp_path: Path, voice: Callable[..., np.ndarray]) -> Path:
    """A folder with six clips of different length, one of them in a subfolder."""
    folder = tmp_path / "wavs"
    (folder / "sub").mkdir(parents=True)
    for index, name in enumerate(["a.wav", "b.flac", "c.wav", "d.wav", "sub/e.wav", "z.ogg"]):
        soundfile.write(folder / name, voice(0.7 + 0.2 * index, seed=index, pitch=100 + 20 * index), 16_000)
    return folder


@pytest.fixture
def shared_folder() -> Iterator[Path]:
    """A folder that every user may enter; pytest's own are closed to others."""
    folder = Path(tempfile.mkdtemp(prefix="dsfx-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def ordinary_user() -> Callable[[], AbstractContextManager[None]]:
    """A context in which file permissions count, also where the tests are run by root."""

    @contextmanager
    def context() -> Iterator[None]:
        if os.name != "posix" or os.geteuid() != 0:
            yield
            return
        os.seteuid(65534)
        try:
            yield
        finally:
            os.seteuid(0)

    return context
