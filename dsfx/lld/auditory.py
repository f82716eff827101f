"""Mel bands and what is made of them: auditory spectrum, RASTA-filtered auditory spectrum, cepstrum.

Specification, part 01 sections 7 to 9 and part 04 sections 2 to 4. Arrays of a block are ``(bands, 64)``: one column
per frame. Sums are in single precision in the order of the bands, logarithms and exponentials those of the C library.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ..errors import AudioError, ConfigError
from .elementary import exp2, log2
from .fft import LANES
from .framing import Framing, round_half_away
from .step import Step
from .wide import wide

__all__ = ["MelBank", "Rasta", "auditory_spectrum", "band_mean", "mel_bands", "mel_bank", "mfcc"]

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

FLOOR = 9.3e-10
COMPRESSION = 0.33


@dataclass(frozen=True)
class MelBank:
    """Triangular bands, equidistant on the mel scale.

    Attributes
    ----------
    first : int
        First bin in use.
    upper : ndarray of int64, shape (bins in use,)
        Each bin lies between the centres of band `upper` - 1 and band `upper`, counted from 1; 0 and bands + 1 are the
        edges of the bank.
    weight : ndarray of float32, shape (bins in use,)
        Share of the bin that goes to the lower of the two.
    centres : ndarray of float64, shape (bands,)
        In Hz.
    equal_loudness : ndarray of float32, shape (bands,)
        Sensitivity of the ear at the centres, about 3.1 at its maximum.
    """

    first: int
    upper: I64
    weight: F32
    centres: F64
    equal_loudness: F32

    @property
    def bands(self) -> int:
        return len(self.centres)


def _mel(hertz: float) -> np.float32:
    return np.float32(1127 * math.log(1 + hertz / 700))


def _equal_loudness(hertz: float) -> np.float32:
    w = 2 * math.pi * hertz
    w2 = w * w
    numerator = 1e32 * (w2 + 56.8e6) * w2 * w2
    return np.float32(numerator / ((w2 + 6.3e6) ** 2 * (w2 + 0.38e9) * (w**7 + 1.7e31)))


@lru_cache(maxsize=32)
def mel_bank(framing: Framing, *, bands: int = 26, low: float = 20.0, high: float = 8000.0) -> MelBank:
    """Filter bank for the power spectrum of `framing`.

    Parameters
    ----------
    framing : Framing
    bands : int
        Number of triangles.
    low, high : float
        Range in Hz; `high` is lowered to half the sampling rate where it exceeds it.

    Raises
    ------
    ConfigError
        No bands, or an impossible range.
    AudioError
        Too few bins for the bank at this sampling rate.

    References
    ----------
    Specification, part 01 sections 7 and 8.1, part 04 section 2.
    """
    if bands < 1:
        raise ConfigError(f"bands is {bands}, expected at least 1")
    if not 0 <= low < high:
        raise ConfigError(f"mel range is {low} to {high} Hz, expected 0 <= low < high")
    resolution = framing.resolution
    high = min(high, framing.nfft * resolution / 2)
    first, last = round_half_away(low / resolution) + 1, round_half_away(high / resolution) - 1
    if low >= high or last < first or framing.bins < bands:
        raise AudioError(
            f"{bands} bands from {low:g} to {high:g} Hz do not fit the {framing.bins} bins of a spectrum at "
            f"{framing.sampling_rate:g} Hz: resample, or use fewer bands"
        )
    bottom, top = _mel(low), _mel(high)
    distance = np.float32((top - bottom) / np.float32(bands + 1))
    corners = np.array([bottom + np.float32(m) * distance for m in range(bands + 2)], dtype=np.float32)
    mel = np.array([_mel(k * resolution) for k in range(first, last + 1)], dtype=np.float32)
    upper = np.clip(np.searchsorted(corners, mel, side="left"), 1, bands + 1)
    weight = (corners[upper] - mel) / (corners[upper] - corners[upper - 1])
    centres = np.array([700 * (math.exp(float(c) / 1127) - 1) for c in corners[1:-1]])
    loudness = np.array([_equal_loudness(f) for f in centres], dtype=np.float32)
    return MelBank(first, upper.astype(np.int64), weight, centres, loudness)


@Step
def mel_bands(power: F32, *, bank: MelBank, out: F32 | None = None) -> tuple[Any, ...]:
    """Band powers of a block, shape (bands + 2, 64), from its power spectrum, shape (bins, 64).

    The first and the last row are no bands: what falls into the outer halves of the first and the last band.
    """
    bands = np.empty((bank.bands + 2, LANES), np.float32) if out is None else out
    return _mel_bands, power[bank.first : bank.first + len(bank.upper)], bank.upper, bank.weight, bands


@Step
def auditory_spectrum(
    mel: F32, *, bank: MelBank, floor: float = FLOOR, compression: float = COMPRESSION, out: F32 | None = None
) -> tuple[Any, ...]:
    """Loudness of each band, shape (bands, 64): equal-loudness weighting and compression by a power law."""
    spectrum = np.empty_like(mel) if out is None else out
    return _compress, mel, bank.equal_loudness, np.float32(floor), float(np.float32(compression)), spectrum


@Step
def band_mean(bands: F32, *, out: F32 | None = None) -> tuple[Any, ...]:
    """Mean over the bands, shape (64,)."""
    mean = np.empty(LANES, np.float32) if out is None else out
    return _band_mean, bands, mean


class Rasta:
    """Auditory spectrum after a temporal band-pass filter of the logarithmic band powers; carries the filter's memory.

    Parameters
    ----------
    bank : MelBank
    hop : float
        Nominal frame period in seconds.
    low, high : float
        Cut-off frequencies of the band-pass in Hz.
    floor, compression : float
        As for `auditory_spectrum`.

    References
    ----------
    Specification, part 01 section 8.3, part 04 section 3.
    """

    def __init__(
        self,
        bank: MelBank,
        *,
        hop: float,
        low: float = 1.0,
        high: float = 29.0,
        floor: float = FLOOR,
        compression: float = COMPRESSION,
    ) -> None:
        omega = np.float32(math.cos(2 * math.pi * high * hop))
        gain = np.float32(math.sqrt(10 * (32 * float(omega) ** 2 + 8)))
        rise = np.float32(np.float32(4) * omega) / gain
        self._numerator = np.array([np.float32(2) / gain, -rise, 0, rise, np.float32(-2) / gain], dtype=np.float32)
        self._pole = np.float32(1 - math.sin(2 * math.pi * low * hop))
        self._equal_loudness = bank.equal_loudness
        self._floor = np.float32(floor)
        self._compression = np.float32(compression)
        self._memory = np.zeros((bank.bands, 4), np.float32)  # logarithms of the last four frames, oldest first
        self._output = np.zeros(bank.bands, np.float32)
        self._frame = 0

    def reset(self) -> None:
        """Forget everything: a new signal begins."""
        self._memory[:] = 0
        self._output[:] = 0
        self._frame = 0

    def __call__(self, mel: F32, count: int, *, out: F32 | None = None) -> F32:
        """Filter the next `count` frames of band powers, shape (bands, 64); returns the same shape."""
        spectrum = np.empty_like(mel) if out is None else out
        _rasta(
            mel,
            count,
            self._frame,
            self._numerator,
            self._pole,
            self._equal_loudness,
            self._floor,
            self._compression,
            self._memory,
            self._output,
            spectrum,
        )
        self._frame += count
        return spectrum


@Step
def mfcc(
    mel: F32, *, first: int = 1, last: int = 14, lifter: float = 22.0, floor: float = 1.0, out: F32 | None = None
) -> tuple[Any, ...]:
    """Mel-frequency cepstral coefficients `first` to `last`, shape (last - first + 1, 64).

    Parameters
    ----------
    mel : ndarray of float32, shape (bands, 64)
    first, last : int
    lifter : float
        Coefficient i is weighted by ``1 + lifter / 2 * sin(pi i / lifter)``; 0 for none.
    floor : float
        Smallest band power that counts, on the scale of 16-bit samples.

    References
    ----------
    Specification, part 01 section 9, part 04 section 4.
    """
    cosines, scale = cepstrum_tables(len(mel), first, last, lifter)
    logs = np.empty_like(mel)
    coefficients = np.empty((last - first + 1, LANES), np.float32) if out is None else out
    return _mfcc, mel, np.float32(floor), cosines, scale, logs, coefficients


@lru_cache(maxsize=32)
def cepstrum_tables(bands: int, first: int, last: int, lifter: float) -> tuple[F32, F32]:
    if not 0 <= first <= last < bands:
        raise ConfigError(f"cepstral coefficients {first} to {last} wanted, expected a range within 0 to {bands - 1}")
    indices = range(first, last + 1)
    cosines = [[math.cos(math.pi * i / bands * (b + 0.5)) for b in range(bands)] for i in indices]
    weights = [1 + lifter / 2 * math.sin(math.pi * i / lifter) if lifter > 0 else 1.0 for i in indices]
    scale = np.float32(math.sqrt(2 / bands)) * np.array(weights, dtype=np.float32)
    return np.array(cosines, dtype=np.float32), scale


@njit(cache=True, nogil=True, error_model="numpy")
def _mel_bands(power: F32, upper: I64, weight: F32, bands: F32) -> None:
    bands[:] = 0
    for k in range(len(upper)):
        j = np.uint64(upper[k])
        w = weight[k]
        below, above = bands[j - np.uint64(1)], bands[j]
        for i in range(LANES):
            p = power[k, i]
            share = w * p
            below[i] += share
            above[i] += p - share  # and not (1 - w) * p: the two shares add up


@njit(cache=True, nogil=True, error_model="numpy")
def _compress(mel: F32, equal_loudness: F32, floor: np.float32, compression: float, spectrum: F32) -> None:
    wide()
    # The C library's power function cannot be vectorised. This one is good to 1e-14, which is enough unless single
    # precision rounds what lies within that differently: one value in a million, computed again.
    unsure = np.empty(LANES, np.bool_)
    for b in range(len(mel)):
        e = equal_loudness[b]
        count = 0
        for i in range(LANES):
            power = compression * log2(np.float64(max(mel[b, i], floor) * e))
            y = exp2(min(max(power, -1000.0), 1000.0))
            low, high = np.float32(y * (1 - 2e-14)), np.float32(y * (1 + 2e-14))
            spectrum[b, i] = low
            unsure[i] = low != high
            count += low != high
        if count > 0 or not (floor * e > 0 and abs(compression) < 1):
            for i in range(LANES):
                if unsure[i] or not floor * e > 0 or not abs(compression) < 1:
                    spectrum[b, i] = np.float64(max(mel[b, i], floor) * e) ** compression


@njit(cache=True, nogil=True, error_model="numpy")
def _band_mean(bands: F32, mean: F32) -> None:
    mean[:] = 0
    for b in range(len(bands)):
        for i in range(LANES):
            mean[i] += bands[b, i]
    count = np.float32(len(bands))
    for i in range(LANES):
        mean[i] /= count


@njit(cache=True, nogil=True, error_model="numpy")
def _rasta(
    mel: F32,
    count: int,
    frame: int,
    numerator: F32,
    pole: np.float32,
    equal_loudness: F32,
    floor: np.float32,
    compression: np.float32,
    memory: F32,
    output: F32,
    spectrum: F32,
) -> None:
    logs = np.empty(LANES + 4, np.float32)
    rest = np.empty(LANES, np.float32)
    b0, b1, b2, b3, b4 = numerator[0], numerator[1], numerator[2], numerator[3], numerator[4]
    settled = max(5 - frame, 0)  # the first five frames only fill the memory
    for b in range(len(mel)):
        for i in range(4):
            logs[i] = memory[b, i]
        for i in range(LANES):
            logs[i + 4] = math.log(max(mel[b, i], floor))
        for i in range(4):
            memory[b, i] = logs[count + i]
        for i in range(LANES):
            rest[i] = b4 * logs[i] + b3 * logs[i + 1] + b2 * logs[i + 2] + b1 * logs[i + 3]
        y = output[b]
        for i in range(count):
            if i < settled:
                y = np.float32(0)
            else:
                y = rest[i] + pole * y + b0 * logs[i + 4]
            rest[i] = y
        output[b] = y
        e = np.float32(math.log(equal_loudness[b]))
        for i in range(LANES):
            spectrum[b, i] = math.exp(compression * (rest[i] + e)) if i < count else np.float32(0)


@njit(cache=True, nogil=True, error_model="numpy")
def _mfcc(mel: F32, floor: np.float32, cosines: F32, scale: F32, logs: F32, coefficients: F32) -> None:
    full = np.float32(32767) * np.float32(32767)
    for b in range(len(mel)):
        for i in range(LANES):
            logs[b, i] = math.log(max(mel[b, i] * full, floor))
    coefficients[:] = 0
    for c in range(len(coefficients)):
        row = coefficients[c]
        for b in range(len(mel)):
            w = cosines[c, b]
            for i in range(LANES):
                row[i] += logs[b, i] * w
        s = scale[c]
        for i in range(LANES):
            row[i] *= s
