"""From inputs to a table: plan shards, map a worker over them, survive what goes wrong, assemble the result.

The shard, a short list of segments that follow each other in the input, is the unit of work, of retry and of resume.
What a shard contains depends on the inputs alone, never on the number of workers, so the result does not either.
"""

import contextlib
import csv
import errno
import json
import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, ProcessPoolExecutor, wait
from dataclasses import asdict, dataclass, field
from functools import partial
from math import log2
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self
from zlib import crc32

from . import __version__
from .audio import show
from .errors import ConfigError, InputError, OutputError, StorageError
from .inputs import Item, plan_items
from .plan import Level
from .store import Manifest, assemble, digest, read, schema_of, seconds, table_kind, table_parts, take_back
from .worker import Config, Failure, run_shard, setup_of, warm_up

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Progress", "Shard", "Summary", "extract", "plan_shards", "run"]

_SHARD_SECONDS = {"parquet": 120.0, "csv": 120.0, "folder": 1800.0}
_KEPT = "what is finished is kept: mend this and run the same command again"
_ITEM_SECONDS = 0.2
"""What opening a file costs, as seconds of audio: keeps shards of many tiny files short."""


class Shard(NamedTuple):
    """A stretch of the input that is worked on, stored and resumed as a whole."""

    key: str
    items: list[Item]

    @property
    def seconds(self) -> float:
        """Estimated audio duration."""
        return sum(item.seconds for item in self.items)


@dataclass
class Progress:
    """Where a run stands; handed to a callback after every shard."""

    items: int
    """Segments in all."""
    seconds: float
    """Of audio in all, estimated from file sizes."""
    done: int = 0
    reused: int = 0
    """Of `done`, those an earlier run had finished."""
    failed: int = 0
    audio: float = 0.0
    """Seconds of audio decoded in this run."""
    began: float = field(default_factory=time.perf_counter)

    def count(self, shard: Shard, entry: dict[str, Any]) -> None:
        """Take a finished shard into account."""
        self.done += len(shard.items)
        self.failed += entry["failed"]


@dataclass
class Summary:
    """What a run did."""

    output: Path
    rows: int = 0
    columns: int = 0
    items: int = 0
    reused: int = 0
    """Segments that an earlier run had finished."""
    failed: int = 0
    incomplete: int = 0
    """Rows with NaN, because the segment is too short."""
    warnings: int = 0
    audio: float = 0.0
    """Seconds of audio decoded in this run."""
    elapsed: float = 0.0
    errors: Path | None = None
    """The file that lists failures and warnings."""
    aborted: str | None = None


def plan_shards(items: Sequence[Item], config: str, target: float) -> list[Shard]:
    """Cut the list of segments into shards of about `target` seconds of audio.

    A cut is placed where an item's own name says so, like the edges of a rolling hash: a file that is added, removed
    or mended moves the cuts next to it and no others, and all other shards keep their keys.

    Parameters
    ----------
    items : sequence of Item
        In input order.
    config : str
        Hash of the configuration.
    target : float
        Seconds.

    Returns
    -------
    list of Shard
        Together they hold all items, in order.
    """
    shards: list[Shard] = []
    held: list[Item] = []
    cost = 0.0

    def close() -> None:
        nonlocal held, cost
        if held:
            identity = [[i.file, i.path, i.start, i.end, i.size, i.mtime, i.error] for i in held]
            shards.append(Shard(digest(config, json.dumps(identity, ensure_ascii=True)), held))
        held, cost = [], 0.0

    for item in items:
        here = item.seconds + _ITEM_SECONDS
        if cost + here > 2 * target:
            close()
        held.append(item)
        cost += here
        if cost > target / 2 and crc32(os.fsencode(item.file)) / 2**32 < here / target:
            close()
    close()
    return shards


def run(
    inputs: Sequence[str | os.PathLike[str]],
    output: str | os.PathLike[str],
    config: Config,
    *,
    jobs: int = 1,
    overwrite: bool = False,
    max_failures: float = 1.0,
    executor: Executor | None = None,
    on_progress: Callable[[Progress], None] = lambda progress: None,
    on_note: Callable[[str], None] = lambda note: None,
) -> Summary:
    """Extract features of all inputs into a table on disk.

    Parameters
    ----------
    inputs : sequence of path
        Folders, audio files, lists and segment tables: see `dsfx.inputs.plan_items`.
    output : path
        ``.parquet`` or ``.csv``: one file. Ending in ``/``: a folder of Parquet files.
    config : Config
        What to extract.
    jobs : int
        Worker processes; 0 means one per core, 1 means this process.
    overwrite : bool
        Start anew, whatever is there.
    max_failures : float
        Give up as soon as more than this share of all segments has failed.
    executor : concurrent.futures.Executor, optional
        Runs the shards instead of `jobs` local processes. Its workers must see the same files.
    on_progress : callable, optional
        Called with a `Progress` after every shard.
    on_note : callable, optional
        Called with a line of text when something happens that a user should know of.

    Returns
    -------
    Summary

    Raises
    ------
    InputError
        Nothing to do, or inputs that contradict each other.
    ConfigError
        A wrong option.
    ModelError
        A model that is missing or damaged.
    OutputError
        The result cannot be written, or belongs to another run.
    """
    kind = table_kind(os.fspath(output))
    if jobs < 0:
        raise ConfigError(f"--jobs {jobs}: expected 0 (all cores) or the number of worker processes")
    if not 0 <= max_failures <= 1:
        raise ConfigError(f"--max-failures {max_failures:g}: expected a share between 0 and 1")
    setup = setup_of(config)
    items, remarks = plan_items(inputs)
    if not items:
        raise InputError(f"{', '.join(show(os.fspath(i)) for i in inputs)}: no recordings found, nothing to do")

    progress = Progress(len(items), sum(item.seconds for item in items))
    out = Path(output)
    head = {"dsfx": __version__, **asdict(config), "sets": setup.identity}
    target = _SHARD_SECONDS[kind] * 2 ** max(0, int(log2(max(1.0, progress.seconds / _SHARD_SECONDS[kind] / 1000))))
    shards = plan_shards(items, digest(head), target)
    aborted = None
    with _Workplace(out, kind, head, overwrite) as place:
        done, complete = place.prepare(shards, setup.width)
        for shard in shards:
            if shard.key in done:
                progress.count(shard, done[shard.key])
        progress.reused = progress.done
        on_progress(progress)
        todo = [shard for shard in shards if shard.key not in done]
        if todo:
            warm_up(setup, on_note)
            progress.began = time.perf_counter()  # compiling happens once, and is not this run's pace
        for shard, entry in _engine(jobs, executor, len(todo))(config, todo, place.folder, on_note):
            if "output_error" in entry:
                raise StorageError(f"{place.name}: cannot be written ({entry['output_error']}); {_KEPT}")
            done[shard.key] = {"shard": shard.key, **entry}
            place.manifest.add(done[shard.key])
            progress.count(shard, entry)
            progress.audio += entry["audio"]
            on_progress(progress)
            if progress.failed > max_failures * len(items):
                aborted = (
                    f"given up: {progress.failed} of {len(items)} inputs failed, more than --max-failures "
                    f"{max_failures:g} allows; what is finished is kept for the next run"
                )
                break
        entries = [done[shard.key] for shard in shards if shard.key in done]
        failures = [Failure(*f) for e in entries for f in e["failures"]]
        failures += [Failure(r.file, r.start, r.end, f"warning: {r.warning}") for r in remarks]
        if not complete and aborted is None:
            place.finish([shard.key for shard in shards], schema_of(setup.columns, setup.metadata))
        return Summary(
            output=out,
            rows=sum(e["rows"] for e in entries),
            columns=setup.width,
            items=len(items),
            reused=progress.reused,
            failed=progress.failed,
            incomplete=sum(e["incomplete"] for e in entries),
            warnings=len(failures) - progress.failed,
            audio=progress.audio,
            elapsed=time.perf_counter() - progress.began,
            errors=_write_errors(out, failures),
            aborted=aborted,
        )


def extract(
    inputs: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    *,
    sets: str | Sequence[str] | None = None,
    level: Level = "functionals",
    jobs: int = 1,
    output: str | os.PathLike[str] | None = None,
    **options: Any,
) -> "pd.DataFrame | Path":
    """Extract features of recordings: the command ``dsfx extract`` as a function.

    Parameters
    ----------
    inputs : path or sequence of path
        Folders, audio files, lists and segment tables.
    sets : str or sequence of str, optional
        Feature sets; see ``dsfx sets``.
    level : {"functionals", "lld", "lld-delta"}
        One row per segment, or one per frame.
    jobs : int
        Worker processes; 0 means one per core.
    output : path, optional
        Write the table there, as it grows, instead of returning it.
    **options
        Fields of `dsfx.worker.Config` (channel, rate, window, step, …) and keywords of `run` (overwrite,
        max_failures, executor, on_progress, on_note).

    Returns
    -------
    pandas.DataFrame or Path
        The table, indexed by (file, start, end), with the failures as ``.attrs["errors"]``: a list of (file, start,
        end, error), times in seconds. With `output`, its path, for `dsfx.read`.

    Raises
    ------
    DsfxError
        As `run`.

    Examples
    --------
    >>> import dsfx
    >>> frame = dsfx.extract("wavs/", sets="deep")  # doctest: +SKIP
    """
    many = [inputs] if isinstance(inputs, str | os.PathLike) else list(inputs)
    keywords = {
        k: options.pop(k) for k in ("overwrite", "max_failures", "executor", "on_progress", "on_note") if k in options
    }
    if sets is not None:
        options["sets"] = (sets,) if isinstance(sets, str) else tuple(sets)
    unknown = sorted(options.keys() - Config.__dataclass_fields__.keys())
    if unknown:
        raise ConfigError(f"extract() has no option {unknown[0]!r}; it has {', '.join(Config.__dataclass_fields__)}")
    config = Config(level=level, **options)
    if output is not None:
        return run(many, output, config, jobs=jobs, **keywords).output
    with tempfile.TemporaryDirectory(prefix="dsfx-") as folder:
        summary = run(many, Path(folder, "features.parquet"), config, jobs=jobs, **keywords)
        if summary.aborted:
            raise InputError(summary.aborted)
        frame = read(summary.output)
        frame.attrs["errors"] = _read_errors(summary.errors)
    return frame


# Engines: each maps the worker over shards and yields (shard, manifest entry) as they finish.

_Results = Iterator[tuple[Shard, dict[str, Any]]]
_Note = Callable[[str], None]


def _engine(
    jobs: int, executor: Executor | None, shards: int
) -> Callable[[Config, list[Shard], Path, _Note], _Results]:
    jobs = min(jobs or os.cpu_count() or 1, shards)
    if executor is not None:
        return lambda config, todo, folder, note: _on_executor(executor, len(todo), config, todo, folder)
    if jobs <= 1:
        return _in_process
    return lambda config, todo, folder, note: _on_pools(jobs, config, todo, folder, note)


def _in_process(config: Config, shards: list[Shard], folder: Path, note: _Note) -> _Results:
    for shard in shards:
        yield shard, run_shard(config, shard.items, shard.key, folder)


def _on_executor(executor: Executor, ahead: int, config: Config, shards: list[Shard], folder: Path) -> _Results:
    """Keep at most `ahead` shards in an executor's hands."""
    queue = iter(shards)
    running: dict[Future[dict[str, Any]], Shard] = {}
    try:
        while True:
            while len(running) < ahead and (shard := next(queue, None)) is not None:
                running[executor.submit(run_shard, config, shard.items, shard.key, folder)] = shard
            if not running:
                return
            ready, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in ready:
                entry = future.result()
                yield running.pop(future), entry
    finally:
        for future in running:
            future.cancel()


def _on_pools(jobs: int, config: Config, shards: list[Shard], folder: Path, note: _Note) -> _Results:
    """Local worker processes. When one dies, each shard that was in work is tried again in a process of its own."""
    left = {shard.key: shard for shard in shards}
    ahead = jobs + 1
    while left:
        try:
            with _pool(jobs) as pool:
                for shard, entry in _on_executor(pool, ahead, config, list(left.values()), folder):
                    del left[shard.key]
                    yield shard, entry
        except BrokenExecutor:
            note("a worker process died (killed, or out of memory); its work is tried again")
            for key in list(left)[:ahead]:  # those in work come first, in the order of the queue
                yield (shard := left.pop(key)), _alone(config, shard, folder)


def _alone(config: Config, shard: Shard, folder: Path) -> dict[str, Any]:
    """Run a shard in a process of its own; where that dies too, find out what kills it and leave that out."""
    deadly: dict[int, str] = {}
    mark = folder / f"{shard.key}.mark"
    one_by_one = False
    while True:
        task = partial(run_shard, config, shard.items, shard.key, folder, deadly=deadly)
        try:
            with _pool(1) as pool:
                return pool.submit(partial(task, mark=mark) if one_by_one else task).result()
        except BrokenExecutor:
            if one_by_one:
                at = int(mark.read_text() or -1) if mark.exists() else -1
                if at < 0 or at in deadly:
                    raise StorageError(
                        f"worker processes die before any work (killed, or out of memory); try fewer --jobs; {_KEPT}"
                    ) from None
                deadly[at] = "the worker process died over this (killed, or out of memory)"
            one_by_one = not one_by_one
        finally:
            mark.unlink(missing_ok=True)


def _pool(jobs: int) -> ProcessPoolExecutor:
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ.setdefault(name, "1")  # one thread a worker: processes share the cores, threads would fight for them
    return ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=_start_worker)


def _start_worker() -> None:
    # Ctrl-C goes to the whole process group; the parent alone decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


class _Workplace:
    """The folder next to the output in which a run keeps its shards and its manifest, held by one run at a time.

    After the run it holds the manifest alone, which knows what the table was made from.
    """

    def __init__(self, out: Path, kind: str, head: dict[str, Any], overwrite: bool) -> None:
        self.out, self.kind, self.overwrite = out, kind, overwrite
        self.name = show(os.fspath(out))
        self.folder = out / "_dsfx" if kind == "folder" else out.with_name(f".{out.name}.dsfx")
        self.manifest = Manifest(self.folder / "manifest.jsonl", head)

    def __enter__(self) -> Self:
        if self.out.exists() and self.out.is_dir() != (self.kind == "folder"):
            what = "a folder" if self.out.is_dir() else "a file"
            raise OutputError(f"{self.name}: is {what}; choose another -o (a folder's name ends in /)")
        occupied = any(self.out.glob("*.parquet")) if self.kind == "folder" else self.out.exists()
        if occupied and not self.overwrite and not self.manifest.path.exists():
            raise OutputError(f"{self.name}: exists, and it is not known how it was made; --overwrite replaces it")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock = (self.folder / "lock").open("w")
        except OSError as error:
            raise OutputError(f"{self.name}: cannot be written there ({error.strerror})") from None
        if not _locked(self._lock):
            self._lock.close()
            raise OutputError(f"{self.name}: another run is writing it at this moment")
        return self

    def __exit__(self, *_: object) -> None:
        (self.folder / "lock").unlink(missing_ok=True)
        self._lock.close()
        with contextlib.suppress(OSError):
            self.folder.rmdir()  # where nothing was begun
            self.out.rmdir()

    def path(self, key: str) -> Path:
        """Return where a shard's rows lie while the run goes on."""
        return self.folder / f"{key}.arrow"

    def prepare(self, shards: list[Shard], width: int) -> tuple[dict[str, dict[str, Any]], bool]:
        """Return the manifest entries of planned shards that are at hand, and whether the table is complete as it is.

        Rows of planned shards are taken back out of a finished table, so that a second run over a folder that has
        grown computes only what is new. What failed in a finished run is tried again.
        """
        if self.overwrite:
            for path in self.folder.iterdir():
                if path.name != "lock":
                    path.unlink()
        entries, order = self.manifest.load(self.name)
        planned = [shard.key for shard in shards]
        parts = table_parts(self.out) if order is not None else []
        if order is None or not parts:
            done = {key: entries[key] for key in planned if key in entries and self.path(key).exists()}
        else:
            done = {key: entries[key] for key in planned if key in entries and not entries[key]["failed"]}
            if len(done) == len(planned) and order == planned:
                return done, True
            if self.kind == "csv":
                done = {}
            take_back(parts, [(entries[k]["rows"], self.path(k) if k in done else None) for k in order], width)
        for path in self.folder.iterdir():
            if path.suffix in (".tmp", ".mark") or (path.suffix == ".arrow" and path.stem not in done):
                path.unlink()
        self.manifest.rewrite(list(done.values()))
        return done, False

    def finish(self, keys: list[str], schema: Any) -> None:
        """Assemble the table, note that it is complete, and clear away the shards."""
        try:
            assemble([self.path(key) for key in keys], schema, self.out, self.kind)
            self.manifest.add({"order": keys})
        except OSError as error:
            words = "no space left on the disk" if error.errno == errno.ENOSPC else error.strerror
            raise StorageError(f"{self.name}: cannot be written ({words}); {_KEPT}") from None
        for key in keys:
            self.path(key).unlink(missing_ok=True)


def _locked(file: Any) -> bool:
    """Lock a file for this process alone, until it ends however it ends; True where the system has no such locks."""
    try:
        import fcntl
    except ImportError:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _write_errors(out: Path, failures: list[Failure]) -> Path | None:
    """Write ``OUT.errors.csv``, or remove that of an earlier run where there is nothing to say."""
    path = out.with_name(f"{out.name}.errors.csv")
    if not failures:
        path.unlink(missing_ok=True)
        return None
    temporary = path.with_name(f".{path.name}.tmp")
    with temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(Failure._fields)
        for failure in failures:
            end = "" if failure.end is None else seconds(failure.end)
            writer.writerow([failure.file, seconds(failure.start), end, failure.error])
    temporary.replace(path)
    return path


def _read_errors(path: Path | None) -> list[tuple[str, float, float | None, str]]:
    if path is None:
        return []
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))[1:]
    return [(name, float(start), float(end) if end else None, error) for name, start, end, error in rows]
