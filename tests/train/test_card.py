import tomllib

import pytest

from dsfx.train.card import toml


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
