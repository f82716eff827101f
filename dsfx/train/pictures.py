"""Pictures of a training: learning curves and confusions."""

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["confusion", "learning_curves"]

THIN, THICK, GREY = "#9db4cc", "#1f4e79", "#555555"


@contextmanager
def figure(columns: int, width: float, height: float, path: Path) -> Iterator[Any]:
    """Axes side by side, of a picture that is written at the end; no display is needed."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    picture = Figure(figsize=(width * columns, height), layout="constrained")
    FigureCanvasAgg(picture)
    yield picture.subplots(1, columns, squeeze=False)[0]
    picture.savefig(path, dpi=130, metadata={"Software": None})


def learning_curves(table: Path, path: Path) -> None:
    """Draw learning-curves.csv: networks of folds thin, their mean thick, those of all speakers dashed."""
    with table.open(encoding="utf-8") as handle:
        lines = list(csv.DictReader(handle))
    networks = dict.fromkeys(line["network"] for line in lines)
    panels = [("loss", "mean loss", 1.0), ("right", "recognised while training, %", 100.0)]
    if any(line["held_out"] for line in lines):
        panels.append(("held_out", "UA of held-out speakers, %", 100.0))
    with figure(len(panels), 5.2, 3.9, path) as axes:
        for ax, (key, words, factor) in zip(axes, panels, strict=True):
            curves = {
                name: {int(e["epoch"]): factor * float(e[key]) for e in lines if e["network"] == name and e[key]}
                for name in networks
            }
            whole = [curve for name, curve in curves.items() if name.startswith("all")]
            folds = [curve for name, curve in curves.items() if not name.startswith("all")]
            for number, curve in enumerate(folds):
                label = f"each of {len(folds)} networks of folds" if not number else None
                ax.plot(list(curve), list(curve.values()), color=THIN, lw=0.9, label=label)
            if folds:
                epochs = sorted(set.intersection(*(set(curve) for curve in folds)))
                ax.plot(
                    epochs, [np.mean([c[e] for c in folds]) for e in epochs], color=THICK, lw=2.4, label="their mean"
                )
            style = {"color": GREY, "lw": 1.6, "ls": "--"} if folds else {"color": THICK, "lw": 2.2}
            for number, curve in enumerate(whole):
                ax.plot(list(curve), list(curve.values()), label=None if number else "all speakers", **style)
            ax.set(xlabel="epoch", title=words)
            if factor == 100.0:
                ax.set_ylim(0, 100)
            else:
                ax.set_ylim(bottom=0)
            ax.xaxis.get_major_locator().set_params(integer=True)
            ax.grid(color="#e5e5e5", lw=0.6)
            ax.spines[["top", "right"]].set_visible(False)
        axes[0].legend(frameon=False, fontsize=9)


def confusion(table: Path, path: Path) -> None:
    """Draw folds.csv: one matrix per corpus; rows are what was said, shaded and in % of the row, with counts."""
    with table.open(encoding="utf-8") as handle:
        lines = list(csv.DictReader(handle))
    classes = [name for name in lines[0] if name not in {"corpus", "speaker", "class"}]
    corpora = list(dict.fromkeys(line["corpus"] for line in lines))
    counts = {name: np.zeros((len(classes), len(classes)), dtype=int) for name in corpora}
    for line in lines:
        counts[line["corpus"]][classes.index(line["class"])] += [int(line[name]) for name in classes]
    most = max(int((matrix.sum(axis=1) > 0).sum()) for matrix in counts.values())
    side = max(3.6, 1.8 + 0.62 * most)
    with figure(len(corpora), side, side + 0.2, path) as axes:
        for ax, (corpus, matrix) in zip(axes, counts.items(), strict=True):
            own = np.flatnonzero(matrix.sum(axis=1))
            shown = matrix[np.ix_(own, own)]
            share = shown / shown.sum(axis=1, keepdims=True)
            ax.imshow(share, cmap="Blues", vmin=0, vmax=1)
            for (row, column), value in np.ndenumerate(share):
                colour = "white" if value > 0.55 else "#222222"
                if shown[row, column]:
                    ax.text(column, row - 0.1, f"{100 * value:.0f}", ha="center", va="center", color=colour, size=10)
                    ax.text(
                        column, row + 0.24, f"{shown[row, column]}", ha="center", va="center", color=colour, size=6.5
                    )
            names = [classes[i] for i in own]
            ax.set_xticks(range(len(names)), names, rotation=45, ha="right", rotation_mode="anchor")
            ax.set_yticks(range(len(names)), names)
            ua, wa = np.mean(np.diag(share)), np.trace(shown) / shown.sum()
            ax.set_title(f"{corpus}: UA {100 * ua:.1f} %, WA {100 * wa:.1f} %", size=11)
            ax.set(xlabel="recognised as (% of the class; small: clips)", ylabel="class")
            ax.set_xticks(np.arange(len(own) + 1) - 0.5, minor=True)
            ax.set_yticks(np.arange(len(own) + 1) - 0.5, minor=True)
            ax.grid(which="minor", color="#dfe6ee", lw=0.8)
            ax.tick_params(which="both", length=0)
            ax.spines[:].set_visible(False)
