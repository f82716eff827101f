"""What a worker does: the rows of one shard, from files to numbers."""

import errno
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from itertools import chain
from pathlib import Path
from threading import Timer
from typing import Any, NamedTuple

import numpy as np

from . import __version__
from .audio import Recording, SampleHash, Samples, resample, resample_blocks
from .deep import Model, catalogue, model_of_set
from .errors import AudioError, ConfigError, DsfxError
from .inputs import Item
from .lld.framing import Compat
from .plan import LEVELS, Level, Plan, Rows
from .setfile import SetFile, read_set, standard_sets
from .store import Column, Key, Matrix, ShardWriter, digest

__all__ = ["Config", "Failure", "Setup", "run_shard", "setup_of", "warm_up"]

DEFAULT_SETS = ("deep", "eGeMAPSv02", "ComParE_2016")

_TOLERANCE = 10_000_000
"""A segment may end this many nanoseconds after its recording: tables round to hundredths of a second."""
_BATCH_ROWS = 256
_BATCH_SAMPLES = 8 << 20
"""Signals held for the network: whichever limit is met first."""


@dataclass(frozen=True)
class Config:
    """What to extract. Two runs with equal configurations and inputs give the same table."""

    sets: tuple[str, ...] = DEFAULT_SETS
    level: Level = "functionals"
    channel: str | int = "mix"
    """"mix": the mean of all channels; or a channel's number, counted from 0."""
    rate: int | None = None
    """Sampling rate in Hz to which everything is resampled up front. None: each consumer gets what it needs."""
    window: float | None = None
    """Seconds; cuts every segment into windows of this length."""
    step: float | None = None
    """Seconds from one window to the next. The default is the window's length."""
    prefix: bool = False
    """Put the set's name and a dot before each column."""
    frame: float | None = None
    """Seconds; length of the short frames of hand-crafted sets, instead of the sets' own."""
    hop: float | None = None
    """Seconds; step of their frames, instead of the sets' own."""
    compat: Compat = None
    """"int16": hand-crafted sets see what the reference sees, samples cut down to 16 bits and wrapped at full scale."""

    def __post_init__(self) -> None:
        if not self.sets:
            raise ConfigError("--set: name at least one feature set (`dsfx sets` lists them)")
        if len(set(self.sets)) < len(self.sets):
            raise ConfigError(f"--set: a set is named twice ({', '.join(self.sets)})")
        if self.level not in LEVELS:
            raise ConfigError(f"--level {self.level}: expected {', '.join(LEVELS)}")
        if self.rate is not None and not 1000 <= self.rate <= 768_000:
            raise ConfigError(f"--rate {self.rate}: expected a sampling rate between 1000 and 768000 Hz")
        if self.channel != "mix" and not (isinstance(self.channel, int) and self.channel >= 0):
            raise ConfigError(f"--channel {self.channel}: expected mix or a channel's number, counted from 0")
        if self.window is not None and not 0.01 <= self.window < 1e6:
            raise ConfigError(f"--window {self.window:g}: expected at least 0.01 seconds")
        if self.step is not None and self.window is None:
            raise ConfigError("--step: needs --window, the length of the windows in seconds")
        if self.step is not None and not 0.001 <= self.step < 1e6:
            raise ConfigError(f"--step {self.step:g}: expected at least 0.001 seconds")


class Failure(NamedTuple):
    """A line of ``OUT.errors.csv``: an input without a row, or with a remark (which begins with "warning:")."""

    file: str
    start: int
    end: int | None
    error: str


class Setup:
    """A configuration made ready to run: models found and checked, hand-crafted sets planned, columns named.

    Attributes
    ----------
    models : dict of str to Model
        The networks, by the set's name in the table.
    plan : Plan or None
        All hand-crafted sets together, so that what they share is computed once.
    planned : list of str
        The names of the plan's sets, in its order.
    identity : dict of str to str
        Name and hash of every set, in the order of the columns: equal if and only if the numbers they compute are.
    columns : list of Column
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.models: dict[str, Model] = {}
        self.identity: dict[str, str] = {}
        crafted: list[SetFile] = []
        for name in config.sets:
            if model := model_of_set(name):
                label, identity = "deep" if name == "deep" else f"deep:{model.name}", model.sha256
                self.models[label] = model
            elif name not in standard_sets() and not name.endswith(".toml"):
                known = ", ".join(["deep", *(f"deep:{n}" for n in catalogue()), *standard_sets()])
                raise ConfigError(f"--set {name}: no such set; there are {known}, deep:FOLDER and FILE.toml")
            else:
                crafted.append(read_set(name, config.frame, config.hop))
                label, identity = crafted[-1].name, crafted[-1].hash
            if label in self.identity:
                raise ConfigError(f"--set {name}: another set is already called {label}")
            self.identity[label] = identity
        if config.level != "functionals" and (self.models or len(crafted) != 1):
            raise ConfigError(
                f"--level {config.level}: a table of frames holds one hand-crafted set, since sets differ in their "
                f"frames; choose it with --set ({', '.join(standard_sets())}, or a TOML file)"
            )
        if not crafted and (config.frame or config.hop or config.compat):
            raise ConfigError("--frame, --hop and --compat are for hand-crafted sets; none is among the --set")
        self.plan = Plan(crafted, config.level, config.compat) if crafted else None
        self.planned = [entry.name for entry in crafted]
        self.min_seconds = {entry.name: entry.long for entry in crafted}
        self.columns = self._columns()
        self.width = len(self.columns)

    def _columns(self) -> list[Column]:
        named: dict[str, list[tuple[str, str | None]]] = {
            label: [(name, None) for name in model.columns] for label, model in self.models.items()
        }
        if self.plan:
            for label, names, units in zip(self.planned, self.plan.names, self.plan.units, strict=True):
                named[label] = list(zip(names, units, strict=True))
        columns: list[Column] = []
        owner: dict[str, str] = {}
        for label in self.identity:
            for name, unit in named[label]:
                full = f"{label}.{name}" if self.config.prefix else name
                if full in owner:
                    raise ConfigError(
                        f"the sets {owner[full]} and {label} both have a column {full}; "
                        "--prefix puts the set's name before every column"
                    )
                owner[full] = label
                columns.append(Column(full, label, unit))
        return columns

    @property
    def max_seconds(self) -> float:
        """Longest segment that is held in memory as a whole; functionals always need all of theirs."""
        return float("inf") if self.plan else min(model.max_seconds for model in self.models.values())

    @property
    def metadata(self) -> dict[str, str]:
        """What the table says of itself."""
        config = json.dumps(asdict(self.config) | {"sets": list(self.identity)}, sort_keys=True)
        metadata = {
            "dsfx_version": __version__,
            "config": config,
            "config_hash": digest(__version__, config, self.identity),
            "sets": json.dumps(self.identity),
            "level": self.config.level,
        }
        if self.models:
            metadata["model"] = ",".join(model.name for model in self.models.values())
            metadata["model_sha256"] = ",".join(model.sha256 for model in self.models.values())
            metadata["model_licence"] = ",".join(model.licence for model in self.models.values())
        return metadata


def warm_up(setup: Setup, announce: Callable[[str], None]) -> None:
    """Have the compiled kernels of hand-crafted sets at hand, and on disk for the workers.

    They are compiled when dsfx runs for the first time, which takes half a minute; what takes long is announced, in
    words that also hold where a busy machine is slow to read them.
    """
    if setup.plan is None:
        return
    words = "preparing the kernels of the hand-crafted sets; the first time this takes about half a minute"
    timer = Timer(2.0, announce, [words])
    timer.start()
    try:
        t = np.arange(16_000, dtype=np.float32) / 16_000
        setup.plan.compute((0.3 * np.sin(2 * np.pi * 120 * t) * np.cos(2 * np.pi * 5 * t)).astype(np.float32), 16_000)
    finally:
        timer.cancel()


@lru_cache(maxsize=1)
def setup_of(config: Config) -> Setup:
    """Return the one `Setup` that this process keeps: sessions and tables are built once, not once a shard."""
    return Setup(config)


def run_shard(
    config: Config,
    items: Sequence[Item],
    key: str,
    folder: Path,
    *,
    mark: Path | None = None,
    deadly: dict[int, str] | None = None,
) -> dict[str, Any]:
    """Compute the rows of a shard and store them as ``folder/key.arrow``.

    Parameters
    ----------
    config : Config
    items : sequence of Item
    key : str
        Names the shard.
    folder : Path
        Where it goes.
    mark : Path, optional
        A file that always holds the number of the item in work; items are then worked on one by one.
    deadly : dict of int to str, optional
        Items to leave out, with the reason.

    Returns
    -------
    dict
        ``rows``, ``failed`` (segments without a row), ``incomplete`` (rows with NaN), ``audio`` (seconds) and
        ``failures`` (lines of the list of errors); or ``output_error`` where the shard could not be stored.
    """
    setup = setup_of(config)
    try:
        rows = _Rows(setup, ShardWriter(folder / f"{key}.arrow", setup.width))
        try:
            for index, item in enumerate(items):
                if mark is not None:
                    mark.write_text(str(index))
                if deadly and index in deadly:
                    rows.fail(item, deadly[index])
                    continue
                try:
                    rows.add(item)
                except DsfxError as error:
                    rows.fail(item, str(error))
                except MemoryError:
                    rows.fail(item, "out of memory")
                except _StorageError:
                    raise
                except Exception as error:  # one bad file must not stop the run, whatever a library makes of it
                    rows.fail(item, f"internal error ({type(error).__name__}: {error})")
                if mark is not None:
                    rows.flush()
            rows.flush()
            with _storage():
                rows.writer.commit()
        except BaseException:
            rows.writer.discard()
            raise
    except (_StorageError, OSError) as error:
        return {"output_error": _words(error)}
    return {
        "rows": rows.writer.rows,
        "failed": rows.failed,
        "incomplete": rows.incomplete,
        "audio": round(rows.audio, 6),
        "failures": rows.failures,
    }


class _StorageError(Exception):
    """The shard cannot be written; says nothing about the item in work."""


class _storage:
    """Tells errors of storing apart from errors of reading."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError):
            raise _StorageError(_words(error)) from error


def _words(error: BaseException) -> str:
    if isinstance(error, OSError):
        if error.errno == errno.ENOSPC:
            return "no space left on the disk"
        return error.strerror or str(error)
    return str(error)


class _Pending(NamedTuple):
    """A row whose deep features are still to be computed."""

    key: Key
    parts: dict[str, Samples | Matrix]
    """By set: a 1-D signal for the network, or a finished row of shape (1, width)."""
    gaps: list[str]
    """Why some of it is NaN."""


class _Rows:
    """The rows of a shard in the making."""

    def __init__(self, setup: Setup, writer: ShardWriter) -> None:
        self.setup = setup
        self.writer = writer
        self.failures: list[Failure] = []
        self.failed = 0
        self.incomplete = 0
        self.audio = 0.0
        self._pending: list[_Pending] = []
        self._held = 0

    def fail(self, item: Item, why: str) -> None:
        """Note that an item has no row."""
        self.failed += 1
        self.failures.append(Failure(item.file, item.start, item.end, why))

    def add(self, item: Item) -> None:
        """Compute or queue the rows of one item."""
        if item.error:
            raise AudioError(item.error)
        config = self.setup.config
        with Recording(item.path, config.channel) as recording:
            rate = recording.rate
            start = _frame(item.start, rate)
            stop = None if item.end is None else _frame(item.end, rate)
            if self.setup.plan and config.level != "functionals":
                frames = self._frames(self.setup.plan, recording, item, start, stop)
            elif config.window is None:
                frames = self._segment(recording, item, start, stop)
            else:
                frames = self._windows(recording, item, start, stop)
            if recording.truncated and (stop is None or frames < stop - start):
                self.failures.append(Failure(item.file, item.start, item.end, f"warning: {recording.truncated}"))
            self.audio += frames / rate

    def _segment(self, recording: Recording, item: Item, start: int, stop: int | None) -> int:
        """One row for a whole segment; returns its number of frames."""
        limit = self.setup.max_seconds * recording.rate
        blocks = recording.blocks(start, stop)
        held: list[Samples] = []
        frames = 0
        for block in blocks:
            held.append(block)
            frames += len(block)
            if frames > limit:
                return self._long(recording, item, start, stop, chain(held, blocks))
        samples = np.concatenate(held) if held else np.zeros(0, np.float32)
        self._check_end(recording, item, start, stop, frames)
        self._queue(item.file, item.start, _end(item, frames, recording.rate), samples, recording.rate)
        return frames

    def _long(self, recording: Recording, item: Item, start: int, stop: int | None, blocks: Iterator[Samples]) -> int:
        """One row for a segment that is too long to be held: every model reads it once, in windows."""
        identity = SampleHash()
        frames = 0

        def counted(first: bool) -> Iterator[Samples]:
            nonlocal frames
            for block in blocks if first else recording.blocks(start, stop):
                if first:
                    identity.update(block)
                    frames += len(block)
                yield block

        parts: dict[str, Samples | Matrix] = {}
        for index, (name, model) in enumerate(self.setup.models.items()):
            rate = self.setup.config.rate or recording.rate
            signal = resample_blocks(counted(index == 0), recording.rate, rate)
            parts[name] = model.embed_long(resample_blocks(signal, rate, model.sampling_rate))[np.newaxis]
        self._check_end(recording, item, start, stop, frames)
        key = Key(item.file, item.start, _end(item, frames, recording.rate), identity.hexdigest())
        self._pending.append(_Pending(key, parts, []))
        return frames

    def _frames(self, plan: Plan, recording: Recording, item: Item, start: int, stop: int | None) -> int:
        """A row for every frame, as they come, in bounded memory.

        The segment is decoded twice: all its rows carry the hash of the whole, and no row is stored before it is
        known that everything can be decoded.
        """
        identity = SampleHash()
        frames = 0
        for block in recording.blocks(start, stop):
            identity.update(block)
            frames += len(block)
        self._check_end(recording, item, start, stop, frames)
        rate = self.setup.config.rate or recording.rate
        stream = plan.stream(rate)

        def store(rows: Rows) -> None:
            times = zip(rows.start.tolist(), rows.end.tolist(), strict=True)
            keys = [Key(item.file, item.start + a, item.start + b, digits) for a, b in times]
            with _storage():
                self.writer.append(keys, rows.values)
            if len(keys) == 1 and np.isnan(rows.values).all():
                self._note_gaps(keys[0], [self._needs(self.setup.planned[0])])

        digits = identity.hexdigest()
        for block in resample_blocks(recording.blocks(start, stop), recording.rate, rate):
            store(stream.push(block)[0])
        store(stream.finish()[0])
        return frames

    def _windows(self, recording: Recording, item: Item, start: int, stop: int | None) -> int:
        """One row for each window inside the segment; a segment shorter than a window is one row."""
        config = self.setup.config
        rate = recording.rate
        length = config.window or 0.0
        step = config.step or length
        blocks = recording.blocks(start, stop)
        held = np.zeros(0, np.float32)
        origin = frames = count = 0  # `held` begins at frame `origin` of the segment
        while True:
            begin = round(count * step * rate)
            end = begin + max(1, round(length * rate))
            while origin + len(held) < end and (block := next(blocks, None)) is not None:
                frames += len(block)
                skip = min(max(0, begin - origin), len(held))
                held = np.concatenate([held[skip:], block])
                origin += skip
            if origin + len(held) < end:
                break
            at = item.start + round(count * step * 1e9)
            self._queue(item.file, at, at + round(length * 1e9), held[begin - origin : end - origin], rate)
            count += 1
        for block in blocks:
            frames += len(block)
        self._check_end(recording, item, start, stop, frames)
        if count == 0:
            self._queue(item.file, item.start, _end(item, frames, rate), held, rate)
        return frames

    def _check_end(self, recording: Recording, item: Item, start: int, stop: int | None, frames: int) -> None:
        if stop is None:
            if start and not frames:
                raise AudioError(f"start {item.start / 1e9:g} s lies beyond the end of the recording")
            return
        beyond = stop - start - frames
        if beyond > _TOLERANCE * recording.rate / 1e9:
            at = (start + frames) / recording.rate
            where = f"at {at:.3f} s" if frames else f"before {item.start / 1e9:g} s"
            raise AudioError(f"end {(item.end or 0) / 1e9:g} s lies beyond the recording, which ends {where}")

    def _queue(self, file: str, start: int, end: int, samples: Samples, rate: int) -> None:
        identity = SampleHash()
        identity.update(samples)
        if self.setup.config.rate:
            samples, rate = resample(samples, rate, self.setup.config.rate), self.setup.config.rate
        gaps: list[str] = []
        parts: dict[str, Samples | Matrix] = self._crafted(samples, rate, gaps)
        resampled: dict[int, Samples] = {}
        for name, model in self.setup.models.items():
            to = model.sampling_rate
            if to not in resampled:
                resampled[to] = resample(samples, rate, to)
                self._held += len(resampled[to])
            parts[name] = resampled[to]
        self._pending.append(_Pending(Key(file, start, end, identity.hexdigest()), parts, gaps))
        if len(self._pending) >= _BATCH_ROWS or self._held > _BATCH_SAMPLES:
            self.flush()

    def _crafted(self, samples: Samples, rate: int, gaps: list[str]) -> dict[str, Samples | Matrix]:
        """Compute the rows of all hand-crafted sets; what they cannot be computed from gives NaN and a reason."""
        plan, planned = self.setup.plan, self.setup.planned
        if plan is None:
            return {}
        try:
            found = [rows.values for rows in plan.compute(samples, rate)] if len(samples) else None
        except AudioError as error:
            found = None
            gaps.append(str(error))
        else:
            gaps += [self._needs(n) for i, n in enumerate(planned) if found is None or np.isnan(found[i]).all()]
        if found is None:
            found = [np.full((1, len(names)), np.nan, np.float32) for names in plan.names]
        return dict(zip(planned, found, strict=True))

    def _needs(self, name: str) -> str:
        return f"too short, {name} needs {self.setup.min_seconds[name]:.3g} s"

    def flush(self) -> None:
        """Run the networks over the queued signals, and store all queued rows."""
        pending, self._pending, self._held = self._pending, [], 0
        if not pending:
            return
        blocks: list[Matrix] = []
        for name in self.setup.identity:
            if name not in self.setup.models:
                blocks.append(np.concatenate([row.parts[name] for row in pending]))
                continue
            model = self.setup.models[name]
            values = np.full((len(pending), model.dim), np.nan, np.float32)
            signals: list[Samples] = []
            places: list[int] = []
            for index, row in enumerate(pending):
                part = row.parts[name]
                if part.ndim == 2:
                    values[index] = part[0]
                elif len(part) < model.min_samples:
                    row.gaps.append(f"too short, {name} needs {model.min_seconds:.3g} s")
                else:
                    signals.append(part)
                    places.append(index)
            if signals:
                values[places] = model.embed(signals)
            blocks.append(values)
        for row in pending:
            if row.gaps:
                self._note_gaps(row.key, row.gaps)
        with _storage():
            self.writer.append([row.key for row in pending], np.concatenate(blocks, axis=1))

    def _note_gaps(self, key: Key, gaps: list[str]) -> None:
        self.incomplete += 1
        self.failures.append(Failure(key.file, key.start, key.end, f"warning: NaN: {'; '.join(gaps)}"))


def _frame(nanoseconds: int, rate: int) -> int:
    """Return the frame at a time, to the nearest, in exact arithmetic."""
    return (nanoseconds * rate + 500_000_000) // 1_000_000_000


def _end(item: Item, frames: int, rate: int) -> int:
    """Return the end of a row: the given one, or where the recording ends."""
    if item.end is not None:
        return item.end
    return item.start + (frames * 1_000_000_000 + rate // 2) // rate
