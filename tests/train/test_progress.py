import io
import sys

import numpy as np
import pytest

from dsfx.train.fit import Epoch
from dsfx.train.folds import Part
from dsfx.train.progress import Pace, bar, lines, words
from dsfx.train.work import Progress

PART = Part("fold-01", "without s1", *(np.zeros(1, bool),) * 3)


def at(number: int | None, done: int, held_out: float | None = None, jobs: int = 1) -> Progress:
    epoch = None if number is None else Epoch(number, 0.5, 0.75, held_out, 60.0)
    return Progress(PART, 2, 3, epoch, 10, done, 30, jobs)


def test_words() -> None:
    assert words(at(4, 14), 900.0) == "2/3 without s1, epoch 4/10, loss 0.500, 75.0 % right, 15 min left"
    assert words(at(4, 14, 0.625)) == "2/3 without s1, epoch 4/10, loss 0.500, 75.0 % right, held-out UA 62.5 %"
    assert words(at(None, 20)) == "2/3 without s1, finished"


def test_time_left() -> None:
    pace = Pace()
    assert pace.left(at(None, 10)) is None
    assert pace.left(at(1, 11)) == 19 * 60
    assert pace.left(at(2, 12, jobs=2)) == 9 * 60
    assert pace.left(at(10, 30)) is None


@pytest.mark.parametrize("display", [lines, bar])
def test_displays(display, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    with display() as (on_progress, on_note):
        on_note("a note")
        on_progress(at(1, 11))
        on_progress(at(None, 20))
    assert "a note" in stream.getvalue()
    assert "2/3 without s1, finished" in stream.getvalue()
