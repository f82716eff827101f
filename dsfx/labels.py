"""One table of labels from the file names and annotation files of a corpus."""

import csv
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from .audio import show
from .corpora import CORPORA, RULES, Corpus
from .errors import ConfigError, InputError
from .files import output_file
from .inputs import Item, plan_items

__all__ = ["Labels", "label"]

Row = dict[str, str]
_Labelled = tuple[str, Row, tuple[str, ...]]
"""A recording's path below its folder, its row, and what identifies it (nothing: its path does)."""

KEYS = ("file", "speaker", "gender", "emotion")
"""The first columns, where there are such."""

RESERVED = frozenset(["file", "start", "end", "hash"])
"""Columns with a meaning of their own in tables of segments and features."""

LOSSY = frozenset([".mp3", ".ogg", ".oga", ".opus"])

TURN = re.compile(
    r"\[\s*[\d.]+\s*-\s*[\d.]+\s*\]\s+(?P<turn>\S+)\s+(?P<emotion>\w+)\s+"
    r"\[\s*(?P<valence>[\d.]+)\s*,\s*(?P<arousal>[\d.]+)\s*,\s*(?P<dominance>[\d.]+)\s*\]\s*"
)
"""A turn's line in one of IEMOCAP's evaluation files."""


@dataclass(frozen=True)
class Labels:
    """What `label` found.

    Attributes
    ----------
    output : where the table lies.
    rows : one mapping of columns to values for every recording.
    left_out : (file, why) of recordings that do not fit, and of labels without a recording.
    notes : what the user should know besides.
    """

    output: Path
    rows: list[Row]
    left_out: list[tuple[str, str]]
    notes: list[str]

    @property
    def columns(self) -> list[str]:
        """Names of the table's columns."""
        return list(self.rows[0])

    @property
    def classes(self) -> dict[str, int]:
        """Emotions and how many recordings each has; none where there is no column emotion."""
        return dict(sorted(Counter(row["emotion"] for row in self.rows if "emotion" in row).items()))

    @property
    def speakers(self) -> int:
        """Number of speakers; 0 where nothing says who speaks."""
        return len({row["speaker"] for row in self.rows if "speaker" in row})


def label(
    corpus: str,
    folder: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    pattern: str | None = None,
    speaker: str | None = None,
    classes: int | None = None,
    rename: Mapping[str, str] | None = None,
    strict: bool = False,
) -> Labels:
    r"""Write the table of labels of a corpus.

    Parameters
    ----------
    corpus : str
        One of `dsfx.corpora.CORPORA`; ``"folders"``, where the folder that a recording lies in is its class; or
        ``"pattern"``.
    folder : path
        Searched recursively for recordings, whatever format they have been converted to.
    output : path
        Ends in ``.csv``. Its column `file` is relative to its own folder.
    pattern : str, optional
        With ``"pattern"``: a regular expression that is searched for in the path below `folder`; its named groups
        become the columns, such as ``(?P<speaker>\w+)_(?P<emotion>\w+)_\d+``.
    speaker : str, optional
        With ``"folders"``: a regular expression that is searched for in the path below `folder`. The speaker is its
        first group, or all of it.
    classes : int, optional
        Take a customary subset of the corpus: 4 of IEMOCAP are anger, happiness (with excitement), neutral, sadness.
    rename : mapping, optional
        New names of emotions; two that get one name are merged.
    strict : bool
        Refuse when a recording does not fit, rather than leave it out.

    Returns
    -------
    Labels

    Raises
    ------
    ConfigError
        No such corpus, or an option that does not fit it.
    InputError
        No recording fits, annotations are missing or damaged, or something does not fit and `strict` is set.
    OutputError
        The table cannot be written.

    Examples
    --------
    >>> from dsfx.labels import label
    >>> label("emodb", "EmoDB/wav", "labels.csv").classes  # doctest: +SKIP
    {'anger': 127, 'boredom': 81, 'disgust': 46, 'fear': 69, 'happiness': 71, 'neutral': 79, 'sadness': 62}
    """
    output = Path(output)
    if output.suffix != ".csv":
        raise ConfigError(f"-o {output}: expected a name that ends in .csv")
    published, rule = _checked(corpus, pattern, speaker, classes)
    root = Path(folder)
    if not root.is_dir():
        raise InputError(f"{show(str(root))}: no such folder; expected the one with the recordings of {corpus}")
    items, _ = plan_items([root])
    notes: list[str] = []
    left_out: list[tuple[str, str]] = []
    if published is not None:
        expected = f"names such as {published.example}"
        items = [item for item in items if not (published.ignored and re.search(published.ignored, item.file))]
        found = _by_name(items, root, published, left_out, notes)
    elif corpus == "pattern" and rule is not None:
        expected = f"--pattern {pattern}"
        found = _by_pattern(items, rule, left_out)
    else:
        expected = "a folder per class, such as anger/clip1.wav"
        found = _by_folder(items, rule, left_out)
    here, there = Path(os.path.realpath(root)), Path(os.path.realpath(output.parent))
    rows = [_row(file, here, there, row) for file, row in _without_doubles(found, notes)]
    if not items:
        raise InputError(f"{show(str(root))}: holds no recordings; expected {expected}")
    if not rows:
        first = f"; {left_out[0][0]}: {left_out[0][1]}" if left_out else ""
        raise InputError(
            f"{show(str(root))}: none of {len(items)} recordings fits {corpus}, expected {expected}{first}"
        )
    if left_out and strict:
        raise InputError(f"{_summary(left_out, len(items), expected)}; without --strict they are left out")
    if left_out:
        notes.append(f"{_summary(left_out, len(items), expected)}; left out")
    if classes is not None and published is not None:
        rows = _renamed(rows, published.subsets[classes], drop=True)
        if not rows:
            raise InputError(f"{show(str(root))}: no recording has one of the {classes} classes")
    if rename:
        known = {row.get("emotion", "") for row in rows}
        for old in rename:
            if old not in known:
                there_are = ", ".join(sorted(known))
                raise ConfigError(f"--rename {old}: no recording has this emotion; there are {there_are}")
        rows = _renamed(rows, rename)
    if "speaker" not in rows[0]:
        remedy = "--speaker REGEX finds it" if corpus == "folders" else "name a group (?P<speaker>…)"
        notes.append(f"no column speaker, which training and evaluation need: {remedy}")
    _write(output, rows)
    return Labels(output, rows, left_out, notes)


def _checked(
    corpus: str, pattern: str | None, speaker: str | None, classes: int | None
) -> tuple[Corpus | None, re.Pattern[str] | None]:
    """The published corpus, or the user's expression; whatever does not go together is refused."""
    published = CORPORA.get(corpus)
    if published is None and corpus not in RULES:
        raise ConfigError(f"CORPUS {corpus}: no such corpus; there are {', '.join([*CORPORA, *RULES])}")
    if pattern is not None and corpus != "pattern":
        raise ConfigError(f"--pattern goes with the corpus `pattern`, not with {corpus}")
    if speaker is not None and corpus != "folders":
        raise ConfigError(f"--speaker goes with the corpus `folders`, not with {corpus}")
    if classes is not None and classes not in (published.subsets if published else {}):
        having = [f"{name} ({n})" for name, other in CORPORA.items() for n in other.subsets]
        raise ConfigError(f"--classes {classes}: {corpus} has no such subset; there are those of {', '.join(having)}")
    if corpus == "folders":
        return None, None if speaker is None else _compiled("--speaker", speaker)
    if corpus != "pattern":
        return published, None
    if pattern is None:
        raise ConfigError(r"pattern: needs --pattern, such as --pattern '(?P<speaker>\w+)_(?P<emotion>\w+)_\d+'")
    rule = _compiled("--pattern", pattern)
    if not rule.groupindex:
        raise ConfigError(rf"--pattern {pattern}: has no named group, such as (?P<speaker>\w+) and (?P<emotion>\w+)")
    taken = sorted(RESERVED & set(rule.groupindex))
    if taken:
        raise ConfigError(
            f"--pattern {pattern}: the column {taken[0]} has a meaning of its own; name the group otherwise"
        )
    return None, rule


def _compiled(option: str, text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as error:
        raise ConfigError(f"{option} {text}: not a regular expression ({error})") from None


def _readable(items: Sequence[Item], left_out: list[tuple[str, str]]) -> Iterator[Item]:
    """The recordings that a table can name, in natural order."""
    for item in sorted(items, key=lambda item: (_natural(item.file), item.file)):
        if item.error:
            left_out.append((item.file, item.error))
        elif item.path.encode("utf-8", "replace").decode("utf-8") != item.path:
            left_out.append((item.file, "its name is not UTF-8"))
        else:
            yield item


def _natural(file: str) -> list[str | int]:
    """A key by which clip2 comes before clip10."""
    return [int(part) if place % 2 else part for place, part in enumerate(re.split(r"(\d+)", file))]


def _by_folder(
    items: Sequence[Item], speaker: re.Pattern[str] | None, left_out: list[tuple[str, str]]
) -> Iterator[_Labelled]:
    """The folder is the emotion."""
    for item in _readable(items, left_out):
        emotion = PurePosixPath(item.file).parent.name
        if not emotion:
            left_out.append((item.file, "lies in no folder of a class"))
            continue
        if speaker is None:
            yield item.file, {"emotion": emotion}, ()
            continue
        match = speaker.search(item.file)
        name = match[min(1, speaker.groups)] if match else ""
        if name:
            yield item.file, {"speaker": name, "emotion": emotion}, ()
        else:
            left_out.append((item.file, f"--speaker {speaker.pattern} finds no speaker in it"))


def _by_pattern(items: Sequence[Item], rule: re.Pattern[str], left_out: list[tuple[str, str]]) -> Iterator[_Labelled]:
    """The named groups are the columns."""
    for item in _readable(items, left_out):
        match = rule.search(item.file)
        row = {name: value or "" for name, value in match.groupdict().items()} if match else {}
        empty = [name for name in ("speaker", "emotion") if row.get(name) == ""]
        if not row:
            left_out.append((item.file, "does not match"))
        elif empty:
            left_out.append((item.file, f"the group {empty[0]} is empty"))
        else:
            yield item.file, row, ()


def _by_name(
    items: Sequence[Item], root: Path, corpus: Corpus, left_out: list[tuple[str, str]], notes: list[str]
) -> Iterator[_Labelled]:
    """The published names, and the annotation files that belong to them."""
    pattern = re.compile(f"(?:^|/)(?:{corpus.pattern})$", re.IGNORECASE)
    ages: dict[str, Row] = _demographics(root, notes) if corpus.annotations == "demographics" else {}
    turns: dict[str, Row] = _evaluations(root, corpus.codes["emotion"]) if corpus.annotations == "evaluations" else {}
    waiting = dict(turns)
    # The folder's own name may be part of a name: SAVEE's DC/a01.wav.
    above = Path(os.path.realpath(root)).name
    for item in _readable(items, left_out):
        match = pattern.search(f"{above}/{item.file}"[: -len(PurePosixPath(item.file).suffix) or None])
        if match is None:
            left_out.append((item.file, "does not fit"))
            continue
        row = match.groupdict()
        unknown = [name for name, codes in corpus.codes.items() if name in row and row[name].lower() not in codes]
        if unknown:
            left_out.append((item.file, f"has no known {unknown[0]} ({row[unknown[0]]})"))
            continue
        if turns and row["turn"] not in turns:
            left_out.append((item.file, "no evaluation file names it"))
            continue
        row |= {name: codes[row[name].lower()] for name, codes in corpus.codes.items() if name in row}
        if turns:
            row |= turns[row["turn"]]
            waiting.pop(row["turn"], None)
        row |= {name: values.get(row[source], "") for name, (source, values) in corpus.derived.items()}
        row |= corpus.constants
        if corpus.speaker:
            row["speaker"] = corpus.speaker.format_map({**row, "gender": row["gender"].upper()})
        if ages:
            row |= ages.get(row["speaker"], dict.fromkeys(("gender", "age"), ""))
        columns = [name for name in (*KEYS, *corpus.columns) if name in row]
        yield item.file, {name: row[name] for name in columns}, tuple(part.lower() for part in match.groups())
    left_out += [(turn, "evaluated, but its recording is missing") for turn in waiting]


def _without_doubles(found: Iterator[_Labelled], notes: list[str]) -> list[tuple[str, Row]]:
    """One recording of each name: archives repeat folders, and a recording may lie there in several formats."""
    chosen: dict[tuple[str, ...], tuple[str, Row]] = {}
    doubles: list[str] = []
    for file, row, identity in found:
        key = identity or (file,)
        if key not in chosen:
            chosen[key] = file, row
            continue
        kept = chosen[key]
        better = _is_lossy(kept[0]) and not _is_lossy(file)
        if better:
            chosen[key] = file, row
        doubles.append(kept[0] if better else file)
    if doubles:
        notes.append(f"{len(doubles)} recordings are copies of others and left out, {doubles[0]} first")
    return sorted(chosen.values(), key=lambda pair: (_natural(pair[0]), pair[0]))


def _is_lossy(file: str) -> bool:
    return PurePosixPath(file).suffix.lower() in LOSSY


def _demographics(root: Path, notes: list[str]) -> dict[str, Row]:
    """Gender and age of CREMA-D's actors, by their numbers."""
    near = [*root.rglob("VideoDemographics.csv"), root.parent / "VideoDemographics.csv"]
    path = next((path for path in near if path.is_file()), None)
    if path is None:
        notes.append("no columns gender and age: there is no VideoDemographics.csv in the folder or next to it")
        return {}
    expected = "expected the columns ActorID, Age, Sex"
    lines = csv.DictReader(_text(path, expected).splitlines())
    if not {"ActorID", "Age", "Sex"} <= set(lines.fieldnames or []):
        raise InputError(f"{path}: {expected}, found {', '.join(lines.fieldnames or []) or 'nothing'}")
    return {
        (line["ActorID"] or "").strip(): {
            "gender": {"male": "m", "female": "f"}.get((line["Sex"] or "").strip().lower(), ""),
            "age": (line["Age"] or "").strip(),
        }
        for line in lines
    }


def _evaluations(root: Path, emotions: Mapping[str, str]) -> dict[str, Row]:
    """Emotion, valence, arousal and dominance of IEMOCAP's turns, by their names."""
    example = "[6.2901 - 8.2357]\tSes01F_impro01_F000\tneu\t[2.5000, 2.5000, 2.5000]"
    paths = sorted(path for path in root.rglob("EmoEvaluation/*.txt") if not path.name.startswith("."))
    if not paths:
        raise InputError(
            f"{root}: no evaluation files (SessionN/dialog/EmoEvaluation/*.txt); "
            "expected the folder that holds the five sessions"
        )
    turns: dict[str, Row] = {}
    for path in paths:
        found = False
        # The raters' remarks, which are skipped, may be in any encoding.
        for number, line in enumerate(_text(path, f"expected lines such as {example!r}", "replace").splitlines(), 1):
            if not line.startswith("["):
                continue
            match = TURN.fullmatch(line)
            if match is None or match["emotion"] not in emotions:
                raise InputError(f"{path}, line {number}: expected a turn such as {example!r}, found {line[:80]!r}")
            found = True
            row = match.groupdict()
            row["emotion"] = emotions[row["emotion"]]
            if turns.setdefault(row.pop("turn"), row) != row:
                raise InputError(f"{path}, line {number}: {match['turn']} has another label elsewhere")
        if not found:
            raise InputError(f"{path}: names no turn, expected lines such as {example!r}")
    return turns


def _text(path: Path, expected: str, errors: str = "strict") -> str:
    try:
        return path.read_bytes().decode("utf-8-sig", errors)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: not text in UTF-8; {expected}") from None


def _row(file: str, here: Path, there: Path, row: Row) -> Row:
    """The row with the recording's name as seen from the table's folder, the columns in their order."""
    name = Path(os.path.relpath(here / file, there)).as_posix()
    first = {key: row[key] for key in KEYS if key in row}
    return {"file": name} | first | row


def _renamed(rows: list[Row], names: Mapping[str, str], *, drop: bool = False) -> list[Row]:
    """Rows with other names of emotions; those without a name there stay as they are, or are dropped."""
    return [
        {**row, "emotion": names.get(row["emotion"], row["emotion"])}
        for row in rows
        if not drop or row["emotion"] in names
    ]


def _summary(left_out: list[tuple[str, str]], total: int, expected: str) -> str:
    file, why = left_out[0]
    return f"{len(left_out)} of {total} recordings do not fit ({expected}), {file} first: {why}"


def _write(output: Path, rows: list[Row]) -> None:
    with output_file(output) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
