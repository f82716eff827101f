"""Features that every fold has of its own: those of a learned extractor which never heard the fold's speakers.

`dsfx train --folds` writes two tables per fold: of the clips that the fold's extractor never heard, and of all others,
which it has learned from. A classifier of that fold learns from the latter and is tested on the former. Features of
two extractors have nothing to do with each other, so the rows of different folds must not be mixed.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError, InputError
from .arrays import Values
from .classifiers import Classifier, Outcome, quality
from .data import Data, Own
from .protocols import Fold, Protocol
from .tables import Clips, FeatureTable, open_table

__all__ = ["chosen", "make_folded", "mapped", "mixed", "only", "own_features", "put", "settled"]

Matrix = NDArray[np.float32]
Rows = NDArray[np.intp]


def put(x: Matrix, own: Sequence[Own], fold: str) -> Matrix:
    """Return a set (clips, columns) as the fold's extractor sees it; `x` itself where there is none."""
    if own:
        x = x.copy()
    for each in own:
        values = each.values[fold]
        x[:, each.first : each.first + values.shape[1]] = values
    return x


def only(own: Sequence[Own], fold: str) -> list[Own]:
    """Return what one fold needs."""
    return [Own(each.first, {fold: each.values[fold]}) for each in own]


def mapped(own: dict[str, list[Own]], change: Callable[[Matrix], Matrix]) -> dict[str, list[Own]]:
    """Return the same with every fold's features changed."""
    return {
        name: [Own(each.first, {fold: change(x) for fold, x in each.values.items()}) for each in parts]
        for name, parts in own.items()
    }


def own_features(clips: Clips) -> dict[str, list[Own]]:
    """Read the columns that every fold has of its own, by set."""
    known: dict[str, dict[str, Matrix]] = {}
    found: dict[str, list[Own]] = {}
    for name, pieces in clips.pieces.items():
        found[name], first = [], 0
        for table, inner, rows in pieces:
            columns = table.sets[inner]
            if table.folded:
                if inner not in known:
                    known[inner] = _by_fold(table, columns, rows)
                found[name].append(Own(first, known[inner]))
            first += len(columns)
    return found


def _by_fold(table: FeatureTable, columns: Sequence[str], rows: Rows) -> dict[str, Matrix]:
    """Features (rows, columns) of all clips by each fold's extractor.

    Raises
    ------
    InputError
        A fold's table is missing or does not have the other clips.
    """
    fold = np.array(table.fold)[rows]
    files = [table.file[row] for row in rows]
    unheard = table.load(columns, rows)
    found = {}
    for name in sorted(set(fold.tolist())):
        path = table.path.parent / "folds" / f"fold-{name}.parquet"
        others = open_table(path)
        places = {file: number for number, file in enumerate(others.file)}
        values = unheard.copy()
        rest = np.flatnonzero(fold != name)
        absent = [files[i] for i in rest if files[i] not in places]
        if absent:
            raise InputError(f"{path}: has no row of {absent[0]}; it belongs to another training than {table.path}")
        values[rest] = others.load(columns, np.array([places[files[i]] for i in rest], np.intp))
        found[name] = values
    return found


def settled(
    outcomes: dict[tuple[str, str, str], Outcome], data: Data, classifiers: Sequence[Classifier]
) -> dict[tuple[str, str, str], Outcome]:
    """Outcomes by set, classifier and fold, with the parameters that `chosen` gives them."""
    found: dict[tuple[str, str, str], Outcome] = {}
    for name, classifier in product(data.clips.features, classifiers):
        keys = [(name, classifier.name, fold.name) for fold in data.protocol.folds]
        parts = [(fold, outcomes[key]) for key, fold in zip(keys, data.protocol.folds, strict=True)]
        found |= dict(zip(keys, chosen(parts, data.labels, classifier), strict=True))
    return found


def chosen(outcomes: Sequence[tuple[Fold, Outcome]], labels: Values, classifier: Classifier) -> list[Outcome]:
    """Choose the parameters of every fold by what they were worth in the other folds.

    Clips that an extractor has learned from are told apart by it far better than others, whatever the classifier, so
    an inner cross-validation among them cannot choose. The test clips of the other folds were heard by neither
    their extractor nor their classifier, and are of other speakers than the fold's own.

    Parameters
    ----------
    outcomes : folds with the predictions for the whole grid.
    labels : (clips,)
    classifier : Classifier
    """
    found = []
    for fold, own in outcomes:
        others = [(labels[other.test], outcome.every) for other, outcome in outcomes if other is not fold]
        usable = [(true, every) for true, every in others if every]
        if not own.every or not usable:
            found.append(own)
            continue
        true = np.concatenate([part for part, _ in usable])
        cells = range(len(classifier.grid))
        scores = [quality(true, np.concatenate([every[cell] for _, every in usable])) for cell in cells]
        best = int(np.argmax(scores))
        found.append(replace(own, predicted=own.every[best], parameters=classifier.grid[best], inner=scores, every=[]))
    return found


def make_folded(path: Path, fold: Sequence[str], protocol: str, speakers: NDArray[np.str_] | None) -> Protocol:
    """Divide clips as a training did.

    Parameters
    ----------
    path : Path
        The model's folder.
    fold : sequence of str
        Of every clip.
    protocol : str
        As the user asked for it: only the default goes together with folds that are given.
    speakers : array of str, optional
        Of every clip.

    Raises
    ------
    ConfigError
        Another protocol.
    InputError
        A speaker is in two folds, or there is nothing to learn from.
    """
    if protocol != "loso":
        raise ConfigError(f"--protocol {protocol}: the folds are those of {path}, each with an extractor of its own")
    values = np.array(fold)
    names = sorted(set(fold))
    if len(names) < 2:
        raise InputError(
            f"{path}: all labelled clips are in one fold, so there is nothing to learn from; "
            f"{path / 'oof.parquet'} has features of theirs that are all by one extractor"
        )
    folds = [Fold(name, 0, np.flatnonzero(values != name), np.flatnonzero(values == name)) for name in names]
    for each in folds if speakers is not None else []:
        both = set(speakers[each.train]) & set(speakers[each.test]) if speakers is not None else set()
        if both:
            raise InputError(
                f"{path}: speaker {min(both)} is in fold {each.name} and in another; the labels name other speakers "
                "than those it was trained with"
            )
    words = (
        f"cross-validation with {len(folds)} folds of whole speakers, each with a deep extractor of its own that never "
        "heard the fold's speakers"
    )
    warnings = [] if speakers is not None else ["SPEAKERS UNKNOWN: intervals treat every clip as a speaker of its own"]
    return Protocol("out-of-fold", folds, words, warnings, True)


def mixed(clips: Clips) -> list[str]:
    """Find out-of-fold tables that are taken for tables of one extractor; one line each."""
    used = {piece.table.path: piece for pieces in clips.pieces.values() for piece in pieces}
    return [
        f"OUT-OF-FOLD FEATURES of several extractors in {table.path.name}: what one means by a column another does "
        f"not, so a classifier that learns from all of them says little; name the folder {table.path.parent} instead"
        for table, _, rows in used.values()
        if table.fold and not table.folded and len({table.fold[row] for row in rows}) > 1
    ]
