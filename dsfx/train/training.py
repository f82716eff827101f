"""From label tables to a model folder."""

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from .. import __version__
from ..errors import AudioError, ConfigError, DsfxError, InputError, OutputError
from ..store import digest
from .auxiliary import functionals
from .cache import Spectrograms, no_space, store
from .config import Configuration, read_config
from .data import Clip, load, read_corpora, remarks
from .folder import MAX_SECONDS, MIN_FRAMES, WORK, finish, tabulate, write
from .folds import Part, divide
from .start import Start, check_unheard, read_start
from .work import Progress, Setting, learn_all

__all__ = ["train"]


def train(
    labels: str | Path | Sequence[str | Path],
    output: str | Path,
    *,
    config: Configuration | str | Path | None = None,
    epochs: int | None = None,
    seed: int = 0,
    folds: str | int | None = None,
    folds_only: bool = False,
    fold_corpora: Sequence[str] = (),
    hold_out: float = 0.0,
    start: str | Path | None = None,
    beside: str | Path | None = None,
    column: str = "emotion",
    corpora: Sequence[str] = (),
    corpus_licences: Sequence[str] = (),
    references: Sequence[str] = (),
    name: str | None = None,
    description: str | None = None,
    licence: str = "unspecified",
    notes: Sequence[str] = (),
    jobs: int = 1,
    threads: int = 1,
    device: str = "auto",
    cache: float = 4.0,
    skip_unusable: bool = False,
    overwrite: bool = False,
    on_progress: Callable[[Progress], None] | None = None,
    on_note: Callable[[str], None] | None = None,
) -> Path:
    """Train an extractor and write its folder, which `dsfx.deep.load_model` takes.

    Parameters
    ----------
    labels : one CSV per corpus with columns ``file`` (relative to the table's folder), ``speaker`` and `column`. The
        classes of all corpora are united; each is trained and judged on its own.
    output : folder to write: model.toml, model.onnx, README.md, hashes.txt, learning-curves.csv and .png; with folds
        also folds.csv, confusion.png, oof.parquet and folds/. Until it is complete and the graph was checked against
        torch, everything is in ``OUTPUT.part``; a run that was cut off, in whatever way, goes on from there and loses
        an epoch at most.
    config : front end, network, recipe; or a TOML file of them.
    epochs : passes over the clips; goes before `config`.
    seed : of weights, order and augmentation. The same seed gives the same model on the same machine.
    folds : None; ``loso``, each speaker left out once; a number of groups of speakers; ``corpus``, each corpus left
        out once; ``column:NAME``, a column of the label tables. Every fold is trained by the same recipe without its
        speakers. Of every clip, oof.parquet has the features and posteriors by the one extractor that never heard its
        speaker; ``folds/fold-00.parquet`` and so on have those of all other clips by the same extractor.
    folds_only : train no model of all clips: the folder is there to be evaluated, and there is nothing to extract with.
    fold_corpora : corpora whose speakers the folds leave out; all networks learn from the others. Default: all.
    hold_out : speakers of each corpus, a share or a number, that choose the best epoch; 0: none.
    start : model folder, or ``FOLDER/folds/fold-00.npz``, with whose weights all networks begin; with folds, one that
        has heard none of the clips.
    beside : like `start`, a model or a fold of one; its networks stay as they are, and their features follow those of
        the networks trained here, which know the corpus while these know others.
    column : the label.
    corpora : names, one per table. Default: the table's, or its folder's where that is ``labels``.
    corpus_licences, references : of the recordings, one per table, for the card.
    name, description, licence : of the model; the name is that of the folder where not given.
    notes : sentences on use and limits, for the card.
    jobs : networks, of all folds and members, that are trained at once, each in a process of its own.
    threads : of torch, for each network.
    device : ``cpu``, ``cuda`` or ``auto``.
    cache : gigabytes of spectrograms on disk; what is beyond is computed whenever it is needed.
    skip_unusable : leave out recordings that are unreadable, too short or silent.
    overwrite : replace an existing folder, finished or not.
    on_progress : called after each epoch.
    on_note : called with a line for the user.

    Returns
    -------
    The folder.

    Raises
    ------
    InputError, AudioError, ConfigError, ModelError, OutputError : as their messages say.
    """
    tables = [Path(labels)] if isinstance(labels, str | Path) else [Path(table) for table in labels]
    output = Path(output)
    say = on_note or (lambda line: None)
    if isinstance(config, str | Path):
        config = read_config(Path(config))
    config = config or Configuration()
    if epochs is not None:
        config = replace(config, recipe=replace(config.recipe, epochs=epochs))
    check_options(output, tables, jobs, threads, cache, overwrite)
    if folds_only and folds is None:
        raise ConfigError("--folds-only: there are no folds, and nothing would be trained; --folds names them")
    begin = None if start is None else read_start("--start", Path(start), config)
    other = None if beside is None else read_start("--beside", Path(beside), config)
    device = check_device(device)
    fold_column = folds.partition(":")[2] if isinstance(folds, str) and folds.startswith("column:") else ""
    entries = read_corpora(tables, column, corpora, fold_column)
    # What is impossible is better known before the recordings are read.
    divide(entries, folds, hold_out, seed, fold_corpora)
    for line in remarks(entries):
        say(line)
    part = output.with_name(output.name + ".part")
    work = part / WORK
    try:
        if overwrite and part.exists():
            shutil.rmtree(part)
        work.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{part}: {error.strerror or error}; another -o mends it") from None

    unusable: list[str] = []
    found = load(entries, config.front_end, min_frames=MIN_FRAMES, max_seconds=MAX_SECONDS, unusable=unusable)
    try:
        clips, spectrograms = store(found, work / "spectrograms.f32", config.front_end, MAX_SECONDS, cache * 1e9)
        check_usable(unusable, entries, clips, skip_unusable, say)
        classes = sorted({clip.label for clip in clips})
        parts = divide(clips, folds, hold_out, seed, fold_corpora)
        judged = {clip.hash for part in parts for clip, test in zip(clips, part.test, strict=True) if test}
        for earlier in (begin, other):
            if earlier:
                check_unheard(earlier, judged)
        claim(work, config, seed, parts, clips, begin, other)
        setting = prepare(config, clips, classes, spectrograms, work, seed, device, threads, jobs, begin, other, say)
    except DsfxError:
        if not started(work):
            shutil.rmtree(part, ignore_errors=True)
        raise
    model = None if folds_only else parts[-1]
    learn_all(setting, parts if model else parts[:-1], jobs, on_progress or (lambda progress: None))
    try:
        about = {
            "name": name or output.name,
            "description": description
            or f"Deep spectrum features, trained on {', '.join(dict.fromkeys(clip.corpus for clip in clips))}.",
            "licence": licence,
        }
        described = dict(zip(("licence", "reference"), (corpus_licences, references), strict=True))
        table, graph = tabulate(setting, config, clips, classes, parts[:-1], model, described)
        table = about | table
        table["notes"] = list(notes)
        finish(part, setting, table, graph, clips, classes, parts[:-1], model, folds)
        if output.exists():
            shutil.rmtree(output)
        part.rename(output)
    except OSError as error:
        raise no_space(part, error, "another -o mends it") from None
    return output


def check_options(output: Path, tables: Sequence[Path], jobs: int, threads: int, cache: float, overwrite: bool) -> None:
    """Refuse what cannot be before any work is done."""
    if not tables:
        raise InputError("no label table is named, expected at least one")
    if output.exists() and not overwrite:
        raise OutputError(f"{output}: exists already; another -o or --overwrite mends it")
    for name, value in (("threads", threads), ("jobs", jobs)):
        if value < 1:
            raise ConfigError(f"--{name} is {value}, expected at least 1")
    if not 0 <= cache < 1e6:
        raise ConfigError(f"--cache is {cache}, expected gigabytes, 0 or more")


def check_device(device: str) -> str:
    """The device to train on."""
    if device not in {"auto", "cpu", "cuda"}:
        raise ConfigError(f"--device {device}: expected auto, cpu or cuda")
    if device == "cuda" and not torch.cuda.is_available():
        raise ConfigError("--device cuda: torch sees no such device; --device auto takes the processor instead")
    return ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device


def check_usable(
    unusable: Sequence[str], entries: Sequence[Any], clips: Sequence[Clip], skip: bool, say: Callable[[str], None]
) -> None:
    """Refuse recordings that cannot be trained on, or say that they are left out."""
    if unusable and not skip:
        raise AudioError(
            f"{unusable[0]} ({len(unusable)} of {len(entries)} recordings cannot be trained on; --skip-unusable leaves "
            "them out)"
        )
    for line in unusable[:20]:
        say(f"left out: {line}")
    if len(unusable) > 20:
        say(f"left out: {len(unusable) - 20} more")
    if len({clip.label for clip in clips}) < 2:
        raise InputError(f"{len(clips)} of {len(entries)} recordings are left, of fewer than two classes")


def started(work: Path) -> bool:
    """Whether there is anything that has taken long."""
    return any(work.glob("*.npz")) or any(work.glob("*.checkpoint"))


def claim(
    work: Path,
    config: Configuration,
    seed: int,
    parts: Sequence[Part],
    clips: Sequence[Clip],
    start: Start | None,
    beside: Start | None,
) -> None:
    """Go on only with what belongs to this very training."""
    own = {
        **{name: repr(table) for name, table in config.tables().items()},
        "seed": seed,
        "folds or held-out speakers": digest([[part.test.tolist(), part.held_out.tolist()] for part in parts]),
        "clips": digest([[clip.hash, clip.label, clip.corpus] for clip in clips]),
        "start": start.sha256 if start else "",
        "beside": beside.sha256 if beside else "",
        "versions": f"dsfx {__version__}, torch {torch.__version__}",
    }
    mark = work / "configuration.json"
    try:
        before = json.loads(mark.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        before = {}
    changed = [name for name in own if before.get(name) != own[name]]
    if changed and started(work):
        raise OutputError(
            f"{work.parent}: holds an unfinished training with other options ({', '.join(changed)} differ); the same "
            "options go on with it, --overwrite starts anew, or choose another -o"
        )
    write(mark, json.dumps(own).encode())


def prepare(
    config: Configuration,
    clips: Sequence[Clip],
    classes: Sequence[str],
    spectrograms: Spectrograms,
    work: Path,
    seed: int,
    device: str,
    threads: int,
    jobs: int,
    start: Start | None,
    beside: Start | None,
    say: Callable[[str], None],
) -> Setting:
    """Numbers for names, and the targets of the regression head."""
    names = list(dict.fromkeys(clip.corpus for clip in clips))
    targets = np.array([classes.index(clip.label) for clip in clips], dtype=np.int64)
    corpora = np.array([names.index(clip.corpus) for clip in clips], dtype=np.int64)
    allowed = np.zeros((len(names), len(classes)), dtype=bool)
    allowed[corpora, targets] = True
    values: dict[str, NDArray[np.float32]] = {}
    if config.recipe.auxiliary:
        values = functionals([clip.path for clip in clips], config.auxiliary, work, jobs=jobs, say=say)
    return Setting(
        folder=work,
        spectrograms=spectrograms,
        targets=targets,
        corpora=corpora,
        allowed=allowed,
        functionals=values,
        auxiliary=config.auxiliary,
        front_end=config.front_end,
        layers=config.layers,
        recipe=config.recipe,
        seed=seed,
        device=device,
        threads=threads,
        start=start,
        beside=beside,
    )
