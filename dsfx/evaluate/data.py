"""What the modules of the evaluation hand to each other."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError
from .protocols import Protocol
from .tables import Clips

__all__ = ["GRID", "Data", "Doubles", "Indices", "Matrix", "Options", "Parameters", "Texts"]

Indices = NDArray[np.intp]
Texts = NDArray[np.str_]
Doubles = NDArray[np.float64]
Matrix = NDArray[np.float32]
Parameters = dict[str, float]

GRID = tuple(10.0**power for power in range(-5, 2))
"""Values of C."""


@dataclass(frozen=True)
class Options:
    """What to evaluate, and how. See ``dsfx evaluate --help``."""

    sets: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    """Further feature tables of the same clips."""
    test: tuple[str, str] | None = None
    """Features and labels of another corpus to test on."""
    column: str = "emotion"
    group: str = "speaker"
    protocol: str = "loso"
    repeats: int = 1
    classifiers: tuple[str, ...] = ("linear-svm",)
    c: tuple[float, ...] = GRID
    standardise: str = "global"
    """"global": by the training part; "speaker": every speaker's clips by their own mean and deviation."""
    vote: bool = False
    """One decision per file: the class that most of its rows get."""
    models: tuple[str, ...] = ()
    """Folders of models, for their hashes of training clips."""
    allow_leakage: bool = False
    times: int = 2000
    """Resamples of the bootstrap."""
    seed: int = 0
    save: bool = False
    """Also learn the best combination from all clips and store it for `dsfx predict`."""

    def __post_init__(self) -> None:
        if self.standardise not in {"global", "speaker"}:
            raise ConfigError(f"--standardise {self.standardise}: expected global or speaker")
        if self.times < 100:
            raise ConfigError(f"--bootstrap {self.times}: expected at least 100")
        if not self.classifiers:
            raise ConfigError("--classifier: name at least one")
        if self.save and self.standardise == "speaker":
            raise ConfigError("--save: a stored classifier meets single clips, so it cannot standardise by speaker")


@dataclass(frozen=True)
class Data:
    """Clips made ready: labels, speakers, folds, and which file a row belongs to."""

    clips: Clips
    labels: Texts
    speakers: Texts | None
    protocol: Protocol
    remarks: list[str]
    warnings: list[str]
