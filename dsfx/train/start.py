"""Networks of an earlier training, to begin with or to stand beside: what was learned elsewhere helps."""

import tomllib
import zipfile
from collections.abc import Collection
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError, InputError
from ..frontend import FrontEnd
from .config import Configuration
from .fit import begin_with
from .network import Layers, Network

__all__ = ["Start", "check_unheard", "read_start"]


@dataclass(frozen=True)
class Start:
    """What a training begins with, or what stands beside it.

    Attributes
    ----------
    option : that named it.
    words : name and licence, for the card.
    weights : arrays by name, of each member.
    hashes : of the clips that it has learned from.
    sha256 : of the file of weights.
    """

    option: str
    words: str
    weights: list[dict[str, NDArray[Any]]]
    hashes: frozenset[str]
    sha256: str

    def of(self, member: int) -> dict[str, NDArray[Any]]:
        """What a member begins with; where there are more than here, they take turns."""
        return self.weights[member % len(self.weights)]

    def networks(self, front_end: FrontEnd, layers: Layers, n_classes: int) -> list[Network]:
        """The members; their heads have learned nothing."""
        networks = [Network(front_end.n_bands, n_classes, layers) for _ in self.weights]
        for network, weights in zip(networks, self.weights, strict=True):
            begin_with(network, weights)
        return [network.eval() for network in networks]


def read_start(option: str, path: Path, config: Configuration) -> Start:
    """Read the weights of a model folder, or of one of its folds (``MODELDIR/folds/fold-00.npz``), for an `option`.

    Raises
    ------
    InputError : there are none, or they cannot be read.
    ConfigError : the front end or the sizes of the network are not those of `config`.
    """
    folder = path if path.is_dir() else path.parent.parent
    file = path / "weights.npz" if path.is_dir() else path
    try:
        table = tomllib.loads((folder / "model.toml").read_text(encoding="utf-8"))
        content = file.read_bytes()
        with np.load(BytesIO(content), allow_pickle=False) as found:
            weights = by_member(dict(found))
        hashes = set((folder / "hashes.txt").read_text(encoding="ascii").split())
        if not path.is_dir():
            # Beside its own clips a fold has heard what its training had begun with.
            hashes = hashes - hashes_of(folder / "oof.parquet") | hashes_of(file.with_suffix(".parquet"))
    except OSError as error:
        raise InputError(
            f"{option} {path}: {error.filename}: {error.strerror}; expected a folder that dsfx train made, or "
            "FOLDER/folds/fold-00.npz in it"
        ) from None
    except (ValueError, zipfile.BadZipFile, EOFError, KeyError) as error:
        raise InputError(f"{option} {path}: cannot be read ({error})") from None
    for name, own in (("frontend", config.front_end.to_table()), ("layers", config.layers.to_table())):
        theirs = table.get(name, {})
        differing = [key for key in own if own[key] != theirs.get(key) and key != "members"]
        if differing:
            key = differing[0]
            raise ConfigError(
                f"{option} {path}: [{name}] {key} is {theirs.get(key)!r} there and {own[key]!r} here, expected the same"
            )
    words = f"{table.get('name', folder.name)}{'' if path.is_dir() else ' ' + file.stem}"
    licence = table.get("licence", "unspecified")
    return Start(option, f"{words} ({licence})", weights, frozenset(hashes), sha256(content).hexdigest())


def by_member(arrays: dict[str, NDArray[Any]]) -> list[dict[str, NDArray[Any]]]:
    """Arrays named ``MEMBER/NAME``, apart; ValueError where there are none."""
    found: dict[str, dict[str, NDArray[Any]]] = {}
    for key, value in arrays.items():
        member, _, name = key.partition("/")
        found.setdefault(member, {})[name] = value
    if not found or not all(member.isdecimal() for member in found):
        raise ValueError("not the weights of a training")
    return [found[member] for member in sorted(found, key=int)]


def hashes_of(table: Path) -> set[str]:
    """The hashes of a table's clips."""
    import pyarrow.parquet as pq

    return set(pq.read_table(table, columns=["hash"])["hash"].to_pylist())


def check_unheard(start: Start, hashes: Collection[str]) -> None:
    """Refuse folds that leave out clips which an earlier training has learned from.

    Raises
    ------
    ConfigError : there are such.
    """
    heard = start.hashes.intersection(hashes)
    if heard:
        raise ConfigError(
            f"{start.option}: {start.words} has learned from {len(heard)} of the {len(hashes)} clips that the folds "
            "leave out, so none could be judged on speakers never heard; expected one that was trained on other "
            "recordings"
        )
