"""Which clips each network learns from: folds of whole speakers, and speakers held out for early stopping."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError, InputError
from .data import Entry

__all__ = ["Part", "divide", "members_of", "speaker_groups"]

Mask = NDArray[np.bool_]
Speaker = tuple[str, str]
"""Corpus and name: speakers of two corpora are different people even where they have the same name."""


@dataclass(frozen=True)
class Part:
    """One network: what it learns from, what it is stopped by, and what it is judged on.

    Attributes
    ----------
    name : of its files: ``fold-00`` and so on; ``all`` for the network of the model.
    words : for a person.
    train, held_out, test : (clips,) masks.
    member : number of the network among those that learn from the same clips, see `members_of`.
    """

    name: str
    words: str
    train: Mask
    held_out: Mask
    test: Mask
    member: int = 0


def members_of(part: Part, count: int) -> list[Part]:
    """The `count` networks that a model, or a fold, consists of; each has files of its own."""
    if count == 1:
        return [part]
    return [
        replace(part, name=f"{part.name}-{number + 1}", words=f"{part.words} ({number + 1} of {count})", member=number)
        for number in range(count)
    ]


def divide(
    clips: Sequence[Entry], folds: str | int | None, hold_out: float, seed: int, left_out: Sequence[str] = ()
) -> list[Part]:
    """The models of a training: one per fold, then the one that learns from all speakers.

    Parameters
    ----------
    clips : of all corpora.
    folds : see `speaker_groups`.
    hold_out : speakers of every corpus that stop the training early: below 1 a share, else a number; 0: none.
    seed : draws the held-out speakers.
    left_out : corpora whose speakers the folds leave out; none: all.

    Raises
    ------
    ConfigError, InputError : the speakers do not allow it.
    """
    speakers = [(clip.corpus, clip.speaker) for clip in clips]
    corpora = list(dict.fromkeys(clip.corpus for clip in clips))
    unknown = [name for name in left_out if name not in corpora]
    if unknown:
        raise ConfigError(f"--fold-corpus {unknown[0]}: expected one of {', '.join(corpora)}")
    if left_out and folds is None:
        raise ConfigError("--fold-corpus: there are no folds; --folds loso or another value makes them")
    groups = speaker_groups([clip for clip in clips if not left_out or clip.corpus in left_out], folds)
    parts = []
    for number, group in enumerate([*groups, []]):
        test = np.array([who in group for who in speakers], dtype=bool)
        out = held_out([who for who in dict.fromkeys(speakers) if who not in group], hold_out, seed)
        held = np.array([who in out for who in speakers], dtype=bool)
        several = len({corpus for corpus, _ in group}) > 1
        names = [f"{corpus}/{who}" if several else who for corpus, who in group]
        most = ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
        name, words = (f"fold-{number:02d}", f"without {most}") if group else ("all", "all speakers")
        train = ~(test | held)
        if not train.any():
            raise InputError(f"{words}: no clip is left to learn from; fewer folds or a smaller --hold-out mend it")
        parts.append(Part(name, words, train, held, test))
    return parts


def speaker_groups(clips: Sequence[Entry], folds: str | int | None) -> list[list[Speaker]]:
    """The speakers that each fold leaves out.

    Parameters
    ----------
    clips : of all corpora.
    folds : None; ``loso``, each speaker once; a number of groups, every corpus spread over them; ``corpus``, each
        corpus once; ``column:NAME``, after the clips' `fold`.

    Raises
    ------
    ConfigError : another value, or more groups than there are speakers.
    InputError : a speaker would be in two folds.
    """
    if folds is None:
        return []
    speakers = sorted({(clip.corpus, clip.speaker) for clip in clips})
    if folds == "corpus":
        names = dict.fromkeys(clip.corpus for clip in clips)
        if len(names) < 2:
            raise ConfigError("--folds corpus: there is one corpus, expected several label tables")
        return [[who for who in speakers if who[0] == name] for name in names]
    if isinstance(folds, str) and folds.startswith("column:"):
        home: dict[Speaker, str] = {}
        for clip in clips:
            other = home.setdefault((clip.corpus, clip.speaker), clip.fold)
            if other != clip.fold:
                raise InputError(
                    f"--folds {folds}: speaker {clip.speaker} of {clip.corpus} is in the folds {other} and "
                    f"{clip.fold}, expected every speaker in one"
                )
        if len(set(home.values())) < 2:
            raise InputError(f"--folds {folds}: the column has one value, expected at least two folds")
        return [[who for who in speakers if home[who] == fold] for fold in sorted(set(home.values()))]
    if folds == "loso":
        count = len(speakers)
    elif isinstance(folds, int) and not isinstance(folds, bool):
        count = folds
    else:
        raise ConfigError(f"--folds {folds}: expected loso, a number, corpus or column:NAME")
    if not 2 <= count <= len(speakers):
        raise ConfigError(f"--folds: {count} folds over {len(speakers)} speakers, expected 2 to {len(speakers)}")
    return [speakers[first::count] for first in range(count)]


def held_out(speakers: Sequence[Speaker], hold_out: float, seed: int) -> set[Speaker]:
    """Speakers of every corpus, drawn at random, of whom a training hears nothing."""
    if not hold_out:
        return set()
    if hold_out < 0 or (hold_out > 1 and hold_out != int(hold_out)):
        raise ConfigError(f"--hold-out {hold_out:g}: expected a share below 1 or a number of speakers")
    rng = np.random.default_rng(seed)
    chosen: set[Speaker] = set()
    for corpus in sorted({corpus for corpus, _ in speakers}):
        own = sorted(who for who in speakers if who[0] == corpus)
        count = max(1, round(hold_out * len(own))) if hold_out < 1 else int(hold_out)
        if count >= len(own):
            raise ConfigError(
                f"--hold-out {hold_out:g}: would take {count} of the {len(own)} speakers of {corpus} that a network "
                "learns from, expected fewer"
            )
        chosen |= {own[i] for i in rng.permutation(len(own))[:count]}
    return chosen
