"""Features as a scikit-learn transformer (needs scikit-learn, which the extra `evaluate` brings)."""

import csv
import os
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from .errors import AudioError, ConfigError, MissingExtra

try:
    from sklearn.base import BaseEstimator, TransformerMixin
except ImportError as error:
    raise MissingExtra("dsfx.sklearn needs scikit-learn: pip install 'dsfx[evaluate]' brings it") from error

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FeatureExtractor"]


class FeatureExtractor(TransformerMixin, BaseEstimator):
    """Turn recordings into features: one row each, in the order given.

    Parameters
    ----------
    sets : str or sequence of str
        As for `dsfx.extract`.
    sampling_rate : int, optional
        Hz, of signals; with paths the files know.
    jobs : int
        Worker processes.
    short : {"nan", "error"}
        What becomes of a recording that is too short for a set: NaN, or an `AudioError`.

    Examples
    --------
    >>> from dsfx.sklearn import FeatureExtractor
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> model = make_pipeline(FeatureExtractor("eGeMAPSv02"), StandardScaler(), LogisticRegression())
    """

    def __init__(
        self,
        sets: str | Sequence[str] = "eGeMAPSv02",
        *,
        sampling_rate: int | None = None,
        jobs: int = 1,
        short: str = "nan",
    ) -> None:
        self.sets = sets
        self.sampling_rate = sampling_rate
        self.jobs = jobs
        self.short = short

    def _setup(self) -> Any:
        from .worker import Config, setup_of

        if self.short not in {"nan", "error"}:
            raise ConfigError(f"short={self.short!r}: expected 'nan' or 'error'")
        return setup_of(Config(sets=(self.sets,) if isinstance(self.sets, str) else tuple(self.sets)))

    def fit(self, X: Any, y: Any = None) -> "FeatureExtractor":
        """Check the parameters; there is nothing to learn.

        Raises
        ------
        ConfigError
            No such set.
        """
        self._setup()
        return self

    def __sklearn_is_fitted__(self) -> bool:
        """Say that it needs no fit."""
        return True

    def __sklearn_tags__(self) -> Any:
        """Say what it takes: strings or signals, and nothing to fit."""
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        return tags

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """Return the names of the columns."""
        return np.array([column.name for column in self._setup().columns], dtype=object)

    def transform(self, X: Any) -> NDArray[np.float32]:
        """Compute features.

        Parameters
        ----------
        X : sequence of path, or of 1-D arrays
            Recordings, or signals in [-1, 1] at `sampling_rate`.

        Returns
        -------
        array of float32, shape (recordings, features)

        Raises
        ------
        AudioError
            A recording cannot be read, or is too short and `short` is "error".
        ConfigError
            Signals without `sampling_rate`.
        """
        self._setup()
        items = [item.item() if isinstance(item, np.ndarray) and item.ndim == 0 else item for item in X]
        if not items:
            return np.empty((0, len(self.get_feature_names_out())), np.float32)
        paths = [isinstance(item, str | os.PathLike) for item in items]
        if all(paths):
            values = self._of_paths([str(Path(item).absolute()) for item in items])
        elif any(paths):
            raise ConfigError("X: expected paths or signals, not both")
        else:
            values = self._of_signals(items)
        bad = np.flatnonzero(np.isnan(values).any(axis=1))
        if self.short == "error" and len(bad):
            raise AudioError(f"recording {bad[0]} is too short for its features; short='nan' lets it be NaN")
        return values

    def _of_paths(self, paths: list[str]) -> NDArray[np.float32]:
        from .pipeline import extract

        unique = list(dict.fromkeys(paths))
        with TemporaryDirectory(prefix="dsfx-sklearn-") as folder:
            # A list of absolute paths: recordings of one name in two folders are two rows.
            listing = Path(folder, "list.csv")
            with listing.open("w", encoding="utf-8", newline="") as file:
                csv.writer(file).writerows([["file"], *([path] for path in unique)])
            frame = cast("pd.DataFrame", extract(listing, sets=self.sets, jobs=self.jobs))
        row = {name: number for number, name in enumerate(frame.index.get_level_values("file"))}
        for path in unique:
            if path not in row:
                errors = {e[0]: e[3] for e in frame.attrs["errors"]}
                raise AudioError(f"{path}: {errors.get(path, 'has no features')}")
        return frame.to_numpy(np.float32)[[row[path] for path in paths]]

    def _of_signals(self, signals: list[Any]) -> NDArray[np.float32]:
        import soundfile

        if self.sampling_rate is None:
            raise ConfigError("sampling_rate: needed with signals, in Hz")
        with TemporaryDirectory(prefix="dsfx-sklearn-") as folder:
            names = []
            for number, signal in enumerate(signals):
                samples = np.asarray(signal, np.float32)
                if samples.ndim != 1:
                    raise AudioError(f"signal {number} has {samples.ndim} dimensions, expected one")
                names.append(str(Path(folder, f"{number}.wav").absolute()))
                soundfile.write(names[-1], samples, self.sampling_rate, subtype="FLOAT")
            return self._of_paths(names)
