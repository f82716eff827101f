"""From a label table to a model folder."""

import csv
import json
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from .. import __version__
from ..deep import FORMAT, load_model
from ..errors import ConfigError, ModelError, OutputError
from ..frontend import FrontEnd
from .card import card, toml
from .data import Clip, load_clips
from .export import check, graph
from .fit import Recipe, fit, has_bfloat16, infer
from .network import Layers

__all__ = ["train"]

MIN_FRAMES = 8
"""Two steps of the network: with fewer there is nothing to pool."""

MAX_SECONDS = 60.0

Report = Callable[[str], None]


def train(
    labels: str | Path,
    output: str | Path,
    *,
    epochs: int = 40,
    seed: int = 0,
    folds: str | int | None = None,
    column: str = "emotion",
    name: str | None = None,
    description: str | None = None,
    licence: str = "unspecified",
    corpus: str | None = None,
    corpus_licence: str = "unspecified",
    reference: str = "",
    notes: Sequence[str] = (),
    front_end: FrontEnd | None = None,
    layers: Layers | None = None,
    recipe: Recipe | None = None,
    threads: int = 1,
    overwrite: bool = False,
    report: Report | None = None,
) -> Path:
    """Train an extractor and write its folder, which `dsfx.deep.load_model` takes.

    Parameters
    ----------
    labels : CSV with columns ``file`` (relative to the table's folder), ``speaker`` and `column`.
    output : folder to write: model.toml, model.onnx, README.md, hashes.txt and, with folds, folds.csv. Until it is
        complete and the graph was checked against torch, everything is in ``OUTPUT.part``; a run that was cut off goes
        on with the folds it has there.
    epochs : passes over the clips.
    seed : of weights, order and augmentation. The same seed gives the same model on the same machine.
    folds : None; ``loso``, each speaker left out once; or a number of groups of speakers. Every fold is trained by the
        same recipe without its speakers, for the same number of epochs; the pooled results go into the card.
    column : the label.
    name, description, licence : of the model; the name is that of the folder where not given.
    corpus, corpus_licence, reference : of the recordings, for the card.
    notes : sentences on use and limits, for the card.
    front_end, layers, recipe : parameters; `epochs` goes before the recipe's.
    threads : of torch.
    overwrite : replace an existing folder.
    report : called with a line after each epoch.

    Returns
    -------
    The folder.

    Raises
    ------
    InputError, AudioError, ConfigError, ModelError, OutputError : as their messages say.
    """
    labels, output = Path(labels), Path(output)
    name = name or output.name
    front_end = front_end or FrontEnd(sampling_rate=16000)
    layers = layers or Layers()
    recipe = replace(recipe or Recipe(), epochs=epochs)
    say = report or (lambda line: None)
    if output.exists() and not overwrite:
        raise OutputError(f"{output}: exists already; another -o or --overwrite mends it")
    if threads < 1:
        raise ConfigError(f"threads is {threads}, expected at least 1")
    clips = load_clips(labels, front_end, column=column, min_frames=MIN_FRAMES, max_seconds=MAX_SECONDS)
    classes = sorted({clip.label for clip in clips})
    groups = speaker_groups(clips, folds)
    part = output.with_name(output.name + ".part")
    prepare(part, [repr(front_end), repr(layers), repr(recipe), seed, threads, classes, [clip.hash for clip in clips]])

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        settings: dict[str, Any] = {"front_end": front_end, "layers": layers, "recipe": recipe}
        targets = np.array([classes.index(clip.label) for clip in clips], dtype=np.int64)
        posteriors = cross_validate(clips, targets, classes, groups, part, seed=seed, say=say, **settings)
        network = fit(
            [clip.rows for clip in clips],
            targets,
            len(classes),
            seed=seed,
            report=progress("all speakers", recipe.epochs, say),
            **settings,
        )
        serialised = graph(network, producer=f"dsfx {__version__}")
        ragged = [
            front_end.normalise(clip.rows) for clip in sorted(clips, key=lambda c: len(c.rows))[:: len(clips) // 8 + 1]
        ]
        ragged += [ragged[0][:count] for count in (1, 3, 4, 5) if len(ragged[0]) >= count]
        worst = check(serialised, network, ragged)
    finally:
        torch.set_num_threads(before)

    table: dict[str, Any] = {
        "format": FORMAT,
        "name": name,
        "description": description or f"Deep spectrum features, trained on {corpus or labels.parent.name}.",
        "licence": licence,
        "sha256": sha256(serialised).hexdigest(),
        "dsfx": __version__,
        "labels": classes,
        "dim": layers.n_features,
        "min_frames": MIN_FRAMES,
        "min_seconds": front_end.n_samples(MIN_FRAMES) / front_end.sampling_rate,
        "max_seconds": MAX_SECONDS,
        "parameters": sum(p.numel() for p in network.parameters()),
        "notes": list(notes),
        "frontend": front_end.to_table(),
        "layers": layers.to_table(),
        "training": {
            "seed": seed,
            "threads": threads,
            "torch": torch.__version__,
            "precision": "bfloat16" if has_bfloat16() else "float32",
            "onnx_difference": worst,
            **recipe.to_table(),
        },
        "corpora": [
            {
                "name": corpus or labels.parent.name,
                "files": len(clips),
                "hours": round(sum(clip.seconds for clip in clips) / 3600, 4),
                "speakers": len({clip.speaker for clip in clips}),
                "licence": corpus_licence,
                "reference": reference,
            }
        ],
    }
    if posteriors is not None:
        table["metrics"] = {"folds": str(folds), **metrics(clips, targets, posteriors)}
        write_folds(part / "folds.csv", clips, classes, targets, posteriors.argmax(axis=1))
    write(part / "model.onnx", serialised)
    write(part / "hashes.txt", "".join(f"{digest}\n" for digest in sorted({clip.hash for clip in clips})).encode())
    write(part / "README.md", card(table).encode())
    write(part / "model.toml", toml(table).encode())
    if load_model(part).dim != layers.n_features:
        raise ModelError(f"{part}: does not load as it was written")
    for leftover in [part / "configuration", *part.glob("fold-*.npy")]:
        leftover.unlink(missing_ok=True)
    if output.exists():
        shutil.rmtree(output)
    part.rename(output)
    return output


def speaker_groups(clips: Sequence[Clip], folds: str | int | None) -> list[list[str]]:
    """The speakers that each fold leaves out."""
    if folds is None:
        return []
    speakers = sorted({clip.speaker for clip in clips})
    if folds == "loso":
        count = len(speakers)
    elif isinstance(folds, int) and not isinstance(folds, bool):
        count = folds
    else:
        raise ConfigError(f"folds is {folds!r}, expected loso or a number")
    if not 2 <= count <= len(speakers):
        raise ConfigError(f"{count} folds over {len(speakers)} speakers, expected 2 to {len(speakers)}")
    return [speakers[first::count] for first in range(count)]


def prepare(part: Path, configuration: list[Any]) -> None:
    """The working folder, emptied unless it belongs to a run of this configuration that was cut off."""
    digest = sha256(json.dumps(configuration).encode()).hexdigest()
    mark = part / "configuration"
    try:
        if not (mark.is_file() and mark.read_text() == digest):
            if part.exists():
                shutil.rmtree(part)
            part.mkdir(parents=True)
            mark.write_text(digest)
    except OSError as error:
        raise OutputError(f"{part}: {error.strerror or error}; another -o mends it") from None


def cross_validate(
    clips: Sequence[Clip],
    targets: NDArray[np.int64],
    classes: Sequence[str],
    groups: Sequence[Sequence[str]],
    part: Path,
    *,
    front_end: FrontEnd,
    layers: Layers,
    recipe: Recipe,
    seed: int,
    say: Report,
) -> NDArray[np.float32] | None:
    """Posteriors (clips, classes) from networks that never heard the clip's speaker; None without folds."""
    if not groups:
        return None
    posteriors = np.full((len(clips), len(classes)), np.nan, dtype=np.float32)
    for number, group in enumerate(groups):
        out = np.array([clip.speaker in group for clip in clips])
        kept = part / f"fold-{number}.npy"
        if kept.is_file():
            posteriors[out] = np.load(kept, allow_pickle=False)
            continue
        network = fit(
            [clip.rows for clip, left in zip(clips, out, strict=True) if not left],
            targets[~out],
            len(classes),
            front_end=front_end,
            layers=layers,
            recipe=recipe,
            seed=seed,
            report=progress(f"without {', '.join(group)}", recipe.epochs, say),
        )
        held_out = [clip.rows for clip, left in zip(clips, out, strict=True) if left]
        posteriors[out] = infer(network, held_out, front_end)[1]
        np.save(part / "partial.npy", posteriors[out])
        (part / "partial.npy").replace(kept)
        found = scores(targets[out], posteriors[out].argmax(axis=1))
        say(f"without {', '.join(group)}: UAR {100 * found[0]:.1f} %, WA {100 * found[1]:.1f} %")
    return posteriors


def progress(what: str, epochs: int, say: Report) -> Callable[[int, float, float], None]:
    """A reporter of epochs as lines."""
    return lambda epoch, loss, right: say(f"{what}: epoch {epoch}/{epochs}, loss {loss:.3f}, {100 * right:.1f} % right")


def scores(targets: NDArray[np.int64], found: NDArray[np.int64]) -> tuple[float, float]:
    """Unweighted average recall over the classes that occur, and weighted accuracy."""
    right = targets == found
    return float(np.mean([right[targets == k].mean() for k in np.unique(targets)])), float(right.mean())


def metrics(clips: Sequence[Clip], targets: NDArray[np.int64], posteriors: NDArray[np.float32]) -> dict[str, Any]:
    """Pooled and per-speaker UAR and WA."""
    found = posteriors.argmax(axis=1)
    uar, wa = scores(targets, found)
    speakers = []
    for speaker in sorted({clip.speaker for clip in clips}):
        own = np.array([clip.speaker == speaker for clip in clips])
        own_uar, own_wa = scores(targets[own], found[own])
        speakers.append({"speaker": speaker, "files": int(own.sum()), "uar": round(own_uar, 4), "wa": round(own_wa, 4)})
    return {"uar": round(uar, 4), "wa": round(wa, 4), "speakers": speakers}


def write_folds(
    path: Path, clips: Sequence[Clip], classes: Sequence[str], targets: NDArray[np.int64], found: NDArray[np.int64]
) -> None:
    """The confusions of held-out clips: one line per speaker and class, how many were taken for which class."""
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(["speaker", "class", *classes])
        for speaker in sorted({clip.speaker for clip in clips}):
            own = np.array([clip.speaker == speaker for clip in clips])
            for index, label in enumerate(classes):
                counts = np.bincount(found[own & (targets == index)], minlength=len(classes))
                writer.writerow([speaker, label, *counts.tolist()])


def write(path: Path, content: bytes) -> None:
    """Write a file and see it onto the disk."""
    with path.open("wb") as handle:
        handle.write(content)
        handle.flush()
        os.fsync(handle.fileno())
