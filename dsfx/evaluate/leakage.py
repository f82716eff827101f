"""What would make a result too good: evaluation on training data of a learned set, equal audio on both sides."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..errors import DsfxError
from .protocols import Fold

__all__ = ["across", "trained_on", "training_hashes", "unequal"]


def training_hashes(models: Sequence[str]) -> dict[str, tuple[str, frozenset[str]]]:
    """Return name and hashes of training clips of every known model, by its sha256.

    Parameters
    ----------
    models : sequence of str
        Names or folders of models besides those of the catalogue.

    Raises
    ------
    ModelError
        One of `models` is none.
    """
    from ..deep import catalogue, load_model

    known: dict[str, tuple[str, frozenset[str]]] = {}
    for name in [*models, *catalogue()]:
        try:
            model = load_model(name)
        except DsfxError:
            if name in models:
                raise
            continue
        hashes = _lines(model.folder / "hashes.txt")
        if hashes is not None:
            known.setdefault(model.sha256, (model.name, hashes))
    return known


def _lines(path: Path) -> frozenset[str] | None:
    try:
        return frozenset(path.read_text(encoding="ascii").split())
    except OSError:
        return None


def trained_on(
    identity: dict[str, str], hashes: Sequence[str], known: dict[str, tuple[str, frozenset[str]]]
) -> tuple[list[str], list[str]]:
    """Find learned sets whose model has seen the clips that are evaluated.

    Parameters
    ----------
    identity : dict of str to str
        The hash of every set, by its name; for a learned one the sha256 of its model, or ``out-of-fold:`` and a hash.
    hashes : sequence of str
        Of the clips.

    Returns
    -------
    leaks : list of str
        One line for each set that leaks.
    unknown : list of str
        One line for each learned set that could not be checked.
    """
    leaks, unknown = [], []
    for name, sha in identity.items():
        if sha in known:
            model, seen = known[sha]
            shared = sum(1 for value in hashes if value in seen)
            if shared:
                leaks.append(
                    f"LEAK: {name}: its model {model} was trained on {shared} of the {len(hashes)} evaluated clips"
                )
            elif not any(hashes):
                unknown.append(
                    f"{name}: the table has no column `hash`, so whether its model knows the clips is not told"
                )
        elif sha.startswith("out-of-fold:"):
            continue  # by extractors that never heard the clip's speaker
        elif sha.startswith("in-fold:"):
            leaks.append(f"LEAK: {name}: these are features of the very clips that a fold's extractor has learned from")
        elif name == "deep" or name.startswith("deep:"):
            unknown.append(
                f"{name}: which clips its model was trained on is unknown (--model FOLDER names a folder with "
                "hashes.txt), so a leak would go unnoticed"
            )
    return leaks, unknown


def across(folds: Sequence[Fold], hashes: Sequence[str], files: Sequence[str]) -> list[str]:
    """Find equal audio in the training and the test part of a fold; one line, or none."""
    values = np.asarray(hashes)
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    double = (counts[inverse] > 1) & (values != "")
    if not double.any():
        return []
    pairs: set[tuple[str, str]] = set()
    for fold in folds:
        rows = {values[i]: files[i] for i in fold.train if double[i]}
        pairs |= {tuple(sorted((files[i], rows[values[i]]))) for i in fold.test if double[i] and values[i] in rows}
    if not pairs:
        return []
    first = min(pairs)
    return [
        f"LEAK: {len(pairs)} pairs of clips with equal audio are divided between training and test, {first[0]} and "
        f"{first[1]} first"
    ]


def unequal(hashes: Sequence[str], labels: Sequence[str], files: Sequence[str]) -> list[str]:
    """Find equal audio with different labels; one line, or none."""
    seen: dict[str, int] = {}
    found = []
    for row, value in enumerate(hashes):
        if value and labels[seen.setdefault(value, row)] != labels[row]:
            found.append((files[seen[value]], files[row]))
    if not found:
        return []
    return [f"{len(found)} pairs of clips have equal audio and different labels, {found[0][0]} and {found[0][1]} first"]
