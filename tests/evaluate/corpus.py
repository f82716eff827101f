"""Feature tables and labels with a known truth."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dsfx.store import Column, Key, ShardWriter, assemble, schema_of

CLASSES = ("calm", "Ärger", "trist")


def write_table(
    path: Path,
    sets: dict[str, np.ndarray],
    files: Sequence[str],
    *,
    hashes: Sequence[str] | None = None,
    spans: Sequence[tuple[int, int]] | None = None,
    metadata: dict[str, str] | None = None,
) -> Path:
    """A table as dsfx extract writes it."""
    columns = [Column(f"{name}_{i}", name) for name, x in sets.items() for i in range(x.shape[1])]
    values = np.concatenate(list(sets.values()), axis=1).astype(np.float32)
    hashes = hashes or [f"{i:016x}" for i in range(1, len(files) + 1)]
    spans = spans or [(0, 10**9)] * len(files)
    writer = ShardWriter(path.with_suffix(".arrow"), len(columns))
    writer.append([Key(f, *s, h) for f, s, h in zip(files, spans, hashes, strict=True)], values)
    writer.commit()
    assemble([path.with_suffix(".arrow")], schema_of(columns, metadata or {}), path, "parquet")
    return path


def write_labels(path: Path, rows: Sequence[dict[str, object]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def clips(speakers: int = 6, takes: int = 4) -> list[dict[str, object]]:
    """Rows of labels: every speaker says every class so many times."""
    return [
        {"file": f"s{s}/{label}-{take}.wav", "speaker": f"s{s}", "emotion": label}
        for s in range(speakers)
        for label in CLASSES
        for take in range(takes)
    ]


def informative(
    rows: Sequence[dict[str, object]], columns: int = 5, strength: float = 1.0, seed: int = 0
) -> np.ndarray:
    """Features that tell the class, with noise, and an offset of each speaker."""
    random = np.random.default_rng(seed)
    centres = random.normal(size=(len(CLASSES), columns)) * strength
    offset = {row["speaker"]: random.normal(size=columns) * 0.3 for row in rows}
    x = [centres[CLASSES.index(str(row["emotion"]))] + offset[row["speaker"]] for row in rows]
    return np.array(x) + random.normal(size=(len(rows), columns))


def numbers(speakers: int = 8, takes: int = 12, seed: int = 0) -> list[dict[str, object]]:
    """Rows of labels that are numbers between 1 and 5."""
    random = np.random.default_rng(seed)
    return [
        {"file": f"s{s}/{take}.wav", "speaker": f"s{s}", "valence": round(float(random.uniform(1, 5)), 2)}
        for s in range(speakers)
        for take in range(takes)
    ]


def linear(rows: Sequence[dict[str, object]], columns: int = 6, noise: float = 0.3, seed: int = 0) -> np.ndarray:
    """Features of which a linear combination is the number, with noise, and a column that is constant."""
    random = np.random.default_rng(seed)
    y = np.array([row["valence"] for row in rows], float)
    x = random.normal(size=(len(rows), columns)) * 2
    x[:, 0] = y - x[:, 1:].sum(axis=1) + noise * random.normal(size=len(rows))
    return np.column_stack([x, np.full(len(rows), 3.3)])
