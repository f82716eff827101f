"""The reference, run live, next to ours: signals, clips, and what counts as equal.

No value of the reference is stored anywhere. What is kept is a table of the columns that may differ.
"""

import re
import warnings
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from dsfx.plan import Level, Plan, Rows
from dsfx.setfile import read_set

F32 = NDArray[np.float32]

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
RATES = (8000, 11000, 11025, 16000, 22050, 24000, 44100, 48000)
TABLES: tuple[tuple[str, Level], ...] = (
    ("eGeMAPSv02", "functionals"),
    ("eGeMAPSv02", "lld"),
    ("ComParE_2016", "functionals"),
    ("ComParE_2016", "lld"),
    ("ComParE_2016", "lld-delta"),
    ("GeMAPSv01b", "functionals"),
    ("GeMAPSv01b", "lld"),
    ("eGeMAPSv01b", "functionals"),
    ("eGeMAPSv01b", "lld"),
)


@dataclass(frozen=True)
class Tolerance:
    """A column that may differ: relative and absolute bound, and why."""

    pattern: str
    relative: float
    absolute: float
    cause: str


TOLERANCES: tuple[Tolerance, ...] = ()
"""Every other column must be identical to the last bit."""


def tolerance(column: str) -> tuple[float, float]:
    """Relative and absolute bound of a column."""
    for entry in TOLERANCES:
        if re.fullmatch(entry.pattern, column):
            return entry.relative, entry.absolute
    return 0.0, 0.0


# --------------------------------------------------------------------------------------------------------------- input


def on_grid(signal: NDArray[np.float64]) -> F32:
    """Rounded to 16 bits, as a recording would be."""
    return (np.clip(np.round(signal * 32768), -32768, 32767) / 32768).astype(np.float32)


def signals(rate: int, seed: int = 0) -> dict[str, F32]:
    """Synthetic signals of all kinds, made by formula."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(1.2 * rate)) / rate
    vibrato = np.cumsum(180 + 25 * np.sin(2 * np.pi * 5 * t)) / rate
    saw = 2 * (vibrato % 1) - 1
    noise = rng.standard_normal(len(t))
    clicks = np.zeros(len(t))
    clicks[:: rate // 9] = 0.8
    made = {
        "silence": 0 * t,
        "dc": 0.25 + 0 * t,
        "one step of dc": 1 / 32768 + 0 * t,
        "full scale": -1 + 0 * t,
        "tone": 0.4 * np.sin(2 * np.pi * 211.3 * t),
        "loud tone": 0.999 * np.sin(2 * np.pi * 440 * t),
        "half the rate": 0.5 * (-1.0) ** np.arange(len(t)),
        "sweep": 0.4 * np.sin(2 * np.pi * (50 * t + (rate / 2 - 100) * t**2 / 2.4)),
        "clicks": clicks,
        "noise": 0.1 * noise,
        "loud noise": noise,
        "quiet noise": 1e-4 * noise,
        "saw with vibrato": 0.3 * saw,
        "clipped": 3 * saw,
        "gaps": np.where(t * 4 % 1 > 0.6, 0, 0.3 * saw),
        "saw, then noise": np.where(t < 0.6, 0.3 * saw, 0.05 * noise),
        "steady saw": 0.3 * (2 * (t * 100 % 1) - 1),
        "falling": 0.3 * (2 * (np.cumsum(400 * 2 ** (-2 * t)) / rate % 1) - 1) + 0.01 * noise,
        "zeros, then saw": np.where(t < 0.5, 0, 0.3 * saw),
    }
    for ms in (20, 30, 59, 60, 61, 65, 70, 80, 90, 100, 120, 150, 200, 300):
        made[f"{ms} ms of saw"] = 0.3 * saw[: ms * rate // 1000]
    for ms in (20, 60, 70, 110):
        made[f"{ms} ms of noise"] = 0.2 * noise[: ms * rate // 1000]
        made[f"{ms} ms of silence"] = np.zeros(ms * rate // 1000)
    return {name: on_grid(signal) for name, signal in made.items()}


def clips(corpus: str, count: int) -> list[Path]:
    """Recordings of a corpus, spread evenly over it."""
    files = sorted(path for path in (DATA / corpus / "audio").rglob("*") if path.is_file())
    return files[:: max(1, len(files) // count)][:count] if files else []


def read(path: Path) -> tuple[F32, int]:
    signal, rate = soundfile.read(path, dtype="float32")
    return signal, rate


# ---------------------------------------------------------------------------------------------------------- comparison


@cache
def reference(name: str, level: Level) -> Any:
    import opensmile

    levels = {
        "functionals": opensmile.FeatureLevel.Functionals,
        "lld": opensmile.FeatureLevel.LowLevelDescriptors,
        "lld-delta": opensmile.FeatureLevel.LowLevelDescriptors_Deltas,
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it advises against its older sets
        return opensmile.Smile(getattr(opensmile.FeatureSet, name), levels[level])


@cache
def ours(name: str, level: Level) -> Plan:
    return Plan([read_set(name)], level, compat="int16")


@dataclass(frozen=True)
class Comparison:
    """One table of one signal, the reference's and ours."""

    names: list[str]
    expected: F32
    found: F32
    problems: list[str]
    """Names, shape or times that differ, in words."""

    @property
    def identical(self) -> NDArray[np.bool_]:
        return (self.expected == self.found) | (np.isnan(self.expected) & np.isnan(self.found))

    @property
    def relative(self) -> NDArray[np.float64]:
        """Relative error, infinite where one value is missing."""
        a, b = self.expected.astype(np.float64), self.found.astype(np.float64)
        with np.errstate(all="ignore"):
            error = np.where(self.identical, 0, np.abs(a - b) / np.maximum(np.abs(a), np.finfo(np.float32).tiny))
        return np.where(np.isnan(error), np.inf, error)

    def complaints(self) -> list[str]:
        """What is not as it must be; empty if all is well."""
        wrong = list(self.problems)
        if not wrong:
            for column in np.flatnonzero(~self.identical.all(axis=0)):
                relative, absolute = tolerance(self.names[column])
                a, b = self.expected[:, column].astype(np.float64), self.found[:, column].astype(np.float64)
                off = ~(np.abs(a - b) <= absolute + relative * np.abs(a)) & ~self.identical[:, column]
                if off.any():
                    row = int(np.argmax(off))
                    wrong.append(
                        f"{self.names[column]} row {row}: {b[row]:.9g}, the reference says {a[row]:.9g} "
                        f"({off.sum()} of {len(off)} rows)"
                    )
        return wrong


def compare(signal: F32, rate: int, name: str, level: Level) -> Comparison:
    """Run both on a signal."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says when a segment is too short
        table = reference(name, level).process_signal(signal, rate)
    rows: Rows = ours(name, level).compute(signal, rate)[0]
    names = ours(name, level).names[0]
    expected = table.to_numpy(np.float32)
    problems = []
    if list(table.columns) != names:
        problems.append("the names of the columns differ")
    if expected.shape != rows.values.shape:
        problems.append(f"{rows.values.shape} values, the reference has {expected.shape}")
    else:
        for which, times in (("start", rows.start), ("end", rows.end)):
            theirs = table.index.get_level_values(which).to_numpy("m8[ns]").astype(np.int64)
            if (theirs != times).any():
                row = int(np.argmax(theirs != times))
                problems.append(f"row {row} has its {which} at {times[row]} ns, the reference at {theirs[row]} ns")
    return Comparison(names, expected, rows.values, problems)
