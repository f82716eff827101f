"""A list of functionals, ready to be computed over a group of contours."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

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
Part = tuple[Callable[[Contours], Float32s], Sequence[str]]
"""What computes a family, and the names of its columns."""


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
        self._parts = []
        found: list[str] = []
        for family, members in families.items():
            compute, columns = _PARTS[family](members, parameters, step)
            self._parts.append(compute)
            found += columns
        self._order = None if tuple(found) == self.names else np.array([found.index(name) for name in names])

    def __call__(self, contours: Contours) -> Float32s:
        """Values, shape (contours, functionals)."""
        parts = [compute(contours) for compute in self._parts]
        values = np.concatenate(parts, axis=1) if len(parts) > 1 else parts[0]
        return values if self._order is None else values[:, self._order]


def _means(members: Sequence[str], parameters: Parameters, step: float) -> Part:
    if members == ["amean"]:
        return lambda contours: contours.mean[:, None], members
    return means.means, means.NAMES


def _extremes(members: Sequence[str], parameters: Parameters, step: float) -> Part:
    return extremes.extremes, extremes.NAMES


def _moments(members: Sequence[str], parameters: Parameters, step: float) -> Part:
    return moments.moments, moments.NAMES


def _percentiles(members: Sequence[str], parameters: Parameters, step: float) -> Part:
    numbered = [_value(name) for name in members if name.startswith("percentile")]
    quartiles = [_value(name) for name in members if name.startswith("quartile")]
    ranges = []
    for name in members:
        if name.startswith(("iqr", "pctlrange")):
            a, b = _pair(name)
            ranges.append((a / 4, b / 4) if name.startswith("iqr") else (numbered[a], numbered[b]))
    shares = list(dict.fromkeys([*numbered, *quartiles, *(share for pair in ranges for share in pair)]))
    singles = [name for name in members if not name.startswith(("iqr", "pctlrange"))]
    pick = [shares.index(_value(name)) for name in singles]
    lower = [shares.index(a) for a, _ in ranges]
    upper = [shares.index(b) for _, b in ranges]

    def compute(contours: Contours) -> Float32s:
        found = percentiles(contours, shares)
        return np.concatenate([found[:, pick], np.abs(found[:, upper] - found[:, lower])], axis=1)

    return compute, [*singles, *(name for name in members if name not in singles)]


def _regression(members: Sequence[str], parameters: Parameters, step: float) -> Part:
    # The nominal frames of a second, 100 for a step of 0.01, and not a neighbour of it.
    per_unit = 1.0 if parameters["regression"]["slope_per"] == "frame" else round(1 / step, 9)
    return lambda contours: regression.regression(contours, per_unit), regression.NAMES


def _times(members: Sequence[str], parameters: Parameters, step: float) -> Part:
    levels = [name for name in members if name.startswith("upleveltime")]
    shares = [_value(name) for name in levels]
    return lambda contours: times(contours, shares), [*levels, "risetime", "leftctime"]


def _lp(members: Sequence[str], parameters: Parameters, step: float) -> Part:
    order = parameters["lp"]["order"]
    return lambda contours: linear_prediction(contours, order), ["lpgain", *(f"lpc{i}" for i in range(order))]


def _segments(members: Sequence[str], parameters: Parameters, step: float) -> Part:
    given = parameters["segments"]
    if given["by"] == "levels":
        return (
            lambda contours: segments.level_segments(contours, given["levels"], given["most"], step),
            segments.NAMES,
        )
    zeros = given["by"] == "zero runs"
    return (
        lambda contours: segments.run_segments(
            contours, zeros, given["shortest"], given["pause"], given["most"], step
        ),
        segments.NAMES,
    )  # fmt: skip


def _peaks(members: Sequence[str], parameters: Parameters, step: float) -> Part:
    threshold = parameters["peaks"]["threshold"]
    return lambda contours: peaks.peaks(contours, threshold, step), peaks.NAMES


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
