"""From a signal to frames: sample values, frame positions, windows.

Specification, part 01 sections 2 to 4. Everything here depends on the sampling rate and the nominal durations alone;
a `Framing` is the one place that turns seconds into samples.
"""

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Literal

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from ..errors import AudioError, ConfigError
from .wide import wide

__all__ = ["Compat", "FrameBuffer", "Framing", "gauss_window", "hamming_window", "prepare_samples", "round_half_away"]

Compat = Literal["int16"] | None

NONE: NDArray[np.float32] = np.zeros(0, np.float32)
"""No samples."""

SMALLEST_NFFT = 64
"""Smallest transform: below it a 20 ms frame has too few bins for a filter bank of 26 bands."""

LARGEST_NFFT = 65536
"""Largest transform: 60 ms at 1 MHz. A header that claims more must not make us allocate gigabytes."""


def round_half_away(value: float) -> int:
    """Nearest integer of a non-negative value, halves away from zero (`round` would go to the even neighbour)."""
    return math.floor(value + 0.5)


def prepare_samples(signal: ArrayLike, *, compat: Compat = None) -> NDArray[np.float32]:
    """Sample values all descriptors are computed from: the 16-bit scale divided by 32767.

    Parameters
    ----------
    signal : array_like of float, shape (samples,)
        One channel, full scale [-1, 1).
    compat : {None, "int16"}
        None keeps the fraction of a 16-bit step and clips to the 16-bit range. ``"int16"`` truncates to 16-bit integers
        and lets values outside [-1, 1) wrap, as the reference implementation does: for comparison only, since it
        damages the peaks of a signal normalised to exactly 1. Both give the same for 16-bit material.

    Returns
    -------
    ndarray of float32, shape (samples,)

    Raises
    ------
    AudioError
        Not one channel, not floating point, or (unless ``compat="int16"``, where they become 0) not finite.
    ConfigError
        Unknown `compat`.

    References
    ----------
    Specification, part 01 section 2.
    """
    if compat not in (None, "int16"):
        raise ConfigError(f"compat is {compat!r}, expected None or 'int16'")
    values = np.asarray(signal)
    if values.ndim != 1:
        raise AudioError(
            f"signal has shape {values.shape}, expected one channel of shape (samples,): select or mix first"
        )
    if values.dtype.kind != "f":
        raise AudioError(
            f"signal has type {values.dtype}, expected floating point in [-1, 1): divide 16-bit integers by 32768"
        )
    single, finite = values, True
    if values.dtype != np.float32:
        finite = compat is not None or bool(np.isfinite(values).all())
        with np.errstate(over="ignore"):  # a float64 beyond the single-precision range becomes inf: clipped, or 0
            single = values.astype(np.float32)
    elif not (values.flags.c_contiguous and values.flags.writeable):
        single = values.copy()  # the kernel is compiled for one type of array
    scaled = np.empty(len(single), np.float32)
    if compat is None:
        within = _scale(single, scaled)
        if not (finite and (within or values.dtype != np.float32)):
            where = int(np.argmin(np.isfinite(values)))
            raise AudioError(f"sample {where} is {values[where]}, expected finite values in [-1, 1)")
        return scaled
    np.multiply(single, np.float32(32768), out=scaled)
    # Beyond the 32-bit range the conversion gives -2**31, whose lower 16 bits are 0.
    inside = np.abs(scaled) < np.float32(2**31)
    scaled = np.where(inside, scaled, np.float32(0)).astype(np.int32).astype(np.int16).astype(np.float32)
    scaled /= np.float32(32767)
    return scaled


@njit(cache=True, nogil=True, error_model="numpy")
def _scale(values: NDArray[np.float32], scaled: NDArray[np.float32]) -> bool:
    """Clip to the 16-bit range and divide by 32767; return whether all values are finite."""
    wide()
    bad = 0
    for i in range(len(values)):
        x = values[i]
        bad += x - x != 0
        scaled[i] = min(max(x * np.float32(32768), np.float32(-32768)), np.float32(32767)) / np.float32(32767)
    return bad == 0


@dataclass(frozen=True)
class Framing:
    """Frames of `frame` seconds every `hop` seconds at one sampling rate.

    Parameters
    ----------
    sampling_rate : float
        In Hz.
    frame, hop : float
        Nominal durations in seconds. Sample counts are rounded, halves away from zero.

    Attributes
    ----------
    length, step : int
        Frame length and hop in samples.
    nfft : int
        Smallest power of two that holds a frame.
    bins : int
        ``nfft // 2 + 1``, DC to Nyquist.
    pad : int
        Zeros in front of the frame in its `nfft` samples (the frame is centred).
    resolution : float
        Distance of two bins in Hz. It follows from the *nominal* duration: where the length is rounded it is slightly
        off from ``sampling_rate / nfft``, and band edges are meant on this axis.

    Raises
    ------
    AudioError
        The sampling rate is too low (or absurdly high) for frames of this duration.
    ConfigError
        A duration is not positive.

    References
    ----------
    Specification, part 01 sections 3 and 4.
    """

    sampling_rate: float
    frame: float
    hop: float

    def __post_init__(self) -> None:
        for name, value in (("frame", self.frame), ("hop", self.hop)):
            if not (math.isfinite(value) and value > 0):
                raise ConfigError(f"{name} is {value} s, expected a positive duration")
        if not (math.isfinite(self.sampling_rate) and self.sampling_rate > 0):
            raise AudioError(f"sampling rate is {self.sampling_rate} Hz, expected a positive number")
        if self.step < 1 or self.nfft < SMALLEST_NFFT:
            lowest = (SMALLEST_NFFT // 2 + 0.5) / self.frame
            raise AudioError(
                f"sampling rate {self.sampling_rate:g} Hz is too low for frames of {self.frame:g} s every "
                f"{self.hop:g} s, expected more than {max(lowest, 0.5 / self.hop):g} Hz: resample"
            )
        if self.nfft > LARGEST_NFFT or self.step > LARGEST_NFFT:
            raise AudioError(
                f"sampling rate {self.sampling_rate:g} Hz is too high for frames of {self.frame:g} s every "
                f"{self.hop:g} s, expected at most {LARGEST_NFFT} samples each: resample"
            )

    @cached_property
    def length(self) -> int:
        return round_half_away(self.frame / (1 / self.sampling_rate))

    @cached_property
    def step(self) -> int:
        return round_half_away(self.hop / (1 / self.sampling_rate))

    @cached_property
    def nfft(self) -> int:
        return max(4, 1 << max(self.length - 1, 0).bit_length())

    @property
    def bins(self) -> int:
        return self.nfft // 2 + 1

    @property
    def pad(self) -> int:
        return (self.nfft - self.length) // 2

    @property
    def resolution(self) -> float:
        return 1 / (self.frame * (self.nfft / self.length))  # in this order: the last bit decides what is on an edge

    @cached_property
    def frequencies(self) -> NDArray[np.float64]:
        """Nominal frequency of each bin in Hz, shape (bins,), read-only."""
        axis: NDArray[np.float64] = np.arange(self.bins) * np.float64(self.resolution)
        axis.setflags(write=False)
        return axis

    def count(self, samples: int) -> int:
        """Complete frames in `samples` samples; the first begins at sample 0, the incomplete last one is dropped."""
        return 0 if samples < self.length else 1 + (samples - self.length) // self.step


class FrameBuffer:
    """Samples of a stream that are still needed: what has been pushed, from the next frame's first sample on.

    Attributes
    ----------
    samples : ndarray of float32, shape (samples,)
        Begins with the first frame that has not been dropped.
    """

    def __init__(self, framing: Framing) -> None:
        self.framing = framing
        self.reset()

    def reset(self) -> None:
        """Forget everything: a new signal begins."""
        self.samples = NONE
        self._skip = 0

    def push(self, samples: NDArray[np.float32]) -> int:
        """Append samples; returns how many complete frames there are now."""
        if samples.ndim != 1 or samples.dtype != np.float32:
            raise AudioError(
                f"samples have shape {samples.shape} and type {samples.dtype}, expected (samples,) and float32: "
                "use prepare_samples"
            )
        if self._skip:  # the hop is longer than the frame: samples between frames are not kept
            skipped = min(self._skip, len(samples))
            samples, self._skip = samples[skipped:], self._skip - skipped
        self.samples = np.concatenate([self.samples, samples]) if len(self.samples) else np.ascontiguousarray(samples)
        return self.framing.count(len(self.samples))

    def drop(self, frames: int) -> None:
        """Forget the first `frames` frames."""
        used = frames * self.framing.step
        self._skip += max(used - len(self.samples), 0)
        self.samples = self.samples[
            used:
        ].copy()  # so that a piece of the caller's signal does not keep all of it alive


@lru_cache(maxsize=32)
def hamming_window(length: int) -> NDArray[np.float32]:
    """Symmetric Hamming window, shape (length,), read-only (specification, part 01 section 4)."""
    # math.cos and not np.cos: the C library's value on every machine, and windows are built once.
    return _table([0.54 - 0.46 * math.cos(2 * math.pi * i / (length - 1)) for i in range(length)])


@lru_cache(maxsize=32)
def gauss_window(length: int, *, sigma: float = 0.4) -> NDArray[np.float32]:
    """Symmetric Gauss window, shape (length,), read-only; `sigma` is relative to half the length.

    References
    ----------
    Specification, part 01 section 4.
    """
    centre = (length - 1) / 2
    return _table([math.exp(-0.5 * ((i - centre) / (sigma * centre)) ** 2) for i in range(length)])


def _table(values: list[float]) -> NDArray[np.float32]:
    window = np.array(values, dtype=np.float32)
    window.setflags(write=False)
    return window
