"""The widest vector registers for kernels that gain from them.

By default the compiler uses half of a 512-bit register: for code that only now and then has something for a whole one,
that is faster. A kernel whose every loop runs over the lanes of a block always has.
"""

from typing import Any

from numba import types
from numba.extending import intrinsic

__all__ = ["wide"]


@intrinsic
def wide(typing_context: Any) -> Any:
    """In the first line of a kernel: have its loops use whole vector registers. What it computes stays the same."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        # An attribute of LLVM's that llvmlite hands on, but does not know and would refuse.
        set.add(builder.function.attributes, '"prefer-vector-width"="512"')
        return context.get_dummy_value()

    return types.void(), generate
