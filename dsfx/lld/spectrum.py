"""Windowed spectra of blocks of 64 frames: the one place where frames are cut and transformed.

Short and long frames go through the same function object; what differs is the `Framing` and the window. All arrays of
a block are laid out ``(bins, 64)``: a descriptor's strict sum over bins runs on 64 frames at a time.
"""

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ..errors import ConfigError
from .fft import LANES, lane_array, plan, real_magnitude, real_spectrum, vectors
from .framing import Framing
from .wide import wide

__all__ = ["FrameSpectra", "SpectrumBlock", "frames_transformed"]

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

frames_transformed: Counter[int] = Counter()
"""Frames transformed so far in this process, by transform length. Every frame should be transformed once."""


@dataclass(slots=True)
class SpectrumBlock:
    """Up to 64 consecutive frames. It is used again for the next ones: copy what must last.

    Attributes
    ----------
    count : int
        Frames in use; what stands in the other lanes means nothing (it is finite).
    energy : ndarray of float64, shape (64,)
        Sum of squares (each rounded to single precision) of the frame's samples, before or after the window as chosen.
    re, im : ndarray of float32, shape (bins, 64)
        Spectrum with positive exponent; empty unless asked for.
    magnitude, power : ndarray of float32, shape (bins, 64)
        `power` is the rounded square of the rounded magnitude; empty unless asked for.
    """

    count: int
    energy: F64
    re: F32
    im: F32
    magnitude: F32
    power: F32


class FrameSpectra:
    """Cut, window and transform blocks of frames.

    Parameters
    ----------
    framing : Framing
    window : ndarray of float32, shape (framing.length,)
    windowed_energy : bool
        Whether the energy is taken after the window.
    transform : bool
        False for the energy alone.
    power, complex_spectrum : bool
        Whether `SpectrumBlock.power` and whether `re` and `im` are filled. Without them it is faster.

    Attributes
    ----------
    framing : Framing
    block : SpectrumBlock
        The latest.

    References
    ----------
    Specification, part 01 sections 3 to 5 and part 04 section 1.
    """

    def __init__(
        self,
        framing: Framing,
        window: F32,
        *,
        windowed_energy: bool = False,
        transform: bool = True,
        power: bool = True,
        complex_spectrum: bool = True,
    ) -> None:
        if window.shape != (framing.length,):
            raise ConfigError(f"window has shape {window.shape}, expected ({framing.length},) as the frame")
        self.framing = framing
        self._window = np.array(window, dtype=np.float32)  # writable: the kernels are compiled for one type of array
        self._windowed_energy = windowed_energy
        self._transform = transform
        self._power = power
        self._complex_spectrum = complex_spectrum
        self._plan = plan(framing.nfft)
        # Kept between blocks: fresh arrays of this size cost more in page faults than the transform.
        self._hops = np.zeros(
            (min(framing.step, framing.length), LANES + (framing.length - 1) // framing.step), np.float32
        )
        self._even = lane_array(framing.nfft // 2)
        self._odd = lane_array(framing.nfft // 2)
        self.block = SpectrumBlock(
            0,
            energy=np.zeros(LANES),
            re=lane_array(framing.bins if complex_spectrum else 0),
            im=lane_array(framing.bins if complex_spectrum else 0),
            magnitude=lane_array(framing.bins),
            power=lane_array(framing.bins if power else 0),
        )

    def __call__(self, samples: F32, first: int, count: int) -> SpectrumBlock:
        """Spectra of `count` frames of `samples` from frame `first` on.

        Parameters
        ----------
        samples : ndarray of float32, shape (samples,)
            C-contiguous; frame k begins at sample ``k * step``.
        first, count : int
            All of them complete; at most 64.
        """
        framing, block = self.framing, self.block
        if not (first >= 0 and 0 <= count <= LANES and first + count <= framing.count(len(samples))):
            raise ConfigError(
                f"frames {first} to {first + count - 1} wanted, expected at most {LANES} of the "
                f"{framing.count(len(samples))} complete ones"
            )
        width = vectors(count)
        _cut(
            samples[first * framing.step :],
            framing.step,
            self._window,
            framing.pad,
            self._windowed_energy,
            self._hops,
            self._even,
            self._odd,
            block.energy,
        )
        block.count = count
        if not self._transform:
            return block
        if self._complex_spectrum:
            real_spectrum(self._even, self._odd, self._plan, block.re, block.im, width=width)
            _magnitude(width, block.re, block.im, block.magnitude)
        else:
            real_magnitude(self._even, self._odd, self._plan, block.magnitude, width=width)
        if self._power:
            _square(width, block.magnitude, block.power)
        frames_transformed[framing.nfft] += count
        return block


@njit(cache=True, nogil=True, error_model="numpy")
def _cut(
    samples: F32, step: int, window: F32, pad: int, windowed_energy: bool, hops: F32, even: F32, odd: F32, energy: F64
) -> None:
    wide()
    # Sample i of the frame in lane l is sample i % step of hop l + i // step. With the hops as columns the 64 frames'
    # samples i lie next to each other, and each sample is moved once for all the frames it belongs to.
    rows, columns = hops.shape
    for c in range(columns):
        available = min(max(len(samples) - c * step, 0), rows)
        for r in range(available):
            hops[r, c] = samples[c * step + r]
        for r in range(available, rows):
            hops[r, c] = np.float32(0)
    length = len(window)
    half = len(even)
    # The transform works in place, so the zeros around the frame must be written again.
    for p in range(2 * half):
        if p < pad or p >= pad + length:
            (odd if p & 1 else even)[p >> 1] = 0
    energy[:] = 0
    for p in range(pad, pad + length):
        n = p - pad
        source = hops[n % step, n // step : n // step + LANES]
        target = (odd if p & 1 else even)[p >> 1]
        w = window[n]
        if windowed_energy:
            for i in range(LANES):
                y = source[i] * w
                target[i] = y
                energy[i] += np.float64(y * y)
        else:
            for i in range(LANES):
                x = source[i]
                target[i] = x * w
                energy[i] += np.float64(x * x)


@njit(cache=True, nogil=True, error_model="numpy")
def _magnitude(width: int, re: F32, im: F32, magnitude: F32) -> None:
    last = len(re) - 1
    for k in (0, last):  # purely real: the root of the square could under- or overflow
        for i in range(np.uint64(width)):
            magnitude[k, i] = abs(re[k, i])
    for k in range(1, last):
        for i in range(np.uint64(width)):
            magnitude[k, i] = np.sqrt(re[k, i] * re[k, i] + im[k, i] * im[k, i])


@njit(cache=True, nogil=True, error_model="numpy")
def _square(width: int, magnitude: F32, power: F32) -> None:
    for k in range(len(magnitude)):
        for i in range(np.uint64(width)):
            power[k, i] = magnitude[k, i] * magnitude[k, i]
