"""The same evaluation on dsfx's features and on those of the opensmile package, side by side.

python benchmarks/evaluate_agreement.py CORPUS_FOLDER [--jobs N]

The folder holds labels.csv (file, speaker, emotion) and the recordings it names. Each speaker is left out once, a
linear SVM is tuned inside the training part. Nothing is kept.
"""

import argparse
import csv
import tempfile
from pathlib import Path

import opensmile
import pandas as pd
import soundfile

import dsfx
from dsfx.evaluate import evaluate

SETS = ("eGeMAPSv02", "ComParE_2016")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    labels = options.corpus / "labels.csv"
    with labels.open(encoding="utf-8", newline="") as handle:
        files = [row["file"] for row in csv.DictReader(handle)]
    with tempfile.TemporaryDirectory() as scratch:
        ours = Path(scratch) / "dsfx.parquet"
        dsfx.extract(labels, sets=SETS, output=ours, jobs=options.jobs)
        print("set           UA of dsfx   UA of opensmile   difference   95 % interval   (points)")
        for name in SETS:
            smile = opensmile.Smile(opensmile.FeatureSet[name], opensmile.FeatureLevel.Functionals)
            rows = []
            for file in files:
                samples, rate = soundfile.read(options.corpus / file, dtype="float32")
                rows.append(smile.process_signal(samples, rate).reset_index(drop=True))
            frame = pd.concat(rows, ignore_index=True)
            frame.insert(0, "file", files)
            theirs = Path(scratch) / "opensmile.parquet"
            frame.to_parquet(theirs)
            found = evaluate(ours, labels, tables=(str(theirs),), sets=(name, "opensmile"), jobs=options.jobs)
            ua = {result["set"]: 100 * result["ua"]["value"] for result in found["results"]}
            gap = found["comparisons"][0]["difference"]
            print(
                f"{name:<14}{ua[name]:10.2f}{ua['opensmile']:18.2f}{ua[name] - ua['opensmile']:13.2f}"
                f"     {100 * gap['low']:.1f} to {100 * gap['high']:.1f}"
            )


if __name__ == "__main__":
    main()
