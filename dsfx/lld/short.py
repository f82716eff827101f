"""All descriptors of short frames in one pass, for a signal that comes in pieces."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigError
from . import auditory, energy, spectral
from .fft import LANES
from .framing import NONE, FrameBuffer, Framing, hamming_window
from .spectrum import FrameSpectra, SpectrumBlock
from .step import Step

__all__ = ["ShortFrames", "short_columns"]

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


def short_columns(
    want: frozenset[str], *, bands: int = 26, mfcc_first: int = 1, mfcc_last: int = 14
) -> dict[str, slice]:
    """Where descriptors stand in the rows of `ShortFrames`: all wanted ones, and what comes along with them.

    Raises
    ------
    ConfigError
        An unknown descriptor.
    """
    fbands, roll_offs, slopes = ([name for *_, name in _numbers(which, want)] for which in (FBAND, ROLL_OFF, SLOPE))
    order = (
        *("audspec_lengthL1norm", "loudness", "audspecRasta_lengthL1norm", "pcm_RMSenergy", "meanSquareEnergy"),
        *("audSpec_Rfilt", *fbands, *roll_offs, "pcm_fftMag_spectralFlux", "spectralFlux"),
        *("pcm_fftMag_spectralCentroid", "pcm_fftMag_spectralEntropy", *MOMENTS, "pcm_fftMag_spectralSlope"),
        *(
            "pcm_fftMag_psySharpness",
            "pcm_fftMag_spectralHarmonicity",
            "alphaRatio",
            "hammarbergIndex",
            *slopes,
            "mfcc",
        ),
    )
    unknown = sorted(want - set(order))
    if unknown:
        names = ", ".join(sorted(MEL | SUMS | OTHERS | PATTERNS))
        raise ConfigError(f"no short-frame descriptor {unknown[0]!r}, expected one of {names}")
    columns: dict[str, slice] = {}
    width = 0
    for name in order:
        if name in want or (name in MOMENTS and want & set(MOMENTS)):
            first = width
            width += {"audSpec_Rfilt": bands, "mfcc": mfcc_last - mfcc_first + 1}.get(name, 1)
            columns[name] = slice(first, width)
    return columns


def _numbers(pattern: re.Pattern[str], want: frozenset[str]) -> list[tuple[Any, ...]]:
    """Of the names that follow a pattern: its numbers and the name, ascending."""
    return sorted((*map(float, m.groups()), name) for name in want if (m := pattern.fullmatch(name)))


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
    columns : dict of str to slice
        As `short_columns` gives them.

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
        self.columns = places = short_columns(want, bands=bands, mfcc_first=mfcc_first, mfcc_last=mfcc_last)
        band_edges, roll_offs, slope_edges = (_numbers(pattern, want) for pattern in (FBAND, ROLL_OFF, SLOPE))
        points = tuple(percent / 100 for percent, _ in roll_offs)
        if not flux_high > 0:
            raise ConfigError(f"flux_high is {flux_high} Hz, expected a frequency above 0")
        # The tables are kept: asking for them here reports an impossible parameter before any audio is read.
        for low, high, _ in (*band_edges, *slope_edges):
            spectral.band_terms(framing, low, high)
        for edges in (alpha_edges, hammarberg_edges):
            spectral.level_bins(framing, *edges)
        spectral.roll_off_shares(points)
        if "mfcc" in want:
            auditory.cepstrum_tables(bands, mfcc_first, mfcc_last, mfcc_lifter)

        self._spectra = spectra = FrameSpectra(
            framing,
            hamming_window(framing.length),
            transform=on_block is not None or bool(want - ENERGY),
            power=on_block is not None or bool(want - ENERGY - FLUX),
            complex_spectrum=on_block is not None,
        )
        self._want = want
        self._on_block = on_block
        self._buffer = FrameBuffer(framing)
        self._rasta: auditory.Rasta | None = None
        # Magnitudes of the frame before the block; at the start of the signal, of its first frame.
        self._previous: F32 | None = np.empty(framing.bins, np.float32) if want & FLUX else None
        self._begun = False

        # Every block takes the same steps between the same arrays; the last are `_lanes`, one row per column.
        width = max((place.stop for place in places.values()), default=0)
        self._lanes = lanes = np.zeros((width, LANES), np.float32)
        self._steps: list[Callable[[], object]] = []
        block = spectra.block
        power = block.power

        def step(name: str, function: Step[...], *args: object, **options: object) -> None:
            """Have a descriptor computed if it is wanted."""
            if name in want:
                place = places[name]
                out = lanes[place] if name in {"audSpec_Rfilt", "mfcc"} else lanes[place.start]
                self._steps.append(function.bind(*args, **options, out=out))

        step("pcm_RMSenergy", energy.rms_energy, block.energy, length=framing.length)
        step("meanSquareEnergy", energy.mean_square_energy, block.energy, length=framing.length)
        if want & MEL:
            bank = auditory.mel_bank(framing, bands=bands, low=mel_low, high=mel_high)
            loudness = {"floor": loudness_floor, "compression": compression}
            edged = np.empty((bands + 2, LANES), np.float32)
            mel, spectrum = edged[1:-1], np.empty((bands, LANES), np.float32)
            self._steps.append(auditory.mel_bands.bind(power, bank=bank, out=edged))
            if want & {"audspec_lengthL1norm", "loudness"}:
                self._steps.append(auditory.auditory_spectrum.bind(mel, bank=bank, out=spectrum, **loudness))
                step("audspec_lengthL1norm", auditory.band_mean, spectrum)
                step("loudness", auditory.band_mean, spectrum)
            if want & RASTA:
                rasta = self._rasta = auditory.Rasta(bank, hop=hop, low=rasta_low, high=rasta_high, **loudness)
                filtered = lanes[places["audSpec_Rfilt"]] if "audSpec_Rfilt" in want else spectrum
                self._steps.append(lambda: rasta(mel, block.count, out=filtered))
                step("audspecRasta_lengthL1norm", auditory.band_mean, filtered)
            cepstrum = {"first": mfcc_first, "last": mfcc_last, "lifter": mfcc_lifter, "floor": mfcc_floor}
            step("mfcc", auditory.mfcc, mel, **cepstrum)
        for low, high, name in band_edges:
            step(name, spectral.band_energy, power, framing=framing, low=low, high=high)
        if want & SUMS or points:
            sums = np.empty((2, LANES))
            self._steps.append(spectral.power_sums.bind(power, framing=framing, out=sums))
            if points:
                out = lanes[places[roll_offs[0][1]].start :][: len(points)]
                self._steps.append(spectral.roll_off.bind(power, sums, framing=framing, points=points, out=out))
            step("pcm_fftMag_spectralCentroid", spectral.centroid, sums)
            step("pcm_fftMag_spectralEntropy", spectral.entropy, power, sums, floor=entropy_floor)
            if want & set(MOMENTS):
                out = lanes[places[MOMENTS[0]].start :][: len(MOMENTS)]
                self._steps.append(spectral.moments.bind(power, sums, framing=framing, out=out))
            step("pcm_fftMag_spectralSlope", spectral.slope, sums, framing=framing)
            step("pcm_fftMag_psySharpness", spectral.sharpness, power, sums, framing=framing)
        change = block.magnitude, self._previous
        step("pcm_fftMag_spectralFlux", spectral.flux, *change, first=1, last=framing.bins - 1)
        below = int(np.searchsorted(framing.frequencies, flux_high, side="left")) - 1
        step("spectralFlux", spectral.flux, *change, first=0, last=below)
        step("pcm_fftMag_spectralHarmonicity", spectral.harmonicity, power)
        for name, ratio, (middle, high) in (
            ("alphaRatio", spectral.alpha_ratio, alpha_edges),
            ("hammarbergIndex", spectral.hammarberg_index, hammarberg_edges),
        ):
            step(name, ratio, power, framing=framing, middle=middle, high=high)
        for low, high, name in slope_edges:
            step(name, spectral.band_slope, power, framing=framing, low=low, high=high)

    def reset(self) -> None:
        """Forget everything: a new signal begins."""
        self._buffer.reset()
        self._begun = False
        if self._rasta is not None:
            self._rasta.reset()

    def push(self, samples: F32) -> F32:
        """Take the next samples; return the rows that are complete.

        Parameters
        ----------
        samples : ndarray of float32, shape (samples,)
            As `prepare_samples` gives them.

        Returns
        -------
        ndarray of float32, shape (frames, columns)
            Where each descriptor stands is said by `columns`. A multiple of 64 frames.
        """
        frames = self._buffer.push(samples)
        return self._rows(frames - frames % LANES)

    def finish(self, samples: F32 = NONE) -> F32:
        """The signal is over, after these last samples; return the remaining rows."""
        return self._rows(self._buffer.push(samples))

    def split(self, rows: F32) -> dict[str, F32]:
        """The rows of each wanted descriptor, shape (frames, its columns)."""
        return {name: rows[:, place] for name, place in self.columns.items() if name in self._want}

    def _rows(self, frames: int) -> F32:
        rows = np.empty((frames, len(self._lanes)), np.float32)
        for first in range(0, frames, LANES):
            block = self._spectra(self._buffer.samples, first, min(LANES, frames - first))
            if self._previous is not None and not self._begun:
                self._previous[:] = block.magnitude[:, 0]
            for step in self._steps:
                step()
            rows[first : first + block.count] = self._lanes[:, : block.count].T
            if self._on_block is not None:
                self._on_block(block)
            if self._previous is not None:
                self._previous[:] = block.magnitude[:, block.count - 1]
            self._begun = True
        self._buffer.drop(frames)
        return rows
