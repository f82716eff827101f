"""Training of deep spectrum extractors (needs the extra `train`: torch, onnx and matplotlib)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import MissingExtra

__all__ = ["default_config", "need", "train"]


def need() -> None:
    """Raise `MissingExtra` unless torch, onnx and matplotlib are installed."""
    try:
        import matplotlib  # noqa: F401
        import onnx  # noqa: F401
        import torch  # noqa: F401
    except ImportError as error:
        raise MissingExtra(f"training needs {error.name}: pip install 'dsfx[train]' brings it") from None


def train(labels: str | Path | Sequence[str | Path], output: str | Path, **options: Any) -> Path:
    """Train an extractor; see `dsfx.train.training.train`.

    Raises
    ------
    MissingExtra : torch, onnx or matplotlib is not installed.
    """
    need()
    from .training import train

    return train(labels, output, **options)


def default_config() -> str:
    """The default configuration as a TOML file in which every key is explained.

    Raises
    ------
    MissingExtra : torch, onnx or matplotlib is not installed.
    """
    need()
    from .config import printed

    return printed()
