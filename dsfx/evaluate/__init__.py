"""Which feature set is better, and is the difference real? (needs the extra `evaluate`: scikit-learn and skops)."""

import os
from typing import Any

from ..errors import MissingExtra

__all__ = ["evaluate", "need"]


def need(what: str) -> None:
    """Raise `MissingExtra` unless scikit-learn and skops are installed."""
    try:
        import sklearn  # noqa: F401
        import skops  # noqa: F401
    except ImportError as error:
        raise MissingExtra(f"{what} needs {error.name}: pip install 'dsfx[evaluate]' brings it") from None


def evaluate(
    features: str | os.PathLike[str],
    labels: str | os.PathLike[str],
    output: str | os.PathLike[str] | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Evaluate feature sets of a table; see `dsfx.evaluate.run.evaluate`.

    Raises
    ------
    MissingExtra
        scikit-learn or skops is not installed.
    """
    need("evaluation")
    from .run import evaluate

    return evaluate(features, labels, output, **options)
