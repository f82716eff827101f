"""How many frames exist where a stream ends: rows of the tables, frames of the functionals.

Smoothing looks one frame ahead, a delta two, and the F0 tracker releases a frame only once its paths agree. At the end
of the input what is still missing is made up in a fixed order, and the functionals fire in the middle of it, on what
exists at that moment. Nothing of this depends on values: it is a game of counters, played here.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["SOURCES", "Ends", "Stage", "ends", "play"]

SOURCES = ("short", "long", "pitch", "late")
"""Where contours come from: short frames; long frames that do not wait for F0; what is released with F0; what is
computed after F0 (periods in the waveform)."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One step between the descriptors and the result, with the sources or earlier steps it reads.

    A `table` joins columns and is as late as its latest one; a `window` needs `half` frames on either side; a `summary`
    is a group of functionals.
    """

    name: str
    kind: Literal["table", "window", "summary"]
    inputs: tuple[str, ...]
    half: int = 0


@dataclass(frozen=True, slots=True)
class Ends:
    """Result of the game.

    Attributes
    ----------
    first : int
        Rows before this one have their whole window inside every contour.
    limits : dict of int64 arrays, shape (rows, inputs)
        Per window stage, for its rows from `first` on: the frames of each input that existed when the row was made.
    frames : dict of int
        Per summary, the frames it is computed from.
    """

    first: int
    limits: dict[str, NDArray[np.int64]]
    frames: dict[str, int]

    def rows(self, window: str) -> int:
        """Rows a window stage makes in total."""
        return self.first + len(self.limits[window])


_SETTLED = 8  # released frames from which on the game is the same but for a shift of all counters


def ends(stages: tuple[Stage, ...], short: int, long: int, released: int) -> Ends:
    """Play the end of the input.

    Parameters
    ----------
    stages : tuple of Stage
        In the order in which they are visited: tables, smoothing, deltas, summaries.
    short, long : int
        Numbers of short and long frames, ``1 <= long <= short``.
    released : int
        Long frames whose F0 was decided before the end of the input.
    """
    shift = max(0, released - _SETTLED)
    game = play(stages, short - shift, long - shift, released - shift)
    if shift == 0:
        return game
    return Ends(
        game.first + shift,
        {name: rows + shift for name, rows in game.limits.items()},
        {name: n + shift for name, n in game.frames.items()},
    )


@lru_cache(maxsize=4096)
def play(stages: tuple[Stage, ...], short: int, long: int, released: int) -> Ends:
    """`ends` without the shortcut for long inputs: the game from its first pass."""
    counts = dict.fromkeys((stage.name for stage in stages), 0)
    counts |= {"short": short, "long": long, "pitch": released, "late": 0}
    limits: dict[str, list[tuple[int, ...]]] = {stage.name: [] for stage in stages if stage.kind == "window"}
    frames: dict[str, int] = {}

    def one_pass(ending: bool) -> bool:
        before = dict(counts), len(frames)
        if ending:
            counts["pitch"] = min(counts["pitch"] + 1, long)
        elif counts["late"] < counts["pitch"]:
            counts["late"] += 1
        for stage in stages:
            have = tuple(counts[name] for name in stage.inputs)
            rows = counts[stage.name]
            if stage.kind == "table":
                counts[stage.name] += min(have) > rows
            elif stage.kind == "window":
                if min(have) > (max(rows - stage.half, 0) if ending else rows + stage.half):
                    limits[stage.name].append(have)
                    counts[stage.name] += 1
            elif ending and stage.name not in frames and min(have) > 0:
                frames[stage.name] = min(have)
        return before != (counts, len(frames))

    advanced = True
    while advanced:
        advanced = False
        for ending in (False, True):
            while one_pass(ending):
                advanced = advanced or not ending
    widths = {stage.name: len(stage.inputs) for stage in stages}
    return Ends(
        0, {name: np.array(rows, np.int64).reshape(len(rows), widths[name]) for name, rows in limits.items()}, frames
    )
