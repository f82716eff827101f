"""A classifier or regression learned from all clips, stored without pickle, and applied to new recordings."""

import csv
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from .. import __version__
from ..errors import ConfigError, InputError, ModelError
from ..files import output_file
from ..store import seconds
from .arrays import Doubles, Matrix, Values
from .classifiers import Classifier, choose, fitted_pipeline
from .data import Data, Options
from .protocols import inner_folds
from .tables import FeatureTable, open_table

__all__ = ["Saved", "load", "predict", "save"]

FORMAT = 2


class Saved:
    """A stored classifier or regression.

    Attributes
    ----------
    model : scikit-learn pipeline of feature rows.
    chances : scikit-learn classifier of the model's decisions, where the model itself knows no probabilities.
    columns : the features it takes, in order.
    sets : names and hashes of the sets they come from.
    config : how they were extracted.
    """

    def __init__(self, stored: dict[str, Any]) -> None:
        self.model = stored["model"]
        self.chances = stored["chances"]
        self.columns: list[str] = stored["columns"]
        self.sets: dict[str, str] = stored["sets"]
        self.config: dict[str, Any] = stored["config"]

    @property
    def classes(self) -> list[str]:
        """Names of the classes, in the order of the probabilities; none where numbers are told."""
        return [str(label) for label in getattr(self.model, "classes_", [])]

    def predict(self, x: Matrix) -> Values:
        """Return what the pipeline says of rows of features: classes or numbers."""
        return np.asarray(self.model.predict(_ready(x)))

    def probabilities(self, x: Matrix) -> Doubles:
        """Return the probabilities of the classes, shape (rows, classes)."""
        if not self.classes:
            return np.empty((len(x), 0))
        if self.chances is None:
            return np.asarray(self.model.predict_proba(_ready(x)))
        return np.asarray(self.chances.predict_proba(_decisions(self.model, x)))


def _ready(x: Matrix) -> Doubles:
    """Return rows as the pipeline takes them: what is not finite counts as missing."""
    ready = x.astype(np.float64)
    ready[~np.isfinite(ready)] = np.nan
    return ready


def _decisions(model: Any, x: Matrix) -> Doubles:
    parts = [model.decision_function(_ready(x[i : i + _ROWS])) for i in range(0, len(x), _ROWS)]
    return np.concatenate([part.reshape(len(part), -1) for part in parts])


_ROWS = 4096


def save(path: Path, data: Data, name: str, classifier: Classifier, options: Options) -> None:
    """Learn a set and a classifier from all clips and store them.

    Support vector machines decide without probabilities. Theirs come from a logistic regression of the decisions for
    held-out speakers, so the most probable class need not be the one that is told.

    Parameters
    ----------
    path : Path
        Ends in ``.skops``.
    data : Data
        Clips and labels; with a corpus to test on, only its training part is learned from.
    name : str
        Of the set.
    classifier : Classifier
    options : Options

    Raises
    ------
    InputError
        The clips are too few for probabilities, or the tables were extracted in different ways.
    """
    from skops.io import dump

    config = data.clips.configs[0]
    if any(other != config for other in data.clips.configs):
        raise InputError("--save: the tables were extracted with different options, so no single extraction gives them")
    rows = np.arange(len(data.labels)) if options.test is None else data.protocol.folds[0].train
    x, y = data.clips.features[name], data.labels[rows]
    who = None if data.speakers is None else data.speakers[rows]
    parameters, _, _ = choose(x, y, who, classifier, options.seed, rows)
    if "gamma" in parameters:
        spread = np.nanvar(x[rows].astype(np.float64), axis=0)
        parameters = parameters | {"gamma": parameters["gamma"] / max(1, int(np.sum(spread > 0)))}
    learned = partial(fitted_pipeline, x, name=classifier.name, parameters=parameters, seed=options.seed)
    chances = None
    if classifier.name.endswith("svm"):
        from sklearn.linear_model import LogisticRegression

        folds = [(a, b) for a, b in inner_folds(y, who) if set(y[a]) == set(y)]
        held = np.concatenate([b for _, b in folds]) if folds else np.empty(0, np.intp)
        if len(held) < len(y):
            raise InputError(
                "--save: probabilities need every class in every inner training part, and there are too few clips or "
                "speakers for that; --classifier logistic needs no such parts"
            )
        decisions = [_decisions(learned(y[a], rows[a]), x[rows[b]]) for a, b in folds]
        chances = LogisticRegression(max_iter=1000).fit(np.concatenate(decisions), y[held])
    stored = {
        "format": FORMAT,
        "dsfx": __version__,
        "model": learned(y, rows),
        "chances": chances,
        "columns": data.clips.columns[name],
        "sets": data.clips.identity[name],
        "config": config,
    }
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    dump(stored, temporary)
    temporary.replace(path)


def load(path: str | os.PathLike[str]) -> Saved:
    """Read a stored classifier; it may hold nothing but scikit-learn's own types and arrays.

    Raises
    ------
    ModelError
        It is none, or holds anything else.
    """
    from skops.io import get_untrusted_types
    from skops.io import load as read

    path = Path(path)
    if not path.is_file():
        raise ModelError(f"{path}: no such file; expected the pipeline.skops that dsfx evaluate --save wrote")
    try:
        foreign = get_untrusted_types(file=path)
        foreign = [name for name in foreign if name not in _HARMLESS]
        if foreign:
            raise ModelError(f"{path}: holds {foreign[0]}, which is not loaded from a file that may come from anywhere")
        stored = read(path, trusted=list(_HARMLESS))
        if stored["format"] != FORMAT:
            raise ModelError(f"{path}: its format is {stored['format']}, expected {FORMAT}")
        return Saved(stored)
    except ModelError:
        raise
    except Exception as error:  # a damaged file may raise anything
        reason = " ".join(str(error).split())[:200]
        raise ModelError(f"{path}: not a classifier that dsfx evaluate --save wrote ({reason})") from None


_HARMLESS = (
    "numpy.dtype",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
)
"""What skops does not know by name and our classifiers hold."""


def predict(
    stored: str | os.PathLike[str],
    inputs: Sequence[str | os.PathLike[str]],
    output: str | os.PathLike[str],
    *,
    jobs: int = 1,
    sets: Sequence[str] = (),
    models: Sequence[str] = (),
    **callbacks: Any,
) -> tuple[int, int, list[tuple[str, str]]]:
    """Tell the classes of recordings, or numbers.

    Parameters
    ----------
    stored : path
        What ``dsfx evaluate --save`` wrote.
    inputs : sequence of path
        Recordings, as for `dsfx.extract`; or one feature table that holds the classifier's sets.
    output : path
        CSV: ``file, start, end, label`` and a column ``p_CLASS`` with the probability of every class. The label is
        the pipeline's decision.
    jobs : int
    sets : sequence of str
        TOML files of the classifier's own sets; those that ship with dsfx need none.
    models : sequence of str
        Folders of models behind deep sets that do not ship with dsfx.
    **callbacks
        `on_progress` and `on_note` of `dsfx.pipeline.run`.

    Returns
    -------
    rows, failed : int
    failures : list of (file, error)

    Raises
    ------
    ModelError
        The classifier cannot be read, or takes other sets than this version of dsfx computes.
    ConfigError
        The output's name does not end in ``.csv``.
    """
    output = Path(output)
    if output.suffix != ".csv":
        raise ConfigError(f"-o {output}: expected a name that ends in .csv")
    saved = load(stored)
    if len(inputs) == 1 and (table := _as_table(inputs[0], saved)) is not None:
        return _write(output, saved, table), 0, []
    from ..pipeline import run
    from ..worker import Config, Setup

    known = {f.name for f in Config.__dataclass_fields__.values()} - {"sets"}
    settings = {k: v for k, v in saved.config.items() if k in known}
    config = Config(sets=_homes(saved, str(stored), sets, models), **settings)
    for name, value in Setup(config).identity.items():
        if saved.sets[name] not in {"", value}:
            raise ModelError(f"{stored}: was learned from another version of the set {name} than this dsfx computes")
    with TemporaryDirectory(prefix="dsfx-predict-") as folder:
        place = Path(folder) / "features.parquet"
        summary = run(list(inputs), place, config, jobs=jobs, **callbacks)
        failures = []
        if summary.errors:
            with Path(summary.errors).open(encoding="utf-8", newline="") as handle:
                failures = [(row["file"], row["error"]) for row in csv.DictReader(handle)]
        rows = _write(output, saved, open_table(place)) if summary.rows else 0
        return rows, summary.failed, failures


def _homes(saved: Saved, stored: str, sets: Sequence[str], models: Sequence[str]) -> tuple[str, ...]:
    """Return what `Config` calls the sets that a classifier takes."""
    from ..deep import load_model
    from ..setfile import read_set, standard_sets

    frame, hop = saved.config.get("frame"), saved.config.get("hop")
    given = {read_set(name, frame, hop).name: name for name in sets}
    given |= {f"deep:{load_model(name).name}": f"deep:{name}" for name in models}
    for name, home in given.items():
        if name not in saved.sets:
            option = "--model" if name.startswith("deep:") else "--set"
            raise ConfigError(f"{option} {home}: is {name}, and {stored} takes {' and '.join(saved.sets)}")
    given |= {read_set(name, frame, hop).name: name for name in standard_sets()}
    for name in saved.sets:
        if name not in given and not name.startswith("deep"):
            raise ConfigError(f"{stored}: takes the set {name}; --set FILE.toml says what that is")
    return tuple(given.get(name, name) for name in saved.sets)


def _as_table(path: str | os.PathLike[str], saved: Saved) -> FeatureTable | None:
    """Return the feature table that a path names, if it is one that holds what the classifier needs."""
    path = Path(path)
    if path.suffix not in {".parquet", ".csv"} or not path.is_file():
        return None
    try:
        table = open_table(path)
    except InputError:
        return None
    if not set(saved.columns) <= {column for columns in table.sets.values() for column in columns}:
        return None
    return table


def _write(output: Path, saved: Saved, table: FeatureTable) -> int:
    with output_file(output) as temporary, temporary.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(["file", "start", "end", "label", *(f"p_{label}" for label in saved.classes)])
        for rows, x in table.batches(saved.columns, np.arange(len(table.file))):
            chances = saved.probabilities(x)
            for row, label, values in zip(rows, saved.predict(x).tolist(), chances, strict=True):
                times = [seconds(int(t[row])) if t is not None else "" for t in (table.start, table.end)]
                writer.writerow([table.file[row], *times, label, *(f"{value:.6f}" for value in values)])
    return len(table.file)
