"""A list of functionals, ready to be computed over a group of contours."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..catalogue import functional
from ..errors import ConfigError
from . import extremes, means, moments, peaks, regression, segments
from .contours import Contours, Float32s
from .level import level_of_mean
from .lp import linear_prediction
from .percentiles import percentiles
from .times import times

__all__ = ["Summary"]

Parameters = Mapping[str, Mapping[str, Any]]
Part = tuple[Callable[[Contours, Float32s], None], Sequence[str]]
"""What computes a family, and the names of its columns ("" for one that is not a functional)."""


class Summary:
    """Functionals by name, computed family by family.

    Parameters
    ----------
    names : sequence of str
        Functionals, in the order of the result's columns.
    parameters : mapping
        Tables of parameters by name: `segments`, `peaks`, `lp`, `regression`, as in the file of a set.
    step : float
        Nominal frame step in seconds.

    Raises
    ------
    ConfigError
        An unknown functional, or one without its parameters.
    """

    def __init__(self, names: Sequence[str], parameters: Parameters, step: float) -> None:
        self.names = tuple(names)
        families: dict[str, list[str]] = {}
        for name in names:
            known = functional(name)
            if known is None:
                raise ConfigError(f"no functional {name!r}")
            missing = [need for need in known.needs if need not in parameters]
            if missing:
                raise ConfigError(f"functional {name!r} needs parameters {missing[0]!r}")
            families.setdefault(known.family, []).append(name)
        self._parts: list[tuple[Callable[[Contours, Float32s], None], int]] = []
        found: list[str] = []
        for family, members in families.items():
            compute, columns = _PARTS[family](members, parameters, step)
            self._parts.append((compute, len(columns)))
            found += columns
        self._columns = np.array([found.index(name) for name in names])
        self._orders: dict[int, NDArray[np.int64]] = {}

    def __call__(self, contours: Contours) -> Float32s:
        """Values, shape (contours, functionals)."""
        # The families fill blocks of one array, one after the other: an array for each takes longer than many of them.
        count = contours.count
        blocks = np.zeros(count * sum(width for _, width in self._parts), np.float32)
        at = 0
        for compute, width in self._parts:
            compute(contours, blocks[at : at + count * width].reshape(count, width))
            at += count * width
        if count not in self._orders:
            self._orders[count] = self._order(count)
        return blocks[self._orders[count]]

    def _order(self, count: int) -> NDArray[np.int64]:
        """Where the values of `count` contours stand in the blocks, shape (contours, functionals)."""
        widths = np.array([width for _, width in self._parts])
        ends = np.cumsum(widths)
        part = np.searchsorted(ends, self._columns, side="right")
        first = ends[part] - widths[part]
        return count * first + self._columns - first + widths[part] * np.arange(count)[:, None]


def _means(members: Sequence[str], parameters: Parameters, step: float) -> Part:
    if members == ["amean"]:
        return _mean_alone, members
    return means.means, means.NAMES


def _mean_alone(contours: Contours, out: Float32s) -> None:
    out[:, 0] = contours.mean


def _extremes(members: Sequence[str], parameters: Parameters, step: float) -> Part:
    return extremes.extremes, extremes.NAMES


def _moments(members: Sequence[str], parameters: Parameters, step: float) -> Part:
    return moments.moments, moments.NAMES


def _percentiles(members: Sequence[str], parameters: Parameters, step: float) -> Part:
    numbered = [_value(name) for name in members if name.startswith("percentile")]
    singles = [name for name in members if not name.startswith(("iqr", "pctlrange"))]
    distances = [name for name in members if name not in singles]
    ends = []
    for name in distances:
        a, b = _pair(name)
        ends += [a / 4, b / 4] if name.startswith("iqr") else [numbered[a], numbered[b]]
    shares = [_value(name) for name in singles]
    more = [share for share in dict.fromkeys(ends) if share not in shares]
    shares += more
    ranges = np.array([shares.index(share) for share in ends], np.int64).reshape(-1, 2)
    compute = partial(percentiles, shares=np.array(shares, np.float64), ranges=ranges)
    return compute, [*singles, *("" for _ in more), *distances]


def _regression(members: Sequence[str], parameters: Parameters, step: float) -> Part:
    # The nominal frames of a second, 100 for a step of 0.01, and not a neighbour of it.
    per_unit = 1.0 if parameters["regression"]["slope_per"] == "frame" else round(1 / step, 9)
    return partial(regression.regression, frames_per_unit=per_unit), regression.NAMES


def _times(members: Sequence[str], parameters: Parameters, step: float) -> Part:
    levels = [name for name in members if name.startswith("upleveltime")]
    shares = np.array([_value(name) for name in levels], np.float32)
    return partial(times, levels=shares), [*levels, "risetime", "leftctime"]


def _lp(members: Sequence[str], parameters: Parameters, step: float) -> Part:
    order = parameters["lp"]["order"]
    return linear_prediction, ["lpgain", *(f"lpc{i}" for i in range(order))]


def _segments(members: Sequence[str], parameters: Parameters, step: float) -> Part:
    given = parameters["segments"]
    most = given["most"]
    if given["by"] == "levels":
        return partial(segments.level_segments, levels=given["levels"], most=most, step=step), segments.NAMES
    zeros, shortest, pause = given["by"] == "zero runs", given["shortest"], given["pause"]
    return (
        partial(segments.run_segments, of_zeros=zeros, shortest=shortest, pause=pause, most=most, step=step),
        segments.NAMES,
    )


def _peaks(members: Sequence[str], parameters: Parameters, step: float) -> Part:
    threshold = parameters["peaks"]["threshold"]
    return partial(peaks.peaks, threshold=threshold, step=step), peaks.NAMES


def _level(members: Sequence[str], parameters: Parameters, step: float) -> Part:
    return level_of_mean, ["levelOfMean"]


_PARTS: dict[str, Callable[[Sequence[str], Parameters, float], Part]] = {
    "means": _means,
    "extremes": _extremes,
    "moments": _moments,
    "percentiles": _percentiles,
    "regression": _regression,
    "times": _times,
    "lp": _lp,
    "segments": _segments,
    "peaks": _peaks,
    "level": _level,
}


def _value(name: str) -> float:
    found = functional(name)
    return found.value if found else 0.0


def _pair(name: str) -> tuple[int, int]:
    found = functional(name)
    return found.pair if found else (0, 0)
