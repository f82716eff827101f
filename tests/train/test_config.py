import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from dsfx.errors import ConfigError, InputError
from dsfx.train.augment import Augmentation
from dsfx.train.auxiliary import Auxiliary
from dsfx.train.config import Configuration, printed, read_config


def written(folder: Path, text: str) -> Path:
    path = folder / "c.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_what_is_printed_is_read_back(tmp_path: Path) -> None:
    assert read_config(written(tmp_path, printed())) == Configuration()
    base = Configuration()
    other = replace(
        base,
        recipe=replace(base.recipe, epochs=7, mixup=0.4, augmentation=Augmentation(warp=0.3)),
        layers=replace(base.layers, channels=(4, 6, 8), units=9),
        auxiliary=Auxiliary(functionals=False, components=12),
        front_end=replace(base.front_end, bands="linear", n_mels=0),
    )
    assert read_config(written(tmp_path, printed(other))) == other != base


def test_every_key_is_explained_and_a_default() -> None:
    text = printed()
    tables = tomllib.loads(text)
    assert list(tables) == ["frontend", "layers", "training", "augmentation", "auxiliary"]
    assert "augmentation" not in tables["training"]
    for table in tables.values():
        assert table
        for key in table:
            assert any(key in line.partition(":")[0] for line in text.splitlines() if line.startswith("#")), key


def test_an_empty_file_is_the_defaults(tmp_path: Path) -> None:
    assert read_config(written(tmp_path, "")) == Configuration()
    assert read_config(written(tmp_path, "[training]\nepochs = 3\n")).recipe.epochs == 3
    assert read_config(written(tmp_path, "[training]\nmixup = 1\n")).recipe.mixup == 1.0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[training]\nepoch = 3\n", r"line 2: unknown key 'epoch' in \[training\], expected one of epochs, batch"),
        ("[train]\n", r"line 1: unknown table 'train', expected \[frontend\], \[layers\]"),
        ("\nepochs = 3\n", r"line 2: unknown table 'epochs'"),
        ("[training]\naugmentation = 3\n", "unknown key 'augmentation'"),
        ("[training]\n\nepochs = 'x'\n", r"line 3: epochs is 'x', expected a value such as \d+"),
        ("[training]\nepochs = true\n", "line 2: epochs is True"),
        ("[auxiliary]\nfunctionals = 1\n", "line 2: functionals is 1, expected a value such as True"),
        ("[auxiliary]\ncomponents = -1\n", "components is -1, expected 0 to 2000"),
        ("[frontend]\nupper_hz = 9000\n", r"\[frontend\] in line 1: front end: upper_hz is 9000\.0, expected at most"),
        ("[frontend]\nsampling_rate = 8000\n", "upper_hz is 8000"),
        ("[layers]\nchannels = [1, 2]\n", "expected three channels"),
        ("[layers]\nkernels = [1, 2, 3]\n", r"\[layers\] in line 1"),
        ("[training]\nepochs = 0\n", "epochs"),
    ],
)
def test_wrong_configurations(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        read_config(written(tmp_path, text))
    assert "c.toml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_configuration(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        read_config(tmp_path / "none.toml")
    with pytest.raises(InputError, match="not a TOML file"):
        read_config(written(tmp_path, "[training\n"))
