"""dsfx: deep spectrum features and hand-crafted feature sets for speech, in one table.

The three names most users need are `extract` (a folder of recordings to a table), `read` (that table back as a
DataFrame) and `FeatureSet` (one signal at a time). They are loaded when first used: ``import dsfx`` stays light.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["FeatureSet", "__version__", "extract", "read"]

if TYPE_CHECKING:
    from .featureset import FeatureSet
    from .pipeline import extract
    from .store import read

_HOMES = {"FeatureSet": "featureset", "extract": "pipeline", "read": "store"}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f".{_HOMES[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
