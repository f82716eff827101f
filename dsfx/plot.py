"""A picture of a recording: what the network sees, where it attends and what it makes of it; pitch and loudness."""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import __version__
from .audio import Recording, Samples, resample, show
from .deep import DEFAULT, Model, View, load_model, model_of_set
from .errors import AudioError, ConfigError, MissingExtra
from .featureset import FeatureSet
from .files import output_file
from .frontend import FrontEnd

__all__ = ["FORMATS", "Tracks", "figure", "measure", "plot"]

FORMATS = (".png", ".svg", ".pdf")

SHORTEST = 0.06
"""Seconds: one long frame of the hand-crafted set."""

RANGE = 80.0
"""dB below the loudest point, which the colours span."""

# Okabe & Ito's colours, which people with any kind of colour vision can tell apart.
BLUE, VERMILION, GREEN = "#0072B2", "#D55E00", "#009E73"
PALE, GREY = "#A9C6DB", "#555555"

STYLE = {
    "font.size": 9.0,
    "axes.labelsize": 9.0,
    "axes.titlesize": 10.0,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.labelsize": 8.0,
    "ytick.labelsize": 8.0,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "lines.linewidth": 1.3,
    "pdf.fonttype": 42,
    "svg.hashsalt": "dsfx",
}


class Tracks(NamedTuple):
    """What the picture shows; times in seconds from the beginning of the signal.

    Attributes
    ----------
    duration : seconds.
    times : (frames,), middles of the frames of `loudness`.
    loudness : (frames,), in the set's own unit.
    f0_times : (frames,), middles of the longer frames of `f0`.
    f0 : (frames,), Hz; NaN where nothing is voiced.
    view : spectrogram, attention and posteriors.
    origin : where the network's first frame and first attention weight begin.
    """

    duration: float
    times: NDArray[np.float64]
    loudness: NDArray[np.float64]
    f0_times: NDArray[np.float64]
    f0: NDArray[np.float64]
    view: View
    origin: float


def measure(signal: ArrayLike, sampling_rate: int, *, model: Model) -> Tracks:
    """Compute what the picture shows.

    Parameters
    ----------
    signal : array_like of float, shape (samples,)
        One channel in [-1, 1).
    sampling_rate : int
        In Hz.
    model : Model

    Returns
    -------
    Tracks

    Raises
    ------
    AudioError
        The signal is silent, or shorter than the model or a frame of the hand-crafted set needs.
    ConfigError
        The signal is longer than the model takes at once.

    Notes
    -----
    Loudness and F0 are the low-level descriptors of eGeMAPSv02 (Eyben et al. 2016, The Geneva Minimalistic Acoustic
    Parameter Set), with frames of 20 and 60 ms.
    """
    samples = np.ascontiguousarray(signal, dtype=np.float32)
    need = max(SHORTEST, model.min_seconds)
    if samples.size < need * sampling_rate:
        raise AudioError(
            f"{samples.size / sampling_rate:.3g} s, too short to draw: model {model.name} needs {need:.3g} s"
        )
    if not np.ptp(samples):
        raise AudioError(f"silent: all {samples.size} samples are {samples[0]:g}, nothing to draw")
    frames = FeatureSet("eGeMAPSv02", level="lld")(samples, sampling_rate)
    start = frames.index.get_level_values("start").to_numpy().astype("m8[ns]").astype(np.float64) / 1e9
    semitones = frames["F0semitoneFrom27.5Hz_sma3nz"].to_numpy(dtype=np.float64)
    f0 = np.where(semitones > 0, 27.5 * 2 ** (semitones / 12), np.nan)
    view = model.view(resample(samples, sampling_rate, model.sampling_rate))
    front_end = model.front_end
    # A frame is drawn as wide as a hop around its middle, so that neighbours touch.
    origin = (front_end.window_samples - front_end.hop_samples) / 2 / front_end.sampling_rate
    loudness = frames["Loudness_sma3"].to_numpy(dtype=np.float64)
    return Tracks(samples.size / sampling_rate, start + 0.01, loudness, start + 0.03, f0, view, origin)


def figure(
    signal: ArrayLike,
    sampling_rate: int,
    *,
    model: str | Path | Model = DEFAULT,
    title: str = "",
    start: float = 0.0,
    note: str = "",
) -> Any:
    """Draw a signal: spectrogram as the network reads it, F0, loudness, attention over time, posteriors.

    Parameters
    ----------
    signal : array_like of float, shape (samples,)
        One channel in [-1, 1).
    sampling_rate : int
        In Hz.
    model : str, Path or Model
        A name of the catalogue, or a folder.
    title : str
        Above the picture.
    start : float
        Time in seconds at which the axis begins.
    note : str
        A sentence for the last line.

    Returns
    -------
    matplotlib.figure.Figure
        A figure of its own, which `matplotlib.pyplot` does not know.

    Raises
    ------
    AudioError
        The signal is silent or too short.
    ConfigError
        The signal is longer than the model takes at once.
    ModelError
        No such model.
    MissingExtra
        Matplotlib is not installed.

    Examples
    --------
    >>> import soundfile
    >>> from dsfx.plot import figure
    >>> figure(*soundfile.read("clip.wav")).savefig("clip.png")  # doctest: +SKIP
    """
    with _style():
        network = model if isinstance(model, Model) else load_model(model)
        return _draw(measure(signal, sampling_rate, model=network), network, title, start, note)


def plot(
    file: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    set: str = "deep",
    start: float | None = None,
    end: float | None = None,
    title: str | None = None,
) -> list[str]:
    """Draw a recording, or a part of it, into a picture file.

    Parameters
    ----------
    file : path
        A recording; the mean of its channels is taken.
    output : path
        Ends in ``.png``, ``.svg`` or ``.pdf``.
    set : str
        ``"deep"``, or ``"deep:NAME"`` or ``"deep:FOLDER"`` for another model.
    start, end : float, optional
        Seconds. What is longer than the model takes at once is cut off.
    title : str, optional
        The default is the name of the file.

    Returns
    -------
    list of str
        What the user should know.

    Raises
    ------
    ConfigError
        Another ending, another kind of set, or times that are not possible.
    AudioError
        The recording cannot be read, is silent or too short, or has no such part.
    ModelError
        No such model.
    OutputError
        The picture cannot be written.
    MissingExtra
        Matplotlib is not installed.
    """
    output, path = Path(output), os.fspath(file)
    if output.suffix.lower() not in FORMATS:
        raise ConfigError(f"-o {output}: expected a name that ends in {', '.join(FORMATS[:-1])} or {FORMATS[-1]}")
    if not 0 <= (start or 0.0) < np.inf:
        raise ConfigError(f"--start {start}: expected seconds from the beginning of the recording")
    if end is not None and not (start or 0.0) < end < np.inf:
        raise ConfigError(f"--end {end}: expected seconds after --start {start or 0:g}")
    model = model_of_set(set)
    if model is None:
        raise ConfigError(f"--set {set}: expected deep, deep:NAME or deep:FOLDER, a model whose view is drawn")
    notes: list[str] = []
    with _style():
        try:
            samples, rate, cut, warning = _part(path, start or 0.0, end, model.max_seconds)
            if warning:
                notes.append(warning)
            if cut:
                notes.append(
                    f"only the first {model.max_seconds:g} s are drawn, as much as model {model.name} takes at once; "
                    "--start and --end choose another part"
                )
            tracks = measure(samples, rate, model=model)
        except AudioError as error:
            raise AudioError(f"{show(path)}: {error}") from None
        name = Path(show(path)).name if title is None else show(title)
        drawn = _draw(tracks, model, name, start or 0.0, f"first {model.max_seconds:g} s" if cut else "")
        _save(drawn, output)
    return notes


def _part(path: str, start: float, end: float | None, longest: float) -> tuple[Samples, int, bool, str | None]:
    """Samples from `start` to `end` seconds, at most `longest` seconds; their rate; if some were cut; a warning."""
    with Recording(path) as recording:
        rate = recording.rate
        first, most = round(start * rate), int(longest * rate)
        count = most + 1 if end is None else min(round(end * rate) - first, most + 1)
        samples = np.concatenate([np.empty(0, np.float32), *recording.blocks(first, first + count)])
        warning = recording.truncated
        whole = (first + samples.size if samples.size else recording.claimed) / rate
    if not samples.size:
        raise AudioError(f"lasts {whole:.3f} s: there is nothing from --start {start:g} s on")
    # Tables round: as for segments, 10 ms more than there is are forgiven.
    if end is not None and samples.size < count - 0.01 * rate:
        raise AudioError(f"lasts {whole:.3f} s: --end {end:g} s lies behind that")
    return samples[:most], rate, samples.size > most, warning


@contextmanager
def _style() -> Iterator[None]:
    """Matplotlib's own defaults and ours, whatever the user has configured."""
    try:
        from matplotlib import style
    except ImportError:
        raise MissingExtra("pictures need matplotlib: pip install 'dsfx[plot]'") from None
    with style.context(["default", STYLE]):
        yield


def _draw(tracks: Tracks, model: Model, title: str, start: float, note: str) -> Any:
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    rows = len(model.labels)
    heights = [1.5, 0.8, 0.8, 0.8, 0.25 + 0.19 * rows]
    layout = ConstrainedLayoutEngine(h_pad=0.04, w_pad=0.04)
    sheet = Figure(figsize=(4.8, 1.3 + sum(heights)), dpi=200, layout=layout)
    grid = sheet.add_gridspec(6, 2, height_ratios=[*heights[:4], 0.12, heights[4]], width_ratios=[1, 0.025])
    spectrum = sheet.add_subplot(grid[0, 0])
    panels = [spectrum, *(sheet.add_subplot(grid[row, 0], sharex=spectrum) for row in (1, 2, 3))]
    if title:
        spectrum.set_title(_short(title, 46), parse_math=False, loc="left")

    _spectrogram(spectrum, sheet.add_subplot(grid[0, 1]), tracks, model.front_end, start)
    _f0(panels[1], tracks, start)
    _loudness(panels[2], tracks, start)
    _attention(panels[3], tracks, model.front_end, start)
    for panel in panels[:-1]:
        panel.tick_params(labelbottom=False)
    panels[-1].set_xlabel("time (s)")
    spectrum.set_xlim(start, start + tracks.duration)
    sheet.align_ylabels(panels)
    _posteriors(sheet.add_subplot(grid[5, :]), tracks.view.posteriors, model.labels)
    footer = " · ".join(
        part for part in (f"model {model.name}, licence {model.licence}", note, f"dsfx {__version__}") if part
    )
    sheet.supxlabel(_short(footer, 90), fontsize=7, color=GREY, x=0.99, ha="right", parse_math=False)
    return sheet


def _spectrogram(axes: Any, bar: Any, tracks: Tracks, front_end: FrontEnd, start: float) -> None:
    decibels = tracks.view.spectrogram.T * (10 / np.log(10))
    count, top = decibels.shape[1], float(decibels.max())
    left = start + tracks.origin
    image = axes.imshow(
        decibels,
        origin="lower",
        aspect="auto",
        interpolation="nearest",
        cmap="magma",
        vmin=max(float(decibels.min()), top - RANGE),
        vmax=top,
        extent=(left, left + count * front_end.hop_samples / front_end.sampling_rate, -0.5, front_end.n_bands - 0.5),
    )
    axes.set_facecolor("#DDDDDD")  # where no whole frame lies
    axes.set_yticks(*_ticks(front_end))
    axes.set_ylabel("kHz (mel)" if front_end.bands == "mel" else "kHz")
    label = "dB" if front_end.normalisation == "none" else "dB re mean"
    axes.figure.colorbar(image, cax=bar).set_label(label, fontsize=8)
    bar.tick_params(labelsize=7)


def _ticks(front_end: FrontEnd) -> tuple[list[float], list[str]]:
    """Round frequencies, far enough from each other for their names, on the axis of bands."""
    octaves = [125.0 * 2**k for k in range(10)]
    thousands = [1000.0 * k for k in range(int(front_end.upper_hz // 1000) + 1)]
    hertz = [
        f for f in (octaves if front_end.bands == "mel" else thousands) if front_end.lower_hz <= f <= front_end.upper_hz
    ]
    places: list[float] = []
    names: list[str] = []
    for f, place in zip(hertz[::-1], _band(np.array(hertz[::-1]), front_end), strict=True):
        if not places or places[-1] - place > 0.09 * front_end.n_bands:
            places.append(min(float(place), front_end.n_bands - 0.5))
            names.append(f"{f / 1000:g}")
    return places, names


def _band(hertz: NDArray[np.float64], front_end: FrontEnd) -> NDArray[np.float64]:
    """Frequencies as places on the axis of bands, where band k lies at k."""
    if front_end.bands == "linear":
        spacing = front_end.sampling_rate / front_end.fft_length
        return hertz / spacing - np.ceil(front_end.lower_hz / spacing - 1e-9)
    low, high = (np.log10(1 + f / 700) for f in (front_end.lower_hz, front_end.upper_hz))
    places: NDArray[np.float64] = (np.log10(1 + hertz / 700) - low) / (high - low) * (front_end.n_mels + 1) - 1
    return places


def _f0(axes: Any, tracks: Tracks, start: float) -> None:
    axes.set_ylabel("F0 (Hz)")
    if np.isnan(tracks.f0).all():
        axes.text(0.5, 0.5, "nothing voiced", transform=axes.transAxes, ha="center", va="center", color=GREY)
        axes.set_yticks([])
        return
    # A single voiced frame makes no line: dots.
    axes.plot(start + tracks.f0_times, tracks.f0, color=BLUE, marker=".", markersize=2.5)
    low, high = np.nanmin(tracks.f0), np.nanmax(tracks.f0)
    room = max(10.0, 0.12 * (high - low))
    axes.set_ylim(low - room, high + room)


def _loudness(axes: Any, tracks: Tracks, start: float) -> None:
    axes.set_ylabel("loudness")
    axes.plot(start + tracks.times, tracks.loudness, color=VERMILION)
    axes.set_ylim(0, max(1e-6, 1.1 * float(np.nanmax(tracks.loudness))))


def _attention(axes: Any, tracks: Tracks, front_end: FrontEnd, start: float) -> None:
    weights = tracks.view.attention * len(tracks.view.attention)
    edges = start + tracks.origin + tracks.view.step * np.arange(len(weights) + 1)
    # The last weight covers what frames there are.
    hop = front_end.hop_samples / front_end.sampling_rate
    edges[-1] = min(edges[-1], start + tracks.origin + len(tracks.view.spectrogram) * hop)
    axes.stairs(weights, edges, fill=True, color=GREEN, alpha=0.35)
    axes.stairs(weights, edges, color=GREEN, linewidth=1.0)
    axes.axhline(1, color=GREY, linewidth=0.6, linestyle=(0, (4, 3)))
    axes.set_ylabel("attention\n(× mean)")
    axes.set_ylim(0, max(1.5, 1.1 * float(weights.max())))


def _posteriors(axes: Any, posteriors: NDArray[np.float32], labels: tuple[str, ...]) -> None:
    best = int(np.argmax(posteriors))
    places = np.arange(len(labels))
    axes.barh(places, posteriors, height=0.72, color=[BLUE if k == best else PALE for k in places])
    for place, value in zip(places, posteriors, strict=True):
        axes.text(
            value + 0.01, place, f"{value:.2f}", va="center", fontsize=8, weight="bold" if place == best else None
        )
    axes.set_yticks(places, [_short(label, 20) for label in labels], parse_math=False)
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.set_xlim(0, 1.09)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", ".25", ".5", ".75", "1"])
    axes.spines["bottom"].set_bounds(0, 1)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("posterior of the network")


def _short(text: str, longest: int) -> str:
    text = " ".join(text.split())
    half = (longest - 1) // 2
    return text if len(text) <= longest else f"{text[:half]}…{text[-half:]}"


def _save(sheet: Any, output: Path) -> None:
    ending = output.suffix.lower()[1:]
    # No dates: the same recording gives the same bytes.
    metadata = {"png": {}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}[ending]
    with output_file(output) as temporary, warnings.catch_warnings():
        # A title in a script that the font lacks is drawn as boxes; no reason for a warning in the terminal.
        warnings.filterwarnings("ignore", "Glyph", UserWarning)
        sheet.savefig(temporary, format=ending, metadata=metadata)
