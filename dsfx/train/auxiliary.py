"""Targets of the regression head: hand-crafted functionals of the clips, computed by dsfx itself."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError

__all__ = ["Auxiliary", "Standard", "functionals"]

Doubles = NDArray[np.float64]

LIMIT = 5.0
"""Deviations from the mean at which targets are cut off."""

MOST = 3000
"""Clips from which principal components are found at most; of more, so many are drawn evenly."""

SETS = ("eGeMAPSv02", "ComParE_2016")


@dataclass(frozen=True, kw_only=True)
class Auxiliary:
    """What the features also have to tell of a clip where the recipe's `auxiliary` is above 0; it needs no labels.

    Parameters
    ----------
    functionals : whether to tell the 88 functionals of eGeMAPSv02.
    components : how many principal components of ComParE_2016 to tell; 0: none.
    """

    functionals: bool = True
    components: int = 100

    def __post_init__(self) -> None:
        if not 0 <= self.components <= 2000:
            raise ConfigError(f"auxiliary: components is {self.components}, expected 0 to 2000")

    @property
    def sets(self) -> tuple[str, ...]:
        """The feature sets that are needed."""
        return tuple(name for name, wanted in zip(SETS, (self.functionals, self.components), strict=True) if wanted)


def functionals(
    paths: Sequence[Path], auxiliary: Auxiliary, folder: Path, *, jobs: int, say: Callable[[str], None]
) -> dict[str, NDArray[np.float32]]:
    """Functionals (clips, columns) of recordings, by feature set; NaN where there are none.

    They are kept in `folder`, so that a run that is cut off goes on where it was.
    """
    from ..pipeline import run
    from ..store import read
    from ..worker import Config

    if not auxiliary.sets:
        raise ConfigError("training: auxiliary is above 0, but [auxiliary] names no functionals and no components")
    names = [path.absolute().as_posix() for path in paths]
    listed = folder / "auxiliary.txt"
    listed.write_text("".join(f"{name}\n" for name in names), encoding="utf-8", errors="surrogateescape")
    table = folder / "auxiliary.parquet"
    say(f"{' and '.join(auxiliary.sets)} of {len(paths)} clips, as further targets")
    run([listed], table, Config(sets=auxiliary.sets), jobs=jobs, on_note=say)
    found = {}
    for name in auxiliary.sets:
        frame = read(table, name)
        rows = {file: number for number, file in enumerate(frame.index.get_level_values("file"))}
        values = np.full((len(names), frame.shape[1]), np.nan, dtype=np.float32)
        have = [index for index, file in enumerate(names) if file in rows]
        values[have] = frame.to_numpy()[[rows[names[index]] for index in have]]
        found[name] = values
    return found


@dataclass(frozen=True)
class Standard:
    """Turns functionals into targets; everything in it comes from the training clips alone.

    Attributes
    ----------
    moments : mean and deviation of every column, by feature set.
    axes : (columns of ComParE_2016, components) principal axes, scaled so that components have unit deviation.
    """

    moments: dict[str, tuple[Doubles, Doubles]]
    axes: Doubles | None

    @classmethod
    def fit(cls, values: dict[str, NDArray[np.float32]], auxiliary: Auxiliary) -> "Standard":
        """Fit to the functionals (clips, columns) of training clips."""
        moments = {}
        for name, x in values.items():
            known = np.isfinite(x)
            count = np.maximum(known.sum(axis=0), 1)
            mean = np.where(known, x, 0).sum(axis=0, dtype=np.float64) / count
            spread = np.sqrt(np.where(known, np.square(x - mean), 0).sum(axis=0) / count)
            moments[name] = mean, np.where(spread > 1e-9 * np.maximum(np.abs(mean), 1e-9), spread, np.inf)
        axes = None
        if auxiliary.components:
            rows = standardised(values[SETS[1]], moments[SETS[1]])
            rows = rows[np.linspace(0, len(rows) - 1, min(len(rows), MOST)).astype(np.intp)]
            axes = principal(rows - rows.mean(axis=0), auxiliary.components)
        return cls(moments, axes)

    def apply(self, values: dict[str, NDArray[np.float32]]) -> NDArray[np.float32]:
        """Targets (clips, n) in units of the training clips' deviation, at most `LIMIT`; missing values are 0."""
        parts = []
        for name, x in values.items():
            part = standardised(x, self.moments[name])
            parts.append(part @ self.axes if name == SETS[1] and self.axes is not None else part)
        return np.clip(np.concatenate(parts, axis=1), -LIMIT, LIMIT).astype(np.float32)


def standardised(x: NDArray[np.float32], moments: tuple[Doubles, Doubles]) -> Doubles:
    """Columns in units of their deviation; a value that is missing becomes the mean, a constant column 0."""
    out = (x.astype(np.float64) - moments[0]) / moments[1]
    out[~np.isfinite(out)] = 0.0
    return np.clip(out, -10 * LIMIT, 10 * LIMIT)


def principal(x: Doubles, count: int) -> Doubles:
    """The first principal axes (columns, count) of centred rows, scaled to unit deviation; zeros beyond their rank."""
    from scipy.linalg import eigh

    n = len(x)
    first = min(count, n)
    values, vectors = eigh(x @ x.T, subset_by_index=[n - first, n - 1])
    values, vectors = values[::-1], vectors[:, ::-1]
    axes = np.zeros((x.shape[1], count))
    kept = values > max(values[0], 1e-30) * 1e-9
    found = x.T @ vectors[:, kept]
    # The sign of an axis is arbitrary: its largest entry is made positive.
    found *= np.sign(found[np.abs(found).argmax(axis=0), np.arange(found.shape[1])])
    axes[:, : found.shape[1]] = found / values[kept] * np.sqrt(n)
    return axes
