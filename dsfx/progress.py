"""Progress of a run, on stderr: done / total, hours of audio, × real time, time left."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .pipeline import Progress

__all__ = ["bar", "clock", "counted", "lines", "pace"]

_EVERY = 20.0
"""Seconds between plain lines."""

_Callbacks = tuple[Callable[[Progress], None], Callable[[str], None]]


def clock(seconds: float) -> str:
    """Return a duration as people say it: ``48 s``, ``12 min``, ``3.4 h``."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def pace(audio: float, elapsed: float) -> str:
    """Return how fast seconds of audio were dealt with: ``240 × real time``, ``0.4 × real time``."""
    ratio = audio / max(1e-9, elapsed)
    return f"{ratio:.{0 if ratio >= 10 else 1}f} × real time"


def counted(number: int, noun: str) -> str:
    """Return a number of things: ``1 row``, ``3 rows``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _words(progress: Progress) -> str:
    elapsed = time.perf_counter() - progress.began
    words = [f"{progress.done}/{progress.items}", f"{clock(progress.audio)} of audio"]
    if progress.audio:
        words.append(pace(progress.audio, elapsed))
    if (left := time_left(progress)) is not None:
        words.append(f"{clock(left)} left")
    if progress.failed:
        words.append(f"{progress.failed} failed")
    return ", ".join(words)


def time_left(progress: Progress) -> float | None:
    """Return the seconds still to go, judged by this run's own pace; None before there is a pace."""
    fresh = (progress.done - progress.reused) / max(1, progress.items)
    if fresh <= 0 or progress.done >= progress.items:
        return None
    return (time.perf_counter() - progress.began) / fresh * (1 - progress.done / progress.items)


@contextmanager
def lines() -> Iterator[_Callbacks]:
    """Print a plain line now and then: for logs and batch systems."""
    last = time.perf_counter()

    def on_progress(progress: Progress) -> None:
        nonlocal last
        if time.perf_counter() - last >= _EVERY:
            last = time.perf_counter()
            on_note(_words(progress))

    def on_note(note: str) -> None:
        sys.stderr.write(f"{note}\n")
        sys.stderr.flush()

    yield on_progress, on_note


@contextmanager
def bar() -> Iterator[_Callbacks]:
    """Show a bar that moves."""
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as Bar

    console = Console(stderr=True)
    columns = (BarColumn(bar_width=30), TextColumn("{task.description}"))
    with Bar(*columns, console=console, transient=True) as display:
        task = display.add_task("starting", total=None)

        def on_progress(progress: Progress) -> None:
            display.update(task, total=progress.items, completed=progress.done, description=_words(progress))

        yield on_progress, lambda note: console.print(note, highlight=False)
