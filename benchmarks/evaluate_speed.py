"""Nested cross-validation of linear SVMs: dsfx next to scikit-learn's grid search over a pipeline, the obvious way.

python benchmarks/evaluate_speed.py FEATS.parquet LABELS.csv [--set ComParE_2016] [--folds N]

Same outer folds (each speaker left out once), same inner folds, five values of C, same solver and tolerance, one
process, one thread. Printed: seconds of both, their ratio, and how many predictions are equal. --folds takes the first
N only, the obvious way being slow.
"""

import argparse
import os
import time

C = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)


def main() -> None:
    os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")
    import numpy as np
    from sklearn.model_selection import GridSearchCV

    from dsfx.evaluate.classifiers import classifier_of, learn, pipeline
    from dsfx.evaluate.protocols import inner_folds, make_protocol
    from dsfx.evaluate.tables import gather, open_table, read_labels

    parser = argparse.ArgumentParser()
    parser.add_argument("features")
    parser.add_argument("labels")
    parser.add_argument("--set", default="ComParE_2016")
    parser.add_argument("--folds", type=int)
    parser.add_argument("--classifier", default="linear-svm")
    options = parser.parse_args()
    clips = gather([open_table(options.features)], read_labels(options.labels, "emotion"), [options.set])
    x = clips.features[options.set]
    labels = np.array([row["emotion"] for row in clips.cells])
    speakers = np.array([row["speaker"] for row in clips.cells])
    classifier = classifier_of(options.classifier, C)
    folds = make_protocol("loso", labels, speakers).folds[: options.folds]
    print(f"{x.shape[0]} × {x.shape[1]}, {len(folds)} folds, {len(C)} values of C")
    ours = theirs = 0.0
    equal = total = 0
    for fold in folds:
        began = time.perf_counter()
        found = learn(x, labels, speakers, fold.train, fold.test, classifier)
        ours += time.perf_counter() - began
        began = time.perf_counter()
        y = labels[fold.train]
        search = GridSearchCV(
            pipeline(classifier.name, classifier.grid[0]),
            {"classify__C": list(C)},
            scoring="balanced_accuracy",
            cv=inner_folds(y, speakers[fold.train]),
        )
        search.fit(x[fold.train].astype(np.float64), y)
        predicted = search.predict(x[fold.test].astype(np.float64))
        theirs += time.perf_counter() - began
        equal += int(np.sum(predicted == found.predicted))
        total += len(predicted)
        print(
            f"fold {fold.name}: dsfx {ours:.1f} s, scikit-learn {theirs:.1f} s so far, ratio {theirs / ours:.1f}, "
            f"{equal} of {total} predictions equal, C {found.parameters['C']:g} and "
            f"{search.best_params_['classify__C']:g}",
            flush=True,
        )


if __name__ == "__main__":
    main()
