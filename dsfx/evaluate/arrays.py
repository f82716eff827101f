"""Names of the arrays that the evaluation works with."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Doubles", "Indices", "Matrix", "Texts", "Values"]

Indices = NDArray[np.intp]
"""Row numbers."""
Matrix = NDArray[np.float32]
"""Features, shape (rows, columns)."""
Doubles = NDArray[np.float64]
Texts = NDArray[np.str_]
Values = NDArray[Any]
"""Labels or predictions: texts where they are classes, doubles where they are numbers."""
