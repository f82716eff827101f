"""What the modules of the evaluation hand to each other."""

from dataclasses import dataclass

from ..errors import ConfigError
from .arrays import Matrix, Texts, Values
from .protocols import Protocol
from .scores import Task
from .tables import Clips

__all__ = ["GRID", "NUMBERS", "Data", "Options", "Own", "Parameters"]

Parameters = dict[str, float]
"""Of a classifier: C, gamma."""

GRID = tuple(10.0**power for power in range(-5, 2))
"""Values of C."""
NUMBERS = 10
"""A column with more different numbers than this is taken for numbers, with fewer for classes."""


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
    task: str = "auto"
    """"classification", "regression"; "auto": numbers where the column holds more than ten different ones."""
    classifiers: tuple[str, ...] = ()
    """Empty: a linear support vector machine of the kind that the labels need."""
    c: tuple[float, ...] = GRID
    standardise: str = "global"
    """"global": by the training part; "speaker": every speaker's clips by their own mean and deviation."""
    vote: bool = False
    """One decision per file: the class that most of its rows get, the mean of their numbers."""
    models: tuple[str, ...] = ()
    """Folders of models, for their hashes of training clips."""
    allow_leakage: bool = False
    times: int = 2000
    """Resamples of the bootstrap."""
    seed: int = 0
    save: bool = False
    """Also learn the best combination from all clips and store it for `dsfx predict`."""

    def __post_init__(self) -> None:
        if self.task not in {"auto", "classification", "regression"}:
            raise ConfigError(f"--task {self.task}: expected auto, classification or regression")
        if self.standardise not in {"global", "speaker"}:
            raise ConfigError(f"--standardise {self.standardise}: expected global or speaker")
        if self.times < 100:
            raise ConfigError(f"--bootstrap {self.times}: expected at least 100")
        if self.save and self.standardise == "speaker":
            raise ConfigError(
                "--save: a stored classifier meets clips of unknown speakers, so it cannot standardise by speaker; "
                "expected --standardise global"
            )


@dataclass(frozen=True)
class Own:
    """Columns of a set whose values depend on the fold.

    Attributes
    ----------
    first : the first of these columns in the set.
    values : (clips, columns) by the name of the fold.
    """

    first: int
    values: dict[str, Matrix]


@dataclass(frozen=True)
class Data:
    """Clips made ready: labels, speakers, folds, and which file a row belongs to."""

    clips: Clips
    labels: Values
    task: Task
    speakers: Texts | None
    protocol: Protocol
    remarks: list[str]
    warnings: list[str]
    own: dict[str, list[Own]]
    """By set: columns that every fold has of its own."""
