"""All descriptors of short frames in one pass, for a signal that comes in pieces."""

import re
from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError
from . import auditory, energy, spectral
from .fft import LANES
from .framing import NONE, FrameBuffer, Framing, hamming_window
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
ENERGY = {"pcm_RMSenergy", "meanSquareEnergy"}
FLUX = {"pcm_fftMag_spectralFlux", "spectralFlux"}
OTHERS = ENERGY | FLUX | {"pcm_fftMag_spectralHarmonicity", "alphaRatio", "hammarbergIndex"}
PATTERNS = {"pcm_fftMag_fbandLOW-HIGH", "pcm_fftMag_spectralRollOffPERCENT", "slopeLOW-HIGH"}


class ShortFrames:
    """Raw descriptors of short frames of a signal that comes in pieces, from one transform per frame.

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
    loudness_floor, compression
        Smallest band power that counts, and exponent of the auditory spectra.
    rasta_low, rasta_high
        Cut-off frequencies in Hz of the temporal filter.
    mfcc_first, mfcc_last, mfcc_lifter, mfcc_floor
        Cepstral coefficients, their lifter, and the smallest band power that counts.
    alpha_edges, hammarberg_edges : (float, float)
        Middle and upper edge in Hz.
    flux_high : float
        Upper edge of ``spectralFlux`` in Hz.
    entropy_floor : float
        Smallest power of a bin that counts.
    on_block : function, optional
        Called with every `SpectrumBlock`, complex spectrum included, in order; each but the last has 64 frames. So
        others (formants) need not transform the same frames again.

    Attributes
    ----------
    framing : Framing
    widths : dict of str to int
        Columns of each wanted descriptor.

    Raises
    ------
    ConfigError
        An unknown descriptor or an impossible parameter.
    AudioError
        The sampling rate is too low.

    Notes
    -----
    Frames are processed in blocks of 64, so rows come up to 63 frames late, but they do not depend on how the signal
    was cut into pieces, and memory does not grow with its length.

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
        loudness_floor: float = auditory.FLOOR,
        compression: float = auditory.COMPRESSION,
        rasta_low: float = 1.0,
        rasta_high: float = 29.0,
        mfcc_first: int = 1,
        mfcc_last: int = 14,
        mfcc_lifter: float = 22.0,
        mfcc_floor: float = 1.0,
        alpha_edges: tuple[float, float] = (1000.0, 5000.0),
        hammarberg_edges: tuple[float, float] = (2000.0, 5000.0),
        flux_high: float = 5000.0,
        entropy_floor: float = 1e-7,
        on_block: Callable[[SpectrumBlock], object] | None = None,
    ) -> None:
        self.framing = framing = Framing(sampling_rate, frame, hop)
        self._want = want
        self._on_block = on_block
        self._bands = sorted((float(m[1]), float(m[2]), name) for name in want if (m := FBAND.fullmatch(name)))
        self._slopes = sorted((float(m[1]), float(m[2]), name) for name in want if (m := SLOPE.fullmatch(name)))
        self._points = sorted((float(m[1]) / 100, name) for name in want if (m := ROLL_OFF.fullmatch(name)))
        known = MEL | SUMS | OTHERS
        unknown = want - known - {entry[-1] for entry in (*self._bands, *self._slopes, *self._points)}
        if unknown:
            names = ", ".join(sorted(known | PATTERNS))
            raise ConfigError(f"no short-frame descriptor {sorted(unknown)[0]!r}, expected one of {names}")
        if not flux_high > 0:
            raise ConfigError(f"flux_high is {flux_high} Hz, expected a frequency above 0")
        # The tables are kept: asking for them here reports an impossible parameter before any audio is read.
        for low, high, _ in (*self._bands, *self._slopes):
            spectral.band_terms(framing, low, high)
        for edges in (alpha_edges, hammarberg_edges):
            spectral.level_bins(framing, *edges)
        spectral.roll_off_shares(tuple(point for point, _ in self._points))
        if "mfcc" in want:
            auditory.cepstrum_tables(bands, mfcc_first, mfcc_last, mfcc_lifter)

        self.widths = {
            name: {"audSpec_Rfilt": bands, "mfcc": mfcc_last - mfcc_first + 1}.get(name, 1) for name in sorted(want)
        }
        stops = np.cumsum([0, *self.widths.values()])
        self._columns = {name: slice(stops[i], stops[i + 1]) for i, name in enumerate(self.widths)}
        self._width = int(stops[-1])

        self._spectra = FrameSpectra(
            framing,
            hamming_window(framing.length),
            transform=on_block is not None or bool(want - ENERGY),
            power=on_block is not None or bool(want - ENERGY - FLUX),
            complex_spectrum=on_block is not None,
        )
        self._bank = auditory.mel_bank(framing, bands=bands, low=mel_low, high=mel_high) if want & MEL else None
        self._loudness = {"floor": loudness_floor, "compression": compression}
        self._rasta = None
        if self._bank is not None and want & RASTA:
            self._rasta = auditory.Rasta(self._bank, hop=hop, low=rasta_low, high=rasta_high, **self._loudness)
        self._mfcc = partial(auditory.mfcc, first=mfcc_first, last=mfcc_last, lifter=mfcc_lifter, floor=mfcc_floor)
        self._alpha = dict(zip(("middle", "high"), alpha_edges, strict=True))
        self._hammarberg = dict(zip(("middle", "high"), hammarberg_edges, strict=True))
        self._flux_last = int(np.searchsorted(framing.frequencies, flux_high, side="left")) - 1
        self._entropy_floor = entropy_floor

        self._buffer = FrameBuffer(framing)
        self._previous: F32 | None = None

    def reset(self) -> None:
        """Forget everything: a new signal begins."""
        self._buffer.reset()
        self._previous = None
        if self._rasta is not None:
            self._rasta.reset()

    def push(self, samples: F32) -> dict[str, F32]:
        """Take the next samples; return the rows that are complete.

        Parameters
        ----------
        samples : ndarray of float32, shape (samples,)
            As `prepare_samples` gives them.

        Returns
        -------
        dict of str to ndarray of float32, shape (frames, width)
            One entry for each wanted descriptor; 64 frames or none at a time.
        """
        frames = self._buffer.push(samples)
        return self._rows(frames - frames % LANES)

    def finish(self, samples: F32 = NONE) -> dict[str, F32]:
        """The signal is over, after these last samples; return the remaining rows."""
        return self._rows(self._buffer.push(samples))

    def _rows(self, frames: int) -> dict[str, F32]:
        blocks = -(-frames // LANES)
        lanes = np.empty((blocks, self._width, LANES), np.float32)
        for b in range(blocks):
            first = b * LANES
            block = self._spectra(self._buffer.samples, first, min(LANES, frames - first))
            for name, value in self._descriptors(block).items():
                lanes[b, self._columns[name]] = value
            if self._on_block is not None:
                self._on_block(block)
            if self._want & FLUX:
                self._previous = block.magnitude[:, block.count - 1].copy()
        self._buffer.drop(frames)
        rows = lanes.transpose(0, 2, 1).reshape(blocks * LANES, self._width)[:frames]
        return {name: rows[:, columns] for name, columns in self._columns.items()}

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
        if want & SUMS or self._points:
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
            mean = auditory.band_mean(auditory.auditory_spectrum(mel, bank=bank, **self._loudness))
            result |= {name: mean for name in ("audspec_lengthL1norm", "loudness") if name in want}
        if self._rasta is not None:
            filtered = self._rasta(mel, block.count)
            if "audSpec_Rfilt" in want:
                result["audSpec_Rfilt"] = filtered
            if "audspecRasta_lengthL1norm" in want:
                result["audspecRasta_lengthL1norm"] = auditory.band_mean(filtered)
        if "mfcc" in want:
            result["mfcc"] = self._mfcc(mel)

    def _relative(self, power: F32, result: dict[str, F32]) -> None:
        want, framing = self._want, self.framing
        sums = spectral.power_sums(power, framing=framing)
        if self._points:
            points = spectral.roll_off(power, sums, framing=framing, points=tuple(p for p, _ in self._points))
            result |= {name: points[i] for i, (_, name) in enumerate(self._points)}
        if "pcm_fftMag_spectralCentroid" in want:
            result["pcm_fftMag_spectralCentroid"] = spectral.centroid(sums)
        if "pcm_fftMag_spectralEntropy" in want:
            result["pcm_fftMag_spectralEntropy"] = spectral.entropy(power, sums, floor=self._entropy_floor)
        if want & set(MOMENTS):
            values = spectral.moments(power, sums, framing=framing)
            result |= {name: values[i] for i, name in enumerate(MOMENTS) if name in want}
        if "pcm_fftMag_spectralSlope" in want:
            result["pcm_fftMag_spectralSlope"] = spectral.slope(sums, framing=framing)
        if "pcm_fftMag_psySharpness" in want:
            result["pcm_fftMag_psySharpness"] = spectral.sharpness(power, sums, framing=framing)
