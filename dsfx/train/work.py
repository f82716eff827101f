"""The networks of a training, one after the other or several at once, each with a result that stays."""

import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import connection, get_context, parent_process
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from .. import __version__
from ..errors import DsfxError, StorageError
from ..files import whole
from ..frontend import FrontEnd
from .auxiliary import Auxiliary, Standard
from .cache import Spectrograms, no_space
from .export import check, graph
from .fit import HEADS, Epoch, Material, Recipe, fit, infer
from .folds import Part, members_of
from .network import Layers, Network
from .start import Start

__all__ = [
    "Progress",
    "Setting",
    "exported",
    "judged",
    "judged_beside",
    "learn",
    "learn_all",
    "results",
    "save",
    "weights",
]

Rows = NDArray[np.float32]

STATE = "state/"
"""Before the names of a network's arrays in a result."""

STRIDE_OF_SEEDS = 1_000_003
"""Between the seeds of two members, such that trainings of neighbouring seeds share no network."""


@dataclass(frozen=True)
class Setting:
    """What all networks of a training have in common.

    Attributes
    ----------
    folder : for checkpoints and results.
    spectrograms : of all clips.
    targets, corpora : (clips,) numbers of class and corpus.
    allowed : (corpora, classes) which classes a corpus has.
    functionals : (clips, columns) by feature set, for the regression head; none without one.
    start : what all networks begin with.
    beside : networks whose features follow those of the trained ones.
    """

    folder: Path
    spectrograms: Spectrograms
    targets: NDArray[np.int64]
    corpora: NDArray[np.int64]
    allowed: NDArray[np.bool_]
    functionals: dict[str, NDArray[np.float32]]
    auxiliary: Auxiliary
    front_end: FrontEnd
    layers: Layers
    recipe: Recipe
    seed: int
    device: str
    threads: int
    start: Start | None
    beside: Start | None

    @property
    def n_beside(self) -> int:
        """Networks of `beside`."""
        return len(self.beside.weights) if self.beside else 0

    @property
    def n_features(self) -> int:
        """Length of a model's feature vector."""
        return self.layers.n_features + self.layers.width * self.n_beside

    @property
    def n_parameters(self) -> int:
        """Learned numbers of a model: of networks beside those that give features."""
        sizes = dict(Network(self.front_end.n_bands, self.allowed.shape[1], self.layers).named_parameters())
        every = sum(value.numel() for value in sizes.values())
        posterior = sum(value.numel() for name, value in sizes.items() if name.startswith(("dense.", "classify.")))
        return self.layers.members * every + self.n_beside * (every - posterior)

    def members(self, part: Part) -> list[Part]:
        """The networks that a model, or a fold, consists of."""
        return members_of(part, self.layers.members)

    def others(self) -> list[Network]:
        """The networks of `beside`."""
        return self.beside.networks(self.front_end, self.layers, self.allowed.shape[1]) if self.beside else []

    def material(self, chosen: NDArray[np.bool_], targets: NDArray[np.float32] | None) -> Material:
        """The clips of a mask, with the targets (clips, n) of the regression head."""
        return Material(
            rows=self.spectrograms.subset(chosen),
            targets=self.targets[chosen],
            corpora=self.corpora[chosen],
            allowed=self.allowed,
            auxiliary=None if targets is None else targets[chosen],
        )


@dataclass(frozen=True)
class Progress:
    """Where a training is.

    Attributes
    ----------
    part : the network; `number` of `count`, from 1.
    epoch : the last one; None where the network is finished.
    epochs : of a network.
    done, total : epochs of all networks; those of an earlier run, and skipped ones, count as done.
    jobs : networks that are trained at once.
    """

    part: Part
    number: int
    count: int
    epoch: Epoch | None
    epochs: int
    done: int
    total: int
    jobs: int = 1


Report = Callable[[Progress], None]


def learn(setting: Setting, part: Part, report: Callable[[Epoch], None]) -> None:
    """Train one network and leave its result in the folder; where a checkpoint lies, go on from it."""
    before = torch.get_num_threads()
    torch.set_num_threads(setting.threads)
    checkpoint = setting.folder / f"{part.name}.checkpoint"
    try:
        targets = None
        if setting.functionals:
            own = {name: values[part.train] for name, values in setting.functionals.items()}
            targets = Standard.fit(own, setting.auxiliary).apply(setting.functionals)
        fitted = fit(
            setting.material(part.train, targets),
            front_end=setting.front_end,
            layers=setting.layers,
            recipe=setting.recipe,
            seed=setting.seed + STRIDE_OF_SEEDS * part.member,
            start=setting.start.of(part.member) if setting.start else None,
            held_out=setting.material(part.held_out, targets) if part.held_out.any() else None,
            device=setting.device,
            checkpoint=checkpoint,
            report=report,
        )
        history = [
            [e.number, e.loss, e.right, np.nan if e.held_out is None else e.held_out, e.seconds] for e in fitted.history
        ]
        result: dict[str, Any] = {"history": np.array(history, dtype=np.float64), "best": np.array(fitted.best)}
        result |= {STATE + name: value.numpy() for name, value in fitted.network.state_dict().items()}
        if part.test.any():
            result["features"], result["posteriors"] = infer(fitted.network, setting.spectrograms, setting.front_end)
        save(setting.folder / f"{part.name}.npz", result)
        checkpoint.unlink(missing_ok=True)
    except DsfxError:
        raise
    except OSError as error:
        raise no_space(setting.folder, error, "another -o mends it") from None
    except (MemoryError, torch.OutOfMemoryError):
        raise StorageError(
            f"{part.words}: out of memory; a smaller batch in [training] or fewer --jobs mend it, "
            "and finished epochs are kept"
        ) from None
    finally:
        torch.set_num_threads(before)


def state_of(setting: Setting, part: Part) -> dict[str, NDArray[Any]]:
    """The arrays of a result's network, by name."""
    found = results(setting.folder, part)
    return {name.removeprefix(STATE): value for name, value in found.items() if name.startswith(STATE)}


def network_of(setting: Setting, part: Part) -> Network:
    """The trained network of a result, without the regression head, which is no part of a graph."""
    network = Network(setting.front_end.n_bands, setting.allowed.shape[1], setting.layers)
    state = state_of(setting, part)
    network.load_state_dict(
        {name: torch.from_numpy(value) for name, value in state.items() if not name.startswith("regress.")}
    )
    return network.eval()


def exported(setting: Setting, part: Part) -> tuple[bytes, float]:
    """The ONNX graph of a model's networks, and how far it is from torch on clips of many lengths."""
    networks = [network_of(setting, member) for member in setting.members(part)]
    beside = setting.others()
    content = graph(networks, beside, producer=f"dsfx {__version__}")
    order = np.argsort(setting.spectrograms.lengths, kind="stable")[:: len(setting.spectrograms) // 8 + 1]
    ragged = [setting.front_end.normalise(setting.spectrograms[int(i)]) for i in order]
    ragged += [ragged[0][:count] for count in (1, 3, 4, 5) if len(ragged[0]) >= count]
    return content, check(content, networks, ragged, beside)


def judged(setting: Setting, part: Part, beside: NDArray[np.float32]) -> tuple[Rows, Rows]:
    """Features (clips, n_features) of a fold's networks side by side and then `beside`, and the mean posteriors."""
    found = [results(setting.folder, member) for member in setting.members(part)]
    features = np.concatenate([*(each["features"] for each in found), beside], axis=1)
    posteriors: Rows = np.mean([each["posteriors"] for each in found], axis=0, dtype=np.float32)
    return features, posteriors


def judged_beside(setting: Setting) -> Rows:
    """Features (clips, n) of the networks that stand beside, the same for all folds; none: no column."""
    found = [infer(network, setting.spectrograms, setting.front_end)[0] for network in setting.others()]
    return np.concatenate([np.empty((len(setting.spectrograms), 0), dtype=np.float32), *found], axis=1)


def save(path: Path, arrays: dict[str, Any]) -> None:
    """Write arrays such that the file is there whole or not at all."""
    with whole(path) as handle:
        np.savez(handle, **arrays)


def results(folder: Path, part: Part) -> dict[str, NDArray[Any]]:
    """What `learn` left."""
    with np.load(folder / f"{part.name}.npz", allow_pickle=False) as found:
        return dict(found)


def weights(setting: Setting, part: Part) -> dict[str, NDArray[Any]]:
    """The arrays of a model's networks that another training can begin with: all but the heads, by member and name."""
    return {
        f"{number}/{name}": value
        for number, member in enumerate(setting.members(part))
        for name, value in state_of(setting, member).items()
        if not name.startswith(HEADS)
    }


def learn_all(setting: Setting, parts: Sequence[Part], jobs: int, report: Report) -> None:
    """Train all networks of all `parts` that have no result yet, `jobs` at a time; results do not depend on how many.

    Raises
    ------
    StorageError : a worker process died, memory or disk gave out; what is finished is kept.
    """
    epochs = setting.recipe.epochs
    parts = [member for part in parts for member in setting.members(part)]
    reached = dict.fromkeys((part.name for part in parts), 0)
    numbers = {part.name: number for number, part in enumerate(parts, 1)}

    def note(part: Part, epoch: Epoch | None) -> None:
        reached[part.name] = epoch.number if epoch else epochs
        done = sum(reached.values())
        report(Progress(part, numbers[part.name], len(parts), epoch, epochs, done, epochs * len(parts), workers))

    waiting = []
    for part in parts:
        if (setting.folder / f"{part.name}.npz").is_file():
            reached[part.name] = epochs
        else:
            waiting.append(part)
    workers = min(jobs, len(waiting))
    if workers <= 1:
        for part in waiting:
            learn(setting, part, lambda epoch, part=part: note(part, epoch))  # type: ignore[misc]
            note(part, None)
        return
    by_name = {part.name: part for part in parts}
    context = get_context("spawn")
    heard = context.SimpleQueue()

    def listen() -> None:
        while not heard.empty():
            name, epoch = heard.get()
            note(by_name[name], epoch)

    with ProcessPoolExecutor(workers, mp_context=context, initializer=_begin, initargs=(heard,)) as pool:
        running: dict[Future[None], Part] = {pool.submit(_learn_elsewhere, setting, part): part for part in waiting}
        try:
            while running:
                finished, _ = wait(running, timeout=0.5, return_when=FIRST_COMPLETED)
                listen()
                for future in finished:
                    part = running.pop(future)
                    future.result()
                    note(part, None)
        except BrokenProcessPool:
            raise StorageError(
                "a worker process died, most likely for want of memory; fewer --jobs mend it, and the same command "
                "goes on where it stopped"
            ) from None
        finally:
            if running:
                _stop(pool)


_heard: Any = None
"""In a worker: where it reports to."""


def _learn_elsewhere(setting: Setting, part: Part) -> None:
    learn(setting, part, lambda epoch: _heard.put((part.name, epoch)))


def _begin(heard: Any) -> None:
    """Let a worker end with the process that started it, however that ends: two must not write one checkpoint."""
    global _heard  # noqa: PLW0603
    _heard = heard
    # An interruption from the keyboard reaches every process; the parent is the one to act upon it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = parent_process()

    def watch() -> None:
        if parent is not None:
            connection.wait([parent.sentinel])
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _stop(pool: ProcessPoolExecutor) -> None:
    """End the workers at once: their last epoch is kept, and nobody waits for the rest."""
    processes = list((pool._processes or {}).values())
    pool.shutdown(wait=False, cancel_futures=True)
    for process in processes:
        process.terminate()
    limit = time.monotonic() + 10
    for process in processes:
        process.join(max(0.1, limit - time.monotonic()))
