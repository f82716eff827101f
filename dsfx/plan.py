"""From several feature sets to one pass over the samples.

A `Plan` collects what the sets ask for, has every spectrum, F0 candidate and descriptor computed once, and hands each
set its columns. At the functionals level it needs whole contours; at the frame levels it can work as a stream, with
rows coming out as soon as nothing that follows can change them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .catalogue import contour_unit, functional_unit
from .errors import ConfigError
from .functionals.contours import Contours, buffer
from .functionals.ends import Ends, ends
from .functionals.smoothing import close, delta, delta_in_segments, smooth
from .functionals.summary import Summary
from .lld.energy import ZeroCrossings
from .lld.fft import LANES
from .lld.framing import NONE, Compat, Framing, prepare_samples
from .lld.long import FormantFeed, LongFrames, Tracker
from .lld.short import ShortFrames, short_columns
from .setfile import ContourGroup, FunctionalGroup, SetFile, stages

__all__ = ["LEVELS", "Level", "Plan", "Rows", "Stream"]

F32 = NDArray[np.float32]
I64 = NDArray[np.int64]

Level = Literal["functionals", "lld", "lld-delta"]
LEVELS: tuple[Level, ...] = ("functionals", "lld", "lld-delta")

PIECE = 16 * LANES
"""Frames analysed at a time: enough to be fast, few enough to stay in the cache and in bounded memory."""


@dataclass(frozen=True)
class Rows:
    """Rows of one set.

    Attributes
    ----------
    values : float32 array, shape (rows, columns)
    start, end : int64 arrays, shape (rows,)
        When each row begins and ends, in nanoseconds.
    """

    values: F32
    start: I64
    end: I64


class Plan:
    """Everything that several sets need from one signal, computed once.

    Parameters
    ----------
    sets : sequence of SetFile
        As `dsfx.setfile.read_set` gives them.
    level : {"functionals", "lld", "lld-delta"}
        One row per signal; one per frame; the same for the deltas.
    compat : {None, "int16"}
        As for `dsfx.lld.framing.prepare_samples`.

    Attributes
    ----------
    names, units : list of list of str
        Names and units of the columns, per set.

    Raises
    ------
    ConfigError
        A set has nothing at this level.
    """

    def __init__(self, sets: Sequence[SetFile], level: Level = "functionals", compat: Compat = None) -> None:
        if level not in LEVELS:
            raise ConfigError(f"level is {level!r}, expected one of {', '.join(LEVELS)}")
        self.level = level
        self.compat = compat
        self._sets = [_SetPlan(entry, level) for entry in sets]
        self.names = [list(entry.names) for entry in self._sets]
        self.units = [list(entry.units) for entry in self._sets]
        self._fronts = _fronts(self._sets)
        known: dict[Any, int] = {}
        for entry in self._sets:
            entry.number(known)
        # Engines that wait for another signal: to build their tables and arrays takes as long as a second of speech.
        self._idle: list[list[_FrontStream]] = []

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_idle": []}  # a copy builds its own engines

    def compute(self, samples: ArrayLike, sampling_rate: float) -> list[Rows]:
        """Features of one signal.

        Parameters
        ----------
        samples : array_like of float, shape (samples,)
            One channel in [-1, 1).
        sampling_rate : float
            In Hz.

        Returns
        -------
        list of Rows
            One per set. A signal shorter than a long frame (60 ms in the standard sets) gives one row of NaN.

        Raises
        ------
        AudioError
            The samples are not one channel of finite floating-point numbers, there are none, or the sampling rate is
            too low or too high.
        """
        prepared = prepare_samples(samples, compat=self.compat)
        engines = self._engines(sampling_rate)
        if self.level == "functionals":
            found = [engine.analyse(prepared) for engine in engines]
            whole = np.array([0]), nanoseconds(np.array([len(prepared) / sampling_rate]))
            memory: dict[Any, Any] = {}
            result = [Rows(entry.functionals(found[entry.front], memory), *whole) for entry in self._sets]
        else:
            result = Stream(self, engines).whole(prepared)
        for engine in engines:
            engine.reset()
        self._idle.append(engines)
        return result

    def _engines(self, sampling_rate: float) -> "list[_FrontStream]":
        """Engines at rest, for nobody else: this may be one of several threads."""
        try:
            engines = self._idle.pop()
        except IndexError:
            engines = []
        if not engines or engines[0].short.sampling_rate != sampling_rate:
            engines = [_FrontStream(front, sampling_rate) for front in self._fronts]
        return engines

    def stream(self, sampling_rate: float) -> "Stream":
        """A signal that arrives in pieces, at a frame level, in bounded memory."""
        if self.level == "functionals":
            raise ConfigError("functionals need the whole signal, expected level 'lld' or 'lld-delta' for a stream")
        return Stream(self, [_FrontStream(front, sampling_rate) for front in self._fronts])


class Stream:
    """Rows of the frame levels of a signal that arrives in pieces.

    However the signal is cut, the rows are the same; so are those of `Plan.compute`.
    """

    def __init__(self, plan: Plan, fronts: "list[_FrontStream]") -> None:
        self._plan = plan
        self._fronts = fronts
        self._tables = [_TableStream(entry, self._fronts[entry.front]) for entry in plan._sets]
        self._samples = 0

    def push(self, samples: ArrayLike) -> list[Rows]:
        """Take the next samples (as `Plan.compute`); return the rows that are final, per set."""
        return self.push_prepared(prepare_samples(samples, compat=self._plan.compat))

    def push_prepared(self, prepared: F32) -> list[Rows]:
        parts: list[list[Rows]] = [[] for _ in self._tables]
        self._samples += len(prepared)
        for index, front in enumerate(self._fronts):
            for values in front.push(prepared):
                for table, rows in zip(self._tables, parts, strict=True):
                    if table.entry.front == index:
                        rows.append(table.push(values))
        return [_joined(rows) if rows else table.nothing() for table, rows in zip(self._tables, parts, strict=True)]

    def finish(self) -> list[Rows]:
        """The signal is over: the remaining rows, per set."""
        return self._finish(NONE)

    def whole(self, prepared: F32) -> list[Rows]:
        """All rows of a whole signal, per set."""
        last = self._fronts[0].last_piece(prepared)
        if last == 0:
            return self._finish(prepared)
        first = self.push_prepared(prepared[:last])
        return [_joined(parts) for parts in zip(first, self._finish(prepared[last:]), strict=True)]

    def _finish(self, prepared: F32) -> list[Rows]:
        self._samples += len(prepared)
        last = [front.finish(prepared) for front in self._fronts]
        return [table.finish(*last[table.entry.front], self._samples) for table in self._tables]


def nanoseconds(seconds: NDArray[np.float64]) -> I64:
    """Times as the reference's tables have them.

    Whole seconds and the rest, rounded to nine digits, are converted one by one and cut off, as pandas does: now and
    then that is one nanosecond less than the nearest.
    """
    whole = seconds.astype(np.int64)
    return whole * 1_000_000_000 + (np.round(seconds - whole, 9) * 1e9).astype(np.int64)


def _joined(parts: Sequence[Rows]) -> Rows:
    if len(parts) == 1:
        return parts[0]
    return Rows(
        np.concatenate([part.values for part in parts]),
        np.concatenate([part.start for part in parts]),
        np.concatenate([part.end for part in parts]),
    )


# ------------------------------------------------------------------------------------------------- descriptors, shared


@dataclass(frozen=True)
class _Front:
    """One analysis: the frames, and what is wanted from them."""

    short: float
    long: float
    hop: float
    want: frozenset[str]
    options: tuple[tuple[str, Any], ...]
    zero_crossings: bool
    trackers: tuple[Tracker, ...]


_Values = dict[str | int, F32]
"""Descriptors by origin, shape (frames, width): "short", "zcr", and by its number what depends on a tracker."""


@dataclass(frozen=True)
class _Found:
    values: _Values
    released: list[int]
    """Per tracker, the frames released before the end."""
    counts: tuple[int, int]
    """Numbers of short and long frames."""


class _FrontStream:
    """The engines of one analysis, fed in step."""

    def __init__(self, front: _Front, sampling_rate: float) -> None:
        self.short = Framing(sampling_rate, front.short, front.hop)
        self.long = Framing(sampling_rate, front.long, front.hop)
        wants_formants = [tracker for tracker in front.trackers if tracker.wants_formants]
        feed = FormantFeed(self.short, gated=wants_formants[0].gate_formants) if wants_formants else None
        self._short_frames = None
        if front.want or feed is not None:
            self._short_frames = ShortFrames(
                sampling_rate,
                want=front.want,
                frame=front.short,
                hop=front.hop,
                on_block=feed.push if feed is not None else None,
                **dict(front.options),
            )
        self._zero_crossings = ZeroCrossings(self.long) if front.zero_crossings else None
        self._long_frames = None
        if front.trackers:
            self._long_frames = LongFrames(
                sampling_rate,
                frame=front.long,
                hop=front.hop,
                trackers=front.trackers,
                short_frame=front.short,
                formants=feed,
            )
        self._samples = 0

    def reset(self) -> None:
        """Forget everything: a new signal begins."""
        self._samples = 0
        for engine in (self._short_frames, self._zero_crossings, self._long_frames):
            if engine is not None:
                engine.reset()

    def last_piece(self, samples: F32) -> int:
        """Where the last piece begins of those in which a whole signal is analysed."""
        size = PIECE * self.short.step
        return max(len(samples) - 1, 0) // size * size

    def analyse(self, samples: F32) -> "_Found":
        """All descriptors of a whole signal."""
        last = self.last_piece(samples)
        parts = list(self.push(samples[:last]))
        values, released, counts = self.finish(samples[last:])
        if parts:
            parts.append(values)
            values = {name: np.concatenate([part[name] for part in parts]) for name in values}
        return _Found(values, released, counts)

    def push(self, samples: F32) -> Iterator[_Values]:
        """Descriptors that are complete, piece by piece."""
        size = PIECE * self.short.step
        for at in range(0, len(samples), size):
            piece = samples[at : at + size]
            self._samples += len(piece)
            values: _Values = {}
            if self._short_frames is not None:  # first, for the long frames take formants from them
                values["short"] = self._short_frames.push(piece)
            if self._zero_crossings is not None:
                values["zcr"] = self._zero_crossings.push(piece)[:, None]
            if self._long_frames is not None:
                values |= enumerate(self._long_frames.push(piece))
            yield values

    def finish(self, samples: F32) -> tuple[_Values, list[int], tuple[int, int]]:
        """What remains, after these last samples; per tracker the frames released before the end; the numbers of short
        and long frames."""
        self._samples += len(samples)
        values: _Values = {}
        released: list[int] = []
        if self._short_frames is not None:
            values["short"] = self._short_frames.finish(samples)
        if self._zero_crossings is not None:
            values["zcr"] = self._zero_crossings.push(samples)[:, None]
        if self._long_frames is not None:
            voice, released = self._long_frames.finish(samples)
            values |= enumerate(voice)
        return values, released, (self.short.count(self._samples), self.long.count(self._samples))


def _fronts(sets: "Sequence[_SetPlan]") -> list[_Front]:
    """One analysis for all sets that agree in their frames; each set learns which is its own, and its tracker there."""
    shared: dict[Any, list[_SetPlan]] = {}
    for entry in sets:
        shared.setdefault(entry.frames, []).append(entry)
    fronts: list[_Front] = []
    for (short, long, hop), members in shared.items():
        want: set[str] = set()
        options: dict[str, Any] = {}
        trackers: dict[tuple[Any, ...], set[str]] = {}
        mfcc = [source.parameters for member in members for source in member.sources if source.kind == "mfcc"]
        if mfcc:
            options["mfcc_first"] = min(dict(parameters)["first"] for parameters in mfcc)
            options["mfcc_last"] = max(dict(parameters)["last"] for parameters in mfcc)
        for member in members:
            for source in member.sources:
                parameters = dict(source.parameters)
                if source.descriptor.source == "short":
                    want.add(source.engine.split("[")[0])
                for kind, parameter, option in _OPTIONS:
                    if source.kind == kind:
                        value = parameters[parameter]
                        if options.setdefault(option, value) != value:
                            raise ConfigError(
                                f"two sets with the same frames ask for {kind} with {parameter} {options[option]} and "
                                f"{value}: run them one after the other"
                            )
            if member.voice:
                trackers.setdefault(member.tracker, set()).update(member.voice)
        gated = all(member.gates_formants for member in members)
        front = _Front(
            short,
            long,
            hop,
            frozenset(want),
            tuple(options.items()),
            any(source.kind == "zcr" for member in members for source in member.sources),
            tuple(
                Tracker(
                    want=frozenset(names),
                    f0_range=f0_range,
                    path_window=lag,
                    period_search=search,
                    gate_formants=gated,
                )
                for (f0_range, lag, search), names in trackers.items()
            ),
        )
        for member in members:
            member.connect(len(fronts), front, list(trackers).index(member.tracker) if member.voice else None)
        fronts.append(front)
    return fronts


_OPTIONS = (
    ("flux_below", "high", "flux_high"),
    ("alpha_ratio", "edges", "alpha_edges"),
    ("hammarberg", "edges", "hammarberg_edges"),
)


# ------------------------------------------------------------------------------------------------------------- one set


class _SetPlan:
    """What one set needs at one level, and how its table follows from the shared descriptors."""

    def __init__(self, spec: SetFile, level: Level) -> None:
        self.spec = spec
        self.level = level
        self.frames = (spec.short, spec.long, spec.hop)
        self.tracker = (spec.f0_range, spec.f0_lag, spec.period_search)
        self.groups: list[ContourGroup]
        if level == "functionals":
            if not spec.functionals:
                raise ConfigError(f"{spec.name} has no functionals, expected level 'lld'")
            used = dict.fromkeys(name for group in spec.functionals for name, _ in group.contours)
            deltas = {name for group in spec.functionals for name, is_delta in group.contours if is_delta}
            self.groups = [group for group in spec.contours if group.name in used]
        else:
            self.groups = [spec.group(name) for name in spec.lld]
            if level == "lld-delta":
                self.groups = [group for group in self.groups if group.delta != "none"]
            deltas = {group.name for group in self.groups} if level == "lld-delta" else set()
            if not self.groups:
                raise ConfigError(
                    f"{spec.name} has no {'deltas' if spec.lld else 'frame-level table'}, expected level "
                    f"{'functionals or lld' if spec.lld else 'functionals'}"
                )
        columns = [column for group in self.groups for column in group.columns]
        self.sources = list(dict.fromkeys(column.source for column in columns))
        self.voice = {s.engine for s in self.sources if s.descriptor.source != "short" and s.kind != "zcr"}
        if any(column.gate for column in columns):
            self.voice.add("F0final")
        formants = [c for c in columns if c.source.kind in ("formant_frequency", "formant_bandwidth")]
        self.gates_formants = all(column.gate == "voiced" for column in formants)
        self.contours = {group.name: _GroupPlan(group, group.name in deltas) for group in self.groups}
        self.summaries = [_SummaryPlan(group, spec) for group in spec.functionals] if level == "functionals" else []
        self.stages = stages(self.groups, deltas, spec.functionals if level == "functionals" else ())
        self.front = 0
        self.names, self.units = self._columns()

    def _columns(self) -> tuple[list[str], list[str]]:
        if self.level == "functionals":
            return (
                [name for group in self.spec.functionals for name in group.names],
                [unit for summary in self.summaries for unit in summary.units],
            )
        is_delta = self.level == "lld-delta"
        names = [name for group in self.groups for name in group.names(is_delta)]
        return names, [contour_unit(column.source.kind, is_delta) for group in self.groups for column in group.columns]

    def connect(self, number: int, front: _Front, tracker: int | None) -> None:
        self.front = number
        for plan in self.contours.values():
            plan.connect(front, tracker)

    def number(self, known: dict[Any, int]) -> None:
        """Replace what contours and functionals are computed from by a number each: it is looked up per signal."""
        for contours in self.contours.values():
            contours.key = known.setdefault((contours.key, contours.with_delta), len(known))
        for summary in self.summaries:
            inputs = tuple(self.contours[name].key for name, _ in summary.group.contours)
            summary.key = known.setdefault((self.front, inputs, summary.key), len(known))

    def released(self, found: list[int]) -> int | None:
        """Frames its own tracker released before the end."""
        trackers = [plan.tracker for plan in self.contours.values() if plan.tracker is not None]
        return found[trackers[0]] if trackers else None

    def ends(self, counts: tuple[int, int], released: list[int]) -> Ends:
        short, long = counts
        own = self.released(released)
        return ends(self.stages, short, long, long - 1 if own is None else own)

    def functionals(self, found: _Found, memory: dict[Any, Any]) -> F32:
        """The row of functionals, shape (1, columns)."""
        if found.counts[1] == 0:
            return np.full((1, len(self.names)), np.nan, np.float32)
        end = self.ends(found.counts, found.released)
        ready = {name: plan.whole(found, end, memory) for name, plan in self.contours.items()}
        parts = []
        for i, summary in enumerate(self.summaries):
            frames = end.frames[str(i)]
            key = summary.key, frames
            if key not in memory:
                memory[key] = summary(ready, frames)
            parts.append(memory[key])
        return np.concatenate(parts)[None]


class _GroupPlan:
    """A group of contours: gathered, gated, smoothed."""

    def __init__(self, group: ContourGroup, with_delta: bool) -> None:
        self.group = group
        self.with_delta = with_delta
        # Which input of its first stage each column comes from; a table is a single one, as `stages` has it.
        single = group.joined or group.smoothing == "none"
        self.input = np.array([0 if single else group.streams.index(c.stream) for c in group.columns])
        self.tracker: int | None = None
        self.pieces: list[tuple[str | int, slice, slice]] = []
        self.key: Any = None  # equal for contours that are equal
        # Whether each column is open in unvoiced and in voiced frames.
        gates = [column.gate for column in group.columns]
        self.open_in = np.array([[gate != "voiced" for gate in gates], [gate != "unvoiced" for gate in gates]])
        self.gates = any(gates)

    def connect(self, front: _Front, tracker: int | None) -> None:
        """Learn where in the shared descriptors the columns stand."""
        options = {name: value for name, value in front.options if name.startswith("mfcc")}
        short = short_columns(front.want, **options)
        self.tracker = tracker if any(c.source.descriptor.source != "short" for c in self.group.columns) else None
        if self.gates:
            self.tracker = tracker
        self.voiced_at = -1
        self.pieces = []
        self.voice = tracker or 0
        if tracker is not None:
            columns = front.trackers[tracker].columns
            self.voiced_at = columns.index("F0final") if "F0final" in columns else -1
        for i, column in enumerate(self.group.columns):
            name, _, index = column.source.engine.partition("[")
            origin: str | int
            if column.source.kind == "zcr":
                origin, at = "zcr", 0
            elif column.source.descriptor.source == "short":
                origin, at = "short", short[name].start + int(index[:-1] or 0)
                if column.source.kind == "mfcc":
                    at -= options["mfcc_first"]
            else:
                origin, at = self.voice, front.trackers[self.voice].columns.index(name)
            if self.pieces and self.pieces[-1][0] == origin and self.pieces[-1][1].stop == at:
                _, source, target = self.pieces[-1]
                self.pieces[-1] = (origin, slice(source.start, at + 1), slice(target.start, i + 1))
            else:
                self.pieces.append((origin, slice(at, at + 1), slice(i, i + 1)))
        group = self.group
        self.key = (
            front.short,
            front.long,
            front.hop,
            tuple((origin, source.start, source.stop) for origin, source, _ in self.pieces),
            tuple(column.gate for column in group.columns),
            group.joined,
            group.smoothing,
            group.delta,
        )

    def raw(self, values: _Values) -> F32:
        """The columns side by side, gated. Where they are smoothed, shorter ones end in zeros that nobody reads."""
        lengths = [len(values[origin]) for origin, _, _ in self.pieces]
        frames = min(lengths) if self.group.smoothing == "none" else max(lengths)
        if self.gates:
            frames = len(values[self.voice])
        out = np.zeros((frames, len(self.group.columns)), np.float32)
        for origin, source, target in self.pieces:
            rows = values[origin][:frames, source]
            out[: len(rows), target] = rows
        if self.gates:
            close(out, values[self.voice][:, self.voiced_at] > 0, self.open_in)
        return out

    def whole(self, found: _Found, end: Ends, memory: dict[Any, Any]) -> tuple[F32, F32 | None]:
        """Smoothed contours and their deltas of a whole signal."""
        key = self.key, end.first
        if key in memory:
            return memory[key]
        x = self.raw(found.values)
        smoothed = self.smooth(x, 0, end.first, self._limits(end, "smooth")) if self.group.smoothing != "none" else x
        change = None
        if self.with_delta:
            change, _ = self.delta(smoothed, 0, end.first, self._limits(end, "delta"), np.float32(10))
        memory[key] = smoothed, change
        return smoothed, change

    def _limits(self, end: Ends, what: str) -> I64:
        limits = end.limits[f"{self.group.name}:{what}"]
        smoothed = what == "delta" and self.group.smoothing != "none"  # all columns come from one table
        return limits.take(np.zeros_like(self.input) if smoothed else self.input, axis=1)

    def smooth(self, x: F32, first: int, last: int, limits: I64) -> F32:
        return smooth(x, first, last, limits, self.group.smoothing == "nonzero")

    def delta(self, x: F32, first: int, last: int, limits: I64, denominator: np.float32) -> tuple[F32, np.float32]:
        if self.group.delta == "plain":
            return delta(x, first, last, limits), denominator
        return delta_in_segments(x, first, last, limits, denominator)


class _SummaryPlan:
    """A group of functionals over the first so many rows of its contours."""

    def __init__(self, group: FunctionalGroup, spec: SetFile) -> None:
        self.group = group
        parameters = {name: dict(block) for name, block in group.parameters}
        self.summary = Summary(group.compute, parameters, spec.hop)
        self.key: Any = (group.contours, group.columns, group.nonzero, group.compute, group.parameters)
        self.columns = [
            (column, is_delta)
            for name, is_delta in group.contours
            for column in spec.group(name).columns
            if not group.columns or column.name in group.columns
        ]
        self.pick = [
            np.array([i for i, column in enumerate(spec.group(name).columns) if column.name in group.columns], np.intp)
            if group.columns
            else None
            for name, _ in group.contours
        ]
        self.units = [
            functional_unit(name, contour_unit(column.source.kind, is_delta), parameters)
            for column, is_delta in self.columns
            for name in group.compute
        ]

    def __call__(self, ready: dict[str, tuple[F32, F32 | None]], frames: int) -> F32:
        parts = []
        for (name, is_delta), pick in zip(self.group.contours, self.pick, strict=True):
            x = ready[name][is_delta]
            if x is not None:
                parts.append(x[:frames] if pick is None else x[:frames].take(pick, axis=1))
        x = parts[0]
        if len(parts) > 1:
            x = buffer("joined", (len(x), len(self.columns)))
            np.concatenate(parts, axis=1, out=x)
        return self.summary(Contours(x, self.group.nonzero)).ravel()


# ------------------------------------------------------------------------------------------------------- frame levels


class _TableStream:
    """The frame-level table of one set, row by row.

    A row leaves when its whole window has been released: what comes later at the end of the input changes only the rows
    around the last released frame.
    """

    def __init__(self, entry: _SetPlan, front: _FrontStream) -> None:
        self.entry = entry
        self.front = front
        self.is_delta = entry.level == "lld-delta"
        self.values: _Values = {}  # raw descriptors from frame `base` on
        self.base = 0
        self.smoothed: list[F32] = []  # per group, from row `smoothed_base` on; only for deltas
        self.smoothed_base = 0
        self.done_smooth = 0
        self.done = 0
        self.denominators = [np.float32(10)] * len(entry.groups)
        self.names = {piece[0] for plan in entry.contours.values() for piece in plan.pieces}
        self.names |= {plan.voice for plan in entry.contours.values() if plan.gates}

    def nothing(self) -> Rows:
        none = np.zeros(0, np.int64)
        return Rows(np.zeros((0, len(self.entry.names)), np.float32), none, none)

    def push(self, values: _Values) -> Rows:
        self._take(values)
        have = self.base + min(len(rows) for rows in self.values.values())
        if not self.is_delta:
            return self._emit(self._smooth(max(have - 1, self.done_smooth)), None, 0)
        self._keep(self._smooth(max(have - 1, self.done_smooth)))
        return self._emit(self._delta(max(self.done_smooth - 2, self.done)), None, 0)

    def finish(self, values: _Values, released: list[int], counts: tuple[int, int], samples: int) -> Rows:
        if counts[1] == 0:
            empty = np.full((1, len(self.entry.names)), np.nan, np.float32)
            return Rows(empty, np.array([0]), nanoseconds(np.array([samples / self.front.short.sampling_rate])))
        self._take(values)
        end = self.entry.ends(counts, released)
        own = self.entry.released(released)
        parts = [self._last_smooth(plan, end) for plan in self.entry.contours.values()]
        if self.is_delta:
            self._keep(parts)
            parts = [self._last_delta(i, plan, end) for i, plan in enumerate(self.entry.contours.values())]
        rows = self._emit(parts, counts, counts[1] if own is None else own)
        rows.end[-1:] = nanoseconds(np.array([samples / self.front.short.sampling_rate]))
        return rows

    def _take(self, values: _Values) -> None:
        for name in self.names:
            old = self.values.get(name)
            self.values[name] = values[name] if old is None or not len(old) else np.concatenate([old, values[name]])

    def _smooth(self, last: int) -> list[F32]:
        """Smoothed rows up to `last`, per group; raw frames no longer needed are dropped."""
        first, self.done_smooth = self.done_smooth, last
        none = np.zeros((0, 0), np.int64)
        parts = []
        for plan in self.entry.contours.values():
            x = plan.raw(self.values)
            at = first - self.base, last - self.base
            parts.append(plan.smooth(x, *at, none) if plan.group.smoothing != "none" else x[slice(*at)])
        keep = max(last - 1, self.base)
        self.values = {name: rows[keep - self.base :].copy() for name, rows in self.values.items()}
        self.base = keep
        return parts

    def _last_smooth(self, plan: _GroupPlan, end: Ends) -> F32:
        x = plan.raw(self.values)
        first = self.done_smooth
        if plan.group.smoothing == "none":
            return x[first - self.base :]
        limits = plan._limits(end, "smooth")
        middle = max(first, end.first)
        return plan.smooth(x, first - self.base, middle - self.base, limits[middle - end.first :] - self.base)

    def _keep(self, parts: list[F32]) -> None:
        if self.smoothed:
            parts = [np.concatenate(pair) for pair in zip(self.smoothed, parts, strict=True)]
        self.smoothed = parts

    def _delta(self, last: int) -> list[F32]:
        first = self.done
        none = np.zeros((0, 0), np.int64)
        parts = []
        for i, plan in enumerate(self.entry.contours.values()):
            at = first - self.smoothed_base, last - self.smoothed_base
            rows, self.denominators[i] = plan.delta(self.smoothed[i], *at, none, self.denominators[i])
            parts.append(rows)
        keep = max(last - 2, self.smoothed_base)
        self.smoothed = [rows[keep - self.smoothed_base :].copy() for rows in self.smoothed]
        self.smoothed_base = keep
        return parts

    def _last_delta(self, i: int, plan: _GroupPlan, end: Ends) -> F32:
        limits = plan._limits(end, "delta")
        base = self.smoothed_base
        middle = max(self.done, end.first)
        rows, _ = plan.delta(
            self.smoothed[i],
            self.done - base,
            middle - base,
            limits[middle - end.first :] - base,
            self.denominators[i],
        )
        return rows

    def _emit(self, parts: list[F32], counts: tuple[int, int] | None, released: int) -> Rows:
        """Join the groups' rows, as many as the shortest has, and say when they are."""
        count = min(len(part) for part in parts)
        values = np.concatenate([part[:count] for part in parts], axis=1)
        first, self.done = self.done, self.done + count
        # The first contour says whose frames the table shows. Rows that no frame begins repeat the last one's start.
        stream = self.entry.groups[0].columns[0].stream
        framing = self.front.short if stream == "short" else self.front.long
        frame = np.arange(first, first + count)
        if counts is not None:
            row = frame
            frame = np.minimum(row, max(counts[stream != "short"] - 1, 1))
            if self.is_delta and stream in ("pitch", "late") and released:
                frame[(row == released + 1) | (row == released + 2)] = released
        start = frame * framing.step / framing.sampling_rate
        if counts is not None and counts[1] == 1 and stream != "short":
            start[frame == 1] = framing.hop  # no frame begins there: the step is the nominal one
        return Rows(values, *nanoseconds(np.stack([start, start + framing.length / framing.sampling_rate])))
