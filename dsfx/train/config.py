"""The configuration of a training: tables of a TOML file, each a dataclass whose docstring says what its keys are."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
from pathlib import Path
from textwrap import wrap
from typing import Any

from ..errors import ConfigError, InputError
from ..frontend import FrontEnd
from ..tomllines import key_lines
from .auxiliary import Auxiliary
from .card import toml
from .fit import Recipe
from .network import Layers

__all__ = ["Configuration", "printed", "read_config"]


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """Everything about a training but its data and seed."""

    front_end: FrontEnd = field(default_factory=lambda: FrontEnd(sampling_rate=16000))
    layers: Layers = field(default_factory=Layers)
    recipe: Recipe = field(default_factory=Recipe)
    auxiliary: Auxiliary = field(default_factory=Auxiliary)

    def tables(self) -> dict[str, Any]:
        """The dataclass behind every table of the file."""
        return {
            "frontend": self.front_end,
            "layers": self.layers,
            "training": self.recipe,
            "augmentation": self.recipe.augmentation,
            "auxiliary": self.auxiliary,
        }


def read_config(path: Path) -> Configuration:
    """Read a TOML file with any of the tables and keys that `printed` shows; what is absent has its default.

    Raises
    ------
    InputError : no such file, not TOML.
    ConfigError : an unknown table or key, or an impossible value; the message has the line.
    """
    try:
        text = path.read_text(encoding="utf-8")
        found = tomllib.loads(text)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}; expected a configuration (TOML)") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{path}: not a TOML file ({error})") from None
    lines = key_lines(text)
    defaults = Configuration().tables()
    made = dict(defaults)
    for name, table in found.items():
        where = f"{path}, line {lines.get((name,), 1)}"
        if name not in defaults or not isinstance(table, Mapping):
            raise ConfigError(f"{where}: unknown table {name!r}, expected [{'], ['.join(defaults)}]")
        known = _keys(defaults[name])
        for key, value in table.items():
            where = f"{path}, line {lines.get((name, key), 1)}"
            if key not in known:
                raise ConfigError(f"{where}: unknown key {key!r} in [{name}], expected one of {', '.join(known)}")
            if not _fits(value, known[key]):
                raise ConfigError(f"{where}: {key} is {value!r}, expected a value such as {known[key]!r}")
        try:
            made[name] = replace(defaults[name], **{k: _typed(v, known[k]) for k, v in table.items()})
        except (ConfigError, TypeError, ValueError) as error:
            raise ConfigError(f"{path}, [{name}] in line {lines.get((name,), 1)}: {error}") from None
    return Configuration(
        front_end=made["frontend"],
        layers=made["layers"],
        recipe=replace(made["training"], augmentation=made["augmentation"]),
        auxiliary=made["auxiliary"],
    )


def printed(configuration: Configuration | None = None) -> str:
    """A configuration as a TOML file in which every key is explained."""
    parts = []
    for name, instance in (configuration or Configuration()).tables().items():
        words = _documentation(type(instance))
        lines = [f"# {line}" for line in wrap((type(instance).__doc__ or "").strip().splitlines()[0], 110)]
        lines.append(f"[{name}]")
        said = ""
        for key, value in _keys(instance).items():
            if words[key] != said:
                said = words[key]
                lines += [f"# {line}" for line in wrap(said, 110)]
            lines.append(toml({key: value}).strip())
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def _keys(instance: Any) -> dict[str, Any]:
    """The keys of a table and their values: every field but those that are tables of their own."""
    values = {item.name: getattr(instance, item.name) for item in fields(instance)}
    return {key: value for key, value in values.items() if not hasattr(value, "__dataclass_fields__")}


def _fits(value: Any, default: Any) -> bool:
    if isinstance(default, bool) or isinstance(value, bool):
        return isinstance(value, bool) and isinstance(default, bool)
    if isinstance(default, float):
        return isinstance(value, int | float)
    if isinstance(default, tuple):
        return isinstance(value, list)
    return isinstance(value, type(default))


def _typed(value: Any, default: Any) -> Any:
    if isinstance(default, float):
        return float(value)
    if isinstance(value, list):
        return tuple(_typed(item, None) for item in value)
    return value


def _documentation(kind: type) -> dict[str, str]:
    """What a dataclass's docstring says about each field: ``name, name : words`` in its section Parameters."""
    section = re.search(r"Parameters\n\s*-+\n(.*?)(?:\n\s*\n|\Z)", kind.__doc__ or "", flags=re.DOTALL)
    entries = re.split(r"\n(?=\s*[\w, ]+ : )", "\n" + section[1]) if section else []
    words: dict[str, str] = {}
    for entry in entries:
        names, colon, text = entry.partition(" : ")
        if colon:
            keys = [name.strip() for name in names.split(",")]
            line = f"{', '.join(keys)}: {' '.join(text.replace('`', '').split())}"
            words.update(dict.fromkeys(keys, line))
    missing = [item.name for item in fields(kind) if item.name not in words and item.default is not MISSING]
    if missing:
        raise TypeError(f"{kind.__name__}: its docstring does not say what {missing[0]} is")
    return words
