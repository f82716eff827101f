"""Pictures: what is drawn lies where it belongs in time and frequency; what cannot be drawn is one line."""

import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tiny import LABELS, tiny_model

from dsfx.deep import Model, load_model
from dsfx.errors import AudioError, ConfigError, DsfxError, MissingExtra, ModelError, OutputError
from dsfx.frontend import FrontEnd
from dsfx.plot import _band, _short, _ticks, figure, measure, plot

pytest.importorskip("matplotlib")

RATE = 16_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def model(folder: Path) -> Model:
    return load_model(folder)


@pytest.fixture
def clip(tmp_path: Path, voice) -> Path:
    soundfile.write(tmp_path / "clip.wav", voice(1.2, pitch=180.0), RATE)
    return tmp_path / "clip.wav"


def burst(first: float = 0.8, last: float = 1.2, duration: float = 1.8, pitch: float = 200.0) -> np.ndarray:
    """A tone with harmonics from `first` to `last` seconds in faint noise."""
    t = np.arange(round(duration * RATE)) / RATE
    tone = sum(np.sin(2 * np.pi * k * pitch * t) / k for k in range(1, 15))
    noise = 1e-4 * np.random.default_rng(0).normal(size=t.size)
    return (0.2 * tone * ((first <= t) & (t < last)) + noise).astype("f4")


def test_tracks_agree_on_when_something_happens(model):
    tracks = measure(burst(), RATE, model=model)
    loud = tracks.times[tracks.loudness > tracks.loudness.max() / 2]
    voiced = tracks.f0_times[np.isfinite(tracks.f0)]
    rows = tracks.view.spectrogram.mean(axis=1)
    at = tracks.origin + (np.arange(len(rows)) + 0.5) * model.front_end.hop
    seen = at[rows > (rows.max() + rows.min()) / 2]
    for times, slack in [(loud, 0.03), (voiced, 0.05), (seen, 0.02)]:
        assert times[0] == pytest.approx(0.8, abs=slack)
        assert times[-1] == pytest.approx(1.2, abs=slack)
    assert np.nanmedian(tracks.f0) == pytest.approx(200, abs=1)
    assert tracks.duration == 1.8
    assert tracks.view.attention.sum() == pytest.approx(1, abs=1e-5)


def test_what_is_drawn_is_what_was_measured(model):
    signal = burst()
    tracks = measure(signal, RATE, model=model)
    drawn = figure(signal, RATE, model=model, title="a $clip^", start=10.0)
    spectrum, f0, loudness, attention, _, posteriors = drawn.axes
    assert spectrum.get_title(loc="left") == "a $clip^"
    assert spectrum.get_xlim() == (10.0, 11.8)
    for axes in (f0, loudness, attention):
        assert axes.get_xlim() == (10.0, 11.8)
    (image,) = spectrum.get_images()
    decibels = np.asarray(image.get_array())
    assert decibels.shape == tracks.view.spectrogram.T.shape
    assert np.allclose(decibels, tracks.view.spectrogram.T * 4.342945, atol=1e-4)
    left, right, low, high = image.get_extent()
    assert (low, high) == (-0.5, 23.5)
    assert left - 10 == pytest.approx(0.011)  # half of 32 ms less half of 10 ms
    assert right - left == pytest.approx(0.01 * len(tracks.view.spectrogram))
    assert np.array_equal(f0.lines[0].get_ydata(), tracks.f0, equal_nan=True)
    assert np.allclose(loudness.lines[0].get_xdata(), 10 + tracks.times)
    values, edges, _ = attention.patches[0].get_data()
    assert np.allclose(values, tracks.view.attention * len(tracks.view.attention))
    assert edges[0] == pytest.approx(left)
    assert edges[-1] == pytest.approx(right)
    assert np.diff(edges)[:-1] == pytest.approx(0.04)
    assert [bar.get_width() for bar in posteriors.patches] == pytest.approx(list(tracks.view.posteriors))
    assert [text.get_text() for text in posteriors.get_yticklabels()] == LABELS
    assert "model tiny, licence Apache-2.0" in drawn.get_supxlabel()


def test_nothing_overlaps_and_nothing_is_cut_off(model):
    title = "a name that is much longer than there is room for " * 3
    drawn = figure(burst(), RATE, model=model, title=title, note="first 60 s")
    drawn.draw_without_rendering()
    whole = drawn.bbox
    texts = [text for axes in drawn.axes for text in axes.texts] + [drawn.axes[0]._left_title, drawn._supxlabel]
    for axes in drawn.axes:
        for side in (axes.xaxis, axes.yaxis):
            texts.append(side.label)
            boxes = [label.get_window_extent() for label in side.get_ticklabels() if label.get_text()]
            texts += side.get_ticklabels()
            for a, b in pairwise(boxes):
                assert not a.overlaps(b), f"{axes.get_ylabel()}: {side.axis_name} labels overlap"
    for text in texts:
        box = text.get_window_extent()
        if text.get_text() and text.get_visible():
            assert box.x0 >= whole.x0 - 1, text.get_text()
            assert box.x1 <= whole.x1 + 1, text.get_text()
            assert box.y0 >= whole.y0 - 1, text.get_text()
            assert box.y1 <= whole.y1 + 1, text.get_text()


@pytest.mark.parametrize(
    "front_end",
    [
        FrontEnd(sampling_rate=16000),
        FrontEnd(sampling_rate=8000, upper_hz=4000.0, n_mels=40, lower_hz=0.0),
        FrontEnd(sampling_rate=16000, bands="linear", n_mels=0, fft_length=800, lower_hz=0.0, upper_hz=4000.0),
        FrontEnd(sampling_rate=44100, bands="linear", n_mels=0, fft_length=2048, lower_hz=100.0, upper_hz=20000.0),
    ],
    ids=["mel", "mel at 8 kHz", "linear", "linear at 44.1 kHz"],
)
def test_frequencies_stand_where_a_tone_of_that_frequency_shows(front_end):
    places, names = _ticks(front_end)
    assert len(names) >= 3
    assert min(-np.diff(places)) > 0.08 * front_end.n_bands
    t = np.arange(front_end.sampling_rate // 2) / front_end.sampling_rate
    for name in names:
        hertz = 1000 * float(name)
        if front_end.lower_hz < hertz < front_end.upper_hz:
            row = front_end.log_power(0.5 * np.sin(2 * np.pi * hertz * t))[10]
            (place,) = _band(np.array([hertz]), front_end)
            assert np.argmax(row) == pytest.approx(place, abs=1), name


@pytest.mark.parametrize("ending", ["png", "svg", "pdf", "PNG"])
def test_formats_and_equal_bytes(ending, clip, folder, tmp_path):
    magic = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[ending.lower()]
    one, two = tmp_path / f"one.{ending}", tmp_path / f"two.{ending}"
    assert plot(clip, one, set=f"deep:{folder}") == []
    assert plot(clip, two, set=f"deep:{folder}") == []
    assert one.read_bytes().startswith(magic)
    assert one.read_bytes() == two.read_bytes()
    assert not list(tmp_path.glob(".*"))


def test_other_rates_channels_and_odd_titles(folder, tmp_path, voice):
    soundfile.write(tmp_path / "c.wav", np.stack([voice(1.0, 44_100), voice(1.0, 44_100)], axis=1), 44_100)
    for title in ("", "$x^", "한국어", "two\nlines", "\udcff"):
        assert plot(tmp_path / "c.wav", tmp_path / "p.png", set=f"deep:{folder}", title=title) == []


def test_a_long_recording_is_cut_and_says_so(folder, tmp_path, voice):
    soundfile.write(tmp_path / "c.wav", voice(3.0), RATE)
    options = {"set": f"deep:{folder}", "title": "t"}
    (note,) = plot(tmp_path / "c.wav", tmp_path / "p.svg", **options)
    assert note.startswith("only the first 2 s are drawn, as much as model tiny takes at once; --start and --end")
    assert plot(tmp_path / "c.wav", tmp_path / "p.png", start=1.0, **options) == []
    assert plot(tmp_path / "c.wav", tmp_path / "p.png", end=1.5, **options) == []
    assert plot(tmp_path / "c.wav", tmp_path / "p.png", start=1.5, end=3.009, **options) == []
    assert len(plot(tmp_path / "c.wav", tmp_path / "p.png", end=2.5, **options)) == 1


def test_a_truncated_recording_is_drawn_with_a_note(clip, folder, tmp_path):
    clip.write_bytes(clip.read_bytes()[:-10_000])
    (note,) = plot(clip, tmp_path / "p.png", set=f"deep:{folder}")
    assert note.startswith("truncated")


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"output": "p.gif"}, ConfigError, r"-o p.gif: expected a name that ends in .png, .svg or .pdf"),
        ({"output": "text.wav/p.png"}, OutputError, r"-o text.wav/p.png: text.wav is a file, expected a folder"),
        ({"set": "eGeMAPSv02"}, ConfigError, r"--set eGeMAPSv02: expected deep, deep:NAME or deep:FOLDER"),
        ({"set": "deep:nowhere"}, ModelError, r"no model 'nowhere'"),
        ({"start": -1.0}, ConfigError, r"--start -1.0: expected seconds from the beginning"),
        ({"start": float("nan")}, ConfigError, r"--start nan: expected"),
        ({"start": 1.0, "end": 0.5}, ConfigError, r"--end 0.5: expected seconds after --start 1"),
        ({"start": 9.0}, AudioError, r"clip.wav: lasts 1.200 s: there is nothing from --start 9 s on"),
        ({"end": 1.3}, AudioError, r"clip.wav: lasts 1.200 s: --end 1.3 s lies behind that"),
        ({"start": 1.19}, AudioError, r"clip.wav: 0.01 s, too short to draw: model tiny needs 0.102 s"),
        ({"file": "silent.wav"}, AudioError, r"silent.wav: silent: all 16000 samples are 0, nothing to draw"),
        ({"file": "text.wav"}, AudioError, r"text.wav: not a sound file"),
        ({"file": "nowhere.wav"}, AudioError, r"nowhere.wav: cannot be read: No such file or directory"),
    ],
)
def test_what_cannot_be_drawn_is_one_clear_line(change, error, message, clip, folder, tmp_path, monkeypatch):
    soundfile.write(tmp_path / "silent.wav", np.zeros(RATE), RATE)
    (tmp_path / "text.wav").write_text("text")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=message) as caught:
        plot(**({"file": "clip.wav", "output": "p.png", "set": f"deep:{folder}"} | change))
    assert isinstance(caught.value, DsfxError)
    assert "\n" not in str(caught.value)
    assert not [path for path in tmp_path.rglob("*") if path.name.lstrip(".").startswith("p.")]


def test_unvoiced_noise_is_drawn(model):
    noise = 0.1 * np.random.default_rng(0).normal(size=RATE)
    texts = [text.get_text() for axes in figure(noise, RATE, model=model).axes for text in axes.texts]
    assert "nothing voiced" in texts


def test_without_matplotlib_it_says_what_to_install(clip, folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtra, match=r"pictures need matplotlib: pip install 'dsfx\[plot\]'"):
        plot(clip, "p.png", set=f"deep:{folder}")


def test_the_users_own_matplotlib_is_left_alone(clip, folder, tmp_path):
    script = (
        "import sys, matplotlib\n"
        "before = matplotlib.rcParams.copy()\n"
        "from dsfx.plot import plot\n"
        f"plot({str(clip)!r}, {str(tmp_path / 'p.png')!r}, set={f'deep:{folder}'!r})\n"
        "print(matplotlib.rcParams.copy() == before, 'matplotlib.pyplot' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], text=True, capture_output=True, check=True)
    assert done.stdout.split() == ["True", "False"]


def test_names_are_shortened_in_the_middle():
    assert _short("short", 10) == "short"
    assert _short("0123456789abcdef", 9) == "0123…cdef"
