"""The whole evaluation: from tables to results, and the folder they are written to."""

import json
import os
import platform
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, replace
from functools import partial
from hashlib import blake2b
from itertools import combinations
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from .. import __version__
from ..errors import ConfigError, InputError, OutputError
from ..store import digest
from . import folded, leakage, statistics
from .arrays import Doubles, Matrix, Texts, Values
from .classifiers import CLASSIFIERS, DEFAULT, Classifier, Outcome, check_size, classifier_of, learn
from .data import NUMBERS, Data, Options, Own
from .protocols import Fold, Protocol, make_protocol, shares
from .scaling import Standard
from .scores import task_of
from .tables import Clips, gather, open_table, read_labels

__all__ = ["Options", "evaluate"]


def evaluate(
    features: str | os.PathLike[str],
    labels: str | os.PathLike[str],
    output: str | os.PathLike[str] | None = None,
    *,
    jobs: int = 1,
    command: str | None = None,
    on_progress: Callable[[int, int], None] | None = None,
    on_note: Callable[[str], None] | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Evaluate feature sets: speaker-independent, tuned inside the training part, with uncertainty.

    Parameters
    ----------
    features : path
        A feature table.
    labels : path
        A label table: columns ``file``, the labels, and ``speaker``.
    output : path, optional
        Folder for ``results.json``, ``predictions.parquet`` and ``report.html``; None writes nothing.
    jobs : int
        Worker processes; 0 uses all cores. Results do not depend on it.
    command : str, optional
        The command line, for the report.
    on_progress : callable, optional
        Called with the number of finished folds and of all.
    on_note : callable, optional
        Called with a line for the user.
    **options
        The fields of `Options`.

    Returns
    -------
    dict
        What ``results.json`` holds.

    Raises
    ------
    ConfigError
        An option has an impossible value.
    InputError
        The tables do not allow the evaluation, or leakage was found.
    OutputError
        The folder cannot be written.
    """
    began = time.perf_counter()
    chosen = Options(**options)
    if jobs < 0:
        raise ConfigError(f"--jobs {jobs}: expected 0 (all cores) or a number of processes")
    for name in chosen.classifiers:
        classifier_of(name, chosen.c)
    note = on_note or (lambda line: None)
    data = _prepare(features, labels, chosen)
    classifiers = _classifiers(data, chosen)
    for line in data.remarks:
        note(line)
    for line in data.warnings:
        note(f"WARNING: {line}")
    folder = Path(output) if output is not None else None
    if folder is not None:
        try:
            (folder / ".folds").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"-o {folder}: {error.strerror}; expected a folder that can be written") from None
    outcomes = _compute(data, classifiers, chosen, folder, jobs, on_progress)
    if data.clips.fold:
        outcomes = folded.settled(outcomes, data, classifiers)
    results, predictions = _results(data, classifiers, outcomes, chosen)
    found: dict[str, Any] = {
        "task": data.task.name,
        "results": results,
        "comparisons": _comparisons(results, data, predictions, chosen),
        "protocol": {
            "name": data.protocol.name,
            "words": data.protocol.words,
            "folds": len(data.protocol.folds),
            "repeats": data.protocol.repeats,
            "speaker_independent": data.protocol.independent,
            "intervals_widened": round(statistics.overlap(data.protocol.sizes), 4),
        },
        "data": _about(data, features, labels, chosen),
        "leakage_allowed": chosen.allow_leakage,
        "warnings": data.warnings,
        "remarks": data.remarks,
        "options": json.loads(json.dumps(asdict(chosen))),
        "command": command,
        "versions": _versions(),
        "seconds": round(time.perf_counter() - began, 1),
    }
    if folder is not None:
        from .report import html

        try:
            _write(folder, found, predictions)
            (folder / "report.html").write_text(html(found, predictions), encoding="utf-8")
            if chosen.save:
                from .saved import save

                best = results[0]
                classifier = next(c for c in classifiers if c.name == best["classifier"])
                save(folder / "pipeline.skops", data, best["set"], classifier, chosen)
        except OSError as error:
            raise OutputError(f"-o {folder}: {error.strerror}; expected a folder that can be written") from None
    return found


# Reading and checking ------------------------------------------------------------------------------------------------


def _prepare(features: str | os.PathLike[str], labels: str | os.PathLike[str], options: Options) -> Data:
    tables = [open_table(path) for path in (features, *options.tables)]
    clips = gather(tables, read_labels(labels, options.column), options.sets)
    remarks = list(clips.remarks)
    y = _labels(clips, options, Path(labels), remarks)
    speakers = _column(clips, options.group, complete=True)
    own = folded.own_features(clips)
    if clips.fold:
        if options.test is not None or options.save:
            raise ConfigError(
                "--test and --save need features of one extractor for all clips; each fold of this model has its own"
            )
        protocol = folded.make_folded(Path(features), clips.fold, options.protocol, speakers)
    elif options.test is None:
        protocol = make_protocol(
            options.protocol,
            y,
            speakers,
            column=_column(clips, options.protocol.partition(":")[2]),
            repeats=options.repeats,
            seed=options.seed,
        )
    else:
        clips, y, speakers, protocol = _crossed(clips, y, speakers, options, remarks)
    warnings = [*protocol.warnings, *folded.mixed(clips)]
    tested = sorted({int(row) for fold in protocol.folds for row in fold.test})
    known = leakage.training_hashes(options.models)
    identity = {name: sha for parts in clips.identity.values() for name, sha in parts.items()}
    leaks, unknown = leakage.trained_on(identity, [clips.hash[row] for row in tested], known)
    leaks += leakage.across(protocol.folds, clips.hash, clips.file)
    if leaks and not options.allow_leakage:
        more = f" (and {len(leaks) - 1} more)" if len(leaks) > 1 else ""
        raise InputError(f"{leaks[0]}{more}; --allow-leakage evaluates nevertheless and says so in every output")
    warnings += [*leaks, *unknown]
    if not any(clips.hash):
        remarks.append("the table has no column `hash`: equal audio under two names would go unnoticed")
    remarks += leakage.unequal(clips.hash, y.tolist(), clips.file)
    for fold in protocol.folds if y.dtype.kind != "f" else []:
        absent = sorted(set(y[fold.test].tolist()) - set(y[fold.train].tolist()))
        if absent:
            warnings.append(
                f"fold {fold.name}: no clip of the class {absent[0]} is in the training part, so its clips in the test "
                "part count as errors"
            )
    remarks += _about_columns(clips)
    if speakers is not None and (count := len(set(speakers[tested].tolist()))) < 5:
        warnings.append(f"only {count} speakers are tested: intervals and p-values that rest on so few are rough")
    return Data(clips, y, task_of(y), speakers, protocol, remarks, warnings, own)


def _classifiers(data: Data, options: Options) -> list[Classifier]:
    task, found = data.task.name, []
    for name in dict.fromkeys(options.classifiers or (DEFAULT[task],)):
        classifier = classifier_of(name, options.c, len(data.labels))
        if classifier.task != task:
            fitting = [other for other, (kind, _) in CLASSIFIERS.items() if kind == task]
            raise ConfigError(
                f"--classifier {name}: is for {classifier.task}, and the column {options.column!r} is taken for "
                f"{task} (--task); expected {' or '.join(fitting)}"
            )
        check_size(classifier, len(data.labels), max(len(c) for c in data.clips.columns.values()))
        found.append(classifier)
    return found


def _labels(clips: Clips, options: Options, path: Path, remarks: list[str]) -> Values:
    """Return labels as texts or, where they are to be numbers, as doubles."""
    column, values = options.column, [row[options.column] for row in clips.cells]
    words = [value for value in values if not _is_number(value)]
    different = len({value if words else float(value) for value in values})
    if words and len(words) < len(values) and options.task != "classification":
        number = next(value for value in values if _is_number(value))
        raise InputError(
            f"{path}: the column {column!r} mixes numbers and words ({number} and {words[0]}); expected one kind "
            "(--task classification takes all for names of classes)"
        )
    if words and options.task == "regression":
        raise InputError(f"{path}: --task regression needs numbers, and the column {column!r} holds {words[0]!r}")
    if different < 2:
        raise InputError(
            f"{path}: all {len(values)} labelled clips are {values[0]!r}, expected at least two "
            f"{'different numbers' if options.task == 'regression' else 'classes'}"
        )
    numeric = options.task == "regression" or (options.task == "auto" and not words and different > NUMBERS)
    if options.task == "auto" and not words:
        taken, other = ("numbers", "classification") if numeric else ("classes", "regression")
        remarks.append(
            f"the column {column} holds {different} different numbers and is taken for {taken} "
            f"(--task {other} takes it otherwise)"
        )
    return np.array(values, np.float64 if numeric else None)


def _is_number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return value.lower() not in {"nan", "inf", "infinity"}


def _column(clips: Clips, name: str, *, complete: bool = False) -> Texts | None:
    """Return a column of the labels; None where they have none, or where it is empty."""
    values = [row.get(name, "") for row in clips.cells]
    if not any(values):
        return None
    if complete and not all(values):
        raise InputError(
            f"{values.count('')} labelled clips have an empty {name}, {clips.file[values.index('')]} first"
        )
    return np.array(values)


def _crossed(
    clips: Clips, y: Values, speakers: Texts | None, options: Options, remarks: list[str]
) -> tuple[Clips, Values, Texts | None, Protocol]:
    """Append the corpus to test on, and keep what both corpora share: classes and columns."""
    features, labels = options.test or ("", "")
    if options.tables:
        raise ConfigError("--test: does not go together with --table")
    other = gather([open_table(features)], read_labels(labels, options.column), list(clips.features))
    remarks += other.remarks
    numeric = y.dtype.kind == "f"
    z = _labels(other, replace(options, task="regression" if numeric else "classification"), Path(labels), remarks)
    keep, keep_other = np.arange(len(y)), np.arange(len(z))
    if not numeric:
        shared = sorted(set(y.tolist()) & set(z.tolist()))
        if len(shared) < 2:
            raise InputError(f"{labels}: shares {len(shared)} classes with the training corpus, expected at least two")
        keep, keep_other = np.flatnonzero(np.isin(y, shared)), np.flatnonzero(np.isin(z, shared))
        for gone, path in ((set(y.tolist()) - set(shared), "training"), (set(z.tolist()) - set(shared), "test")):
            if gone:
                remarks.append(f"classes of the {path} corpus alone are left out: {', '.join(sorted(gone))}")
    for name, columns in clips.columns.items():
        if columns != other.columns[name]:
            raise InputError(f"{features}: the set {name} has other columns than in the training corpus")
        if clips.identity[name] != other.identity[name]:
            raise InputError(f"{features}: the set {name} was computed in another way than in the training corpus")

    def joined(a: Sequence[Any], b: Sequence[Any]) -> list[Any]:
        return [a[int(i)] for i in keep] + [b[int(i)] for i in keep_other]

    both = Clips(
        joined(clips.cells, other.cells),
        joined(clips.file, other.file),
        joined(clips.start, other.start),
        joined(clips.end, other.end),
        joined(clips.hash, other.hash),
        {name: np.concatenate([x[keep], other.features[name][keep_other]]) for name, x in clips.features.items()},
        clips.columns,
        clips.identity,
        clips.configs,
        remarks,
    )
    who, whom = speakers, _column(other, options.group, complete=True)
    if who is not None and whom is not None:
        # Speakers of two corpora are different people even where they have the same name.
        who = np.array([f"A:{name}" for name in who[keep]] + [f"B:{name}" for name in whom[keep_other]])
    else:
        who = None
    n = len(keep)
    fold = Fold("test", 0, np.arange(n), np.arange(n, n + len(keep_other)))
    words = f"trained on one corpus ({n} clips) and tested on another ({len(keep_other)} clips)"
    if not numeric:
        words += f", on the {len(shared)} classes both have"
    warnings = [] if who is not None else ["SPEAKERS UNKNOWN: intervals treat every clip as a speaker of its own"]
    return both, np.concatenate([y[keep], z[keep_other]]), who, Protocol("cross-corpus", [fold], words, warnings, True)


def _about_columns(clips: Clips) -> list[str]:
    lines = []
    for name, x in clips.features.items():
        missing, flat = 0, 0
        for begin in range(0, x.shape[1], 512):
            part = x[:, begin : begin + 512]
            finite = np.isfinite(part)
            missing += int((~finite).sum())
            flat += int(np.sum(np.where(finite, part, -np.inf).max(0) <= np.where(finite, part, np.inf).min(0)))
        if missing:
            lines.append(f"{name}: {missing} missing values, replaced by the mean of the training part")
        if flat:
            lines.append(f"{name}: {flat} of {x.shape[1]} columns are constant and tell nothing")
    return lines


# Computing -----------------------------------------------------------------------------------------------------------

Task = tuple[str, Classifier, Fold]


def _by_speaker(x: Matrix, speakers: Texts) -> Matrix:
    out = np.empty_like(x)
    for who in np.unique(speakers):
        rows = np.flatnonzero(speakers == who)
        out[rows] = Standard.fit(x, rows).apply(x, rows)
    return out


def _compute(
    data: Data,
    classifiers: Sequence[Classifier],
    options: Options,
    folder: Path | None,
    jobs: int,
    on_progress: Callable[[int, int], None] | None,
) -> dict[tuple[str, str, str], Outcome]:
    """Run every set and classifier on every fold; finished folds are kept in the folder and not computed again."""
    if options.standardise == "speaker":
        if data.speakers is None:
            raise InputError("--standardise speaker: who speaks is not known (--group names the column)")
        scaled = partial(_by_speaker, speakers=data.speakers)
        prepared = {name: scaled(x) for name, x in data.clips.features.items()}
        own = folded.mapped(data.own, scaled)
    else:
        prepared, own = data.clips.features, data.own
    tasks = [(name, c, fold) for name in prepared for c in classifiers for fold in data.protocol.folds]
    keys = _keys(prepared, own, data, options)
    tune = not data.clips.fold
    outcomes: dict[tuple[str, str, str], Outcome] = {}
    places: dict[tuple[str, str, str], Path] = {}
    waiting: list[Task] = []
    for name, classifier, fold in tasks:
        identity = (name, classifier.name, fold.name)
        if folder is not None:
            key = digest(keys[name], asdict(classifier), fold.train.tolist(), fold.test.tolist(), tune)
            places[identity] = folder / ".folds" / f"{key}.json"
            if (known := _load(places[identity])) is not None:
                outcomes[identity] = known
                continue
        waiting.append((name, classifier, fold))
    progress = on_progress or (lambda done, total: None)
    progress(len(outcomes), len(tasks))

    def keep(task: Task, outcome: Outcome) -> None:
        identity = (task[0], task[1].name, task[2].name)
        outcomes[identity] = outcome
        if folder is not None:
            place = places[identity]
            temporary = place.with_suffix(f".{os.getpid()}.tmp")
            temporary.write_text(
                json.dumps(
                    asdict(outcome)
                    | {"predicted": outcome.predicted.tolist(), "every": [each.tolist() for each in outcome.every]}
                )
            )
            temporary.replace(place)
        progress(len(outcomes), len(tasks))

    # Slow ones first, so that no worker is left alone with one at the end.
    waiting.sort(key=lambda task: -prepared[task[0]].shape[1])
    workers = min(len(waiting), jobs or os.cpu_count() or 1)
    if workers <= 1:
        for task in waiting:
            name, classifier, fold = task
            keep(
                task,
                learn(
                    folded.put(prepared[name], own[name], fold.name),
                    data.labels,
                    data.speakers,
                    fold.train,
                    fold.test,
                    classifier,
                    seed=options.seed,
                    tune=tune,
                ),
            )
        return outcomes
    with TemporaryDirectory(prefix="dsfx-evaluate-") as scratch:
        places_of = {}
        for number, (name, x) in enumerate(prepared.items()):
            places_of[name] = str(Path(scratch) / f"{number}.npy")
            np.save(places_of[name], x)
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            running = {
                pool.submit(
                    _work,
                    places_of[name],
                    folded.only(own[name], fold.name),
                    data.labels,
                    data.speakers,
                    fold,
                    classifier,
                    options.seed,
                    tune,
                ): (name, classifier, fold)
                for name, classifier, fold in waiting
            }
            for future in as_completed(running):
                keep(running[future], future.result())
    return outcomes


def _work(
    path: str,
    own: list[Own],
    labels: Values,
    speakers: Texts | None,
    fold: Fold,
    classifier: Classifier,
    seed: int,
    tune: bool,
) -> Outcome:
    x = folded.put(np.load(path, mmap_mode="r"), own, fold.name)
    return learn(x, labels, speakers, fold.train, fold.test, classifier, seed=seed, tune=tune)


def _keys(prepared: dict[str, Matrix], own: dict[str, list[Own]], data: Data, options: Options) -> dict[str, str]:
    import sklearn

    speakers = None if data.speakers is None else data.speakers.tolist()
    shared = digest(__version__, sklearn.__version__, np.__version__, data.labels.tolist(), speakers, options.seed)
    found = {}
    for name, x in prepared.items():
        value = blake2b(digest_size=16)
        for begin in range(0, len(x), 1024):
            value.update(np.ascontiguousarray(x[begin : begin + 1024]).data)
        for part in own[name]:
            for values in part.values.values():
                value.update(np.ascontiguousarray(values).data)
        found[name] = f"{shared}-{value.hexdigest()}-{x.shape[1]}"
    return found


def _load(place: Path) -> Outcome | None:
    try:
        stored = json.loads(place.read_text())
        every = [np.array(each) for each in stored["every"]]
        return Outcome(**stored | {"predicted": np.array(stored["predicted"]), "every": every})
    except (OSError, ValueError, TypeError, KeyError):
        return None


# Results -------------------------------------------------------------------------------------------------------------


def _results(
    data: Data, classifiers: Sequence[Classifier], outcomes: dict[tuple[str, str, str], Outcome], options: Options
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return results, best first, and the columns of the table of predictions for each."""
    decides = data.task.scores[0].name
    results, predictions = [], []
    for name in data.clips.features:
        for classifier in classifiers:
            parts = [(fold, outcomes[name, classifier.name, fold.name]) for fold in data.protocol.folds]
            rows = np.concatenate([fold.test for fold, _ in parts])
            table = {
                "set": name,
                "classifier": classifier.name,
                "repeat": np.concatenate([np.full(len(fold.test), fold.repeat) for fold, _ in parts]),
                "fold": np.concatenate([np.full(len(fold.test), fold.name, dtype=object) for fold, _ in parts]),
                "row": rows,
                **{k: [getattr(data.clips, k)[row] for row in rows] for k in ("file", "start", "end")},
                "label": data.labels[rows],
                "predicted": np.concatenate([outcome.predicted for _, outcome in parts]),
                "speaker": data.speakers[rows] if data.speakers is not None else None,
            }
            predictions.append(table)
            results.append(_result(table, data, classifier, parts, options))
    order = sorted(range(len(results)), key=lambda i: (-results[i][decides]["value"], i))
    return [results[i] for i in order], [predictions[i] for i in order]


def _units(table: dict[str, Any], data: Data, vote: bool) -> list[tuple[Values, Values, Texts]]:
    """True labels, answers and speakers of every repeat; of files instead of rows where they are voted together."""
    found = []
    for repeat in range(int(table["repeat"].max()) + 1):
        mask = table["repeat"] == repeat
        rows, labels, answers = table["row"][mask], table["label"][mask], table["predicted"][mask]
        order = np.argsort(rows, kind="stable")
        rows, labels, answers = rows[order], labels[order], answers[order]
        # Where speakers are not known every clip is one.
        who = data.speakers[rows] if data.speakers is not None else np.array([f"clip {row}" for row in rows])
        if vote:
            groups: dict[tuple[str, Any, str], list[int]] = {}
            for index, row in enumerate(rows):
                key = (data.clips.cells[row]["file"], labels[index], str(who[index]))
                groups.setdefault(key, []).append(index)
            labels, who = np.array([k[1] for k in groups]), np.array([k[2] for k in groups])
            answers = np.array([data.task.vote(answers[members]) for members in groups.values()])
        found.append((labels, answers, who))
    return found


def _sums(table: dict[str, Any], data: Data, vote: bool) -> tuple[Doubles, list[str]]:
    """Sums per speaker, the mean over repeats, and the speakers."""
    units = _units(table, data, vote)
    names = sorted(set(units[0][2].tolist()))
    return np.mean([data.task.sums(*unit, names) for unit in units], axis=0), names


def _result(
    table: dict[str, Any],
    data: Data,
    classifier: Classifier,
    parts: list[tuple[Fold, Outcome]],
    options: Options,
) -> dict[str, Any]:
    sums, names = _sums(table, data, options.vote)
    task = data.task
    widen = statistics.overlap(data.protocol.sizes)
    values = statistics.interval(sums, task.scores, times=options.times, seed=options.seed, widen=widen)
    labels, answers, who = _units(table, data, options.vote)[0]
    groups = who if data.speakers is not None else np.full(len(labels), "")
    mean, high, p = statistics.chance(labels, answers, groups, task, seed=options.seed)
    decides = task.scores[0].name
    outcomes = [outcome for _, outcome in parts]
    notes: dict[str, int] = {}
    for outcome in outcomes:
        for line in outcome.notes:
            notes[line] = notes.get(line, 0) + 1
    return {
        "set": table["set"],
        "classifier": classifier.name,
        "classifier_words": classifier.words,
        "protocol": data.protocol.name,
        "speaker_independent": data.protocol.independent,
        "columns": len(data.clips.columns[table["set"]]),
        "clips": len(labels),
        "speakers": len(names) if data.speakers is not None else None,
        **{score.name: _numbers(value) for score, value in zip(task.scores, values, strict=True)},
        "chance": {decides: round(mean, 6), "high": round(high, 6), "p": round(p, 6)},
        **(_confusion(sums.sum(axis=0), task.classes) if task.classes is not None else {}),
        "per_speaker": [
            {"speaker": name, "clips": clips} | {score.name: round(float(score.of(part)), 6) for score in task.scores}
            for name, clips, part in zip(names, _often(names, who), sums, strict=True)
        ]
        if data.speakers is not None
        else [],
        "folds": [
            {
                "fold": fold.name,
                "clips": len(fold.test),
                "parameters": outcome.parameters,
                f"inner_{decides}": [None if np.isnan(v) else round(v, 6) for v in outcome.inner],
                "seconds": round(outcome.seconds, 3),
                "imputed": outcome.missing,
            }
            for fold, outcome in parts
        ],
        "seconds": round(sum(outcome.seconds for outcome in outcomes), 2),
        "notes": [f"{line} ({times} folds)" for line, times in notes.items()],
    }


def _often(names: Sequence[str], who: Texts) -> list[int]:
    return np.bincount(np.searchsorted(np.asarray(names), who), minlength=len(names)).tolist()


def _confusion(counts: Doubles, classes: Sequence[str]) -> dict[str, Any]:
    recalls = np.diag(counts) / np.maximum(counts.sum(axis=1), 1e-12)
    return {
        "classes": list(classes),
        "recall": {label: round(float(value), 6) for label, value in zip(classes, recalls, strict=True)},
        "confusion": np.round(counts, 4).tolist(),
    }


def _numbers(value: statistics.Interval) -> dict[str, float | None]:
    return {k: None if np.isnan(v) else round(v, 6) for k, v in value._asdict().items()}


def _comparisons(
    results: list[dict[str, Any]], data: Data, predictions: list[dict[str, Any]], options: Options
) -> list[dict[str, Any]]:
    found = []
    sums = [_sums(table, data, options.vote)[0] for table in predictions]
    # Sets are compared under the same classifier; classifiers where there is one set. Every further pair would cost
    # the others power.
    one = len({result["set"] for result in results}) == 1
    pairs = [
        (a, b)
        for a, b in combinations(range(len(results)), 2)
        if one or results[a]["classifier"] == results[b]["classifier"]
    ]
    tests = [statistics.compare(sums[b], sums[a], data.task.scores[0], seed=options.seed) for a, b in pairs]
    corrected = statistics.holm([test.p for test in tests])
    single = len(data.protocol.folds) == 1
    for (a, b), test, p in zip(pairs, tests, corrected, strict=True):
        entry: dict[str, Any] = {
            "better": {"set": results[a]["set"], "classifier": results[a]["classifier"]},
            "worse": {"set": results[b]["set"], "classifier": results[b]["classifier"]},
            "difference": _numbers(test.difference),
            "p": round(test.p, 6),
            "p_holm": round(p, 6),
            "effect": None if not np.isfinite(test.effect) else round(test.effect, 4),
            "effect_words": statistics.words_of_effect(test.effect),
            "speakers_better": test.better,
            "speakers_worse": test.worse,
        }
        if single and data.task.classes is not None:
            units = [_units(predictions[i], data, options.vote)[0] for i in (a, b)]
            entry["p_mcnemar"] = round(statistics.mcnemar(units[0][0], units[1][1], units[0][1]), 6)
        entry["words"] = _sentence(entry, data)
        found.append(entry)
    return found


def _sentence(entry: dict[str, Any], data: Data) -> str:
    better, worse = (f"{entry[k]['set']} with {entry[k]['classifier']}" for k in ("better", "worse"))
    gap, p = entry["difference"], entry["p_holm"]
    units = "speakers" if data.speakers is not None else "clips"
    if gap["value"] == 0:
        return f"{better} and {worse} are equally good."
    verdict = "The difference is significant" if p < 0.05 else "The difference may be chance"
    times, what = (100, "points of UA") if data.task.classes is not None else (1, "in CCC")
    digits = 1 if times == 100 else 3
    between = (
        ""
        if gap["low"] is None
        else f" (95 % interval {times * gap['low']:.{digits}f} to {times * gap['high']:.{digits}f})"
    )
    return (
        f"{better} is better than {worse} by {times * gap['value']:.{digits}f} {what}{between}, for "
        f"{entry['speakers_better']} {units} better and for {entry['speakers_worse']} worse: a {entry['effect_words']} "
        f"effect. {verdict} (p = {p:.2g} after Holm's correction)."
    )


def _about(
    data: Data, features: str | os.PathLike[str], labels: str | os.PathLike[str], options: Options
) -> dict[str, Any]:
    return {
        "features": [str(features), *options.tables],
        "labels": str(labels),
        "test": list(options.test) if options.test else None,
        "clips": len(data.labels),
        "speakers": len(set(data.speakers.tolist())) if data.speakers is not None else None,
        "labelled": shares(data.labels),
        "sets": {
            name: {"columns": len(columns), "parts": data.clips.identity[name]}
            for name, columns in data.clips.columns.items()
        },
    }


def _versions() -> dict[str, str]:
    import scipy
    import sklearn

    return {
        "dsfx": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "scikit-learn": sklearn.__version__,
        "platform": f"{sys.platform} {platform.machine()}",
    }


def _write(folder: Path, found: dict[str, Any], predictions: list[dict[str, Any]]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    text = json.dumps(found, indent=1, ensure_ascii=False, allow_nan=False)
    (folder / "results.json").write_text(text + "\n", encoding="utf-8")
    kind = pa.float64() if found["task"] == "regression" else pa.string()
    tables = []
    for table in predictions:
        n = len(table["row"])
        tables.append(
            pa.table(
                {
                    "set": pa.array([table["set"]] * n, pa.string()),
                    "classifier": pa.array([table["classifier"]] * n, pa.string()),
                    "repeat": pa.array(table["repeat"], pa.int32()),
                    "fold": pa.array(table["fold"].tolist(), pa.string()),
                    **{k: pa.array(table[k], pa.string()) for k in ("file", "start", "end")},
                    "speaker": pa.array(table["speaker"], pa.string()),
                    "label": pa.array(table["label"].tolist(), kind),
                    "predicted": pa.array(table["predicted"].tolist(), kind),
                }
            )
        )
    whole = pa.concat_tables(tables)
    warnings = json.dumps(found["warnings"], ensure_ascii=False)
    whole = whole.replace_schema_metadata({"dsfx_version": __version__, "warnings": warnings})
    pq.write_table(whole, folder / "predictions.parquet", compression="zstd")
