"""What can be extracted: every feature set and model, and what their columns mean."""

from typing import NamedTuple

from . import deep
from . import describe as crafted
from .errors import ConfigError
from .frontend import FrontEnd
from .setfile import standard_sets

__all__ = ["Entry", "describe", "entries", "list_sets"]


class Entry(NamedTuple):
    """One line of ``dsfx sets``."""

    name: str
    columns: int
    min_seconds: float
    licence: str
    about: str


def entries() -> list[Entry]:
    """Return the sets and models that ship with dsfx."""
    found = []
    for name in deep.catalogue():
        model = deep.load_model(name)
        also = " (the default: `deep`)" if name == deep.DEFAULT else ""
        found.append(Entry(f"deep:{name}", model.dim, model.min_seconds, model.licence, f"{model.description}{also}"))
    for name in standard_sets():
        whole = crafted.describe(name)
        if isinstance(whole, crafted.SetDescription):
            found.append(Entry(name, len(whole.columns["functionals"]), whole.shortest, "Apache-2.0", whole.title))
    return found


def list_sets() -> str:
    """Return the sets and models as a table for the terminal."""
    lines = [("set", "columns", "shortest", "licence", "what it is")]
    lines += [(e.name, str(e.columns), f"{e.min_seconds:.3g} s", e.licence, e.about) for e in entries()]
    widths = [max(len(line[i]) for line in lines) for i in range(4)]
    table = "\n".join(
        "  ".join([*(cell.ljust(w) for cell, w in zip(line, widths, strict=False)), line[4]]) for line in lines
    )
    return (
        f"{table}\n\n`deep` gives a row per segment, the others also a row per frame (--level lld, lld-delta).\n"
        "Your own: --set deep:FOLDER takes a folder that `dsfx train` made, --set FILE.toml a copy of a set, changed."
    )


def describe(name: str, column: str | None = None) -> str:
    """Return what a set or one of its columns is, in words.

    Parameters
    ----------
    name : str
        As for ``--set``.
    column : str, optional

    Raises
    ------
    ConfigError
        No such set or column.
    """
    if model := deep.model_of_set(name):
        return _describe_deep(name, model, column)
    return "\n".join(crafted.lines(crafted.describe(name, column)))


def _describe_deep(name: str, model: deep.Model, column: str | None) -> str:
    if column is None:
        card = (model.folder / "README.md").read_text(encoding="utf-8").strip()
        return f"{name}: {model.dim} columns, deep_000 … {model.columns[-1]}\n\n{card}"
    if column not in model.columns:
        raise ConfigError(f"{name} has no column {column!r}; its columns are deep_000 … {model.columns[-1]}")
    return "\n".join(
        [
            f"{column} (set {name}, model {model.name})",
            f"definition  {_meaning(model, model.columns.index(column))}",
            "unit        none: an activation of a network, to be standardised before use",
            f"input       {_input(model.front_end)}",
            f"shortest    {model.min_seconds:.3g} s; beyond {model.max_seconds:g} s: mean over windows, by duration",
            "reference   after Zhao et al. 2018, Deep Spectrum Feature Representations for Speech Emotion Recognition",
            "trap        means nothing by itself, and is comparable only within this one model "
            f"(sha256 {model.sha256[:12]}…)",
        ]
    )


def _meaning(model: deep.Model, index: int) -> str:
    """Say which output of the network a feature is; the order is that of `dsfx.train.network.Network`."""
    layers = model.table.get("layers", {})
    filters, units = layers.get("filters", 0), layers.get("units", 0)
    parts = [
        (filters, "mean over time of filter {} of the convolutional branch's last layer"),
        (filters, "standard deviation over time of filter {} of the convolutional branch's last layer"),
        (units, "attention-weighted mean over time of forward unit {} of the bidirectional LSTM"),
        (units, "attention-weighted mean over time of backward unit {} of the bidirectional LSTM"),
    ]
    for size, words in parts:
        if index < size:
            return words.format(index)
        index -= size
    return "an activation of the network's last shared layer"


def _input(front_end: FrontEnd) -> str:
    bands = f"{front_end.n_mels} mel bands" if front_end.bands == "mel" else "linear bins"
    resolution = front_end.sampling_rate / front_end.fft_length
    normalised = {"level": ", mean level removed", "bands": ", mean of each band removed"}
    return (
        f"log power in {bands} from {front_end.lower_hz:g} to {front_end.upper_hz:g} Hz, "
        f"at {front_end.sampling_rate} Hz; {front_end.window} window of {1000 * front_end.window_length:g} ms, "
        f"hop {1000 * front_end.hop:g} ms, {resolution:g} Hz per FFT bin{normalised.get(front_end.normalisation, '')}"
    )
