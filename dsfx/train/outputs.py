"""Tables that a training writes: out-of-fold features and posteriors, confusions, learning curves."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from .. import __version__
from ..evaluate import statistics
from ..evaluate.scores import count, unweighted, weighted
from ..store import Column, schema_of
from .data import Clip
from .folds import Part

__all__ = ["metrics", "write_confusions", "write_curves", "write_features"]

Rows = NDArray[np.float32]


def metrics(
    clips: Sequence[Clip], targets: NDArray[np.int64], found: NDArray[np.int64], classes: Sequence[str]
) -> dict[str, Any]:
    """UAR and WA of every corpus, with 95 % intervals over speakers, and of every speaker; at the top their means."""
    corpora, speakers = [], []
    for corpus in dict.fromkeys(clip.corpus for clip in clips):
        own = np.array([clip.corpus == corpus for clip in clips])
        who = np.array([clip.speaker for clip in clips if clip.corpus == corpus])
        names = sorted(set(who.tolist()))
        labels = np.array(classes)
        counts = count(labels[targets[own]], labels[found[own]], who, classes, names)
        ua, wa = statistics.interval(counts)
        entry: dict[str, Any] = {"name": corpus, "classes": len(np.unique(targets[own])), "files": int(own.sum())}
        for key, value in (("uar", ua), ("wa", wa)):
            entry[key] = round(value.value, 4)
            if np.isfinite(value.low):
                entry[f"{key}_interval"] = [round(value.low, 4), round(value.high, 4)]
        corpora.append(entry)
        for name, own_counts in zip(names, counts, strict=True):
            speakers.append(
                {
                    "corpus": corpus,
                    "speaker": name,
                    "files": int(own_counts.sum()),
                    "uar": round(float(unweighted(own_counts)), 4),
                    "wa": round(float(weighted(own_counts)), 4),
                }
            )
    mean = {key: round(float(np.mean([corpus[key] for corpus in corpora])), 4) for key in ("uar", "wa")}
    return {**mean, "corpora": corpora, "speakers": speakers}


def write_confusions(
    path: Path,
    clips: Sequence[Clip],
    classes: Sequence[str],
    targets: NDArray[np.int64],
    found: NDArray[np.int64],
) -> None:
    """The confusions of held-out clips: one line per speaker and class, how many were taken for which class."""
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(["corpus", "speaker", "class", *classes])
        for corpus, speaker in sorted({(clip.corpus, clip.speaker) for clip in clips}):
            own = np.array([(clip.corpus, clip.speaker) == (corpus, speaker) for clip in clips])
            for index in np.unique(targets[own]):
                counts = np.bincount(found[own & (targets == index)], minlength=len(classes))
                writer.writerow([corpus, speaker, classes[index], *counts.tolist()])


def write_curves(path: Path, parts: Sequence[Part], histories: Sequence[NDArray[np.float64]]) -> None:
    """The learning curves: one line per network and epoch."""
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(["network", "epoch", "loss", "right", "held_out", "seconds"])
        for part, history in zip(parts, histories, strict=True):
            for number, loss, right, held_out, seconds in history.tolist():
                unheard = "" if np.isnan(held_out) else f"{held_out:.4f}"
                writer.writerow([part.name, int(number), f"{loss:.5f}", f"{right:.4f}", unheard, f"{seconds:.2f}"])


def write_features(
    path: Path,
    clips: Sequence[Clip],
    folds: Sequence[str],
    features: Rows,
    posteriors: Rows,
    classes: Sequence[str],
    *,
    identity: str,
    out_of_fold: dict[str, Any],
) -> None:
    """A feature table as `dsfx extract` writes it, with columns on where its rows come from.

    Parameters
    ----------
    path : to write.
    clips, folds : of the rows.
    features : (clips, dim), the set ``deep``.
    posteriors : (clips, classes), the set ``posteriors``.
    classes : all classes.
    identity : of the extractors, instead of a model's checksum.
    out_of_fold : what to say of them.
    """
    columns = [Column(f"deep_{index:03d}", "deep") for index in range(features.shape[1])]
    columns += [Column(f"posterior_{name}", "posteriors") for name in classes]
    metadata = {
        "dsfx_version": __version__,
        "sets": json.dumps({"deep": identity, "posteriors": identity}),
        "config": json.dumps({"level": "functionals", "out_of_fold": out_of_fold}),
    }
    schema = schema_of(columns, metadata)
    texts = {
        "label": [clip.label for clip in clips],
        "speaker": [clip.speaker for clip in clips],
        "corpus": [clip.corpus for clip in clips],
        "fold": list(folds),
    }
    keys = list(schema)[:4]
    schema = pa.schema([*keys, *[pa.field(name, pa.string()) for name in texts], *list(schema)[4:]], metadata=metadata)
    arrays = [
        pa.array([clip.file for clip in clips], pa.string()),
        pa.array([0] * len(clips), pa.int64()).cast(pa.duration("ns")),
        pa.array([round(clip.seconds * 1e9) for clip in clips], pa.int64()).cast(pa.duration("ns")),
        pa.array([clip.hash for clip in clips], pa.string()),
        *[pa.array(values, pa.string()) for values in texts.values()],
        *[pa.array(column) for column in np.ascontiguousarray(np.concatenate([features, posteriors], axis=1).T)],
    ]
    pq.write_table(pa.Table.from_arrays(arrays, schema=schema), path, compression="zstd", write_statistics=["file"])
