"""Deep spectrum features: the catalogue of trained models, and their inference without torch.

A model is a folder with ``model.toml`` (what it is: front end, labels, sizes, licence, checksum), ``model.onnx`` (the
network) and ``README.md`` (its card). Some ship with dsfx; ``dsfx train`` makes others.

Features of a recording do not depend on what is computed together with it: a spectrogram is padded to a length that
follows from its own alone, and only spectrograms of equal padded length share a batch.
"""

import re
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import ConfigError, DsfxError, ModelError
from .frontend import FrontEnd, Spectrogram

__all__ = ["DEFAULT", "Model", "View", "catalogue", "load_model", "model_of_set"]

DEFAULT = "emodb"
"""The model of ``--set deep``."""

FORMAT = 1
"""Version of the folder's layout."""

GRID = 32
"""Frames: spectrograms are padded to multiples of it."""

BATCH = 16
BATCH_FRAMES = 8192
"""At most so many recordings and so many padded frames in a batch (but for one that is longer alone)."""

MAX_BYTES = 1 << 30
"""Larger graphs are refused before they are read."""


class View(NamedTuple):
    """What a network makes of one signal.

    Attributes
    ----------
    spectrogram : (frames, bands), as the network reads it.
    features : (dim,).
    attention : (steps,), sums to one.
    step : seconds from one attention weight to the next.
    posteriors : (classes,), in the order of the model's labels.
    """

    spectrogram: Spectrogram
    features: NDArray[np.float32]
    attention: NDArray[np.float32]
    step: float
    posteriors: NDArray[np.float32]


@dataclass(frozen=True)
class Model:
    """A trained extractor; made by `load_model`.

    Attributes
    ----------
    name, description, licence : as its card says.
    folder : where it lies.
    sha256 : checksum of its graph.
    front_end : the spectrogram it reads.
    labels : classes of its posteriors.
    dim : length of its feature vector.
    min_samples : of the shortest signal that has features, at `sampling_rate`.
    max_seconds : longer signals are computed in windows of so many seconds, see `embed_long`.
    table : everything in its model.toml.
    """

    name: str
    description: str
    licence: str
    folder: Path
    sha256: str
    front_end: FrontEnd
    labels: tuple[str, ...]
    dim: int
    min_samples: int
    max_seconds: float
    table: dict[str, Any] = field(repr=False, compare=False)

    @property
    def sampling_rate(self) -> int:
        """Hz; signals must have been resampled to it."""
        return self.front_end.sampling_rate

    @property
    def min_seconds(self) -> float:
        """Duration of the shortest signal that has features."""
        return self.min_samples / self.sampling_rate

    @property
    def columns(self) -> list[str]:
        """Names of the features: ``deep_000`` and so on."""
        return [f"deep_{index:03d}" for index in range(self.dim)]

    @property
    def window_samples(self) -> int:
        """Samples of the windows in which a long signal is computed."""
        return round(self.max_seconds * self.sampling_rate)

    @cached_property
    def session(self) -> Any:
        """The onnxruntime session, with one thread; built when first used and not pickled.

        Raises
        ------
        ModelError : the graph is not the one that `sha256` names, or does not fit the model.toml.
        """
        # The bytes that were checked are those that are loaded.
        content = read_graph(self.folder, self.sha256)
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        options.log_severity_level = 3
        try:
            session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's errors share no parent but this one
            reason = " ".join(str(error).split())[:200]
            raise ModelError(f"{self.folder / 'model.onnx'}: onnxruntime cannot load it ({reason})") from None
        found = {node.name: (node.type, node.shape) for node in [*session.get_inputs(), *session.get_outputs()]}
        expected = {
            "spectrogram": ("tensor(float)", self.front_end.n_bands),
            "lengths": ("tensor(int64)", None),
            "features": ("tensor(float)", self.dim),
            "attention": ("tensor(float)", None),
            "posteriors": ("tensor(float)", len(self.labels)),
        }
        for name, (kind, last) in expected.items():
            if name not in found:
                raise ModelError(f"{self.folder / 'model.onnx'}: has no input or output {name!r}")
            if found[name][0] != kind or (last is not None and found[name][1][-1] != last):
                raise ModelError(
                    f"{self.folder / 'model.onnx'}: {name!r} is {found[name][0]} {found[name][1]}, "
                    f"expected {kind}{'' if last is None else f' with {last} columns'} after model.toml"
                )
        return session

    def embed(self, signals: Sequence[ArrayLike]) -> NDArray[np.float32]:
        """Features (signals, dim) of 1-D signals at the model's sampling rate, in [-1, 1).

        A signal shorter than `min_samples` gives a row of NaN; one longer than `max_seconds` is computed in windows.
        """
        out = np.full((len(signals), self.dim), np.nan, dtype=np.float32)
        ready: list[tuple[int, Spectrogram]] = []
        for index, signal in enumerate(signals):
            samples = np.asarray(signal, dtype=np.float32)
            if samples.ndim == 1 and samples.size < self.min_samples:
                continue
            if samples.ndim == 1 and samples.size > self.window_samples:
                out[index] = self.embed_long([samples])
            else:
                ready.append((index, self.front_end.spectrogram(samples)))
        for batch in batches(ready):
            features = self._run(["features"], [spectrogram for _, spectrogram in batch])[0]
            out[[index for index, _ in batch]] = features
        return out

    def embed_long(self, chunks: Iterable[ArrayLike]) -> NDArray[np.float32]:
        """Features (dim,) of a signal of any length that comes in chunks of any size, in bounded memory.

        The signal is cut into windows of `max_seconds`, the last one as long as it happens to be. Each window is
        computed as a recording of its own; the result is the mean of their features, weighted by duration. A last
        window below `min_samples` is left out. A signal no longer than `max_seconds` gives what `embed` gives.
        """
        total = np.zeros(self.dim)
        weight = 0
        for window in windows(chunks, self.window_samples):
            if window.size >= self.min_samples:
                # Same shapes whatever came before: one window, one run.
                total += window.size * self._run(["features"], [self.front_end.spectrogram(window)])[0][0].astype(float)
                weight += window.size
        if not weight:
            return np.full(self.dim, np.nan, dtype=np.float32)
        return (total / weight).astype(np.float32)

    def view(self, signal: ArrayLike) -> View:
        """Spectrogram, features, attention over time and posteriors of one signal.

        Raises
        ------
        ConfigError : the signal is shorter than `min_samples` or longer than `max_seconds`.
        """
        if not self.min_samples <= np.size(signal) <= self.window_samples:
            raise ConfigError(
                f"model {self.name}: the signal has {np.size(signal)} samples, "
                f"expected {self.min_samples} to {self.window_samples}"
            )
        spectrogram = self.front_end.spectrogram(signal)
        features, attention, posteriors = self._run(["features", "attention", "posteriors"], [spectrogram])
        frames = padded_length(len(spectrogram)) // attention.shape[1]
        steps = -(-len(spectrogram) // frames)
        seconds = frames * self.front_end.hop_samples / self.sampling_rate
        return View(spectrogram, features[0], attention[0, :steps], seconds, posteriors[0])

    def _run(self, outputs: list[str], spectrograms: list[Spectrogram]) -> list[NDArray[np.float32]]:
        """Outputs of the graph for spectrograms of one padded length."""
        lengths = np.array([len(item) for item in spectrograms], dtype=np.int64)
        shape = (len(spectrograms), padded_length(int(lengths.max())), self.front_end.n_bands)
        batch = np.zeros(shape, dtype=np.float32)
        for place, item in zip(batch, spectrograms, strict=True):
            place[: len(item)] = item
        found: list[NDArray[np.float32]] = self.session.run(outputs, {"spectrogram": batch, "lengths": lengths})
        return found

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key != "session"}


def padded_length(n_frames: int) -> int:
    """Frames to which a spectrogram is padded: a function of its own length alone."""
    return -(-n_frames // GRID) * GRID


def batches(items: list[tuple[int, Spectrogram]]) -> Iterator[list[tuple[int, Spectrogram]]]:
    """Groups of spectrograms with one padded length each, bounded in number and size."""
    groups: dict[int, list[tuple[int, Spectrogram]]] = {}
    for item in items:
        groups.setdefault(padded_length(len(item[1])), []).append(item)
    for length, group in sorted(groups.items()):
        size = max(1, min(BATCH, BATCH_FRAMES // length))
        for first in range(0, len(group), size):
            yield group[first : first + size]


def windows(chunks: Iterable[ArrayLike], size: int) -> Iterator[NDArray[np.float32]]:
    """A signal that comes in chunks, cut into windows of `size` samples; the last one may be shorter.

    The array is the same each time: take what you need of it before the next.
    """
    window = np.empty(size, dtype=np.float32)
    filled = 0
    for chunk in chunks:
        samples = np.asarray(chunk, dtype=np.float32)
        start = 0
        while start < samples.size:
            count = min(size - filled, samples.size - start)
            window[filled : filled + count] = samples[start : start + count]
            filled += count
            start += count
            if filled == size:
                yield window
                filled = 0
    if filled:
        yield window[:filled]


def catalogue() -> dict[str, Path]:
    """Names and folders of the models that ship with dsfx."""
    root = Path(str(resources.files("dsfx.models")))
    return {folder.name: folder for folder in sorted(root.iterdir()) if (folder / "model.toml").is_file()}


def load_model(spec: str | Path = DEFAULT) -> Model:
    """A model by its name in the catalogue or by its folder; its checksum is verified.

    Raises
    ------
    ModelError : no such model, files are missing, the graph is not the one its model.toml names, wrong parameters.
    """
    known = catalogue()
    folder = known.get(str(spec), Path(spec))
    if not folder.is_dir():
        names = ", ".join(known) or "none"
        raise ModelError(f"no model {str(spec)!r}: neither a name (known: {names}) nor a folder that dsfx train made")
    path = folder / "model.toml"
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror or error}; expected a folder that dsfx train made") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ModelError(f"{path}: not a TOML file ({error})") from None
    if "sha256" not in table and (folder / "oof.parquet").is_file():
        raise ModelError(
            f"{folder}: has the results of folds but no model to extract with; dsfx train without --folds-only makes it"
        )
    try:
        model = from_table(table, folder)
    except DsfxError as error:
        raise ModelError(f"{path}: {error}") from None
    read_graph(folder, model.sha256)
    return model


def model_of_set(name: str) -> Model | None:
    """The model of a set ``deep``, ``deep:NAME`` or ``deep:FOLDER``; None where the name is of no such set.

    Raises
    ------
    ModelError : see `load_model`.
    """
    kind, _, spec = name.partition(":")
    return load_model(spec or DEFAULT) if kind == "deep" else None


def from_table(table: dict[str, Any], folder: Path) -> Model:
    """The model that a model.toml describes."""
    kinds: dict[str, type | tuple[type, ...]] = {
        "format": int,
        "name": str,
        "description": str,
        "licence": str,
        "sha256": str,
        "labels": list,
        "dim": int,
        "min_frames": int,
        "max_seconds": (int, float),
        "frontend": dict,
    }
    for key, kind in kinds.items():
        if key not in table:
            raise ModelError(f"the key {key!r} is missing")
        if not isinstance(table[key], kind) or isinstance(table[key], bool):
            raise ModelError(f"{key} is {table[key]!r}, expected another type of value")
    if table["format"] != FORMAT:
        raise ModelError(f"format is {table['format']}, expected {FORMAT}: another version of dsfx made this model")
    if not re.fullmatch("[0-9a-f]{64}", table["sha256"]):
        raise ModelError(f"sha256 is {table['sha256']!r}, expected 64 hexadecimal digits")
    if len(table["labels"]) < 2 or not all(isinstance(label, str) for label in table["labels"]):
        raise ModelError(f"labels are {table['labels']!r}, expected two or more names")
    if not 1 <= table["dim"] <= 100_000:
        raise ModelError(f"dim is {table['dim']}, expected 1 to 100000")
    front_end = FrontEnd.from_table(table["frontend"])
    shortest = front_end.n_samples(table["min_frames"])
    longest = table["max_seconds"] * front_end.sampling_rate
    if table["min_frames"] < 1 or not shortest <= longest <= 3600 * front_end.sampling_rate:
        raise ModelError(
            f"min_frames is {table['min_frames']} and max_seconds is {table['max_seconds']}, "
            "expected at least one frame, and at most an hour that holds so many"
        )
    return Model(
        name=table["name"],
        description=table["description"],
        licence=table["licence"],
        folder=folder,
        sha256=table["sha256"],
        front_end=front_end,
        labels=tuple(table["labels"]),
        dim=table["dim"],
        min_samples=shortest,
        max_seconds=float(table["max_seconds"]),
        table=table,
    )


def read_graph(folder: Path, checksum: str) -> bytes:
    """The bytes of a folder's model.onnx, which must have the given SHA-256."""
    path = folder / "model.onnx"
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ModelError(f"{path}: {path.stat().st_size} bytes, expected at most {MAX_BYTES}")
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror or error}; the model folder is incomplete") from None
    if sha256(content).hexdigest() != checksum:
        raise ModelError(f"{path}: its SHA-256 is not the one in model.toml; the file is damaged or another model's")
    return content
