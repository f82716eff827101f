"""What a set is, and what one of its columns is: definition, parameters, unit, reference, and where it may mislead.

Everything is read off the data that also computes the columns, so that the two cannot disagree.
"""

import difflib
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, overload

from .catalogue import REFERENCES, contour_unit, functional, functional_unit
from .errors import ConfigError
from .functionals.ends import ends
from .setfile import Column, ContourGroup, FunctionalGroup, SetFile, percentile_shares, read_set, stages

__all__ = ["ColumnDescription", "SetDescription", "describe", "lines"]

SPECIFICATION = "behavioural specification"


@dataclass(frozen=True)
class ColumnDescription:
    """One column.

    Attributes
    ----------
    level : str
        "functionals", "lld" or "lld-delta".
    descriptor : str
        What is measured in each frame.
    contour : tuple of str
        What is done to it before anything is summarised: gate, smoothing, delta, in this order.
    functional : str
        How the contour is summarised; empty at the frame levels.
    frames : str
        Which frames count.
    parameters : dict of str
        Everything adjustable that enters, in words.
    references : tuple of str
        Literature, and where the exact definition stands.
    traps : tuple of str
        What a reader of the name would get wrong.
    """

    set: str
    column: str
    level: str
    unit: str
    descriptor: str
    contour: tuple[str, ...]
    functional: str
    frames: str
    parameters: dict[str, str]
    references: tuple[str, ...]
    traps: tuple[str, ...]


@dataclass(frozen=True)
class SetDescription:
    """A whole set.

    Attributes
    ----------
    columns : dict of list of str
        Names of the columns per level.
    shortest : float
        Seconds below which every value is NaN.
    """

    set: str
    title: str
    hash: str
    standard: bool
    columns: dict[str, list[str]]
    shortest: float
    parameters: dict[str, str]
    references: tuple[str, ...]
    traps: tuple[str, ...] = field(default=())


@overload
def describe(name: str) -> SetDescription: ...
@overload
def describe(name: str, column: None) -> SetDescription: ...
@overload
def describe(name: str, column: str) -> ColumnDescription: ...
@overload
def describe(name: str, column: str | None) -> SetDescription | ColumnDescription: ...
def describe(name: str, column: str | None = None) -> SetDescription | ColumnDescription:
    """Describe a set or one of its columns.

    Parameters
    ----------
    name : str
        A set that comes with dsfx, or the path of a TOML file.
    column : str, optional
        Name of a column, at any level.

    Raises
    ------
    ConfigError
        No such set or column; for a column the closest names are given.
    """
    spec = read_set(name)
    if column is None:
        return _set(spec)
    for found in _columns(spec):
        if found[0] == column:
            return _column(spec, *found)
    names = [found[0] for found in _columns(spec)]
    close = difflib.get_close_matches(column, names, 3, 0.6)
    hint = f", did you mean {' or '.join(close)}?" if close else ": dsfx describe lists them"
    raise ConfigError(f"{spec.name} has no column {column!r}{hint}")


def lines(description: SetDescription | ColumnDescription, width: int = 100) -> list[str]:
    """A description as plain text."""
    if isinstance(description, SetDescription):
        return _set_lines(description, width)
    head = f"{description.column}  ({description.set}, {description.level})"
    fields = [
        ("functional", [description.functional]),
        ("descriptor", [description.descriptor]),
        ("contour", list(description.contour)),
        ("frames", [description.frames]),
        ("unit", [description.unit]),
        ("parameters", [f"{key}: {value}" for key, value in description.parameters.items()]),
        ("reference", list(description.references)),
        ("beware", list(description.traps)),
    ]
    return [head, "", *_fields(fields, width)]


# -------------------------------------------------------------------------------------------------------------- columns

_Found = tuple[str, str, ContourGroup, Column, bool, FunctionalGroup | None, str]
"""Name, level, and what leads there: contours, column, whether its delta, functionals, functional."""


def _columns(spec: SetFile) -> Iterator[_Found]:
    for group in spec.functionals:
        names = iter(group.names)
        for name, is_delta in group.contours:
            contours = spec.group(name)
            for column in contours.columns:
                if not group.columns or column.name in group.columns:
                    for wanted in group.compute:
                        yield next(names), "functionals", contours, column, is_delta, group, wanted
    for name in spec.lld:
        contours = spec.group(name)
        for is_delta in (False, True) if contours.delta != "none" else (False,):
            level = "lld-delta" if is_delta else "lld"
            for own, column in zip(contours.names(is_delta), contours.columns, strict=True):
                yield own, level, contours, column, is_delta, None, ""


def _column(
    spec: SetFile,
    name: str,
    level: str,
    contours: ContourGroup,
    column: Column,
    is_delta: bool,
    group: FunctionalGroup | None,
    wanted: str,
) -> ColumnDescription:
    source = column.source
    descriptor = source.descriptor
    parameters = dict(source.parameters)
    text = descriptor.text.format(label=source.label, short=1000 * spec.short, long=1000 * spec.long, **parameters)
    unit = contour_unit(source.kind, is_delta)
    references = [REFERENCES[descriptor.reference]]
    sections = [descriptor.section]
    traps = list(descriptor.traps)
    words = _front_end(spec, source.descriptor.source)
    contour = []
    if column.gate:
        other = {"voiced": "unvoiced", "unvoiced": "voiced"}[column.gate]
        contour.append(f"gated: {column.gate} frames only, 0 in {other} ones (F0 decides), before smoothing")
    if contours.smoothing == "plain":
        contour.append("smoothed: average over three frames")
    elif contours.smoothing == "nonzero":
        contour.append("smoothed: average over three frames in which zeros do not count; a zero stays zero")
    if is_delta and contours.delta == "plain":
        contour.append("delta: regression slope over five frames of the smoothed contour, per frame")
        sections.append("part 03 section 4")
    elif is_delta:
        contour.append(
            "delta: regression slope over the non-zero ones of five frames of the smoothed contour, over a running "
            "denominator"
        )
        sections.append("part 03 section 4")
        traps.append(
            "not a slope per frame: the denominator grows with every frame of the recording and is shared by the "
            f"{len(contours.columns)} contours of the group, so that the values shrink roughly like 1/time"
        )
    if contours.smoothing != "none":
        sections.append("part 03 section 3")
    functional_text = ""
    frames = _frame_rows(spec, contours, is_delta)
    if group is not None:
        found = functional(wanted)
        blocks = {key: dict(block) for key, block in group.parameters}
        if found is not None:
            functional_text = f"{wanted}: {found.text}"
            for need in found.needs:
                words |= _block_words(need, blocks[need])
            if found.family == "percentiles":
                functional_text = f"{wanted}: {_percentile_text(wanted, found.text, group)}"
                words["percentiles"] = "linear interpolation between order statistics"
            sections.append(found.section)
            traps += found.traps
            if found.family == "segments":
                by_level = blocks["segments"]["by"] == "levels"
                traps.append(
                    "segments are cut where a running mean over three frames, which starts from 0, crosses one of two "
                    "levels; what follows the last crossing is no segment"
                    if by_level
                    else "the length of a run is its number of frames minus one; gaps of a single frame are bridged"
                )
        frames = _frames_used(spec, group)
        if group.nonzero:
            frames += "; frames in which the contour is exactly 0 are dropped and the gaps closed, 0 if none is left"
        unit = functional_unit(wanted, unit, blocks)
        if re.search(r"\bs\b", unit):
            words["second"] = f"{1 / spec.hop:g} frames, at every sampling rate"
    elif contours.streams == ("short",):
        pass
    else:
        traps.append("the last row, and rows near the last released F0, are averages of fewer frames")
    references += [REFERENCES.get(reference, reference) for reference in spec.references]
    references.append(f"{SPECIFICATION}, {'; '.join(sorted(set(sections) - {''}))}")
    return ColumnDescription(
        set=spec.name,
        column=name,
        level=level,
        unit=unit,
        descriptor=f"{source.name}: {text}",
        contour=tuple(contour),
        functional=functional_text,
        frames=frames,
        parameters=words,
        references=tuple(dict.fromkeys(references)),
        traps=tuple(dict.fromkeys(traps)),
    )


def _front_end(spec: SetFile, source: str) -> dict[str, str]:
    step = f"every {1000 * spec.hop:g} ms"
    if source == "short":
        return {"frames": f"{1000 * spec.short:g} ms {step}"}
    low, high = spec.f0_range
    words = {"frames": f"{1000 * spec.long:g} ms {step}"}
    if source != "long":
        words["F0"] = f"{low:g} to {high:g} Hz, path decided at most {spec.f0_lag} frames later"
    if source == "late":
        words["periods"] = f"searched within ±{100 * spec.period_search:g} % of the period"
    return words


def _block_words(name: str, block: dict[str, Any]) -> dict[str, str]:
    if name == "regression":
        return {"slopes": f"per {block['slope_per']}"}
    if name == "lp":
        return {"linear prediction": f"order {block['order']}, no window, no mean removed, single precision"}
    if name == "peaks":
        return {"peaks": f"stand out by {100 * block['threshold']:g} % of the contour's range"}
    if block["by"] == "levels":
        low, high = block["levels"]
        how = f"between crossings of {100 * low:g} % and {100 * high:g} % of the range"
    else:
        kind = "zero" if block["by"] == "zero runs" else "non-zero"
        how = f"runs of at least {block['shortest']} {kind} frames, ended by {block['pause']} others"
    return {"segments": f"{how}; the first {block['most']} count"}


def _percentile_text(name: str, text: str, group: FunctionalGroup) -> str:
    if not name.startswith("pctlrange"):
        return text
    shares = percentile_shares(group.compute)
    a, b = (int(number) for number in re.findall(r"\d+", name))
    return f"{100 * shares[b]:g} % percentile minus {100 * shares[a]:g} % percentile"


def _frames_used(spec: SetFile, group: FunctionalGroup) -> str:
    """Which frames enter, found by playing the end of a recording with numbers that tell each other apart."""
    groups = [spec.group(name) for name in dict.fromkeys(name for name, _ in group.contours)]
    deltas = {name for name, is_delta in group.contours if is_delta}
    short, long, released = 240, 160, 80
    frames = ends(stages(groups, deltas, [group]), short, long, released).frames["0"]
    for count, what in (
        (short, "short frames"),
        (long, "long frames"),
        (released, "long frames whose F0 was decided before the end of the recording"),
    ):
        if abs(frames - count) <= 8:
            less = count - frames
            return f"all {what}" if not less else f"all {what}, but for the last {less}"
    return f"{frames} of {short}"


def _frame_rows(spec: SetFile, contours: ContourGroup, is_delta: bool) -> str:
    extra = "three rows" if is_delta else "one row"
    return f"one row per {1000 * spec.hop:g} ms; {extra} more than there are long frames"


# ----------------------------------------------------------------------------------------------------------------- sets


def _set(spec: SetFile) -> SetDescription:
    columns: dict[str, list[str]] = {}
    for name, level, *_ in _columns(spec):
        columns.setdefault(level, []).append(name)
    low, high = spec.f0_range
    parameters = {
        "short frames": f"{1000 * spec.short:g} ms",
        "long frames": f"{1000 * spec.long:g} ms",
        "hop": f"{1000 * spec.hop:g} ms",
        "F0": f"{low:g} to {high:g} Hz",
    }
    kinds = {source.kind for source in spec.sources}
    traps = ["features depend on the sampling rate, and most on the level of the recording: nothing is normalised"]
    if "formant_amplitude" in kinds:
        traps.append("formant amplitudes are -201 in unvoiced frames, and their means include these")
    if "h1_h2" in kinds:
        traps.append('harmonics are counted from 0: "H1" is the second partial')
    if any(group.delta == "segments" for group in spec.contours):
        traps.append("deltas of voice descriptors shrink with time")
    return SetDescription(
        set=spec.name,
        title=spec.title,
        hash=spec.hash,
        standard=spec.standard,
        columns=columns,
        shortest=spec.long,
        parameters=parameters,
        references=tuple(REFERENCES.get(reference, reference) for reference in spec.references),
        traps=tuple(traps),
    )


def _set_lines(description: SetDescription, width: int) -> list[str]:
    head = f"{description.set}  {description.title}".rstrip()
    fields = [
        ("levels", [f"{level}: {len(names)} columns" for level, names in description.columns.items()]),
        ("shortest", [f"{1000 * description.shortest:g} ms; below that every value is NaN"]),
        ("parameters", [f"{key}: {value}" for key, value in description.parameters.items()]),
        ("reference", list(description.references)),
        ("beware", list(description.traps)),
        ("hash", [description.hash + ("" if description.standard else " (not a standard set)")]),
    ]
    out = [head, "", *_fields(fields, width)]
    for level, names in description.columns.items():
        out += ["", f"{level}:"]
        out += textwrap.wrap(
            ", ".join(names), width, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False
        )  # fmt: skip
    return out


def _fields(fields: list[tuple[str, list[str]]], width: int) -> list[str]:
    out = []
    for name, entries in fields:
        label = name
        for entry in entries:
            if entry:
                out += textwrap.wrap(
                    entry,
                    width,
                    initial_indent=f"  {label:<12}",
                    subsequent_indent=" " * 14,
                    break_on_hyphens=False,
                    break_long_words=False,
                )
                label = ""
    return out
