"""Groups never cross a split, outside and inside."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsfx.errors import ConfigError, InputError
from dsfx.evaluate.protocols import inner_folds, make_protocol


@st.composite
def corpora(draw):
    speakers = draw(st.integers(2, 9))
    random = np.random.default_rng(draw(st.integers(0, 10**6)))
    n = draw(st.integers(2 * speakers, 60))
    who = np.array([f"s{i % speakers}" for i in range(n)])
    labels = np.array([f"c{i}" for i in random.integers(0, draw(st.integers(2, 5)), n)])
    return labels, who


@settings(max_examples=60, deadline=None)
@given(corpora(), st.sampled_from(["loso", "kfold:2", "kfold:3"]), st.integers(0, 5))
def test_no_speaker_is_on_both_sides(corpus, name, seed):
    labels, who = corpus
    if name == "kfold:3" and len(set(who)) < 3:
        return
    folds = int(name[-1]) if name != "loso" else 0
    if max(list(labels).count(label) for label in labels) < folds:
        with pytest.raises(InputError, match="every class has fewer"):
            make_protocol(name, labels, who, seed=seed)
        return
    protocol = make_protocol(name, labels, who, seed=seed)
    tested = np.concatenate([fold.test for fold in protocol.folds])
    assert sorted(tested) == list(range(len(labels)))
    for fold in protocol.folds:
        assert not set(who[fold.train]) & set(who[fold.test])
        assert len(fold.train) + len(fold.test) == len(labels)
        inner = who[fold.train]
        for a, b in inner_folds(labels[fold.train], inner):
            assert not set(inner[a]) & set(inner[b])
            assert len(np.intersect1d(a, b)) == 0


def test_numbers_are_stratified_by_their_fifths():
    random = np.random.default_rng(0)
    y, who = random.normal(size=200), np.array([f"s{i}" for i in random.integers(0, 40, 200)])
    protocol = make_protocol("kfold:4", y, who, seed=1)
    assert "similar shares of each fifth of the labels" in protocol.words
    for fold in protocol.folds:
        assert not set(who[fold.train]) & set(who[fold.test])
        assert abs(np.mean(y[fold.test]) - y.mean()) < 0.25
    # Few clips make fewer parts, and a fold for each.
    assert len(make_protocol("random:10", y[:12], None).folds) == 10
    for a, b in inner_folds(y, who):
        assert not set(who[a]) & set(who[b])


def test_repeats_are_drawn_anew():
    who = np.repeat([f"s{i}" for i in range(8)], 6)
    labels = np.tile(["a", "b", "c"], 16)
    protocol = make_protocol("kfold:4", labels, who, repeats=3, seed=1)
    assert (len(protocol.folds), protocol.repeats) == (12, 3)
    assert len({tuple(fold.test) for fold in protocol.folds}) > 4
    again = make_protocol("kfold:4", labels, who, repeats=3, seed=1)
    assert all((a.test == b.test).all() for a, b in zip(protocol.folds, again.folds, strict=True))


def test_folds_of_a_column():
    labels, who = np.array(["a", "b"] * 3), np.array(["x", "x", "y", "y", "z", "z"])
    column = np.array(["1", "1", "2", "2", "3", "3"])
    protocol = make_protocol("column:fold", labels, who, column=column)
    assert [fold.test.tolist() for fold in protocol.folds] == [[0, 1], [2, 3], [4, 5]]
    column = np.array(["train", "train", "dev", "dev", "test", "test"])
    (fold,) = make_protocol("column:split", labels, who, column=column).folds
    assert (fold.train.tolist(), fold.test.tolist()) == ([0, 1, 2, 3], [4, 5])
    crossing = np.array(["train", "test", "train", "train", "test", "test"])
    with pytest.raises(InputError, match="speaker x is in the training and the test part of fold test"):
        make_protocol("column:split", labels, who, column=crossing)


def test_random_folds_are_labelled_loudly():
    labels, who = np.array(["a", "b"] * 10), np.repeat(["x", "y"], 10)
    protocol = make_protocol("random:5", labels, who)
    assert not protocol.independent
    assert "RANDOM FOLDS" in protocol.warnings[0]


@pytest.mark.parametrize(
    ("name", "speakers", "kind", "message"),
    [
        ("loso", None, InputError, "--group names it"),
        ("loso", np.array(["x"] * 6), InputError, "all clips are of one speaker (x)"),
        ("kfold:9", np.array(list("aabbcc")), ConfigError, "K from 2 to the number of speakers, 3"),
        ("kfold", np.array(list("aabbcc")), ConfigError, "expected kfold:K"),
        ("hold-out", None, ConfigError, "expected loso, kfold:K"),
        ("column:fold", None, ConfigError, "the labels have no column 'fold'"),
    ],
)
def test_impossible_protocols_are_one_clear_line(name, speakers, kind, message):
    with pytest.raises(kind) as caught:
        make_protocol(name, np.array(list("ababab")), speakers)
    assert message in str(caught.value)
