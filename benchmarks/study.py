"""Which part of the network, and which spectrogram, makes good features? After the experiments of Zhao et al. 2018.

    python benchmarks/study.py LABELS.csv WORK RESULTS.csv [--only both,linear-20] [--epochs N] [--folds 5] [--jobs N]
    python benchmarks/study.py --print RESULTS.csv

Trains one network per fold for each variant, by the default recipe but for what the variant changes, and writes rows
for each: UA and WA, with 95 % intervals over speakers, of the network's own posteriors (deep features + DNN), of a
linear SVM on the deep features, and of the same SVM on eGeMAPSv02, ComParE_2016 and their concatenations with the deep
features. A variant whose rows are in RESULTS.csv is not run again; one that was cut off goes on where it stopped.
--print writes the results as Markdown tables. Needs the extras train and evaluate.
"""

import argparse
import csv
import json
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import dsfx
from dsfx.evaluate import evaluate
from dsfx.frontend import FrontEnd
from dsfx.train import train
from dsfx.train.config import Configuration

DEFAULT = replace(Configuration(), layers=replace(Configuration().layers, members=1))


def linear(fft_length: int) -> Configuration:
    """A spectrogram of all bins up to 8 kHz; the window is as long as the FFT.

    The first convolution takes the bins to about forty rows, as it does the 80 mel bands: its kernel spans the same
    range in Hz for all resolutions, and the convolutional branch costs about the same. The recurrent one reads all
    bins, and costs the more the more there are: an epoch at 10 Hz takes three times as long as one of mel bands.
    """
    bins = FrontEnd(
        sampling_rate=16000,
        window_length=fft_length / 16000,
        fft_length=fft_length,
        bands="linear",
        n_mels=0,
        lower_hz=0.0,
    )
    stride = bins.n_bands // 40
    kernels = ((5, 2 * stride + 1), *DEFAULT.layers.kernels[1:])
    return replace(DEFAULT, front_end=bins, layers=replace(DEFAULT.layers, band_stride=stride, kernels=kernels))


VARIANTS: dict[str, Configuration] = {
    "both": DEFAULT,
    "convolutional": replace(DEFAULT, layers=replace(DEFAULT.layers, branches="convolutional")),
    "recurrent": replace(DEFAULT, layers=replace(DEFAULT.layers, branches="recurrent")),
    "linear-62.5": linear(256),
    "linear-31.25": linear(512),
    "linear-20": linear(800),
    "linear-15.6": linear(1024),
    "linear-10": linear(1600),
    "no-auxiliary": replace(DEFAULT, recipe=replace(DEFAULT.recipe, auxiliary=0.0)),
    "no-mixup": replace(DEFAULT, recipe=replace(DEFAULT.recipe, mixup=0.0)),
    "level-kept": replace(DEFAULT, front_end=replace(DEFAULT.front_end, normalisation="none")),
}
"""The paper's branches, then its frequency resolutions in Hz per bin (the default has mel bands), then ours."""

SETS = ("deep", "eGeMAPSv02", "ComParE_2016", "eGeMAPSv02+deep", "ComParE_2016+deep")
COLUMNS = ("corpus", "variant", "features", "classifier", "ua", "ua_low", "ua_high", "wa", "wa_low", "wa_high", "folds")


def main() -> None:
    """Run the study."""
    early = argparse.ArgumentParser(add_help=False)
    early.add_argument("--print", dest="table", metavar="RESULTS.csv", type=Path, help="print tables and do no more")
    if table := early.parse_known_args()[0].table:
        print(markdown(table))
        return
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, parents=[early]
    )
    parser.add_argument("labels", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("results", type=Path)
    parser.add_argument("--only", default=",".join(VARIANTS), help="Variants, by name. Default: all.")
    parser.add_argument("--epochs", type=int, help="Default: as the recipe says.")
    parser.add_argument("--folds", default="loso")
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    corpus = options.labels.absolute().parent.name
    options.work.mkdir(parents=True, exist_ok=True)
    crafted = options.work / f"{corpus}.parquet"
    dsfx.extract([str(options.labels)], sets=("eGeMAPSv02", "ComParE_2016"), jobs=options.jobs, output=str(crafted))
    done = known(options.results)
    for name in options.only.split(","):
        if (corpus, name) in done:
            continue
        folder = options.work / f"{corpus}-{name}"
        folds: Any = int(options.folds) if options.folds.isdigit() else options.folds
        if not folder.is_dir():
            train(
                options.labels,
                folder,
                config=VARIANTS[name],
                epochs=options.epochs,
                folds=folds,
                folds_only=True,
                jobs=options.jobs,
                on_note=print,
            )
        add(options.results, rows(corpus, name, folder, crafted, options))


def rows(corpus: str, name: str, folder: Path, crafted: Path, options: Any) -> list[dict[str, Any]]:
    """Results of one variant: of its posteriors, and of a linear SVM on all sets."""
    metrics = tomllib.loads((folder / "model.toml").read_text(encoding="utf-8"))["metrics"]
    own = metrics["corpora"][0]
    low = {key: own.get(f"{key}_interval", [float("nan")] * 2) for key in ("uar", "wa")}
    shared = {"corpus": corpus, "variant": name, "folds": options.folds}
    made = [
        {
            **shared,
            "features": "spectrogram",
            "classifier": "network",
            **dict(zip(("ua", "ua_low", "ua_high"), (own["uar"], *low["uar"]), strict=True)),
            **dict(zip(("wa", "wa_low", "wa_high"), (own["wa"], *low["wa"]), strict=True)),
        }
    ]
    report = options.work / f"report-{corpus}-{name}"
    sets = SETS if name == "both" else ("deep", "ComParE_2016+deep")
    evaluate(folder, options.labels, report, tables=(str(crafted),), sets=sets, jobs=options.jobs)
    for found in json.loads((report / "results.json").read_text(encoding="utf-8"))["results"]:
        ua, wa = found["ua"], found["wa"]
        made.append(
            {
                **shared,
                "features": found["set"],
                "classifier": found["classifier"],
                **{"ua": ua["value"], "ua_low": ua["low"], "ua_high": ua["high"]},
                **{"wa": wa["value"], "wa_low": wa["low"], "wa_high": wa["high"]},
            }
        )
    return made


def markdown(path: Path) -> str:
    """The results as one table per corpus: a line per variant, and one for what does not depend on it."""
    with path.open(encoding="utf-8", newline="") as handle:
        results = list(csv.DictReader(handle))
    parts = []
    for corpus in dict.fromkeys(row["corpus"] for row in results):
        own = [row for row in results if row["corpus"] == corpus]
        parts += [
            f"| {corpus}, {own[0]['folds']} folds | deep + DNN | | deep + SVM | | ComParE_2016 + deep + SVM | |",
            "|---|--:|--:|--:|--:|--:|--:|",
            "| | UA | WA | UA | WA | UA | WA |",
        ]
        for variant in dict.fromkeys(row["variant"] for row in own):
            line = {row["features"]: row for row in own if row["variant"] == variant}
            cells = [
                cell(line[name], key) for name in ("spectrogram", "deep", "ComParE_2016+deep") for key in ("ua", "wa")
            ]
            parts.append(f"| {variant} | {' | '.join(cells)} |")
        for name in ("eGeMAPSv02", "ComParE_2016", "eGeMAPSv02+deep"):
            for row in own:
                if row["features"] == name and row["variant"] == "both":
                    parts.append(f"| {name} | | | {cell(row, 'ua')} | {cell(row, 'wa')} | | |")
        parts.append("")
    return "\n".join(parts)


def cell(row: dict[str, str], key: str) -> str:
    """A value in per cent, with its interval."""
    value, low, high = (100 * float(row[name]) for name in (key, f"{key}_low", f"{key}_high"))
    return f"{value:.1f} ({low:.1f}–{high:.1f})"


def known(path: Path) -> set[tuple[str, str]]:
    """Corpora and variants that a table of results has."""
    if not path.is_file():
        return set()
    with path.open(encoding="utf-8", newline="") as handle:
        return {(row["corpus"], row["variant"]) for row in csv.DictReader(handle)}


def add(path: Path, results: list[dict[str, Any]]) -> None:
    """Append rows to a table of results."""
    fresh = not path.is_file()
    with path.open("a", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, COLUMNS, lineterminator="\n")
        if fresh:
            writer.writeheader()
        writer.writerows(
            {key: round(value, 4) if isinstance(value, float) else value for key, value in row.items()}
            for row in results
        )


if __name__ == "__main__":
    main()
