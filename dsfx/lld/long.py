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
from .fft import LANES, plan
from .formants import formant_model, formants
from .framing import Framing, gauss_window, hamming_window
from .harmonics import HARMONIC_COLUMNS, harmonic_levels
from .hnr import autocorrelation_hnr
from .jitter import CYCLE_COLUMNS, Cycles
from .pitch import Path, block_duration, candidates, octave_axis, octave_spectrum, semitones, subharmonic_sum
from .spectrum import FrameSpectra, SpectrumBlock

__all__ = ["VOICE_COLUMNS", "FormantFeed", "LongFrames", "Tracker", "frames_analysed"]

F32 = NDArray[np.float32]

FORMANTS = 3
"""Formants described."""

FORMANT_COLUMNS = tuple(f"F{j}{what}" for j in range(1, FORMANTS + 1) for what in ("frequency", "bandwidth"))

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

SEMITONE_REFERENCE = 27.5

MAX_PENDING = 8 * LANES
"""Rows that may wait for a block of voiced frames to fill."""

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
        self.frames = 0
        self.rows = framing.bins if len(self.model.nyquist) else len(self.model.cosine) + 1
        self._blocks: dict[int, F32] = {}

    def push(self, block: SpectrumBlock) -> F32:
        """Take the next short frames. Returns no values, as an array of shape (frames, 0)."""
        done = 0
        if self.gated:
            new = (block.re[: self.rows], block.im[: self.rows])
        else:
            new = self.compute(block.re, block.im, block.count)
        while done < block.count:
            number, lane = divmod(self.frames, LANES)
            count = min(block.count - done, LANES - lane)
            if lane == 0:
                self._blocks[number] = np.zeros((2, len(new[0]), LANES), np.float32)
            for kept, values in zip(self._blocks[number], new, strict=True):
                kept[:, lane : lane + count] = values[:, done : done + count]
            done += count
            self.frames += count
        return np.zeros((block.count, 0), np.float32)

    def compute(self, re: F32, im: F32, frames: int) -> tuple[F32, F32]:
        """Frequencies and bandwidths, each of shape (3, frames), from spectra of shape (at least `rows`, 64)."""
        frames_analysed["formants"] += frames
        return formants(re, im, self.model, frames=frames, count=FORMANTS)

    def formants(self, first: int, count: int) -> F32:
        """Formants of some frames: frequencies and bandwidths, shape (2, 3, count); not if `gated`."""
        out = np.empty((2, FORMANTS, count), np.float32)
        at = 0
        while at < count:
            number, lane = divmod(first + at, LANES)
            size = min(count - at, LANES - lane)
            out[:, :, at : at + size] = self._blocks[number][:, :, lane : lane + size]
            at += size
        return out

    def gather(self, frames: NDArray[np.int64], at: int, target: F32) -> None:
        """Copy spectra of some frames to the lanes from `at` on of `target`, shape (2, rows, 64); only if `gated`."""
        numbers = frames // LANES
        for number in range(int(numbers[0]), int(numbers[-1]) + 1):
            chosen = frames[numbers == number]
            for part, values in zip(target, self._blocks[number], strict=True):
                _gather(values[None], chosen, at, part)
            at += len(chosen)

    def drop(self, number: int) -> None:
        """Blocks below `number` are not needed any more."""
        for old in [k for k in self._blocks if k < number]:
            del self._blocks[old]


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
    Frames are processed in blocks of 64. F0 of a frame is decided up to `path_window` frames later; descriptors that
    need F0 are computed for 64 voiced frames at a time. So rows come late (at most some hundred frames), but they do
    not depend on how the signal was cut into pieces.

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
        self.frames = 0
        self._spectra = FrameSpectra(
            framing, gauss_window(framing.length), windowed_energy=True, power=False, complex_spectrum=False
        )
        self._axis = octave_axis(framing)
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
        recent = max((t.path_window for t in trackers), default=1) // LANES + 3
        keep = any(t.wants_levels or "HNRdBACF" in t.want for t in trackers)
        self._magnitudes = np.zeros((recent, framing.bins, LANES) if keep else (0, 0, 0), np.float32)
        self._tracks = [_Track(t, framing, self._magnitudes, self._feed) for t in trackers]
        self._samples = np.empty(0, np.float32)
        self._offset = 0

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
        if samples.ndim != 1 or samples.dtype != np.float32:
            raise AudioError(
                f"samples have shape {samples.shape} and type {samples.dtype}, expected (samples,) and float32: "
                "use prepare_samples"
            )
        if len(self._samples):
            self._samples = np.concatenate([self._samples, samples])
        else:
            self._samples = np.ascontiguousarray(samples)
        step = self.framing.step
        while self._complete() >= LANES:
            self._block(LANES)
        # Copied, so that a piece of the caller's signal does not keep all of it alive.
        first = min([self.frames * step, *(t.cycles.needs for t in self._tracks if t.cycles is not None)])
        first = min(first, self._offset + len(self._samples))
        self._samples = self._samples[first - self._offset :].copy()
        self._offset = first
        return [track.rows() for track in self._tracks]

    def finish(self) -> tuple[list[F32], list[int]]:
        """The signal is over.

        Returns
        -------
        rows : list of ndarray of float32, shape (frames, columns)
            The remaining rows, per tracker.
        released : list of int
            Per tracker, the frames whose F0 had been decided before the end was known (V of the specification, part 03
            section 2.1).
        """
        count = self._complete()
        if count > 0:
            self._block(count)
        released = [track.decided for track in self._tracks]
        for track in self._tracks:
            track.finish(self._samples, self._offset)
        return [track.rows() for track in self._tracks], released

    def _complete(self) -> int:
        return self.framing.count(len(self._samples) - (self.frames * self.framing.step - self._offset))

    def _block(self, count: int) -> None:
        samples = self._samples[self.frames * self.framing.step - self._offset :]
        block = self._spectra(samples, 0, count)
        energy = np.sqrt(block.energy[:count] / self.framing.length).astype(np.float32)
        octave = octave_spectrum(block.magnitude, self._axis, frames=count)
        sums, mean = subharmonic_sum(octave, self._axis)
        found = candidates(sums, mean, self._axis, frames=count, count=self._slots)
        frames_analysed["candidates"] += count
        if len(self._magnitudes):
            self._magnitudes[self.frames // LANES % len(self._magnitudes)] = block.magnitude
        if self._short is not None and self._feed is not None:
            self._feed.push(self._short(samples, 0, count))
        self.frames += count
        if self._feed is not None and self._feed.frames < self.frames:
            raise ConfigError(
                f"formants are known up to frame {self._feed.frames}, expected {self.frames}: "
                "push each piece of the signal to the short frames first"
            )
        for track in self._tracks:
            track.push(*found, energy, self._samples, self._offset)
        if self._feed is not None:
            self._feed.drop(min(track.decided for track in self._tracks) // LANES)


class _Track:
    """One tracker's state and its unfinished rows."""

    def __init__(self, tracker: Tracker, framing: Framing, magnitudes: F32, feed: FormantFeed | None) -> None:
        self.tracker = tracker
        self.framing = framing
        self.magnitudes = magnitudes
        self.feed = feed if tracker.wants_formants else None
        self.at = {name: k for k, name in enumerate(tracker.columns)}
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
        self.decided = 0
        # Contours wait in `table`, shape (columns, frames), until the voiced frames in it were described.
        unvoiced = [-201 if name.endswith("amplitudeLogRelF0") else 0 for name in tracker.columns]
        self.unvoiced = np.array(unvoiced, np.float32)[:, None]
        self.table = np.empty((len(unvoiced), 4 * LANES), np.float32)
        self.filled = 0
        self.resolution = 1 / block_duration(framing)
        self.by_spectrum = tracker.wants_levels or "HNRdBACF" in tracker.want
        self.collects = self.by_spectrum or (self.feed is not None and self.feed.gated)
        # Voiced frames waiting for their lanes to fill: places in the table, F0, spectra, short spectra or formants.
        self.waiting = 0
        self.place = np.zeros(LANES, np.int64)
        self.f0 = np.zeros(LANES, np.float32)
        self.spectra = np.zeros((framing.bins if self.by_spectrum else 0, LANES), np.float32)
        depth = 0 if self.feed is None else self.feed.rows if self.feed.gated else FORMANTS
        self.short = np.zeros((2, depth, LANES), np.float32)

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
        out = np.ascontiguousarray(self.table[:, :count].T)
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
        rows[:] = self.unvoiced
        self.filled += count
        self._put(rows, "F0final", f0)
        self._put(rows, "voicingFinalUnclipped", voicing)
        if "F0semitoneFrom27.5Hz" in self.at:
            self._put(rows, "F0semitoneFrom27.5Hz", semitones(f0, reference=SEMITONE_REFERENCE))
        if self.cycles is not None:
            values = self.cycles.push(f0, samples, offset=offset)
            for name, contour in zip(CYCLE_COLUMNS, values, strict=True):
                self._put(rows, name, contour)
            if "shimmerLocaldB" in self.at:
                self._put(rows, "shimmerLocaldB", 20 * np.log10(1 + values[2].astype(np.float64)))
        formants = None
        if self.feed is not None and not self.feed.gated:
            formants = self.feed.formants(first, count)
            self._put_formants(rows, slice(None), formants)
        if self.collects:
            self._collect(first, f0, formants)

    def _collect(self, first: int, f0: F32, formants: F32 | None) -> None:
        """Gather the voiced frames into lanes and describe them whenever all lanes are taken."""
        voiced = np.flatnonzero(f0 > 0)
        while len(voiced):
            taken, voiced = voiced[: LANES - self.waiting], voiced[LANES - self.waiting :]
            at, self.waiting = self.waiting, self.waiting + len(taken)
            frames = taken + first
            if self.by_spectrum:
                _gather(self.magnitudes, frames, at, self.spectra)
            if formants is not None:
                self.short[:, :, at : self.waiting] = formants[:, :, taken]
            elif self.feed is not None:
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
        formants = self.short[:, :, :count]
        if self.feed is not None and self.feed.gated:
            formants = np.stack(self.feed.compute(self.short[0], self.short[1], count))
            self._put_formants(self.table, places, formants)
        if "HNRdBACF" in self.at:
            frames_analysed["hnr"] += count
            nyquist = self.resolution * (self.framing.bins - 1)
            values = autocorrelation_hnr(self.spectra, f0, plan(self.framing.nfft), nyquist=nyquist)
            self.table[self.at["HNRdBACF"], places] = values
        if self.tracker.wants_levels:
            frames_analysed["harmonics"] += count
            frequency = np.ascontiguousarray(formants[0])
            levels = harmonic_levels(self.spectra, f0, frequency, resolution=self.resolution)
            for name, contour in zip(HARMONIC_COLUMNS, levels, strict=True):
                if name in self.at:
                    self.table[self.at[name], places] = contour

    def _put(self, rows: F32, name: str, values: "F32 | NDArray[np.float64]") -> None:
        if name in self.at:
            rows[self.at[name]] = values

    def _put_formants(self, table: F32, places: "NDArray[np.int64] | slice", values: F32) -> None:
        """`values`: frequencies and bandwidths, shape (2, 3, places)."""
        for k, name in enumerate(FORMANT_COLUMNS):
            if name in self.at:
                table[self.at[name], places] = values[k % 2, k // 2]


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
