"""Training of deep spectrum extractors (needs the extra `train`: torch and onnx)."""

from pathlib import Path
from typing import Any

from ..errors import MissingExtra

__all__ = ["train"]


def train(labels: str | Path, output: str | Path, **options: Any) -> Path:
    """Train an extractor; see `dsfx.train.training.train`.

    Raises
    ------
    MissingExtra : torch or onnx is not installed.
    """
    try:
        import onnx  # noqa: F401
        import torch  # noqa: F401
    except ImportError as error:
        raise MissingExtra(f"training needs {error.name}: pip install 'dsfx[train]' brings it") from None
    from .training import train

    return train(labels, output, **options)
