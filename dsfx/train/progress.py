"""Progress of a training, on stderr: network i of n, epoch, loss, UA, time left."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..progress import clock

if TYPE_CHECKING:
    from .work import Progress

__all__ = ["bar", "lines", "words"]

Callbacks = tuple[Callable[["Progress"], None], Callable[[str], None]]


def words(progress: "Progress", left: float | None = None) -> str:
    """Say where a training is."""
    parts = [f"{progress.number}/{progress.count} {progress.part.words}"]
    if progress.epoch is None:
        parts.append("finished")
    else:
        parts.append(f"epoch {progress.epoch.number}/{progress.epochs}")
        parts.append(f"loss {progress.epoch.loss:.3f}")
        parts.append(f"{100 * progress.epoch.right:.1f} % right")
        if progress.epoch.held_out is not None:
            parts.append(f"held-out UA {100 * progress.epoch.held_out:.1f} %")
    if left is not None:
        parts.append(f"{clock(left)} left")
    return ", ".join(parts)


class Pace:
    """The time left, judged by the duration of epochs so far."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def left(self, progress: "Progress") -> float | None:
        """Seconds to go; None before an epoch has been seen."""
        if progress.epoch is not None:
            self.seconds.append(progress.epoch.seconds)
        if not self.seconds or progress.done >= progress.total:
            return None
        return sum(self.seconds) / len(self.seconds) * (progress.total - progress.done) / max(1, progress.jobs)


@contextmanager
def lines() -> Iterator[Callbacks]:
    """Print a plain line per epoch: for logs and batch systems."""
    pace = Pace()

    def on_note(note: str) -> None:
        sys.stderr.write(f"{note}\n")
        sys.stderr.flush()

    yield lambda progress: on_note(words(progress, pace.left(progress))), on_note


@contextmanager
def bar() -> Iterator[Callbacks]:
    """Show a bar that moves, and a line for every network that is finished."""
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as Bar

    console = Console(stderr=True)
    pace = Pace()
    columns = (BarColumn(bar_width=24), TextColumn("{task.description}"))
    with Bar(*columns, console=console, transient=True) as display:
        task = display.add_task("reading the recordings", total=None)

        def on_progress(progress: "Progress") -> None:
            text = words(progress, pace.left(progress))
            display.update(task, total=progress.total, completed=progress.done, description=text)
            if progress.epoch is None:
                console.print(words(progress), highlight=False, markup=False)

        yield on_progress, lambda note: console.print(note, highlight=False, markup=False)
