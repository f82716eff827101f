"""What a model folder holds."""

import shutil
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .. import __version__
from ..deep import FORMAT, load_model
from ..errors import ModelError
from ..files import whole
from ..store import digest
from . import outputs, pictures
from .card import card, toml
from .config import Configuration
from .data import Clip
from .fit import among
from .folds import Part
from .work import Setting, exported, judged, judged_beside, results, save, weights

__all__ = ["MAX_SECONDS", "MIN_FRAMES", "WORK", "finish", "tabulate", "write"]

MIN_FRAMES = 8
"""Two steps of the network: with fewer there is nothing to pool."""

MAX_SECONDS = 60.0

WORK = "work"
"""Folder, inside the unfinished one, of what is needed only until it is finished."""


def tabulate(
    setting: Setting,
    config: Configuration,
    clips: Sequence[Clip],
    classes: Sequence[str],
    judging: Sequence[Part],
    model: Part | None,
    described: dict[str, Sequence[str]],
) -> tuple[dict[str, Any], bytes | None]:
    """The model.toml, but for name, licence and results; and the graph, if there is a model beside the folds."""
    graph, difference = exported(setting, model) if model else (None, None)
    front_end = config.front_end
    corpora = []
    for number, corpus in enumerate(dict.fromkeys(clip.corpus for clip in clips)):
        own = [clip for clip in clips if clip.corpus == corpus]
        more = {key: (values[number] if number < len(values) else "") for key, values in described.items()}
        corpora.append(
            {
                "name": corpus,
                "files": len(own),
                "hours": round(sum(clip.seconds for clip in own) / 3600, 4),
                "speakers": len({clip.speaker for clip in own}),
                "labels": sorted({clip.label for clip in own}),
                "licence": more["licence"] or "unspecified",
                "reference": more["reference"],
            }
        )
    training = {
        "seed": setting.seed,
        "threads": setting.threads,
        "device": setting.device,
        "start": setting.start.words if setting.start else None,
        "beside": setting.beside.words if setting.beside else None,
        "torch": torch.__version__,
        **stopped(setting, clips, judging, model),
        "onnx_difference": difference,
        **config.recipe.to_table(),
    }
    table = {
        "format": FORMAT,
        "sha256": sha256(graph).hexdigest() if graph else None,
        "dsfx": __version__,
        "labels": list(classes),
        "dim": setting.n_features,
        "min_frames": MIN_FRAMES,
        "min_seconds": front_end.n_samples(MIN_FRAMES) / front_end.sampling_rate,
        "max_seconds": MAX_SECONDS,
        "parameters": setting.n_parameters,
        "frontend": front_end.to_table(),
        "layers": config.layers.to_table(),
        "training": training,
        **({"auxiliary": dict(vars(config.auxiliary))} if setting.functionals else {}),
        "corpora": corpora,
    }
    return table, graph


def stopped(setting: Setting, clips: Sequence[Clip], judging: Sequence[Part], model: Part | None) -> dict[str, Any]:
    """Which epochs a model's weights are of, and whose speech chose them; without a model, whose in any fold."""
    masks = [part.held_out for part in ([model] if model else judging)]
    held = {f"{clip.corpus}/{clip.speaker}" for clip, *out in zip(clips, *masks, strict=True) if any(out)}
    if model is None:
        return {"held_out_speakers": sorted(held)}
    best = [int(results(setting.folder, member)["best"]) for member in setting.members(model)]
    return {"best_epochs": best, "held_out_speakers": sorted(held)}


def finish(
    part: Path,
    setting: Setting,
    table: dict[str, Any],
    graph: bytes | None,
    clips: Sequence[Clip],
    classes: Sequence[str],
    judging: Sequence[Part],
    model: Part | None,
    folds: str | int | None,
) -> None:
    """Write everything that a model folder holds: the results of the folds, if any, and the model, if any."""
    parts = [*judging, model] if model else judging
    networks = [member for each in parts for member in setting.members(each)]
    outputs.write_curves(
        part / "learning-curves.csv", networks, [results(setting.folder, each)["history"] for each in networks]
    )
    pictures.learning_curves(part / "learning-curves.csv", part / "learning-curves.png")
    if judging:
        table["metrics"] = {"folds": str(folds)} | write_folds(part, setting, clips, classes, judging)
    if model and graph:
        write(part / "model.onnx", graph)
        save(part / "weights.npz", weights(setting, model))
    earlier = [start.hashes for start in (setting.start, setting.beside) if start]
    heard = {clip.hash for clip in clips}.union(*earlier)
    write(part / "hashes.txt", "".join(f"{value}\n" for value in sorted(heard)).encode())
    write(part / "README.md", card(table).encode())
    write(part / "model.toml", toml(table).encode())
    if model and load_model(part).dim != setting.n_features:
        raise ModelError(f"{part}: does not load as it was written")
    shutil.rmtree(part / WORK)


def write_folds(
    part: Path, setting: Setting, clips: Sequence[Clip], classes: Sequence[str], folds: Sequence[Part]
) -> dict[str, Any]:
    """Write features and posteriors of all folds, and return how well unheard speakers are recognised."""
    (part / "folds").mkdir(exist_ok=True)
    features = np.full((len(clips), setting.n_features), np.nan, dtype=np.float32)
    posteriors = np.full((len(clips), len(classes)), np.nan, dtype=np.float32)
    names = np.full(len(clips), "", dtype=object)
    beside = judged_beside(setting)
    for fold in folds:
        own_features, own_posteriors = judged(setting, fold, beside)
        features[fold.test], posteriors[fold.test] = own_features[fold.test], own_posteriors[fold.test]
        names[fold.test] = fold.name.removeprefix("fold-")
        save(part / "folds" / f"{fold.name}.npz", weights(setting, fold))
        others = np.flatnonzero(~fold.test).tolist()
        outputs.write_features(
            part / "folds" / f"{fold.name}.parquet",
            [clips[i] for i in others],
            [fold.name.removeprefix("fold-")] * len(others),
            own_features[others],
            own_posteriors[others],
            classes,
            identity=f"in-fold:{digest(sha256(own_features.tobytes()).hexdigest())}",
            out_of_fold={"fold": fold.name, "rows": "clips that the fold's extractor has learned from"},
        )
    # Of corpora that no fold leaves out there is nothing to tell.
    left_out = np.flatnonzero(names != "")
    features, posteriors = features[left_out], posteriors[left_out]
    clips = [clips[i] for i in left_out.tolist()]
    outputs.write_features(
        part / "oof.parquet",
        clips,
        names[left_out].tolist(),
        features,
        posteriors,
        classes,
        identity=f"out-of-fold:{digest(sha256(features.tobytes()).hexdigest())}",
        out_of_fold={"folds": len(folds), "rows": "each by the extractor that never heard its speaker"},
    )
    best = among(posteriors, setting.allowed[setting.corpora[left_out]])
    targets = setting.targets[left_out]
    outputs.write_confusions(part / "folds.csv", clips, classes, targets, best)
    pictures.confusion(part / "folds.csv", part / "confusion.png")
    return outputs.metrics(clips, targets, best, classes)


def write(path: Path, content: bytes) -> None:
    """Write a file and see it onto the disk."""
    with whole(path) as handle:
        handle.write(content)
