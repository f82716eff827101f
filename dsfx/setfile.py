"""A hand-crafted feature set as written down in a TOML file: read, checked, spelled out.

Whoever changes a set makes mistakes, so that every refusal names the line, what stands there and what could.
"""

import hashlib
import json
import math
import tomllib
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from . import tomllines
from .catalogue import DESCRIPTORS, FUNCTIONALS, NUMBERED, Descriptor, Functional, functional
from .errors import ConfigError
from .functionals.ends import Stage

__all__ = [
    "Column",
    "ContourGroup",
    "FunctionalGroup",
    "SetFile",
    "Source",
    "percentile_shares",
    "read_set",
    "stages",
    "standard_sets",
]


@dataclass(frozen=True)
class Source:
    """One raw descriptor column: its name, what the engines call it, and what it is."""

    name: str
    kind: str
    engine: str
    label: str
    parameters: tuple[tuple[str, Any], ...]

    @property
    def descriptor(self) -> Descriptor:
        return DESCRIPTORS[self.kind]


@dataclass(frozen=True)
class Column:
    """A raw column as a contour, possibly under another name, possibly gated."""

    source: Source
    name: str
    gate: Literal["voiced", "unvoiced"] | None

    @property
    def stream(self) -> str:
        """What the column waits for: a gate waits for F0 whatever it gates."""
        return self.source.descriptor.source if self.gate is None else "pitch"


@dataclass(frozen=True)
class ContourGroup:
    """Contours that are smoothed together."""

    name: str
    columns: tuple[Column, ...]
    joined: bool
    smoothing: Literal["plain", "nonzero", "none"]
    suffix: str
    delta: Literal["plain", "segments", "none"]
    delta_suffix: str

    @property
    def streams(self) -> tuple[str, ...]:
        """What its columns wait for."""
        return tuple(dict.fromkeys(column.stream for column in self.columns))

    def names(self, delta: bool = False) -> list[str]:
        """Names of the contours; an index stays at the end (``mfcc_sma[1]``)."""
        suffix = self.suffix + (self.delta_suffix if delta else "")
        return [with_suffix(column.name, suffix) for column in self.columns]


@dataclass(frozen=True)
class FunctionalGroup:
    """Functionals of the contours of some groups."""

    contours: tuple[tuple[str, bool], ...]
    """Contour groups, each with whether its deltas are meant."""
    columns: tuple[str, ...]
    """Names of the only columns to take; empty: all."""
    suffix: str
    nonzero: bool
    compute: tuple[str, ...]
    parameters: tuple[tuple[str, tuple[tuple[str, Any], ...]], ...]
    names: tuple[str, ...]


@dataclass(frozen=True)
class SetFile:
    """A feature set, checked and spelled out."""

    name: str
    title: str
    references: tuple[str, ...]
    hash: str
    standard: bool
    short: float
    long: float
    hop: float
    f0_range: tuple[float, float]
    f0_lag: int
    period_search: float
    sources: tuple[Source, ...]
    contours: tuple[ContourGroup, ...]
    lld: tuple[str, ...]
    functionals: tuple[FunctionalGroup, ...]

    def group(self, name: str) -> ContourGroup:
        return next(group for group in self.contours if group.name == name)


def stages(
    groups: Sequence[ContourGroup], deltas: Collection[str], functionals: Sequence[FunctionalGroup]
) -> tuple[Stage, ...]:
    """The steps from descriptors to a table, for the game of counters at the end of the input.

    Parameters
    ----------
    groups : sequence of ContourGroup
    deltas : collection of str
        Names of the groups whose deltas are wanted.
    functionals : sequence of FunctionalGroup

    Returns
    -------
    tuple of Stage
        Smoothing and deltas are named ``GROUP:smooth`` and ``GROUP:delta``, functionals by their number.
    """
    tables, smoothing, changes = [], [], []
    last: dict[tuple[str, bool], str] = {}
    for group in groups:
        inputs = group.streams
        if group.joined or (group.smoothing == "none" and len(inputs) > 1):
            tables.append(Stage(f"{group.name}:table", "table", inputs))
            inputs = (f"{group.name}:table",)
        if group.smoothing != "none":
            smoothing.append(Stage(f"{group.name}:smooth", "window", inputs, 1))
            inputs = (f"{group.name}:smooth",)
        last[group.name, False] = inputs[0]
        if group.name in deltas:
            changes.append(Stage(f"{group.name}:delta", "window", inputs, 2))
            last[group.name, True] = f"{group.name}:delta"
    summaries = [
        Stage(str(i), "summary", tuple(last[contours] for contours in group.contours))
        for i, group in enumerate(functionals)
    ]
    return (*tables, *smoothing, *changes, *summaries)


def with_suffix(name: str, suffix: str) -> str:
    at = name.find("[")
    return name + suffix if at < 0 else name[:at] + suffix + name[at:]


# ------------------------------------------------------------------------------------------------------------ the file


def standard_sets() -> list[str]:
    """Names of the sets that come with dsfx."""
    folder = resources.files("dsfx.baselines")
    return sorted(entry.name[:-5] for entry in folder.iterdir() if entry.name.endswith(".toml"))


def read_set(name: str, frame: float | None = None, hop: float | None = None) -> SetFile:
    """Read a set by its name or its path.

    Parameters
    ----------
    name : str
        A set that comes with dsfx, or the path of a TOML file (anything that ends in ``.toml``).
    frame, hop : float, optional
        Duration in seconds of the short frames and of the step, instead of those in the file.

    Raises
    ------
    ConfigError
        There is no such set, or the file asks for something impossible.
    """
    if name in standard_sets():
        return _build(_text_of(name), f"{name}.toml", frame, hop)
    if not name.endswith(".toml"):
        raise ConfigError(
            f"no feature set {name!r}, expected one of {', '.join(standard_sets())} or the path of a TOML file"
        )
    try:
        text = Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{name}: cannot be read as a feature set: {error}") from error
    return _build(text, name, frame, hop)


def _text_of(name: str) -> str:
    return (resources.files("dsfx.baselines") / f"{name}.toml").read_text(encoding="utf-8")


@lru_cache(maxsize=64)
def _build(text: str, where: str, frame: float | None, hop: float | None) -> SetFile:
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{where}: not valid TOML: {error}") from error
    top = _Table(data, where, tomllines.key_lines(text), ())
    frames = data.get("frames")
    if isinstance(frames, dict):
        # An option is no line of the file: it is checked here, and then like what it replaces.
        for key, option, value in (("short", "frame", frame), ("hop", "hop", hop)):
            if value is not None:
                if not (isinstance(value, (int, float)) and math.isfinite(value) and value > 0):
                    raise ConfigError(f"{option} is {value!r}, expected a positive duration in seconds")
                frames[key] = float(value)
    return _Reader(top, changed=frame is not None or hop is not None).read()


# ------------------------------------------------------------------------------------------------------- checked tables


class _Table:
    """One table of the file: values are taken out under a check, and what is left over is refused."""

    def __init__(self, data: dict[str, Any], where: str, lines: dict[tomllines.Path, int], path: tomllines.Path):
        self.data = data
        self.where = where
        self.lines = lines
        self.path = path
        self.asked: set[str] = set()

    def refuse(self, message: str, *below: str | int) -> ConfigError:
        path = (*self.path, *below)
        while path not in self.lines:
            path = path[:-1]
        return ConfigError(f"{self.where} line {self.lines[path]}: {message}")

    def value(self, key: str, check: Callable[[Any], bool], allowed: str, default: Any = None) -> Any:
        """A value that passes the check. With a default of None the key is required."""
        self.asked.add(key)
        if key not in self.data:
            if default is None:
                raise self.refuse(f"missing key {key!r}, expected {allowed}")
            return default
        value = self.data[key]
        if not check(value):
            raise self.refuse(f"{key} = {_short(value)}, expected {allowed}", key)
        return value

    def choice(self, key: str, allowed: Iterable[str], default: str | None = None) -> Any:
        options = list(allowed)
        return self.value(key, lambda v: isinstance(v, str) and v in options, _one_of(options), default)

    def text(self, key: str, default: str | None = None) -> str:
        return str(self.value(key, lambda v: isinstance(v, str), "a string", default))

    def number(self, key: str, low: float, high: float, unit: str, default: float | None = None) -> float:
        def check(value: Any) -> bool:
            return isinstance(value, (int, float)) and not isinstance(value, bool) and low <= value <= high

        return float(self.value(key, check, f"a number from {low:g} to {high:g}{unit}", default))

    def whole(self, key: str, low: int, high: int, default: int | None = None) -> int:
        def check(value: Any) -> bool:
            return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high

        return int(self.value(key, check, f"a whole number from {low} to {high}", default))

    def items(self, key: str, default: list[Any] | None = None) -> list[Any]:
        return list(self.value(key, lambda v: isinstance(v, list) and bool(v), "a list that is not empty", default))

    def table(self, key: str) -> "_Table":
        self.value(key, lambda v: isinstance(v, dict), "a table")
        return self.below(key)

    def below(self, *keys: str | int) -> "_Table":
        data: Any = self.data
        for key in keys:
            data = data[key]
        return _Table(data, self.where, self.lines, (*self.path, *keys))

    def tables(self, key: str) -> list["_Table"]:
        entries = self.value(
            key, lambda v: isinstance(v, list) and bool(v) and all(isinstance(e, dict) for e in v), f"tables [[{key}]]"
        )
        return [self.below(key, i) for i in range(len(entries))]

    def done(self) -> None:
        """Refuse keys nobody asked for."""
        for key in self.data:
            if key not in self.asked:
                raise self.refuse(f"unknown key {key!r}, expected one of {', '.join(sorted(self.asked))}", key)


def _one_of(options: list[str]) -> str:
    return "one of " + ", ".join(repr(option) for option in options)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"


# ------------------------------------------------------------------------------------------------------------- the sets

_DOCUMENTATION = ("title", "references")


class _Reader:
    def __init__(self, top: _Table, changed: bool) -> None:
        self.top = top
        self.changed = changed
        self.sources: dict[str, list[Source]] = {}  # by the key in [descriptors]
        self.groups: dict[str, ContourGroup] = {}

    def read(self) -> SetFile:
        top = self.top
        name = top.value(
            "name", lambda v: isinstance(v, str) and bool(v.strip()) and v.isprintable(), "the name of the set"
        )
        title = top.text("title", "")
        references = tuple(str(entry) for entry in top.items("references", default=["none"]) if entry != "none")
        short, long, hop = self._frames(top.table("frames"))
        for key in ("descriptors", "contours", "functionals", "lld", "f0"):
            top.asked.add(key)
        top.done()
        self._descriptors(top.table("descriptors"))
        for entry in top.tables("contours"):
            group = self._contours(entry)
            if group.name in self.groups:
                raise entry.refuse(f"a second group of contours named {group.name!r}, expected another name", "name")
            self.groups[group.name] = group
        lld = self._lld(top.table("lld")) if "lld" in top.data else ()
        functionals = (
            tuple(map(self._functionals, top.tables("functionals"))) if "functionals" in top.data else ()
        )  # fmt: skip
        if not lld and not functionals:
            raise top.refuse("neither [lld] nor [[functionals]]: the set has no result")
        self._unique(functionals, lld)
        f0_range, lag, search = self._f0()
        digest = _digest(top.data)
        standard = name in standard_sets() and _digest(tomllib.loads(_text_of(name))) == digest
        if not standard and (self.changed or name in standard_sets()):
            name = f"{name}~{digest[:8]}"
        used = {c.source: None for group in self.groups.values() for c in group.columns}
        return SetFile(
            name=name,
            title=title,
            references=references,
            hash=digest,
            standard=standard,
            short=short,
            long=long,
            hop=hop,
            f0_range=f0_range,
            f0_lag=lag,
            period_search=search,
            sources=tuple(used),
            contours=tuple(self.groups.values()),
            lld=lld,
            functionals=functionals,
        )

    def _frames(self, table: _Table) -> tuple[float, float, float]:
        short = table.number("short", 0.001, 10, " (seconds)")
        long = table.number("long", 0.001, 10, " (seconds)")
        hop = table.number("hop", 0.0001, 10, " (seconds)")
        table.done()
        if short > long:
            raise table.refuse(
                f"short frames of {short:g} s are longer than the long ones of {long:g} s, expected at most that: make "
                "long longer",
                "long",
            )
        if hop > long:
            raise table.refuse(
                f"a hop of {hop:g} s leaves gaps between the long frames of {long:g} s, expected at most that", "hop"
            )
        return short, long, hop

    def _f0(self) -> tuple[tuple[float, float], int, float]:
        needed = any(c.stream in ("pitch", "late") for group in self.groups.values() for c in group.columns)
        if "f0" not in self.top.data:
            if needed:
                raise self.top.refuse("columns need F0 or its voicing, expected a table [f0]")
            return (55.0, 1000.0), 40, 0.1
        table = self.top.table("f0")
        low, high = table.value(
            "range",
            lambda v: (
                isinstance(v, list)
                and len(v) == 2
                and all(isinstance(e, (int, float)) and not isinstance(e, bool) for e in v)
                and 25 <= v[0] < v[1] <= 10000
            ),
            "two frequencies [lowest, highest] from 25 to 10000 Hz, rising",
        )
        lag = table.whole("lag", 2, 1000)
        search = table.number("period_search", 0.01, 0.5, "")
        table.done()
        return (float(low), float(high)), lag, search

    def _descriptors(self, table: _Table) -> None:
        if not table.data:
            raise table.refuse("no descriptors")
        for key in table.data:
            entry = table.table(key)
            kind = entry.choice("kind", DESCRIPTORS)
            descriptor = DESCRIPTORS[kind]
            parameters = {
                name: entry.value(name, parameter.check, parameter.allowed, parameter.default)
                for name, parameter in descriptor.parameters.items()
            }
            entry.done()
            if kind == "mfcc" and parameters["first"] > parameters["last"]:
                raise entry.refuse("first is greater than last, expected at most that", "first")
            for other in self.sources.values():
                if other[0].kind == kind and dict(other[0].parameters) != _frozen(parameters):
                    raise entry.refuse(f"a second {kind} with other parameters, expected one in a set", "kind")
            engines = descriptor.engine(parameters)
            labels = descriptor.labels(parameters) if descriptor.labels else [""]
            if (key.count("{}") == 1) != (descriptor.labels is not None):
                expected = "{} once, for what differs" if descriptor.labels else "no {}: it is a single column"
                raise entry.refuse(f"name {key!r} of a {kind}, expected {expected}")
            frozen = tuple(_frozen(parameters).items())
            self.sources[key] = [
                Source(key.replace("{}", label), kind, engine, label, frozen)
                for engine, label in zip(engines, labels, strict=True)
            ]

    def _contours(self, table: _Table) -> ContourGroup:
        name = table.value(
            "name", lambda v: isinstance(v, str) and bool(v) and not v.endswith(".delta"), "a name of the group"
        )
        gate = table.choice("gate", ("none", "voiced", "unvoiced"), "none")
        columns: list[Column] = []
        for i, item in enumerate(table.items("columns")):
            columns += self._columns(table, i, item, gate)
        joined = table.value("joined", lambda v: isinstance(v, bool), "true or false", False)
        smoothing = table.choice("smoothing", ("plain", "nonzero", "none"))
        suffix = table.text("suffix", "")
        delta = table.choice("delta", ("plain", "segments", "none"), "none")
        delta_suffix = table.text("delta_suffix", "_de")
        table.done()
        return ContourGroup(name, tuple(columns), joined, smoothing, suffix, delta, delta_suffix)

    def _columns(self, table: _Table, i: int, item: Any, gate: str) -> list[Column]:
        rename = None
        if isinstance(item, dict):
            entry = table.below("columns", i)
            of = entry.text("of")
            rename = entry.text("as", of)
            gate = entry.choice("gate", ("none", "voiced", "unvoiced"), gate)
            entry.done()
        elif isinstance(item, str):
            of = item
        else:
            raise table.refuse(f"column {_short(item)}, expected a name or a table {{ of = NAME, … }}", "columns", i)
        single = {source.name: source for sources in self.sources.values() for source in sources}
        if of in self.sources:
            sources = self.sources[of]
        elif of in single:
            sources = [single[of]]
        else:
            raise table.refuse(
                f"no descriptor {of!r}, expected one of {', '.join(self.sources)} or a column of it", "columns", i
            )
        if rename is None:
            names = [source.name for source in sources]
        elif rename.count("{}") == of.count("{}"):
            names = [rename.replace("{}", source.label) for source in sources]
        else:
            raise table.refuse(f"{of!r} as {rename!r}, expected {{}} in both or in neither", "columns", i)
        checked: Any = None if gate == "none" else gate
        return [Column(source, name, checked) for source, name in zip(sources, names, strict=True)]

    def _lld(self, table: _Table) -> tuple[str, ...]:
        names = table.items("contours")
        for i, name in enumerate(names):
            if name not in self.groups:
                raise table.refuse(f"no contours {name!r}, expected one of {', '.join(self.groups)}", "contours", i)
        table.done()
        return tuple(names)

    def _functionals(self, table: _Table) -> FunctionalGroup:
        contours = []
        available: list[str] = []
        for i, name in enumerate(table.items("contours")):
            delta = isinstance(name, str) and name.endswith(".delta")
            group = self.groups.get(name[:-6] if delta else name) if isinstance(name, str) else None
            if group is None or (delta and group.delta == "none"):
                options = [g.name for g in self.groups.values()]
                options += [f"{g.name}.delta" for g in self.groups.values() if g.delta != "none"]
                raise table.refuse(f"no contours {name!r}, expected one of {', '.join(options)}", "contours", i)
            contours.append((group.name, delta))
            available += [column.name for column in group.columns]
        chosen = table.items("columns", default=[""])
        for i, column in enumerate(chosen):
            if column and column not in available:
                raise table.refuse(f"no column {column!r}, expected one of {', '.join(available)}", "columns", i)
        columns = tuple(column for column in chosen if column)
        nonzero = table.choice("frames", ("all", "nonzero")) == "nonzero"
        suffix = table.text("suffix", "")
        compute = table.items("compute")
        blocks: dict[str, dict[str, Any]] = {
            key: self._block(table, key) for key in ("segments", "peaks", "lp", "regression") if key in table.data
        }
        table.asked |= {"segments", "peaks", "lp", "regression"}
        for i, name in enumerate(compute):
            self._check_functional(table, i, name, compute, blocks)
        base = [
            name + suffix
            for group, delta in contours
            for name, column in zip(self.groups[group].names(delta), self.groups[group].columns, strict=True)
            if not columns or column.name in columns
        ]
        names = [f"{contour}_{name}" for contour in base for name in compute]
        given = table.items("names", default=names)
        if len(given) != len(names) or not all(isinstance(name, str) for name in given):
            raise table.refuse(
                f"{len(given)} names, expected {len(names)}: {len(base)} contours × {len(compute)} functionals",
                "names",
            )
        table.done()
        parameters = tuple((key, tuple(block.items())) for key, block in blocks.items())
        return FunctionalGroup(
            tuple(contours), columns, suffix, nonzero, tuple(compute), parameters, tuple(given)
        )  # fmt: skip

    def _block(self, parent: _Table, key: str) -> dict[str, Any]:
        table = parent.table(key)
        block: dict[str, Any]
        if key == "segments":
            block = {"by": table.choice("by", ("levels", "nonzero runs", "zero runs"))}
            block["most"] = table.whole("most", 1, 100000)
            if block["by"] == "levels":
                levels = table.value(
                    "levels",
                    lambda v: (
                        isinstance(v, list)
                        and len(v) == 2
                        and all(isinstance(e, (int, float)) and not isinstance(e, bool) for e in v)
                        and 0 <= v[0] < v[1] <= 1
                    ),
                    "two shares of the range [lower, upper] from 0 to 1, rising",
                )
                block["levels"] = (float(levels[0]), float(levels[1]))
            else:
                block["shortest"] = table.whole("shortest", 1, 100000)
                block["pause"] = table.whole("pause", 1, 100000)
        elif key == "peaks":
            block = {"threshold": table.number("threshold", 0, 1, " (a share of the range)")}
        elif key == "lp":
            block = {"order": table.whole("order", 1, 20)}
        else:
            block = {"slope_per": table.choice("slope_per", ("frame", "second"))}
        table.done()
        return block

    def _check_functional(
        self, table: _Table, i: int, name: Any, compute: list[Any], blocks: dict[str, dict[str, Any]]
    ) -> None:
        found = functional(name) if isinstance(name, str) else None
        if found is None:
            options = ", ".join((*FUNCTIONALS, *NUMBERED))
            raise table.refuse(f"no functional {name!r}, expected one of {options}", "compute", i)
        if name in compute[:i]:
            raise table.refuse(f"functional {name!r} a second time, expected each once", "compute", i)
        for need in found.needs:
            if need not in blocks:
                raise table.refuse(f"{name!r} needs parameters, expected {_EXAMPLES[need]}", "compute", i)
        if name.startswith("lpc") and found.value >= blocks["lp"]["order"]:
            raise table.refuse(
                f"{name!r} is beyond the order {blocks['lp']['order']} of lp, counted from 0", "compute", i
            )
        if name.startswith("pctlrange") and found.pair[1] >= len(percentile_shares(compute)):
            raise table.refuse(
                f"{name!r} needs percentile {found.pair[1]} of this group (counted from 0), which has "
                f"{len(percentile_shares(compute))}",
                "compute",
                i,
            )

    def _unique(self, functionals: tuple[FunctionalGroup, ...], lld: tuple[str, ...]) -> None:
        seen: set[str] = set()
        for i, group in enumerate(functionals):
            for name in group.names:
                if name in seen:
                    raise self.top.refuse(f"column {name!r} a second time, expected each once", "functionals", i)
                seen.add(name)
        seen = set()
        for name in (name for group in lld for name in self.groups[group].names()):
            if name in seen:
                raise self.top.refuse(f"column {name!r} a second time, expected each once", "lld", "contours")
            seen.add(name)


_EXAMPLES = {
    "segments": 'segments = { by = "levels", levels = [0.25, 0.75], most = 100 } or segments = { by = "nonzero runs", '
    "shortest = 3, pause = 2, most = 100 }",
    "peaks": "peaks = { threshold = 0.1 }",
    "lp": "lp = { order = 5 }",
    "regression": 'regression = { slope_per = "second" }',
}


def percentile_shares(compute: Iterable[str]) -> list[float]:
    """Shares of the percentiles named by number, in order: what pctlrange counts in."""
    found = ((name, functional(name)) for name in compute)
    return [f.value for name, f in found if isinstance(f, Functional) and name.startswith("percentile")]


def _frozen(parameters: dict[str, Any]) -> dict[str, Any]:
    def freeze(value: Any) -> Any:
        return tuple(map(freeze, value)) if isinstance(value, list) else value

    return {name: freeze(value) for name, value in parameters.items()}


def _digest(data: dict[str, Any]) -> str:
    """Hash of what a set computes, whatever its comments and the layout of its file."""
    content = {key: value for key, value in data.items() if key not in _DOCUMENTATION}
    text = json.dumps(_plain(content), sort_keys=True, ensure_ascii=False)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _plain(value: Any) -> Any:
    """The same value whether a number was written 5000 or 5000.0."""
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_plain(entry) for entry in value]
    if isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return value
