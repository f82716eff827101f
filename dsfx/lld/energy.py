"""Energy and zero crossings (specification, part 01 sections 5 and 6)."""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from .framing import FrameBuffer, Framing
from .step import Step
from .wide import wide

__all__ = ["ZeroCrossings", "mean_square_energy", "rms_energy", "zero_crossing_rate"]

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]


@Step
def mean_square_energy(energy: F64, *, length: int, out: F32 | None = None) -> tuple[Any, ...]:
    """Mean square of frames of `length` samples from their sums of squares, shape (frames,)."""
    return _mean_square, energy, length, np.empty(len(energy), np.float32) if out is None else out


@Step
def rms_energy(energy: F64, *, length: int, out: F32 | None = None) -> tuple[Any, ...]:
    """Root mean square of frames of `length` samples from their sums of squares, shape (frames,).

    With the sums taken after the window (`FrameSpectra(windowed_energy=True)`) this is the energy that gates F0.
    """
    return _root_mean_square, energy, length, np.empty(len(energy), np.float32) if out is None else out


def zero_crossing_rate(samples: F32, *, framing: Framing) -> F32:
    """Zero crossings per sample of each frame, shape (frames,).

    Counted over the interior samples: a sample is a crossing if its sign is opposite to the one before, or if it is
    zero and its neighbours have not the same sign. So digital silence has nearly one crossing per sample.

    Parameters
    ----------
    samples : ndarray of float32, shape (samples,)
    framing : Framing

    References
    ----------
    Specification, part 01 section 6.
    """
    rate = np.empty(framing.count(len(samples)), np.float32)
    if len(rate):
        _crossings(samples, framing.length, framing.step, rate)
    return rate


class ZeroCrossings:
    """`zero_crossing_rate` of a stream: the same values however the signal is cut into pieces."""

    def __init__(self, framing: Framing) -> None:
        self._buffer = FrameBuffer(framing)

    def reset(self) -> None:
        """Forget everything: a new signal begins."""
        self._buffer.reset()

    def push(self, samples: F32) -> F32:
        """Rates of the frames completed by these samples, shape (new frames,)."""
        frames = self._buffer.push(samples)
        rate = zero_crossing_rate(self._buffer.samples, framing=self._buffer.framing)
        self._buffer.drop(frames)
        return rate


@njit(cache=True, nogil=True, error_model="numpy")
def _mean_square(energy: F64, length: int, out: F32) -> None:
    for i in range(len(out)):
        out[i] = energy[i] / length


@njit(cache=True, nogil=True, error_model="numpy")
def _root_mean_square(energy: F64, length: int, out: F32) -> None:
    for i in range(len(out)):
        out[i] = np.sqrt(energy[i] / length)


@njit(cache=True, nogil=True, error_model="numpy")
def _crossings(samples: F32, length: int, step: int, rate: F32) -> None:
    wide()
    # The criterion is local, so it is decided once per sample and not once per frame.
    crossing = np.zeros(len(samples), np.uint8)
    for i in range(np.uint64(1), np.uint64(len(samples) - 1)):
        before, here, after = samples[i - 1], samples[i], samples[i + 1]
        same = ((before > 0) & (after > 0)) | ((before < 0) & (after < 0))
        opposite = ((before > 0) & (here < 0)) | ((before < 0) & (here > 0))
        crossing[i] = opposite | ((here == 0) & (not same))
    for t in range(len(rate)):
        inside = crossing[t * step + 1 : t * step + length - 1]
        count = 0
        for i in range(len(inside)):
            count += inside[i]
        rate[t] = count / np.float64(length)
