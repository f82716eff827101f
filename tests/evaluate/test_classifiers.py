"""The fast way against the obvious one: GridSearchCV over a Pipeline."""

import warnings

import numpy as np
import pytest
from corpus import CLASSES, clips, informative, linear, numbers
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.svm import LinearSVC, LinearSVR

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


def concordant(model, x, y):
    predicted = model.predict(x)
    covariance = np.mean((y - y.mean()) * (predicted - predicted.mean()))
    return 2 * covariance / (y.var() + predicted.var() + (y.mean() - predicted.mean()) ** 2)


@pytest.mark.parametrize("columns", [6, 200])
@pytest.mark.parametrize("name", ["svr", "ridge"])
def test_numbers_are_predicted_as_the_obvious_way_predicts_them(name, columns):
    rows = numbers()
    x = linear(rows, columns).astype(np.float32)
    x[::9, 1] = np.nan
    y = np.array([float(row["valence"]) for row in rows])
    who = np.array([str(row["speaker"]) for row in rows])
    classifier = c.classifier_of(name, C)
    for fold in make_protocol("loso", y, who).folds[:2]:
        found = c.learn(x, y, who, fold.train, fold.test, classifier)
        part = y[fold.train]
        model = c.pipeline(name, {"C": 1.0})
        key, values = ("C", C) if name == "svr" else ("alpha", [1 / value for value in C])
        grid = {f"regressor__classify__{key}": values}
        search = GridSearchCV(model, grid, scoring=concordant, cv=inner_folds(part, who[fold.train]))
        search.fit(x[fold.train].astype(float), part)
        np.testing.assert_allclose(found.inner, search.cv_results_["mean_test_score"], atol=2e-3)
        best = search.best_params_[f"regressor__classify__{key}"]
        assert found.parameters["C"] == (best if name == "svr" else pytest.approx(1 / best))
        # libsvm stops at 0.001 standard deviations.
        expected = search.predict(x[fold.test].astype(float))
        np.testing.assert_allclose(found.predicted, expected, atol=5e-3 if name == "svr" else 1e-6)


@pytest.mark.parametrize("columns", [6, 200])
def test_the_primal_regressions_are_those_of_scikit_learn(columns, monkeypatch):
    rows = numbers()
    x = linear(rows, columns).astype(np.float32)
    y = np.array([float(row["valence"]) for row in rows])
    fold = make_protocol("loso", y, np.array([str(row["speaker"]) for row in rows])).folds[0]
    standard = scaling.Standard.fit(x, fold.train)
    ready, target = standard.apply(x, fold.train), y[fold.train] - y[fold.train].mean()
    svr = LinearSVR(C=0.1, loss="squared_epsilon_insensitive", epsilon=0.1, intercept_scaling=100, dual=True)
    theirs = [
        (0.0, 0.05, Ridge(alpha=10)),
        (0.1, 0.1, svr.set_params(max_iter=10**6, tol=1e-7)),
    ]
    for margin, weight, model in theirs:
        found = primal.fit(
            x, fold.train, standard, target[:, None].astype(np.float32), weight, margin=margin, tolerance=1e-10
        )
        expected = model.fit(ready, target).predict(standard.apply(x, fold.test))
        np.testing.assert_allclose(primal.scores(x, fold.test, standard, found)[:, 0], expected, atol=0.02)
    # Many clips take the primal form.
    found = c.learn(x, y, None, fold.train, fold.test, c.classifier_of("ridge", (0.01, 0.1)))
    monkeypatch.setattr(c, "DUAL_ROWS", 10)
    monkeypatch.setattr(scaling.Standard, "gram", None)
    many = c.learn(x, y, None, fold.train, fold.test, c.classifier_of("ridge", (0.01, 0.1)))
    assert many.parameters == found.parameters
    np.testing.assert_allclose(many.predicted, found.predicted, atol=0.03)


@pytest.mark.parametrize("name", ["linear-svm", "svr", "ridge"])
def test_the_pipeline_of_many_clips_is_that_of_the_evaluation(name, monkeypatch):
    if name == "linear-svm":
        x, labels, _ = corpus(12)
    else:
        rows = numbers()
        x, labels = linear(rows).astype(np.float32), np.array([float(row["valence"]) for row in rows])
        x[::9, 1] = np.nan
    monkeypatch.setattr(c, "DUAL_ROWS", 10)
    train, test = np.arange(60), np.arange(60, len(x))
    classifier = c.classifier_of(name, (0.1,))
    expected = c.learn(x, labels, None, train, test, classifier).predicted
    got = c.fitted_pipeline(x, labels[train], train, name, {"C": 0.1}).predict(x[test].astype(float))
    if name == "linear-svm":
        np.testing.assert_array_equal(got, expected)
        two = np.flatnonzero(labels != CLASSES[0])
        got = c.fitted_pipeline(x, labels[two[:40]], two[:40], name, {"C": 0.1}).predict(x[two[40:]].astype(float))
        np.testing.assert_array_equal(got, c.learn(x, labels, None, two[:40], two[40:], classifier).predicted)
    else:
        np.testing.assert_allclose(got, expected, atol=1e-4)


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
