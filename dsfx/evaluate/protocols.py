"""How clips are divided into training and test: outer folds for the result, inner folds for tuning."""

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError, InputError
from .arrays import Indices, Texts, Values

__all__ = ["Fold", "Protocol", "inner_folds", "make_protocol"]


INNER = 5
"""Inner folds at most."""


@dataclass(frozen=True)
class Fold:
    """One division: row numbers of the training and the test part."""

    name: str
    repeat: int
    train: Indices
    test: Indices


@dataclass(frozen=True)
class Protocol:
    """A list of folds, and what to say about them.

    Attributes
    ----------
    name : as the user wrote it.
    folds : every division.
    words : a sentence for a methods section.
    warnings : what a reader must know.
    independent : whether no speaker is in both parts of a fold.
    """

    name: str
    folds: list[Fold]
    words: str
    warnings: list[str]
    independent: bool

    @property
    def sizes(self) -> list[tuple[int, int]]:
        """Clips in the training and the test part of the folds of the first repeat."""
        return [(len(fold.train), len(fold.test)) for fold in self.folds if fold.repeat == 0]

    @property
    def repeats(self) -> int:
        """How often every test clip is predicted."""
        return 1 + max(fold.repeat for fold in self.folds)


def make_protocol(
    name: str,
    labels: Values,
    speakers: Texts | None,
    *,
    column: Texts | None = None,
    repeats: int = 1,
    seed: int = 0,
) -> Protocol:
    """Divide clips as a protocol says.

    Parameters
    ----------
    name : str
        ``loso`` (each speaker left out once), ``kfold:K`` (K folds of whole speakers with similar shares of the
        classes), ``column:NAME`` (the folds in a column of the labels; where it says train and test, one division),
        ``random:K`` (K folds that mix speakers).
    labels : array of str or of float
        Of every clip; folds get similar shares of each fifth of numbers.
    speakers : array of str, optional
        Of every clip; no speakers: only ``random:K`` and ``column:NAME``.
    column : array of str, optional
        The cells of ``column:NAME``.
    repeats : int
        Times that ``kfold`` and ``random`` are drawn anew.
    seed : int

    Raises
    ------
    ConfigError
        No such protocol.
    InputError
        The clips do not allow it.
    """
    kind, _, argument = name.partition(":")
    if kind not in {"loso", "kfold", "column", "random"}:
        raise ConfigError(f"--protocol {name}: expected loso, kfold:K, column:NAME or random:K")
    if repeats < 1 or (repeats > 1 and kind in {"loso", "column"}):
        raise ConfigError(f"--repeats {repeats}: expected at least 1, and 1 with the protocol {kind}")
    if kind in {"loso", "kfold"}:
        if speakers is None:
            raise InputError(
                f"--protocol {name} needs to know who speaks, and the labels have no such column: --group names it "
                "(random:10 does without, but then a speaker is in training and test)"
            )
        if len(set(speakers)) < 2:
            raise InputError(f"--protocol {name}: all clips are of one speaker ({speakers[0]}), expected at least two")
    if kind == "loso":
        folds = [
            _fold(str(who), speakers == who) for who in sorted(set(speakers.tolist() if speakers is not None else []))
        ]
        words = f"leave-one-speaker-out cross-validation ({len(folds)} speakers)"
        return _checked(name, folds, words, speakers)
    if kind == "column":
        if column is None:
            raise ConfigError(f"--protocol {name}: the labels have no column {argument!r}")
        return _by_column(name, argument, column, speakers)
    units = len(set(speakers)) if kind == "kfold" and speakers is not None else len(labels)
    k = int(argument) if argument.isdecimal() else 0
    if not 2 <= k <= units:
        what = "speakers" if kind == "kfold" else "clips"
        raise ConfigError(f"--protocol {name}: expected {kind}:K with K from 2 to the number of {what}, {units}")
    folds = []
    for repeat in range(repeats):
        parts = _grouped(labels, speakers if kind == "kfold" else None, k, seed + repeat)
        folds += [
            _fold(f"{repeat + 1}.{number + 1}" if repeats > 1 else str(number + 1), _mask(len(labels), test), repeat)
            for number, (_, test) in enumerate(parts)
        ]
    again = f", drawn {repeats} times" if repeats > 1 else ""
    if kind == "kfold":
        of = "each fifth of the labels" if labels.dtype.kind == "f" else "the classes"
        words = f"{k}-fold cross-validation with folds of whole speakers and similar shares of {of}{again}"
        return _checked(name, folds, words, speakers)
    words = f"{k}-fold cross-validation with RANDOM folds{again}: NOT speaker-independent"
    loud = (
        "RANDOM FOLDS: clips of one speaker are in training and test, so these results are NOT speaker-independent "
        "and say nothing about speakers the classifier has not heard"
    )
    return Protocol(name, folds, words, [loud], False)


def _mask(size: int, rows: Indices) -> NDArray[np.bool_]:
    mask = np.zeros(size, bool)
    mask[rows] = True
    return mask


def _fold(name: str, test: NDArray[np.bool_], repeat: int = 0) -> Fold:
    return Fold(name, repeat, np.flatnonzero(~test), np.flatnonzero(test))


def _checked(name: str, folds: list[Fold], words: str, speakers: Texts | None) -> Protocol:
    if speakers is None:
        warning = (
            "SPEAKERS UNKNOWN: whether a speaker is in training and test cannot be told (--group names the column)"
        )
        return Protocol(name, folds, words, [warning], False)
    for fold in folds:
        both = set(speakers[fold.train]) & set(speakers[fold.test])
        if both:
            raise InputError(
                f"--protocol {name}: speaker {min(both)} is in the training and the test part of fold {fold.name}; "
                "divide by speaker, or use --protocol random:K if that is what you want"
            )
    return Protocol(name, folds, words, [], True)


def _by_column(name: str, argument: str, column: Texts, speakers: Texts | None) -> Protocol:
    values = sorted({value for value in column.tolist() if value})
    if {"train", "test"} <= set(values):
        train = np.flatnonzero(np.isin(column, ["train", "dev", "devel", "development", "val", "validation"]))
        folds = [Fold("test", 0, train, np.flatnonzero(column == "test"))]
        others = [value for value in values if value not in {"train", "test"}]
        joined = f", {' and '.join(others)} added to the training part" if others else ""
        return _checked(name, folds, f"the division in the column {argument}{joined}", speakers)
    if len(values) < 2:
        raise InputError(
            f"--protocol {name}: the column has {len(values)} different values, expected at least two folds"
        )
    labelled = np.flatnonzero(column != "")
    folds = [Fold(v, 0, labelled[column[labelled] != v], np.flatnonzero(column == v)) for v in values]
    return _checked(name, folds, f"cross-validation with the {len(folds)} folds of the column {argument}", speakers)


def inner_folds(labels: Values, speakers: Texts | None) -> list[tuple[Indices, Indices]]:
    """Divide a training part for tuning: whole speakers, similar shares of the classes; at most five folds.

    Returns
    -------
    list of (train, test)
        Row numbers inside the training part; empty where it cannot be divided into parts that can be learned from.
    """
    count = len(labels) if labels.dtype.kind == "f" else int(np.unique(labels, return_counts=True)[1].max())
    units = len(set(speakers)) if speakers is not None else count
    k = min(INNER, units, count)
    if k < 2:
        return []
    parts = _grouped(labels, speakers, k, None)
    return [(train, test) for train, test in parts if len(set(labels[train])) > 1 and len(test)]


def _strata(labels: Values, k: int) -> Values:
    """Return what K folds should have similar shares of: classes; of numbers the fifths (fewer where clips are few)."""
    if labels.dtype.kind != "f":
        return labels
    parts = max(1, min(5, len(labels) // k))
    return np.searchsorted(np.quantile(labels, np.arange(1, parts) / parts), labels)


def _grouped(labels: Values, speakers: Texts | None, k: int, seed: int | None) -> list[tuple[Indices, Indices]]:
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    kind = StratifiedKFold if speakers is None else StratifiedGroupKFold
    splitter = kind(n_splits=k, shuffle=seed is not None, random_state=seed)
    with warnings.catch_warnings():
        # A class with fewer clips than folds is none of our concern: it is missing from some test parts.
        warnings.simplefilter("ignore", UserWarning)
        try:
            return list(splitter.split(np.zeros(len(labels)), _strata(labels, k), speakers))
        except ValueError:
            raise InputError(f"{k} folds cannot be made: every class has fewer than {k} clips") from None


def shares(labels: Values) -> str:
    """Return the classes and how often each occurs, or the range of numbers, in words."""
    if labels.dtype.kind == "f":
        return f"{labels.min():g} to {labels.max():g}, mean {labels.mean():.4g}, standard deviation {labels.std():.4g}"
    values, counts = np.unique(labels, return_counts=True)
    return ", ".join(f"{value} {count}" for value, count in zip(values, counts, strict=True))
