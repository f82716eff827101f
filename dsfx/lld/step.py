"""Computations that are called once per block, always between the same arrays."""

from collections.abc import Callable
from functools import partial, update_wrapper
from typing import Any, Generic, ParamSpec

from numpy.typing import NDArray

__all__ = ["Step"]

P = ParamSpec("P")


class Step(Generic[P]):
    """A descriptor of a block, as a function; `bind` does once what need not be done for every block.

    Looking up tables and making arrays takes as long as the cheaper descriptors themselves.

    Parameters
    ----------
    prepare : function
        From the arguments to a kernel and its arguments, the last of which receives the result.
    """

    def __init__(self, prepare: Callable[P, tuple[Any, ...]]) -> None:
        self._prepare = prepare
        update_wrapper(self, prepare)

    def __call__(self, *args: P.args, **options: P.kwargs) -> NDArray[Any]:
        """Compute it; returns the result."""
        kernel, *arguments = self._prepare(*args, **options)
        kernel(*arguments)
        result: NDArray[Any] = arguments[-1]
        return result

    def bind(self, *args: P.args, **options: P.kwargs) -> Callable[[], object]:
        """What computes it from whatever is in the arrays then."""
        kernel, *arguments = self._prepare(*args, **options)
        return partial(kernel, *arguments)
