"""The spectrogram a network reads: frames, window, batched real FFT, log power on linear or mel bands.

A front end is data: a frozen dataclass that reads from and writes to the ``[frontend]`` table of a ``model.toml``.
Whatever way a signal comes in - as one array, among others, or in chunks of any size - its frames are computed in
blocks of `BLOCK` rows aligned to the first frame, the last one padded with zeros. Every FFT and every matrix product
thus sees the same shapes and the same neighbours, and the results are identical bit for bit.
"""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import ConfigError

__all__ = ["BANDS", "NORMALISATIONS", "WINDOWS", "FrontEnd", "mel_filters"]

Spectrogram = NDArray[np.float32]

BLOCK = 64
"""Frames per FFT: small enough for the cache, large enough to hide the cost of a call."""

CEILING = np.float32(1e30)
"""Largest power of a bin."""

WINDOWS = ("hann", "hamming", "blackman", "rectangular")
BANDS = ("linear", "mel")
NORMALISATIONS = ("none", "level", "bands")


@dataclass(frozen=True, kw_only=True)
class FrontEnd:
    """Parameters of a log power spectrogram.

    Parameters
    ----------
    sampling_rate : Hz; a signal must have been resampled to it.
    window : one of `WINDOWS` (periodic).
    window_length, hop : seconds. A frame lies wholly inside the signal: nothing is padded at the ends.
    fft_length : points of the FFT, at least the samples of the window; ``sampling_rate / fft_length`` is the spacing
        of the bins (the frequency resolution), in Hz.
    bands : ``linear`` (FFT bins from `lower_hz` to `upper_hz`) or ``mel`` (`n_mels` triangles between the two).
    n_mels : number of mel bands; 0 with linear bands.
    lower_hz, upper_hz : Hz.
    floor : smallest power, where a full-scale sine has 0.25 (so that 1e-8 is about 74 dB below it).
    normalisation : ``none``; ``level`` takes the mean over frames and bands from a clip, so that the gain of a
        recording does not matter; ``bands`` takes the mean over frames from each band, so that the channel does not
        either.

    Raises
    ------
    ConfigError : a value that is not possible.
    """

    sampling_rate: int
    window: str = "hann"
    window_length: float = 0.032
    hop: float = 0.01
    fft_length: int = 1024
    bands: str = "mel"
    n_mels: int = 80
    lower_hz: float = 50.0
    upper_hz: float = 8000.0
    floor: float = 1e-8
    normalisation: str = "level"

    def __post_init__(self) -> None:
        for name, known in (("window", WINDOWS), ("bands", BANDS), ("normalisation", NORMALISATIONS)):
            if getattr(self, name) not in known:
                raise ConfigError(f"front end: {name} is {getattr(self, name)!r}, expected one of {', '.join(known)}")
        for name in ("sampling_rate", "fft_length", "n_mels"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool):
                raise ConfigError(f"front end: {name} is {value!r}, expected a whole number")
        for name in ("window_length", "hop", "lower_hz", "upper_hz", "floor"):
            value = getattr(self, name)
            if not isinstance(value, int | float) or isinstance(value, bool) or not np.isfinite(value):
                raise ConfigError(f"front end: {name} is {value!r}, expected a finite number")
        if not 100 <= self.sampling_rate <= 1_000_000:
            raise ConfigError(f"front end: sampling_rate is {self.sampling_rate}, expected 100 to 1000000 Hz")
        if self.hop_samples < 1:
            raise ConfigError(
                f"front end: hop is {self.hop} s, expected at least one sample at {self.sampling_rate} Hz"
            )
        if self.window_samples < 2:
            raise ConfigError(
                f"front end: window_length is {self.window_length} s, "
                f"expected at least two samples at {self.sampling_rate} Hz"
            )
        if not self.window_samples <= self.fft_length <= 1 << 20:
            raise ConfigError(
                f"front end: fft_length is {self.fft_length}, expected at least the {self.window_samples} samples "
                "of the window and at most 1048576"
            )
        if not 0 <= self.lower_hz < self.upper_hz:
            raise ConfigError(f"front end: lower_hz is {self.lower_hz}, expected 0 to below upper_hz {self.upper_hz}")
        if self.upper_hz > self.sampling_rate / 2:
            raise ConfigError(
                f"front end: upper_hz is {self.upper_hz}, expected at most {self.sampling_rate / 2:g}, "
                f"half the sampling rate"
            )
        if not self.floor >= np.finfo(np.float32).tiny:
            raise ConfigError(f"front end: floor is {self.floor}, expected a positive number")
        if self.bands == "linear":
            if self.n_mels:
                raise ConfigError(f"front end: n_mels is {self.n_mels}, expected 0 with linear bands")
            if not self.n_bands:
                raise ConfigError(
                    f"front end: no FFT bin lies between {self.lower_hz:g} and {self.upper_hz:g} Hz: "
                    "a larger fft_length has closer bins"
                )
        elif not 1 <= self.n_mels <= self.fft_length:
            raise ConfigError(f"front end: n_mels is {self.n_mels}, expected 1 to fft_length {self.fft_length}")
        else:
            empty = np.flatnonzero(np.diff(self._filters.indptr) == 0)
            if empty.size:
                raise ConfigError(
                    f"front end: mel band {empty[0]} of {self.n_mels} holds no FFT bin: "
                    "a larger fft_length, fewer n_mels or a wider range mends it"
                )

    @property
    def window_samples(self) -> int:
        """Samples of one window."""
        return round(self.window_length * self.sampling_rate)

    @property
    def hop_samples(self) -> int:
        """Samples from one frame to the next."""
        return round(self.hop * self.sampling_rate)

    @property
    def n_bands(self) -> int:
        """Columns of the spectrogram."""
        return self.n_mels if self.bands == "mel" else self._bins.stop - self._bins.start

    @property
    def min_samples(self) -> int:
        """Samples of the shortest signal with a frame."""
        return self.window_samples

    def n_frames(self, n_samples: int) -> int:
        """Frames that lie wholly inside `n_samples` samples."""
        return max(0, 1 + (n_samples - self.window_samples) // self.hop_samples)

    def n_samples(self, n_frames: int) -> int:
        """Samples that `n_frames` frames span: the fewest that give so many."""
        return 0 if n_frames < 1 else self.window_samples + (n_frames - 1) * self.hop_samples

    def spectrogram(self, signal: ArrayLike) -> Spectrogram:
        """Normalised log power of a 1-D `signal` in [-1, 1): (frames, bands), float32; no frame, no row."""
        return self.normalise(self.log_power(signal))

    def log_power(self, signal: ArrayLike) -> Spectrogram:
        """Log power of a 1-D `signal` in [-1, 1), not normalised: (frames, bands), float32."""
        samples = np.ascontiguousarray(signal, dtype=np.float32)
        if samples.ndim != 1:
            raise ConfigError(f"front end: the signal has {samples.ndim} dimensions, expected 1")
        n = self.n_frames(samples.size)
        out = np.empty((n, self.n_bands), dtype=np.float32)
        for first in range(0, n, BLOCK):
            count = min(BLOCK, n - first)
            out[first : first + count] = self._block(samples[first * self.hop_samples :], count)
        return out

    def stream(self, chunks: Iterable[ArrayLike]) -> Iterator[Spectrogram]:
        """Log power, not normalised, of a signal that comes in `chunks` of any size.

        Yields float32 arrays (up to `BLOCK` frames, bands). Their concatenation, normalised, is what `spectrogram`
        returns for the whole signal, bit for bit. No more than one block and one chunk are held.
        """
        step = BLOCK * self.hop_samples
        need = self.n_samples(BLOCK)
        rest = np.empty(0, dtype=np.float32)
        for chunk in chunks:
            rest = np.concatenate([rest, np.asarray(chunk, dtype=np.float32)])
            start = 0
            # Where the hop is longer than the window, a block's last hop reaches past its last frame.
            while rest.size - start >= max(need, step):
                yield self._block(rest[start : start + need], BLOCK)
                start += step
            rest = rest[start:].copy()
        if self.n_frames(rest.size):
            yield self.log_power(rest)

    def normalise(self, rows: Spectrogram) -> Spectrogram:
        """The normalisation of a whole clip's log power (frames, bands)."""
        if self.normalisation == "none" or not len(rows):
            return rows
        axis = None if self.normalisation == "level" else 0
        # Summed in double precision: the mean of a minute in float32 would depend on how NumPy splits the sum.
        return rows - rows.mean(axis=axis, dtype=np.float64).astype(np.float32)

    def _block(self, samples: NDArray[np.float32], count: int) -> Spectrogram:
        """Log power of the first `count` frames; the work is that of `BLOCK` frames whatever the count."""
        from scipy import fft

        views = np.lib.stride_tricks.as_strided(
            samples,
            shape=(count, self.window_samples),
            strides=(samples.strides[0] * self.hop_samples, samples.strides[0]),
            writeable=False,
        )
        frames = np.zeros((BLOCK, self.fft_length), dtype=np.float32)
        np.multiply(views, self._taper, out=frames[:count, : self.window_samples])
        spectrum = fft.rfft(frames, axis=1, overwrite_x=True)[:, self._bins].T
        # A float file may hold samples of any size: what overflows becomes the largest power, so that no value is lost.
        with np.errstate(over="ignore", invalid="ignore"):
            power = np.square(spectrum.real, order="C")
            power += np.square(spectrum.imag)
            np.fmin(power, CEILING, out=power)
            if self.bands == "mel":
                # Not by BLAS: what it returns depends on its number of threads.
                power = self._filters @ power
        np.maximum(power, np.float32(self.floor), out=power)
        return np.log(power, out=power).T[:count]

    @cached_property
    def _bins(self) -> slice:
        """FFT bins that are used."""
        spacing = self.sampling_rate / self.fft_length
        first = int(np.ceil(self.lower_hz / spacing - 1e-9))
        last = int(np.floor(self.upper_hz / spacing + 1e-9))
        return slice(first, max(first, last + 1))

    @cached_property
    def _taper(self) -> NDArray[np.float32]:
        n = self.window_samples
        phase = 2 * np.pi * np.arange(n) / n
        taper = {
            "hann": 0.5 - 0.5 * np.cos(phase),
            "hamming": 0.54 - 0.46 * np.cos(phase),
            "blackman": 0.42 - 0.5 * np.cos(phase) + 0.08 * np.cos(2 * phase),
            "rectangular": np.ones(n),
        }[self.window]
        # Unit sum: the power of a sine does not depend on the length of the window.
        return (taper / taper.sum()).astype(np.float32)

    @cached_property
    def _filters(self) -> Any:
        """Mel weights (bands, bins), sparse."""
        from scipy import sparse

        frequencies = np.arange(self.fft_length // 2 + 1)[self._bins] * self.sampling_rate / self.fft_length
        return sparse.csr_matrix(mel_filters(frequencies, self.n_mels, self.lower_hz, self.upper_hz).T)

    def to_table(self) -> dict[str, Any]:
        """The parameters as the ``[frontend]`` table of a model.toml."""
        return asdict(self)

    @classmethod
    def from_table(cls, table: dict[str, Any]) -> "FrontEnd":
        """The front end of a ``[frontend]`` table; unknown or missing keys are a `ConfigError`."""
        names = [field.name for field in fields(cls)]
        unknown = sorted(set(table) - set(names))
        if unknown:
            raise ConfigError(f"front end: unknown parameter {unknown[0]!r}, expected {', '.join(names)}")
        missing = [name for name in names if name not in table]
        if missing:
            raise ConfigError(f"front end: the parameter {missing[0]!r} is missing")
        return cls(**table)


def mel_filters(frequencies: NDArray[np.float64], n_mels: int, lower: float, upper: float) -> NDArray[np.float32]:
    """Triangular weights (frequencies, n_mels), float32, of height one and equally spaced on the mel scale.

    The scale is 2595 log10(1 + f / 700) (O'Shaughnessy 1987); `lower` and `upper`, in Hz, are the outer feet.
    """

    def mel(hertz: Any) -> Any:
        return 2595.0 * np.log10(1.0 + np.asarray(hertz, dtype=np.float64) / 700.0)

    edges = np.linspace(mel(lower), mel(upper), n_mels + 2)
    position = mel(frequencies)[:, None]
    rising = (position - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - position) / (edges[2:] - edges[1:-1])
    return np.maximum(0.0, np.minimum(rising, falling)).astype(np.float32)
