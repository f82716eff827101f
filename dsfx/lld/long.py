"""The pass over the long (60 ms) frames: all descriptors that depend on F0, as a stream.

Samples go in piece by piece, rows come out as soon as F0 is decided; nothing grows with the signal's length. What does
not depend on the F0 range (spectra, octave spectra, summation, candidates) is computed once for all trackers.

Specification, part 02.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ..errors import AudioError, ConfigError
from .energy import rms_energy
from .fft import LANES, lane_array, plan
from .formants import formant_model, formants
from .framing import NONE, Framing, gauss_window, hamming_window
from .harmonics import HARMONIC_COLUMNS, harmonic_levels
from .hnr import autocorrelation_hnr
from .jitter import CYCLE_COLUMNS, Cycles
from .pitch import Path, block_duration, candidates, octave_axis, octave_spectrum, semitones, subharmonic_sum
from .spectrum import FrameSpectra, SpectrumBlock

__all__ = ["VOICE_COLUMNS", "FormantFeed", "LongFrames", "Tracker", "frames_analysed"]

F32 = NDArray[np.float32]

FORMANTS = 3
"""Formants described."""

FORMANT_COLUMNS = tuple(f"F{j}{what}" for what in ("frequency", "bandwidth") for j in range(1, FORMANTS + 1))

VOICE_COLUMNS = (
    "F0semitoneFrom27.5Hz",
    "F0final",
    "voicingFinalUnclipped",
    "jitterLocal",
    "jitterDDP",
    "shimmerLocal",
    "shimmerLocaldB",
    "logHNR",
    "HNRdBACF",
    "logRelF0-H1-H2",
    "logRelF0-H1-A3",
    *(f"F{j}{what}" for j in (1, 2, 3) for what in ("frequency", "bandwidth", "amplitudeLogRelF0")),
)
"""Every descriptor of this pass, in the order of the columns of a tracker's rows."""

TABLE = (
    *("F0semitoneFrom27.5Hz", "F0final", "voicingFinalUnclipped", *CYCLE_COLUMNS, "shimmerLocaldB"),
    *("HNRdBACF", *HARMONIC_COLUMNS, *FORMANT_COLUMNS),
)
"""Every descriptor in the order in which contours are kept: what is computed together stands together."""

SEMITONES, F0, VOICING, CYCLES, SHIMMER = 0, 1, 2, slice(3, 7), 7
"""Rows of what every decided frame has."""

HNR, LEVELS, RESONANCES = 8, slice(9, 14), slice(14, 20)
"""Rows of what is described in voiced frames, or comes from short frames."""

SEMITONE_REFERENCE = 27.5

MAX_PENDING = 8 * LANES
"""Rows that may wait for a block of voiced frames to fill."""

BATCH = 8
"""Blocks of 64 frames between two rounds of the trackers, at most: each round has its price."""

frames_analysed: Counter[str] = Counter()
"""Work done in this process, in frames: "candidates" (once per frame, however many trackers), "path" (per tracker),
"formants", "hnr" and "harmonics"."""


@dataclass(frozen=True, kw_only=True)
class Tracker:
    """What is wanted from one way of tracking F0.

    Attributes
    ----------
    want : frozenset of str
        Descriptors, out of `VOICE_COLUMNS`; nothing else is computed.
    f0_range : tuple of float
        Lowest and highest F0 in Hz.
    path_window : int
        Frames after which F0 is decided at the latest.
    period_search : float
        How far a period may be from the one F0 says, as a share of it (jitter, shimmer, logHNR).
    gate_formants : bool
        Whether formants are wanted in voiced frames only (they are 0 elsewhere, and half the work is saved).
    candidates : int
        F0 candidates per frame.
    voicing_threshold : float
        Voicing a candidate needs.
    energy_threshold : float
        Root mean square a windowed frame needs to have F0.

    Raises
    ------
    ConfigError
        A value is not possible; it says which.
    """

    want: frozenset[str]
    f0_range: tuple[float, float]
    path_window: int
    period_search: float
    gate_formants: bool = False
    candidates: int = 6
    voicing_threshold: float = 0.7
    energy_threshold: float = 0.001

    def __post_init__(self) -> None:
        unknown = sorted(self.want - set(VOICE_COLUMNS))
        if unknown:
            raise ConfigError(f"no voice descriptor {unknown[0]!r}, expected one of {', '.join(VOICE_COLUMNS)}")
        lowest, highest = self.f0_range
        if not 0 < lowest < highest:
            raise ConfigError(f"f0_range is {self.f0_range} Hz, expected two ascending frequencies above 0")
        if self.path_window < 1:
            raise ConfigError(f"path_window is {self.path_window} frames, expected at least 1")
        if not 0 < self.period_search < 1:
            raise ConfigError(f"period_search is {self.period_search}, expected a share between 0 and 1")
        if self.candidates < 1:
            raise ConfigError(f"candidates is {self.candidates}, expected at least 1")

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns of the rows."""
        return tuple(name for name in VOICE_COLUMNS if name in self.want)

    @property
    def wants_cycles(self) -> bool:
        return bool(self.want & {*CYCLE_COLUMNS, "shimmerLocaldB"})

    @property
    def wants_levels(self) -> bool:
        return bool(self.want.intersection(HARMONIC_COLUMNS))

    @property
    def wants_formants(self) -> bool:
        return self.wants_levels or bool(self.want.intersection(FORMANT_COLUMNS))


class FormantFeed:
    """Formants of the short frames, on their way to the long frames with the same start.

    The blocks of a `FrameSpectra` over short frames go in, in order. Where formants are wanted in voiced frames only,
    the spectra are kept until it is known which those are.

    Parameters
    ----------
    framing : Framing
        The short frames.
    gated : bool
        Whether formants are wanted in voiced frames only.

    Attributes
    ----------
    frames : int
        Frames taken so far.
    """

    def __init__(self, framing: Framing, *, gated: bool) -> None:
        self.framing = framing
        self.gated = gated
        self.model = formant_model(framing)
        self.rows = framing.bins if len(self.model.nyquist) else len(self.model.cosine) + 1
        # A ring of the latest blocks, one below the other: the spectra's two parts, or formants.
        self._blocks = lane_array(8 * 2 * (self.rows if gated else FORMANTS)).reshape(8, -1, LANES)
        self.reset()

    def reset(self) -> None:
        """Forget everything: a new signal begins."""
        self.frames = 0
        self._first = 0

    def push(self, block: SpectrumBlock) -> None:
        """Take the next short frames."""
        if self.gated:
            parts: tuple[F32, ...] = (block.re[: self.rows], block.im[: self.rows])
        else:
            parts = (self.compute(block.re, block.im, block.count).reshape(2 * FORMANTS, -1),)
        done = 0
        while done < block.count:
            number, lane = divmod(self.frames, LANES)
            count = min(block.count - done, LANES - lane)
            if number - self._first == len(self._blocks):
                self._grow(number)
            kept = self._blocks[number % len(self._blocks)].reshape(len(parts), -1, LANES)
            for target, values in zip(kept, parts, strict=True):
                target[:, lane : lane + count] = values[:, done : done + count]
            done += count
            self.frames += count

    def _grow(self, stop: int) -> None:
        """Make room for twice as many blocks; those below `stop` exist."""
        old = self._blocks
        self._blocks = np.empty((2 * len(old), *old.shape[1:]), np.float32)
        for number in range(self._first, stop):
            self._blocks[number % len(self._blocks)] = old[number % len(old)]

    def compute(self, re: F32, im: F32, frames: int) -> F32:
        """Frequencies and bandwidths, shape (2, 3, frames), from spectra of shape (at least `rows`, 64)."""
        frames_analysed["formants"] += frames
        return formants(re, im, self.model, frames=frames, count=FORMANTS)

    def gather(self, frames: NDArray[np.int64], at: int, target: F32) -> None:
        """Copy some frames to the lanes from `at` on of `target`.

        It has the shape (2 `rows`, lanes) where formants are wanted in voiced frames only: real and imaginary parts
        of their spectra; else (6, lanes): frequencies and bandwidths.
        """
        _gather(self._blocks, frames, at, target)

    def drop(self, number: int) -> None:
        """Blocks below `number` are not needed any more."""
        self._first = number


class LongFrames:
    """Voice descriptors of a signal that comes in pieces.

    Parameters
    ----------
    sampling_rate : float
        In Hz.
    frame, hop : float
        Nominal durations in seconds.
    trackers : sequence of Tracker
        All with the same `gate_formants`.
    short_frame : float
        Duration of the frames formants are computed in, in seconds.
    formants : FormantFeed, optional
        Filled by whoever transforms the short frames anyway. By default they are transformed here, if wanted at all.

    Attributes
    ----------
    frames : int
        Long frames analysed so far.

    Raises
    ------
    ConfigError, AudioError
        A duration or F0 range does not fit the sampling rate.

    Notes
    -----
    Frames are processed in blocks of 64, and tracked some blocks at a time. F0 of a frame is decided up to
    `path_window` frames later; descriptors that need F0 are computed for 64 voiced frames at a time. So rows come late
    (at most some hundred frames), but they do not depend on how the signal was cut into pieces.

    References
    ----------
    Specification, part 02.
    """

    def __init__(
        self,
        sampling_rate: float,
        *,
        frame: float,
        hop: float,
        trackers: Sequence[Tracker],
        short_frame: float = 0.02,
        formants: FormantFeed | None = None,
    ) -> None:
        self.framing = framing = Framing(sampling_rate, frame=frame, hop=hop)
        self._spectra = FrameSpectra(
            framing, gauss_window(framing.length), windowed_energy=True, power=False, complex_spectrum=False
        )
        self._axis = octave_axis(framing)
        self._octave, self._sums = lane_array(framing.bins), lane_array(framing.bins)
        self._slots = max((t.candidates for t in trackers), default=1)
        self._feed = formants
        self._short: FrameSpectra | None = None
        if any(t.wants_formants for t in trackers):
            gates = {t.gate_formants for t in trackers if t.wants_formants}
            if len(gates) > 1 or (formants is not None and formants.gated not in gates):
                raise ConfigError("gate_formants differs between trackers or from the feed, expected the same for all")
            if formants is None:
                short = Framing(sampling_rate, frame=short_frame, hop=hop)
                self._short = FrameSpectra(short, hamming_window(short.length), power=False)
                self._feed = FormantFeed(short, gated=gates.pop())
        recent = max((t.path_window for t in trackers), default=1) // LANES + 2 + BATCH
        keep = any(t.wants_levels or "HNRdBACF" in t.want for t in trackers)
        self._magnitudes = lane_array(recent * framing.bins if keep else 0).reshape(-1, framing.bins, LANES)
        self._tracks = [_Track(t, framing, self._magnitudes, self._feed) for t in trackers]
        self.reset()

    def reset(self) -> None:
        """Forget everything, the feed too: a new signal begins."""
        self.frames = 0
        self._samples = NONE
        self._offset = 0
        if self._feed is not None:
            self._feed.reset()
        for track in self._tracks:
            track.reset()

    def push(self, samples: F32) -> list[F32]:
        """Take the next samples; return the rows that are complete, per tracker.

        Parameters
        ----------
        samples : ndarray of float32, shape (samples,)
            As `prepare_samples` gives them.

        Returns
        -------
        list of ndarray of float32, shape (frames, columns)
        """
        self._append(samples)
        step = self.framing.step
        while (complete := self._complete()) >= LANES:
            self._analyse(min(complete // LANES, BATCH) * LANES)
        # Copied, so that a piece of the caller's signal does not keep all of it alive.
        first = min([self.frames * step, *(t.cycles.needs for t in self._tracks if t.cycles is not None)])
        first = min(first, self._offset + len(self._samples))
        self._samples = self._samples[first - self._offset :].copy()
        self._offset = first
        return [track.rows() for track in self._tracks]

    def finish(self, samples: F32 = NONE) -> tuple[list[F32], list[int]]:
        """The signal is over, after these last samples.

        Returns
        -------
        rows : list of ndarray of float32, shape (frames, columns)
            The remaining rows, per tracker.
        released : list of int
            Per tracker, the frames whose F0 had been decided before the end was known (V of the specification, part 03
            section 2.1).
        """
        self._append(samples)
        while (complete := self._complete()) > 0:
            self._analyse(min(complete, BATCH * LANES))
        released = [track.decided for track in self._tracks]
        for track in self._tracks:
            track.finish(self._samples, self._offset)
        return [track.rows() for track in self._tracks], released

    def _append(self, samples: F32) -> None:
        if samples.ndim != 1 or samples.dtype != np.float32:
            raise AudioError(
                f"samples have shape {samples.shape} and type {samples.dtype}, expected (samples,) and float32: "
                "use prepare_samples"
            )
        if len(self._samples):
            self._samples = np.concatenate([self._samples, samples])
        else:
            self._samples = np.ascontiguousarray(samples)

    def _complete(self) -> int:
        return self.framing.count(len(self._samples) - (self.frames * self.framing.step - self._offset))

    def _analyse(self, count: int) -> None:
        """Take the next frames, block by block, and have them tracked."""
        blocks = [self._block(min(LANES, count - at)) for at in range(0, count, LANES)]
        frequency, voicing, score, energy = map(np.concatenate, zip(*blocks, strict=True))
        frames_analysed["candidates"] += count
        for track in self._tracks:
            track.push(frequency, voicing, score, energy, self._samples, self._offset)
        if self._feed is not None:
            self._feed.drop(min(track.decided for track in self._tracks) // LANES)

    def _block(self, count: int) -> tuple[F32, ...]:
        """Candidates (frequency, voicing, score) and energy of up to 64 frames, one row per frame."""
        samples = self._samples[self.frames * self.framing.step - self._offset :]
        if len(self._magnitudes):  # transformed right into its place
            self._spectra.block.magnitude = self._magnitudes[self.frames // LANES % len(self._magnitudes)]
        block = self._spectra(samples, 0, count)
        energy = rms_energy(block.energy[:count], length=self.framing.length)
        octave = octave_spectrum(block.magnitude, self._axis, frames=count, out=self._octave)
        sums, mean = subharmonic_sum(octave, self._axis, out=self._sums)
        found = candidates(sums, mean, self._axis, frames=count, count=self._slots)
        if self._short is not None and self._feed is not None:
            self._feed.push(self._short(samples, 0, count))
        self.frames += count
        if self._feed is not None and self._feed.frames < self.frames:
            raise ConfigError(
                f"formants are known up to frame {self._feed.frames}, expected {self.frames}: "
                "push each piece of the signal to the short frames first"
            )
        return *found, energy


class _Track:
    """One tracker's state and its unfinished rows."""

    def __init__(self, tracker: Tracker, framing: Framing, magnitudes: F32, feed: FormantFeed | None) -> None:
        self.tracker = tracker
        self.framing = framing
        self.magnitudes = magnitudes
        self.feed = feed if tracker.wants_formants else None
        self.path = Path(
            f0_range=tracker.f0_range,
            window=tracker.path_window,
            voicing_threshold=tracker.voicing_threshold,
            energy_threshold=tracker.energy_threshold,
            count=tracker.candidates,
        )
        self.cycles = None
        if tracker.wants_cycles:
            self.cycles = Cycles(
                framing,
                search=tracker.period_search,
                longest_period=1 / tracker.f0_range[0],
                noise="logHNR" in tracker.want,
            )
        # Contours wait in `table`, shape (len(TABLE), frames), until its voiced frames were described. What nobody
        # wants is undefined.
        self.pick = np.array([TABLE.index(name) for name in tracker.columns], np.int64)
        self.table = np.empty((len(TABLE), 4 * LANES), np.float32)
        unvoiced = [-201 if name.endswith("amplitudeLogRelF0") else 0 for name in TABLE[HNR:]]
        self.unvoiced = np.array(unvoiced, np.float32)[:, None]
        self.resolution = 1 / block_duration(framing)
        self.by_spectrum = tracker.wants_levels or "HNRdBACF" in tracker.want
        self.collects = self.by_spectrum or (self.feed is not None and self.feed.gated)
        # Voiced frames waiting for their lanes to fill: places in the table, F0, spectra, short spectra or formants.
        self.place = np.zeros(LANES, np.int64)
        self.f0 = np.zeros(LANES, np.float32)
        self.spectra = lane_array(framing.bins if self.by_spectrum else 0)
        depth = 0 if self.feed is None else self.feed.rows if self.feed.gated else FORMANTS
        self.short = lane_array(2 * depth)
        self.reset()

    def reset(self) -> None:
        self.decided = self.filled = self.waiting = 0
        self.path.reset()
        if self.cycles is not None:
            self.cycles.reset()

    def push(self, frequency: F32, voicing: F32, score: F32, energy: F32, samples: F32, offset: int) -> None:
        slots = self.tracker.candidates
        if slots != frequency.shape[1]:
            frequency, voicing, score = (np.ascontiguousarray(x[:, :slots]) for x in (frequency, voicing, score))
        frames_analysed["path"] += len(energy)
        self._add(*self.path.push(frequency, voicing, score, energy), samples, offset)

    def finish(self, samples: F32, offset: int) -> None:
        self._add(*self.path.finish(), samples, offset)
        self._describe()

    def rows(self) -> F32:
        """Rows complete by now; they leave the table."""
        count = int(self.place[0]) if self.waiting else self.filled
        out = self.table[:, :count].T.take(self.pick, axis=1)
        self.table[:, : self.filled - count] = self.table[:, count : self.filled]
        self.filled -= count
        self.place -= count
        return out

    def _add(self, f0: F32, voicing: F32, samples: F32, offset: int) -> None:
        """Take the frames that have been decided."""
        count = len(f0)
        first, self.decided = self.decided, self.decided + count
        if self.filled + count > self.table.shape[1]:
            room = np.empty((len(self.table), 2 * (self.filled + count)), np.float32)
            room[:, : self.filled] = self.table[:, : self.filled]
            self.table = room
        rows = self.table[:, self.filled : self.filled + count]
        self.filled += count
        rows[F0], rows[VOICING] = f0, voicing
        if "F0semitoneFrom27.5Hz" in self.tracker.want:
            rows[SEMITONES] = semitones(f0, reference=SEMITONE_REFERENCE)
        if self.cycles is not None:
            rows[CYCLES] = values = self.cycles.push(f0, samples, offset=offset)
            if "shimmerLocaldB" in self.tracker.want:
                rows[SHIMMER] = 20 * np.log10(1 + values[2].astype(np.float64))
        if self.collects or self.feed is not None:
            rows[HNR:] = self.unvoiced
        if self.feed is not None and not self.feed.gated:
            resonances = np.empty((2 * FORMANTS, count), np.float32)
            self.feed.gather(np.arange(first, first + count), 0, resonances)
            rows[RESONANCES] = resonances
        if self.collects:
            self._collect(first, f0)

    def _collect(self, first: int, f0: F32) -> None:
        """Gather the voiced frames into lanes and describe them whenever all lanes are taken."""
        voiced = np.flatnonzero(f0 > 0)
        while len(voiced):
            taken, voiced = voiced[: LANES - self.waiting], voiced[LANES - self.waiting :]
            at, self.waiting = self.waiting, self.waiting + len(taken)
            frames = taken + first
            if self.by_spectrum:
                _gather(self.magnitudes, frames, at, self.spectra)
            if self.feed is not None:
                self.feed.gather(frames, at, self.short)
            self.f0[at : self.waiting] = f0[taken]
            self.place[at : self.waiting] = taken + (self.filled - len(f0))
            if self.waiting == LANES:
                self._describe()
        if self.waiting and self.filled - self.place[0] > MAX_PENDING:
            self._describe()

    def _describe(self) -> None:
        """Descriptors of the voiced frames gathered so far."""
        count, self.waiting = self.waiting, 0
        if not count:
            return
        places, f0 = self.place[:count], self.f0[:count]
        frequency = self.short[:FORMANTS, :count]
        if self.feed is not None and self.feed.gated:
            resonances = self.feed.compute(self.short[: self.feed.rows], self.short[self.feed.rows :], count)
            self.table[RESONANCES, places] = resonances.reshape(2 * FORMANTS, count)
            frequency = resonances[0]
        if "HNRdBACF" in self.tracker.want:
            frames_analysed["hnr"] += count
            nyquist = self.resolution * (self.framing.bins - 1)
            self.table[HNR, places] = autocorrelation_hnr(self.spectra, f0, plan(self.framing.nfft), nyquist=nyquist)
        if self.tracker.wants_levels:
            frames_analysed["harmonics"] += count
            frequency = np.ascontiguousarray(frequency)
            self.table[LEVELS, places] = harmonic_levels(self.spectra, f0, frequency, resolution=self.resolution)


@njit(cache=True, nogil=True, error_model="numpy")
def _gather(blocks: F32, frames: NDArray[np.int64], at: int, target: F32) -> None:
    """Copy some frames of the latest blocks, shape (blocks, rows, 64), to the lanes from `at` on of `target`."""
    first = 0
    while first < len(frames):
        # Voiced frames come in runs: neighbouring lanes, until the block ends.
        slot, lane = frames[first] // LANES % len(blocks), frames[first] % LANES
        size = 1
        while first + size < len(frames) and lane + size < LANES and frames[first + size] == frames[first] + size:
            size += 1
        _copy_lanes(blocks[slot], np.uint64(lane), np.uint64(size), target, np.uint64(at + first))
        first += size


@njit(cache=True, nogil=True, error_model="numpy")
def _copy_lanes(source: F32, lane: int, size: int, target: F32, at: int) -> None:
    for k in range(np.uint64(len(target))):
        for n in range(size):
            target[k, at + n] = source[k, lane + n]
