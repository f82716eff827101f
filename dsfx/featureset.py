"""One feature set, one signal at a time."""

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from .lld.framing import Compat
from .plan import Level, Plan
from .setfile import read_set

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FeatureSet"]


class FeatureSet:
    """A hand-crafted feature set, ready to describe signals.

    Parameters
    ----------
    name : str
        ``"eGeMAPSv02"``, ``"ComParE_2016"``, ``"GeMAPSv01b"``, ``"eGeMAPSv01b"``, or the path of a TOML file.
    level : {"functionals", "lld", "lld-delta"}
        One row per signal, one per frame, or one per frame with the deltas.
    frame, hop : float, optional
        Duration in seconds of the short frames and of the step, instead of the set's own.
    compat : {None, "int16"}
        ``"int16"`` reproduces the reference's conversion to 16-bit integers (truncation, wrap-around beyond full
        scale); by default nothing is cut off but what is beyond full scale. The same for 16-bit recordings.

    Attributes
    ----------
    name : str
        With ``~`` and the beginning of the hash where the set is not the standard one of this name.
    hash : str
        16 hex digits of what the set computes.
    names, units : list of str
        Names and units of the columns.

    Raises
    ------
    ConfigError
        No such set, no such level, or a set that asks for something impossible.

    Examples
    --------
    >>> import numpy as np
    >>> import dsfx
    >>> functionals = dsfx.FeatureSet("eGeMAPSv02")
    >>> functionals(np.zeros(16000), 16000).shape
    (1, 88)
    """

    def __init__(
        self,
        name: str,
        level: Level = "functionals",
        *,
        frame: float | None = None,
        hop: float | None = None,
        compat: Compat = None,
    ) -> None:
        self.spec = read_set(name, frame, hop)
        self.level = level
        self._plan = Plan([self.spec], level, compat)
        self.name = self.spec.name
        self.hash = self.spec.hash
        self.names = self._plan.names[0]
        self.units = self._plan.units[0]

    def __repr__(self) -> str:
        return f"FeatureSet({self.name!r}, level={self.level!r}): {len(self.names)} columns"

    def __call__(self, signal: ArrayLike, sampling_rate: float) -> "pd.DataFrame":
        """Describe a signal.

        Parameters
        ----------
        signal : array_like of float, shape (samples,)
            One channel in [-1, 1).
        sampling_rate : float
            In Hz.

        Returns
        -------
        pandas.DataFrame
            One row, or one per frame; columns `names`, float32; the index has the levels ``start`` and ``end``. A
            signal shorter than a long frame (60 ms in the standard sets) gives one row of NaN.

        Raises
        ------
        AudioError
            The signal is not one channel of finite floating-point numbers, or the sampling rate does not fit.
        """
        import pandas as pd

        rows = self._plan.compute(signal, sampling_rate)[0]
        # Levels and codes are found here: pandas would take longer than the descriptors of a short signal.
        times = np.concatenate([rows.start, rows.end])
        times.sort()
        first = np.ones(len(times), np.bool_)
        np.not_equal(times[1:], times[:-1], out=first[1:])
        times = times[first]
        level: Any = pd.TimedeltaIndex(times.view("m8[ns]"))
        pair: Any = [times.searchsorted(rows.start), times.searchsorted(rows.end)]
        index: pd.MultiIndex = pd.MultiIndex([level, level], pair, names=["start", "end"], verify_integrity=False)
        return pd.DataFrame(rows.values, index=index, columns=self._columns, copy=False)

    @cached_property
    def _columns(self) -> "pd.Index[str]":
        """The names as an index: made once, since that takes longer than the functionals of a short signal."""
        import pandas as pd

        return pd.Index(self.names)
