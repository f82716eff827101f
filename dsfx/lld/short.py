"""All descriptors of short frames in one pass, for a signal that arrives in pieces."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError
from . import auditory, energy, spectral
from .fft import LANES
from .framing import FrameBuffer, Framing, hamming_window
from .spectrum import FrameSpectra, SpectrumBlock

__all__ = ["ShortFrames"]

F32 = NDArray[np.float32]

NUMBER = r"(\d+(?:\.\d+)?)"
FBAND = re.compile(rf"pcm_fftMag_fband{NUMBER}-{NUMBER}")
ROLL_OFF = re.compile(rf"pcm_fftMag_spectralRollOff{NUMBER}")
SLOPE = re.compile(rf"slope{NUMBER}-{NUMBER}")

MEL = {"audspec_lengthL1norm", "loudness", "audspecRasta_lengthL1norm", "audSpec_Rfilt", "mfcc"}
RASTA = {"audspecRasta_lengthL1norm", "audSpec_Rfilt"}
MOMENTS = ("pcm_fftMag_spectralVariance", "pcm_fftMag_spectralSkewness", "pcm_fftMag_spectralKurtosis")
SUMS = {
    *MOMENTS,
    "pcm_fftMag_spectralCentroid",
    "pcm_fftMag_spectralEntropy",
    "pcm_fftMag_spectralSlope",
    "pcm_fftMag_psySharpness",
}
OTHERS = {
    "pcm_RMSenergy",
    "meanSquareEnergy",
    "pcm_fftMag_spectralFlux",
    "pcm_fftMag_spectralHarmonicity",
    "alphaRatio",
    "hammarbergIndex",
    "spectralFlux",
}


class ShortFrames:
    """Raw descriptors of short frames, computed from one transform per frame.

    Parameters
    ----------
    sampling_rate : float
        In Hz.
    want : frozenset of str
        Raw descriptors: ``audspec_lengthL1norm``, ``loudness`` (the same), ``audspecRasta_lengthL1norm``,
        ``audSpec_Rfilt`` (one column per band), ``mfcc`` (one column per coefficient), ``pcm_RMSenergy``,
        ``meanSquareEnergy``, ``pcm_fftMag_fbandLOW-HIGH``, ``pcm_fftMag_spectralRollOffPERCENT``,
        ``pcm_fftMag_spectralFlux``, ``…Centroid``, ``…Entropy``, ``…Variance``, ``…Skewness``, ``…Kurtosis``,
        ``…Slope``, ``…Harmonicity``, ``pcm_fftMag_psySharpness``, ``alphaRatio``, ``hammarbergIndex``,
        ``slopeLOW-HIGH``, ``spectralFlux``. Only what these need is computed.
    frame, hop : float
        Nominal durations in seconds.
    bands, mel_low, mel_high
        Number and range in Hz of the mel bands.
    mfcc_first, mfcc_last, mfcc_lifter
        Cepstral coefficients and their lifter.
    alpha_edges, hammarberg_edges : (float, float)
        Middle and upper edge in Hz.
    flux_high : float
        Upper edge of ``spectralFlux`` in Hz.
    also : mapping of str to function
        Further descriptors: each function receives the `SpectrumBlock` and returns rows, shape (count,) or
        (count, width). Blocks arrive in order.

    Raises
    ------
    ConfigError
        An unknown descriptor or an impossible parameter.
    AudioError
        The sampling rate is too low.

    References
    ----------
    Specification, part 01.
    """

    def __init__(
        self,
        sampling_rate: float,
        *,
        want: frozenset[str],
        frame: float = 0.020,
        hop: float = 0.010,
        bands: int = 26,
        mel_low: float = 20.0,
        mel_high: float = 8000.0,
        mfcc_first: int = 1,
        mfcc_last: int = 14,
        mfcc_lifter: float = 22.0,
        alpha_edges: tuple[float, float] = (1000.0, 5000.0),
        hammarberg_edges: tuple[float, float] = (2000.0, 5000.0),
        flux_high: float = 5000.0,
        also: Mapping[str, Callable[[SpectrumBlock], NDArray[Any]]] | None = None,
    ) -> None:
        self.framing = framing = Framing(sampling_rate, frame, hop)
        self._want = want
        self._also = dict(also or {})
        self._bands = sorted((float(m[1]), float(m[2]), name) for name in want if (m := FBAND.fullmatch(name)))
        self._slopes = sorted((float(m[1]), float(m[2]), name) for name in want if (m := SLOPE.fullmatch(name)))
        self._points = sorted((float(m[1]) / 100, name) for name in want if (m := ROLL_OFF.fullmatch(name)))
        known = MEL | SUMS | OTHERS
        unknown = want - known - {entry[-1] for entry in (*self._bands, *self._slopes, *self._points)}
        if unknown:
            raise ConfigError(f"unknown descriptor {sorted(unknown)[0]!r}, expected one of {', '.join(sorted(known))}")

        self.widths: dict[str, int] = {name: 1 for name in sorted(want)}
        if "audSpec_Rfilt" in want:
            self.widths["audSpec_Rfilt"] = bands
        if "mfcc" in want:
            self.widths["mfcc"] = mfcc_last - mfcc_first + 1
        self._columns: dict[str, slice] = {}
        total = 0
        for name, width in self.widths.items():
            self._columns[name] = slice(total, total + width)
            total += width
        self._width = total

        self._needs_sums = bool(want & SUMS or self._points)
        needs_power = bool(want - {"pcm_RMSenergy", "meanSquareEnergy", "pcm_fftMag_spectralFlux", "spectralFlux"})
        self._needs_previous = bool(want & {"pcm_fftMag_spectralFlux", "spectralFlux"})
        self._spectra = FrameSpectra(framing, hamming_window(framing.length), power=needs_power)
        self._bank = auditory.mel_bank(framing, bands=bands, low=mel_low, high=mel_high) if want & MEL else None
        self._rasta = auditory.Rasta(self._bank, hop=hop) if self._bank is not None and want & RASTA else None
        self._mfcc = {"first": mfcc_first, "last": mfcc_last, "lifter": mfcc_lifter}
        self._alpha = dict(zip(("middle", "high"), alpha_edges, strict=True))
        self._hammarberg = dict(zip(("middle", "high"), hammarberg_edges, strict=True))
        self._flux_last = int(np.searchsorted(framing.frequencies, flux_high, side="left")) - 1

        self._buffer = FrameBuffer(framing)
        self._previous: F32 | None = None

    def push(self, samples: F32) -> dict[str, F32]:
        """Rows of the frames completed by these samples.

        Parameters
        ----------
        samples : ndarray of float32, shape (samples,)
            Made by `prepare_samples`. However a signal is cut into pieces, the rows are the same.

        Returns
        -------
        dict of str to ndarray of float32, shape (new frames, width)
            One entry for each wanted descriptor.
        """
        frames = self._buffer.push(samples)
        blocks = -(-frames // LANES)
        lanes = np.empty((blocks, self._width, LANES), np.float32)
        further: dict[str, list[NDArray[Any]]] = {name: [] for name in self._also}
        for b in range(blocks):
            first = b * LANES
            block = self._spectra(self._buffer.samples, first, min(LANES, frames - first))
            for name, value in self._descriptors(block).items():
                lanes[b, self._columns[name]] = value
            for name, function in self._also.items():
                further[name].append(function(block))
            if self._needs_previous:
                self._previous = block.magnitude[:, block.count - 1].copy()
        self._buffer.drop(frames)
        rows = lanes.transpose(0, 2, 1).reshape(blocks * LANES, self._width)[:frames]
        result = {name: rows[:, columns] for name, columns in self._columns.items()}
        for name, parts in further.items():
            result[name] = np.concatenate(parts) if parts else np.zeros(0, np.float32)
        return result

    def _descriptors(self, block: SpectrumBlock) -> dict[str, F32]:
        want, framing, power = self._want, self.framing, block.power
        result: dict[str, F32] = {}
        if "pcm_RMSenergy" in want:
            result["pcm_RMSenergy"] = energy.rms_energy(block.energy, length=framing.length)
        if "meanSquareEnergy" in want:
            result["meanSquareEnergy"] = energy.mean_square_energy(block.energy, length=framing.length)
        if self._bank is not None:
            self._auditory(block, self._bank, result)
        for low, high, name in self._bands:
            result[name] = spectral.band_energy(power, framing=framing, low=low, high=high)
        if self._needs_sums:
            self._relative(power, result)
        if "pcm_fftMag_spectralFlux" in want:
            result["pcm_fftMag_spectralFlux"] = spectral.flux(
                block.magnitude, self._previous, first=1, last=framing.bins - 1
            )
        if "spectralFlux" in want:
            result["spectralFlux"] = spectral.flux(block.magnitude, self._previous, first=0, last=self._flux_last)
        if "pcm_fftMag_spectralHarmonicity" in want:
            result["pcm_fftMag_spectralHarmonicity"] = spectral.harmonicity(power)
        if "alphaRatio" in want:
            result["alphaRatio"] = spectral.alpha_ratio(power, framing=framing, **self._alpha)
        if "hammarbergIndex" in want:
            result["hammarbergIndex"] = spectral.hammarberg_index(power, framing=framing, **self._hammarberg)
        for low, high, name in self._slopes:
            result[name] = spectral.band_slope(power, framing=framing, low=low, high=high)
        return result

    def _auditory(self, block: SpectrumBlock, bank: auditory.MelBank, result: dict[str, F32]) -> None:
        want = self._want
        mel = auditory.mel_bands(block.power, bank=bank)
        if want & {"audspec_lengthL1norm", "loudness"}:
            mean = auditory.band_mean(auditory.auditory_spectrum(mel, bank=bank))
            result |= {name: mean for name in ("audspec_lengthL1norm", "loudness") if name in want}
        if self._rasta is not None:
            filtered = self._rasta(mel, block.count)
            if "audSpec_Rfilt" in want:
                result["audSpec_Rfilt"] = filtered
            if "audspecRasta_lengthL1norm" in want:
                result["audspecRasta_lengthL1norm"] = auditory.band_mean(filtered)
        if "mfcc" in want:
            result["mfcc"] = auditory.mfcc(mel, **self._mfcc)  # type: ignore[arg-type]

    def _relative(self, power: F32, result: dict[str, F32]) -> None:
        want, framing = self._want, self.framing
        sums = spectral.power_sums(power, framing=framing)
        if self._points:
            points = spectral.roll_off(power, sums, framing=framing, points=tuple(p for p, _ in self._points))
            result |= {name: points[i] for i, (_, name) in enumerate(self._points)}
        if "pcm_fftMag_spectralCentroid" in want:
            result["pcm_fftMag_spectralCentroid"] = spectral.centroid(sums)
        if "pcm_fftMag_spectralEntropy" in want:
            result["pcm_fftMag_spectralEntropy"] = spectral.entropy(power, sums)
        if want & set(MOMENTS):
            values = spectral.moments(power, sums, framing=framing)
            result |= {name: values[i] for i, name in enumerate(MOMENTS) if name in want}
        if "pcm_fftMag_spectralSlope" in want:
            result["pcm_fftMag_spectralSlope"] = spectral.slope(sums, framing=framing)
        if "pcm_fftMag_psySharpness" in want:
            result["pcm_fftMag_psySharpness"] = spectral.sharpness(power, sums, framing=framing)
