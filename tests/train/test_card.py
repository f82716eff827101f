import tomllib

import pytest

from dsfx.train.card import network, toml
from dsfx.train.network import Layers


@pytest.mark.parametrize(
    "table",
    [
        {},
        {"a": 1, "b": 2.5, "c": True, "d": "x", "e": [1, 2], "f": ["x", "ü"], "g": 1e-8, "h": []},
        {"t": {"a": 1, "u": {"b": [0.5]}}, "last": {"c": "z"}},
        {"rows": [{"a": 1}, {"a": 2, "b": {"c": 3}}]},
        {"quote": 'a "b" \\ c', "lines": "one\ntwo\ttab", "with space": 1, "ключ": "значение", "x.y": 0},
    ],
)
def test_there_and_back(table: dict) -> None:
    assert tomllib.loads(toml(table)) == table


def test_none_is_left_out() -> None:
    assert tomllib.loads(toml({"a": None, "b": {"c": None}})) == {"b": {}}


@pytest.mark.parametrize(
    ("branches", "words", "absent"),
    [
        ("both", ["Convolutional branch: 2-D", "Recurrent branch: frames", "Both concatenated"], []),
        ("convolutional", ["Convolutional branch: 2-D", "These are the features"], ["LSTM"]),
        ("recurrent", ["Recurrent branch: frames", "These are the features"], ["2-D"]),
    ],
)
def test_a_card_describes_the_branches_that_there_are(branches: str, words: list[str], absent: list[str]) -> None:
    table = {"layers": Layers(branches=branches).to_table(), "parameters": 7, "labels": ["a", "b"]}
    text = " ".join(network(table).split())
    assert all(part in text for part in words)
    assert not any(part in text for part in absent)
