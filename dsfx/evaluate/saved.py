"""A classifier learned from all clips, stored without pickle, and applied to new recordings."""

import csv
import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import __version__
from ..errors import ConfigError, InputError, ModelError, OutputError
from ..store import seconds
from .classifiers import DUAL_ROWS, Classifier, choose, pipeline, weights
from .data import Data, Options
from .protocols import inner_folds
from .tables import FeatureTable, open_table

__all__ = ["Saved", "load", "predict", "save"]

FORMAT = 1


class Saved:
    """A stored classifier.

    Attributes
    ----------
    model : scikit-learn classifier of feature rows.
    columns : the features it takes, in order.
    sets : names and hashes of the sets they come from.
    config : how they were extracted.
    """

    def __init__(self, stored: dict[str, Any]) -> None:
        self.model = stored["model"]
        self.columns: list[str] = stored["columns"]
        self.sets: dict[str, str] = stored["sets"]
        self.config: dict[str, Any] = stored["config"]

    @property
    def classes(self) -> list[str]:
        """Names of the classes, in the order of the probabilities."""
        return [str(label) for label in self.model.classes_]

    def probabilities(self, x: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the probabilities of the classes, shape (rows, classes)."""
        return np.asarray(self.model.predict_proba(x))


def save(path: Path, data: Data, name: str, classifier: Classifier, options: Options) -> None:
    """Learn a set and a classifier from all clips and store them.

    Support vector machines get probabilities by a sigmoid fitted to decisions for held-out speakers, and the class of a
    clip is the most probable one.

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
        The clips are too few to calibrate probabilities, or the tables were extracted in different ways.
    """
    from sklearn.exceptions import ConvergenceWarning
    from skops.io import dump

    if len(data.labels) > DUAL_ROWS:
        raise InputError(f"--save: is made for up to {DUAL_ROWS} clips, and these are {len(data.labels)}")
    config = data.clips.configs[0]
    if any(other != config for other in data.clips.configs):
        raise InputError("--save: the tables were extracted with different options, so no single extraction gives them")

    rows = np.arange(len(data.labels)) if options.test is None else data.protocol.folds[0].train
    x, y = data.clips.features[name][rows], data.labels[rows]
    who = None if data.speakers is None else data.speakers[rows]
    parameters, _, _ = choose(x, y, who, classifier, options.seed)
    if "gamma" in parameters:
        spread = np.nanvar(x.astype(np.float64), axis=0)
        parameters = parameters | {"gamma": parameters["gamma"] / max(1, int(np.sum(spread > 0)))}
    model = pipeline(classifier.name, parameters, options.seed)
    if classifier.name.endswith("svm"):
        from sklearn.calibration import CalibratedClassifierCV

        folds = [(a, b) for a, b in inner_folds(y, who) if set(y[a]) == set(y)]
        if len({int(i) for _, b in folds for i in b}) < len(y):
            raise InputError(
                "--save: probabilities need every class in every inner training part, and there are too few clips or "
                "speakers for that; --classifier logistic needs no such parts"
            )
        model = CalibratedClassifierCV(model, method="sigmoid", cv=folds, ensemble=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # networks stop after a fixed number of epochs
        model.fit(x, y, **({"classify__sample_weight": weights(y)} if classifier.name == "mlp" else {}))
    if hasattr(model, "cv"):
        model.cv = None  # the folds are of no use to anyone else
    stored = {
        "format": FORMAT,
        "dsfx": __version__,
        "model": model,
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
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
)
"""What skops does not know by name and our classifiers hold."""


def predict(
    stored: str | os.PathLike[str],
    inputs: Sequence[str | os.PathLike[str]],
    output: str | os.PathLike[str],
    *,
    jobs: int = 1,
    models: Sequence[str] = (),
    **callbacks: Any,
) -> tuple[int, int, list[tuple[str, str]]]:
    """Tell the classes of recordings.

    Parameters
    ----------
    stored : path
        What ``dsfx evaluate --save`` wrote.
    inputs : sequence of path
        Recordings, as for `dsfx.extract`; or one feature table that holds the classifier's sets.
    output : path
        CSV: ``file, start, end, label`` and a column ``p_CLASS`` with the probability of every class.
    jobs : int
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
    from ..deep import load_model
    from ..pipeline import run
    from ..worker import Config, Setup

    known = {f.name for f in Config.__dataclass_fields__.values()} - {"sets"}
    own = {f"deep:{load_model(name).name}": f"deep:{name}" for name in models}
    config = Config(
        sets=tuple(own.get(name, name) for name in saved.sets), **{k: v for k, v in saved.config.items() if k in known}
    )
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
    temporary = output.with_name(f".{output.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("w", encoding="utf-8", newline="") as handle:
            writer = csv.writer(handle)
            writer.writerow(["file", "start", "end", "label", *(f"p_{label}" for label in saved.classes)])
            for rows, x in table.batches(saved.columns, np.arange(len(table.file))):
                chances = saved.probabilities(x)
                for row, values in zip(rows, chances, strict=True):
                    times = [seconds(int(t[row])) if t is not None else "" for t in (table.start, table.end)]
                    label = saved.classes[int(np.argmax(values))]
                    writer.writerow([table.file[row], *times, label, *(f"{value:.6f}" for value in values)])
        temporary.replace(output)
    except OSError as error:
        raise OutputError(f"-o {output}: {error.strerror}; expected a file that can be written") from None
    finally:
        temporary.unlink(missing_ok=True)
    return len(table.file)
