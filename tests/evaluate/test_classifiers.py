"""The fast way against the obvious one: GridSearchCV over a Pipeline."""

import warnings

import numpy as np
import pytest
from corpus import CLASSES, clips, informative
from sklearn.model_selection import GridSearchCV
from sklearn.svm import LinearSVC

from dsfx.errors import ConfigError
from dsfx.evaluate import classifiers as c
from dsfx.evaluate import primal, scaling
from dsfx.evaluate.protocols import inner_folds, make_protocol

C = (0.001, 0.01, 0.1, 1.0)


def corpus(columns, *, speakers=6, takes=4, strength=0.6, damaged=True):
    rows = clips(speakers, takes)
    x = informative(rows, columns, strength).astype(np.float32)
    if damaged:
        x[:, 1] = 7.7  # constant
        x[::7, 2] = np.nan
        x[:, 3] *= 1e4
    return x, np.array([str(r["emotion"]) for r in rows]), np.array([str(r["speaker"]) for r in rows])


def obvious(x, labels, who, train, test, classifier):
    y = labels[train]
    grid = {f"classify__{k}": sorted({cell[k] for cell in classifier.grid}) for k in classifier.grid[0]}
    search = GridSearchCV(
        c.pipeline(classifier.name, classifier.grid[0]),
        grid,
        scoring="balanced_accuracy",
        cv=inner_folds(y, who[train]),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        search.fit(x[train].astype(np.float64), y)
    return search


@pytest.mark.parametrize("columns", [8, 300])
@pytest.mark.parametrize("name", ["linear-svm", "logistic"])
def test_the_fast_way_predicts_what_the_obvious_way_predicts(name, columns):
    x, labels, who = corpus(columns)
    classifier = c.classifier_of(name, C)
    for fold in make_protocol("loso", labels, who).folds[:3]:
        found = c.learn(x, labels, who, fold.train, fold.test, classifier)
        search = obvious(x, labels, who, fold.train, fold.test, classifier)
        np.testing.assert_allclose(found.inner, search.cv_results_["mean_test_score"], atol=1e-12)
        assert found.parameters["C"] == search.best_params_["classify__C"]
        np.testing.assert_array_equal(found.predicted, search.predict(x[fold.test].astype(np.float64)))
        assert found.missing == np.isnan(x[fold.train]).sum() > 0


def test_the_radial_svm_is_that_of_scikit_learn():
    x, labels, who = corpus(40, damaged=False)
    fold = make_protocol("loso", labels, who).folds[0]
    found = c.learn(
        x,
        labels,
        who,
        fold.train,
        fold.test,
        c.Classifier("rbf-svm", "classification", "", ({"C": 1.0, "gamma": 1.0},)),
    )
    model = c.pipeline("rbf-svm", {"C": 1.0, "gamma": 1 / 40}).fit(x[fold.train].astype(float), labels[fold.train])
    np.testing.assert_array_equal(found.predicted, model.predict(x[fold.test].astype(float)))


def test_standardisation_knows_the_training_part_alone():
    x, labels, who = corpus(20)
    fold = make_protocol("loso", labels, who).folds[0]
    changed = x.copy()
    changed[fold.test] = 1e6 * np.random.default_rng(0).normal(size=changed[fold.test].shape)
    a, b = (scaling.Standard.fit(values, fold.train) for values in (x, changed))
    np.testing.assert_array_equal(a.mean, b.mean)
    np.testing.assert_array_equal(a.scale, b.scale)
    # Nor do choice and weights: a test clip's prediction does not depend on the other test clips.
    classifier = c.classifier_of("linear-svm", C)
    whole = c.learn(x, labels, who, fold.train, fold.test, classifier)
    one = c.learn(x, labels, who, fold.train, fold.test[3:4], classifier)
    assert one.parameters == whole.parameters
    assert one.predicted[0] == whole.predicted[3]


def test_standardisation_is_that_of_the_pipeline():
    x, _, _ = corpus(30)
    rows = np.arange(50)
    expected = c.pipeline("linear-svm", {"C": 1.0})[:2].fit(x[rows].astype(float)).transform(x.astype(float))
    got = scaling.Standard.fit(x, rows).apply(x, np.arange(len(x)))
    np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(scaling.Standard.fit(x, rows).gram(x, rows), got[rows] @ got[rows].T, atol=1e-9)


def test_the_network_learns_and_is_deterministic():
    x, labels, who = corpus(10, strength=2.0)
    fold = make_protocol("loso", labels, who).folds[0]
    first, second = (c.learn(x, labels, who, fold.train, fold.test, c.classifier_of("mlp"), seed=3) for _ in range(2))
    np.testing.assert_array_equal(first.predicted, second.predicted)
    assert c.recall(labels[fold.test], first.predicted) > 0.6


@pytest.mark.parametrize("columns", [6, 200])
def test_the_primal_svm_is_that_of_liblinear(columns):
    x, labels, who = corpus(columns)
    fold = make_protocol("loso", labels, who).folds[0]
    standard = scaling.Standard.fit(x, fold.train)
    classes, target, weights = primal.one_against_rest(labels[fold.train])

    def solve(**options):
        return primal.fit(x, fold.train, standard, target, 0.1, weights=weights, **options)

    found = solve(tolerance=1e-9, iterations=2000)
    got = primal.scores(x, fold.test, standard, found)
    # liblinear has a weight for the constant, too: with a large one it counts for nothing.
    model = LinearSVC(C=0.1, dual=False, class_weight="balanced", intercept_scaling=100, tol=1e-9, max_iter=100_000)
    model.fit(standard.apply(x, fold.train), labels[fold.train])
    np.testing.assert_allclose(got, model.decision_function(standard.apply(x, fold.test)), atol=0.01)
    np.testing.assert_array_equal(classes[got.argmax(axis=1)], model.predict(standard.apply(x, fold.test)))
    again = primal.scores(x, fold.test, standard, solve(start=found))
    np.testing.assert_array_equal(again.argmax(axis=1), got.argmax(axis=1))


def test_many_clips_take_the_primal_form(monkeypatch):
    x, labels, who = corpus(12, strength=2.0)
    monkeypatch.setattr(c, "DUAL_ROWS", 10)
    monkeypatch.setattr(scaling.Standard, "gram", None)
    fold = make_protocol("loso", labels, who).folds[0]
    found = c.learn(x, labels, who, fold.train, fold.test, c.classifier_of("linear-svm", C))
    assert c.recall(labels[fold.test], found.predicted) > 0.6
    with pytest.raises(ConfigError, match="linear-svm takes no second copy"):
        c.check_size(c.classifier_of("rbf-svm"), 100_000, 88)


def test_a_training_part_with_one_class():
    x, labels, who = corpus(5)
    train = np.flatnonzero((labels == CLASSES[0]) & (who != "s0"))
    found = c.learn(x, labels, who, train, np.flatnonzero(who == "s0"), c.classifier_of("linear-svm"))
    assert set(found.predicted) == {CLASSES[0]}
    assert "all clips to learn from are calm" in found.notes[0]


@pytest.mark.parametrize(
    ("name", "grid", "message"), [("forest", C, "no such classifier; there are linear-svm"), ("mlp", (0.0,), "--c: ")]
)
def test_impossible_classifiers(name, grid, message):
    with pytest.raises(ConfigError, match=message):
        c.classifier_of(name, grid)
