from pathlib import Path

import numpy as np
import pytest

from dsfx.errors import ConfigError, InputError
from dsfx.train.data import Clip
from dsfx.train.folds import divide


def clips(speakers: dict[str, int], takes: int = 2) -> list[Clip]:
    return [
        Clip(corpus, f"{corpus}/{who}-{take}.wav", Path(), f"s{who}", "ab"[take % 2], fold="xy"[who % 2])
        for corpus, count in speakers.items()
        for who in range(count)
        for take in range(takes)
    ]


def speakers_of(material: list[Clip], mask: np.ndarray) -> set[tuple[str, str]]:
    return {(clip.corpus, clip.speaker) for clip, inside in zip(material, mask, strict=True) if inside}


@pytest.mark.parametrize("folds", ["loso", 2, 3, "corpus", "column:half"])
@pytest.mark.parametrize("hold_out", [0, 1, 0.4])
def test_no_network_hears_whom_it_is_judged_or_stopped_by(folds: str | int, hold_out: float) -> None:
    material = clips({"a": 4, "b": 5})
    *parts, last = divide(material, folds, hold_out, seed=0)
    assert (last.name, last.test.any()) == ("all", False)
    assert [part.name for part in parts] == [f"fold-{number:02d}" for number in range(len(parts))]
    assert np.array_equal(np.sum([part.test for part in parts], axis=0), np.ones(len(material)))
    for part in [*parts, last]:
        roles = [speakers_of(material, mask) for mask in (part.train, part.held_out, part.test)]
        assert sum(len(role) for role in roles) == len(set().union(*roles)) == 9
        assert roles[0]
        assert bool(roles[1]) == bool(hold_out)
    # The same name in another corpus is another speaker.
    if folds == "loso":
        assert len(parts) == 9
    if folds == "corpus":
        assert [speakers_of(material, part.test) for part in parts] == [
            {("a", f"s{i}") for i in range(4)},
            {("b", f"s{i}") for i in range(5)},
        ]


def test_held_out_speakers_follow_the_seed() -> None:
    material = clips({"a": 9})
    found = [frozenset(speakers_of(material, divide(material, None, 3, seed)[0].held_out)) for seed in (0, 0, 1, 2, 3)]
    assert found[0] == found[1]
    assert len(set(found)) > 1
    assert all(len(speakers) == 3 for speakers in found)


@pytest.mark.parametrize(
    ("folds", "hold_out", "error", "message"),
    [
        (1, 0, ConfigError, "1 folds over 4 speakers, expected 2 to 4"),
        (5, 0, ConfigError, "5 folds over 4 speakers"),
        ("all", 0, ConfigError, "--folds all: expected loso, a number, corpus or column:NAME"),
        ("corpus", 0, ConfigError, "there is one corpus"),
        (None, 4, ConfigError, "would take 4 of the 4 speakers of a"),
        (None, 1.5, ConfigError, "--hold-out 1.5: expected a share below 1"),
        (None, -1, ConfigError, "--hold-out -1"),
    ],
)
def test_what_cannot_be_divided(folds: object, hold_out: float, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        divide(clips({"a": 4}), folds, hold_out, seed=0)  # type: ignore[arg-type]


def test_a_speaker_in_two_folds_of_a_column() -> None:
    material = clips({"a": 4})
    material[0] = Clip("a", "x", Path(), "s0", "a", fold="y")
    with pytest.raises(InputError, match="speaker s0 of a is in the folds"):
        divide(material, "column:half", 0, seed=0)
