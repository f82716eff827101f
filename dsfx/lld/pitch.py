"""Fundamental frequency: octave spectrum, sub-harmonic summation, candidates, the smoothest path through them.

Specification, part 02 sections 4 to 8, to the last bit by part 04 section 7.2. The array stages run on lanes: a block
of frames is stored as (bins, 64), so that sums which must be ordered are ordered within a frame and still run side by
side over frames. The path is sequential by nature and keeps its state in a `Path`.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ..errors import ConfigError
from .fft import LANES, lane_array, scratch, vectors
from .framing import Framing
from .wide import wide

__all__ = ["OctaveAxis", "Path", "candidates", "octave_axis", "octave_spectrum", "semitones", "subharmonic_sum"]

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

_ZERO = np.float32(0)
_ONE = np.float32(1)
_NEVER = np.float32(-1)
_TWELVE = np.float32(12)

LOWEST = 25.0
"""Where the octave axis begins, in Hz."""

HARMONICS = 15
"""Harmonics added up per candidate frequency."""

COMPRESSION = np.float32(0.85)
"""Weight of a harmonic relative to the one below it."""

_kernel = njit(cache=True, nogil=True, error_model="numpy")


@dataclass(frozen=True)
class OctaveAxis:
    """Everything about the octave axis that follows from the frames' size alone.

    Attributes
    ----------
    bins : int
        Points of the axis, as many as spectrum bins (M).
    start, spacing : float32
        log2 of the lowest frequency, and the distance of two points, in octaves.
    solve : ndarray of float64, shape (bins, 4)
        Forward elimination of the natural spline: weights of the left, own and right value and of the recursion.
    back : ndarray of float64, shape (bins,)
        Its back substitution.
    knot : ndarray of uint64, shape (bins,)
        Index of the source bin right of (or at) each point of the axis.
    blend : ndarray of float64, shape (bins, 4)
        Weights of the left and right value and of the left and right second derivative at each point.
    weight : ndarray of float64, shape (bins,)
        Auditory weighting.
    shifts : ndarray of int64, shape (HARMONICS - 1,)
        Points between a frequency and its r-th multiple, r = 2 ...
    gains : ndarray of float32, shape (HARMONICS - 1,)
        Weight of that multiple.
    """

    bins: int
    start: np.float32
    spacing: np.float32
    solve: F64
    back: F64
    knot: NDArray[np.uint64]
    blend: F64
    weight: F64
    shifts: NDArray[np.int64]
    gains: F32


@lru_cache(maxsize=8)
def octave_axis(framing: Framing) -> OctaveAxis:
    """Octave axis of the spectra of `framing` (specification, part 02 sections 4.3, 4.4 and 5).

    Raises
    ------
    ConfigError
        The spectrum does not reach above the lowest frequency of the axis.
    """
    bins = framing.bins
    # The axis is derived from a block duration that was rounded to single precision: that decides last bits of F0.
    step = 1 / float(np.float32(block_duration(framing)))
    top = step * (bins - 1)
    if not top > 2 * LOWEST:
        raise ConfigError(f"spectrum ends at {top:g} Hz, expected well above {LOWEST:g} Hz: raise the sampling rate")
    source = np.empty(bins)
    source[1:] = [math.log2(i * step) for i in range(1, bins)]
    source[0] = 2 * source[1] - source[2]
    first, last = math.log2(LOWEST), math.log2(top)
    target = first + np.arange(bins) * ((last - first) / (bins - 1))

    solve = np.zeros((bins, 4))
    back = np.zeros(bins)
    gap = np.diff(source)
    for i in range(1, bins - 1):
        span = gap[i - 1] + gap[i]
        share = gap[i - 1] / span
        pivot = share * back[i - 1] + 2
        back[i] = (share - 1) / pivot
        scale = 6 / (span * pivot)
        left, right = scale / gap[i - 1], scale / gap[i]
        solve[i] = left, -(left + right), right, -share / pivot

    knot = np.clip(np.searchsorted(source, target), 1, bins - 1)
    width = gap[knot - 1]
    a = (source[knot] - target) / width
    b = (target - source[knot - 1]) / width
    # The last point may lie beyond the last knot by a rounding error.
    a[-1], b[-1] = max(a[-1], 0.0), min(b[-1], 1.0)
    blend = np.stack([a, b, (a**3 - a) * width**2 / 6, (b**3 - b) * width**2 / 6], axis=1)

    per_octave = bins / (math.log(top / LOWEST) / math.log(2))
    centre = per_octave * math.log2(65 / 50) - 1
    weight = np.array([0.5 + math.atan(3 * (i + 1 - centre) / per_octave) / math.pi for i in range(bins)])

    per_octave32 = float(np.float32(per_octave))
    shifts = np.array([math.floor(per_octave32 * math.log2(r)) for r in range(2, HARMONICS + 1)], np.int64)
    gains = np.full(HARMONICS - 1, COMPRESSION)
    for r in range(1, len(gains)):
        gains[r] = gains[r - 1] * COMPRESSION
    start = np.float32(first)
    spacing = np.float32((np.float32(last) - start) / np.float32(bins - 1))
    return OctaveAxis(bins, start, spacing, solve, back, knot.astype(np.uint64), blend, weight, shifts, gains)


def block_duration(framing: Framing) -> float:
    """Nominal duration of a zero-padded frame in seconds (specification, part 04 section 7.2)."""
    return framing.frame if framing.nfft == framing.length else framing.frame * (framing.nfft / framing.length)


def octave_spectrum(magnitude: F32, axis: OctaveAxis, *, frames: int = LANES, out: F32 | None = None) -> F32:
    """Magnitude spectra with peaks enhanced, on the octave axis, with auditory weighting.

    Parameters
    ----------
    magnitude : ndarray of float32, shape (bins, 64)
    axis : OctaveAxis
    frames : int
        Lanes in use.
    out : ndarray of float32, shape (bins, 64), optional
        Receives the result.

    Returns
    -------
    ndarray of float32, shape (bins, 64)
        Anything finite in lanes not in use.

    References
    ----------
    Specification, part 02 section 4.
    """
    octave = lane_array(len(magnitude)) if out is None else out
    latest, number = scratch("maxima", 2)
    kept, value = scratch("kept", len(magnitude)), scratch("smooth", 4, np.float64)
    curve = scratch("curve", len(magnitude), np.float64)
    tables = (axis.solve, axis.back, axis.knot, axis.blend, axis.weight)
    used = vectors(frames)
    _octave(magnitude, used, *tables, latest, number, kept, value, curve, octave)
    octave[:, used:] = 0
    return octave


# In the kernels below rows are addressed by unsigned indices instead of being sliced off: an index that cannot be
# negative lets the inner loops become vector instructions, and a slice per row costs as much as the row's arithmetic.


@_kernel
def _octave(magnitude, width, solve, back, knot, blend, weight, latest, number, kept, value, curve, out):  # type: ignore[no-untyped-def]
    wide()
    zero, one, two, three = np.uint64(0), np.uint64(1), np.uint64(2), np.uint64(3)
    bins, width = np.uint64(len(magnitude)), np.uint64(width)
    end = bins - one
    # Between two maxima only the two bins on either side of each are kept. Per lane the latest maximum and their
    # number are enough: a bin is near one if the latest, seen from two bins on, is.
    for n in range(width):
        top = magnitude[0, n] > magnitude[1, n]
        latest[n] = _ZERO if top else _NEVER
        number[n] = _ONE if top else _ZERO
    for i in range(one, bins):
        h, j, k = i - two, i - one, i + one
        here = np.float32(i)
        if i < end:
            for n in range(width):
                m = magnitude[i, n]
                top = (m > magnitude[j, n]) & (m >= magnitude[k, n])
                latest[n] = here if top else latest[n]
                number[n] += _ONE if top else _ZERO
        else:
            for n in range(width):
                top = magnitude[i, n] > magnitude[j, n]
                latest[n] = here if top else latest[n]
                number[n] += _ONE if top else _ZERO
        if i >= two:
            oldest = here - np.float32(4)
            for n in range(width):
                kept[h, n] = magnitude[h, n] if (latest[n] >= oldest) | (latest[n] < _ZERO) else _ZERO
    # What was not known on the way: that no maximum follows, or that there is only one.
    for n in range(width):
        alone = number[n] == _ONE
        first = three if alone else np.uint64(max(latest[n], _ZERO))
        for i in range(min(first, end - one), bins):
            kept[i, n] = _ZERO if alone and i >= three else magnitude[i, n]
        if alone:
            for i in range(min(three, bins)):
                kept[i, n] = magnitude[i, n]
    # Elimination for the spline, one bin behind. Of the smoothed spectrum only the latest rows are at hand: to smooth
    # once more on the way back costs less than to write everything down in double precision.
    _smooth(kept, zero, width, value)
    for n in range(width):
        curve[0, n] = 0
        curve[end, n] = 0
    for i in range(one, bins):
        _smooth(kept, i, width, value)
        if i > one:
            h, j = i - two, i - one
            a, b, c = h & three, j & three, i & three
            c0, c1, c2, c3 = solve[j, 0], solve[j, 1], solve[j, 2], solve[j, 3]
            for n in range(width):
                curve[j, n] = c0 * value[a, n] + c1 * value[b, n] + c2 * value[c, n] + c3 * curve[h, n]
    # Back substitution gives the second derivatives, from the right; the points of the axis follow.
    left, smooth = bins, bins
    for step in range(one, bins):
        k = bins - step
        j = k - one
        if j > 0:
            c0 = back[j]
            for n in range(width):
                curve[j, n] += c0 * curve[k, n]
        if left > 0 and knot[left - one] == k:
            if smooth > k:
                _smooth(kept, k, width, value)
            _smooth(kept, j, width, value)
            smooth = j
            a, b = j & three, k & three
            while left > 0 and knot[left - one] == k:
                left -= one
                c0, c1, c2, c3, w = blend[left, 0], blend[left, 1], blend[left, 2], blend[left, 3], weight[left]
                for n in range(width):
                    v = np.float32(c0 * value[a, n] + c1 * value[b, n] + c2 * curve[j, n] + c3 * curve[k, n])
                    out[left, n] = np.float32(np.float64(v) * w) if v > 0 else _ZERO


@_kernel
def _smooth(kept, i, width, value):  # type: ignore[no-untyped-def]
    """Row `i` smoothed over three bins, into one of the four rows of `value` in turn."""
    wide()
    one, at = np.uint64(1), i & np.uint64(3)
    h, j, end = i - one, i + one, np.uint64(len(kept)) - one
    if i == 0:
        for n in range(width):
            value[at, n] = (2 * np.float64(kept[i, n]) + np.float64(kept[j, n])) / 4
    elif i < end:
        for n in range(width):
            value[at, n] = (np.float64(kept[h, n]) + 2 * np.float64(kept[i, n]) + np.float64(kept[j, n])) / 4
    else:
        for n in range(width):
            value[at, n] = kept[i, n]


def subharmonic_sum(octave: F32, axis: OctaveAxis, *, out: F32 | None = None) -> tuple[F32, F64]:
    """Sum of each point and its harmonics, and the mean over all points.

    Parameters
    ----------
    octave : ndarray of float32, shape (bins, 64)
    axis : OctaveAxis
    out : ndarray of float32, shape (bins, 64), optional
        Receives the sums.

    Returns
    -------
    sums : ndarray of float32, shape (bins, 64)
    mean : ndarray of float64, shape (64,)

    References
    ----------
    Specification, part 02 section 5.
    """
    sums = lane_array(len(octave)) if out is None else out
    mean = np.zeros(LANES)
    _summation(octave, axis.shifts, axis.gains, sums, mean)
    return sums, mean


@_kernel
def _summation(octave, shifts, gains, sums, mean):  # type: ignore[no-untyped-def]
    wide()
    bins, rows, last = len(octave), 32, len(shifts) - 1
    divisor = np.float32(len(shifts) + 1)
    # A harmonic lies a fixed number of rows higher, so several rows are one stretch of memory.
    source, target = octave.reshape(-1), sums.reshape(-1)
    for start in range(0, bins, rows):
        stop = min(start + rows, bins)
        block = target[start * LANES : stop * LANES]
        block[:] = source[start * LANES : stop * LANES]
        # Two at a time, for fewer visits to the block; still one addition after the other.
        for r in range(0, last + 1, 2):
            a, b = source[(start + shifts[r]) * LANES :], source[(start + shifts[min(r + 1, last)]) * LANES :]
            _add_two(block, a, gains[r], b if r < last else b[:0], gains[min(r + 1, last)])
        for i in range(np.uint64(len(block))):
            block[i] /= divisor
        for j in range(np.uint64(start), np.uint64(stop)):
            for n in range(LANES):
                mean[n] += sums[j, n]
    for n in range(LANES):
        mean[n] /= bins


@_kernel
def _add_two(block, a, gain_a, b, gain_b):  # type: ignore[no-untyped-def]
    """Add multiples of `a` and then of `b`, as far as they go; `b` is at most as long as `a`."""
    wide()
    both, size = min(len(block), len(b)), min(len(block), len(a))
    for i in range(np.uint64(both)):
        block[i] = (block[i] + gain_a * a[i]) + gain_b * b[i]
    for i in range(np.uint64(both), np.uint64(size)):
        block[i] += gain_a * a[i]


@_kernel
def parabola(x1, y1, x2, y2, x3, y3):  # type: ignore[no-untyped-def]
    """Vertex (position, height) of the parabola through three points, rounded as in part 04 section 7.1.

    The expressions cancel and a relative form would be more accurate; their rounding is part of the definition.
    """
    delta = x1 * x1 * x2 + x2 * x2 * x3 + x3 * x3 * x1 - x3 * x3 * x2 - x2 * x2 * x1 - x1 * x1 * x3
    if delta == 0:
        return x2, y2
    a = (y1 * x2 + y2 * x3 + y3 * x1 - y3 * x2 - y2 * x1 - y1 * x3) / delta
    if a == 0:
        return x2, y2
    b = (x1 * x1 * y2 + x2 * x2 * y3 + x3 * x3 * y1 - x3 * x3 * y2 - x2 * x2 * y1 - x1 * x1 * y3) / delta
    c = x1 * x1 * x2 * y3 + x2 * x2 * x3 * y1 + x3 * x3 * x1 * y2 - x3 * x3 * x2 * y1 - x2 * x2 * x1 * y3
    c = (c - x1 * x1 * x3 * y2) / delta
    x = -b / (2 * a)
    return x, c - a * x * x


def candidates(sums: F32, mean: F64, axis: OctaveAxis, *, frames: int, count: int) -> tuple[F32, F32, F32]:
    """Highest peaks of the sub-harmonic sum, in descending order of height.

    Parameters
    ----------
    sums : ndarray of float32, shape (bins, 64)
    mean : ndarray of float64, shape (64,)
    axis : OctaveAxis
    frames : int
        Lanes in use.
    count : int
        Number of candidates per frame; slots left over are 0.

    Returns
    -------
    frequency, voicing, score : ndarrays of float32, shape (frames, count)
        Frequency in Hz, voicing up to 1, height of the peak.

    References
    ----------
    Specification, part 02 section 6, steps 1 to 3.
    """
    shape = (frames, count)
    frequency, voicing, score = np.zeros(shape, np.float32), np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    _candidates(sums, mean, axis.start, axis.spacing, frequency, voicing, score)
    return frequency, voicing, score


@_kernel
def _candidates(sums, mean, start, spacing, frequency, voicing, score):  # type: ignore[no-untyped-def]
    bins, one = np.uint64(len(sums)), np.uint64(1)
    frames, slots = frequency.shape
    # The highest peaks so far and their bins; no sum is negative.
    height = np.full((LANES, slots), np.float32(-1))
    best = np.empty((LANES, slots), np.int64)
    bar = np.full(LANES, np.float32(-1))
    # Whether there is a peak above the lowest of them in a lane; eight lanes to a word.
    width = np.uint64(-(-frames // 8) * 8)
    flags = np.zeros(width, np.uint8)
    words = flags.view(np.uint64)
    lanes = np.empty(9, np.int64)
    for i in range(one, bins - one):
        h, j = i - one, i + one
        for n in range(width):
            here = sums[i, n]
            flags[n] = (sums[h, n] < here) & (here > sums[j, n]) & (here > bar[n])
        for w in range(len(words)):
            if words[w] == 0:
                continue
            # From here on without branches, which nothing could predict.
            number = 0
            for n in range(8 * w, 8 * w + 8):
                lanes[number] = n
                number += flags[n]
            for m in range(number):
                n = lanes[m]
                new, at = sums[i, n], np.int64(i)
                for k in range(slots):
                    old, old_at = height[n, k], best[n, k]
                    higher = new > old
                    height[n, k], best[n, k] = new if higher else old, at if higher else old_at
                    new, at = old if higher else new, old_at if higher else at
                bar[n] = height[n, slots - 1]
    for n in range(frames):
        for k in range(slots):
            if height[n, k] < 0:
                break
            i = best[n, k]
            x1 = np.float64(np.float32(np.float32(i - 1) * spacing) + start)
            x2 = np.float64(np.float32(np.float32(i) * spacing) + start)
            x3 = np.float64(np.float32(np.float32(i + 1) * spacing) + start)
            y1, y2, y3 = np.float64(sums[i - 1, n]), np.float64(sums[i, n]), np.float64(sums[i + 1, n])
            x, y = parabola(x1, y1, x2, y2, x3, y3)
            frequency[n, k] = np.float32(2.0**x)
            score[n, k] = np.float32(y)
            voicing[n, k] = np.float32(1 - mean[n] / y) if y > 0 and y > mean[n] else _ZERO


class Path:
    """The smoothest path through the candidates, decided online with a limited window.

    Parameters
    ----------
    f0_range : tuple of float
        Lowest and highest frequency in Hz; candidates outside are dropped.
    window : int
        Frames that may stay undecided; then the oldest is decided by force.
    voicing_threshold : float
        A candidate below it costs more, and a frame without one above it may be unvoiced for nothing.
    energy_threshold : float
        A frame whose energy is not above it has neither F0 nor voicing.
    count : int
        Candidates per frame.

    Attributes
    ----------
    processed, decided : int
        Frames seen and frames decided so far.

    References
    ----------
    Specification, part 02 sections 6 (steps 4 and 5), 7 and 8.
    """

    def __init__(
        self,
        *,
        f0_range: tuple[float, float],
        window: int,
        voicing_threshold: float,
        energy_threshold: float,
        count: int,
    ) -> None:
        self.limits = np.array([*f0_range, voicing_threshold, energy_threshold], np.float32)
        self.window = window
        size = max(window, 2) + 1
        self.counters = np.zeros(2, np.int64)
        self.cost = np.zeros((2, count + 1))
        self.origin = np.zeros((size, count + 1), np.int64)
        self.ring = np.zeros((size, 2, count + 1), np.float32)
        self.energy = np.zeros(size, np.float32)

    def reset(self) -> None:
        """Forget everything: a new signal begins."""
        self.counters[:] = 0

    @property
    def processed(self) -> int:
        return int(self.counters[0])

    @property
    def decided(self) -> int:
        return int(self.counters[1])

    def push(self, frequency: F32, voicing: F32, score: F32, energy: F32) -> tuple[F32, F32]:
        """Take the candidates of further frames; return F0 in Hz (0: unvoiced) and voicing of the frames now decided.

        Parameters
        ----------
        frequency, voicing, score : ndarrays of float32, shape (frames, candidates)
            As `candidates` gives them (or with more slots than needed).
        energy : ndarray of float32, shape (frames,)
            Root mean square of each frame.
        """
        return self._run(frequency, voicing, score, energy, False)

    def finish(self) -> tuple[F32, F32]:
        """The input is over: decide the frames that are still undecided."""
        none = np.empty((0, self.cost.shape[1] - 1), np.float32)
        return self._run(none, none, none, np.empty(0, np.float32), True)

    def _run(self, frequency: F32, voicing: F32, score: F32, energy: F32, last: bool) -> tuple[F32, F32]:
        out = np.empty((2, len(energy) + self.window + 2), np.float32)
        count = _viterbi(
            frequency,
            voicing,
            score,
            energy,
            self.limits,
            self.window,
            self.counters,
            self.cost,
            self.origin,
            self.ring,
            self.energy,
            out,
            last,
        )
        return out[0, :count], out[1, :count]


@_kernel
def _viterbi(  # type: ignore[no-untyped-def]
    frequency, voicing, score, energy, limits, window, counters, cost, origin, ring, ring_energy, out, last
):
    size, states = origin.shape
    slots = states - 1
    lowest, highest, threshold, gate = limits[0], limits[1], limits[2], limits[3]
    height = np.empty(slots, np.float32)
    local = np.empty(states)
    alive = np.empty(states, np.int64)
    written = 0
    for n in range(len(energy)):
        t = counters[0]
        counters[0] += 1
        here = ring[t % size]
        pitch, clarity = here[0], here[1]
        ring_energy[t % size] = energy[n]
        # Candidates within the limits close ranks; the first of the highest goes to the front.
        used = 0
        for k in range(slots):
            f = frequency[n, k]
            if f > 0 and f >= lowest and f <= highest:
                pitch[used], clarity[used], height[used] = f, voicing[n, k], score[n, k]
                used += 1
        top = 0
        for k in range(1, used):
            if height[k] > height[top]:
                top = k
        for k in range(used, states):
            pitch[k], clarity[k] = 0, 0
        if top > 0:
            pitch[0], pitch[top] = pitch[top], pitch[0]
            clarity[0], clarity[top] = clarity[top], clarity[0]
        # What each state costs by itself.
        voiced = False
        for k in range(slots):
            v = min(max(float(clarity[k]), 0.01), 1.0)
            weak = clarity[k] < threshold
            voiced |= not weak
            f = np.float64(pitch[k])
            if f <= 0:
                penalty = 2.0
            elif f < 100:
                penalty = 1 - f / 100
            elif f < 350:
                penalty = 0.0
            elif f < 600:
                penalty = (f - 350) / 250
            else:
                penalty = 1.2
            clear = -math.log(v) if v > 0.01 else -math.log(0.01)
            local[k] = 2 * (clear + (4.0 if weak else 0.0)) + penalty
        local[slots] = 8.0 if voiced else 0.0
        # The cheapest way to each state.
        new, old = cost[t % 2], cost[(t + 1) % 2]
        if t == 0:
            for i in range(states):
                new[i] = local[i]
            continue
        before = ring[(t - 1) % size, 0]
        for i in range(states):
            # From unvoiced first: what costs as much before the step already cannot win, and needs no logarithm.
            best, source = old[slots] + (1.0 if i == slots else 10.0), slots
            previous, asked = (1.0 if (t == 1 and i == 0) else 0.0), -1
            for j in range(slots):
                if old[j] > best:
                    continue
                if i == slots:
                    step = 10.0
                elif pitch[i] == 0 or before[j] == 0:
                    step = 999.0
                else:
                    # The second term compares with the nearest predecessor that has a pitch.
                    k = j - 1
                    while k > asked and before[k] == 0:
                        k -= 1
                    if k > asked:
                        previous = math.log(np.float64(pitch[i] / before[k]))
                    ratio = math.log(np.float64(pitch[i] / before[j]))
                    step = 10 * abs(ratio) + 10 * abs(ratio - previous)
                    previous, asked = ratio, j
                total = old[j] + step
                # The first of the cheapest.
                if total < best or (total == best and source == slots):
                    best, source = total, j
            new[i] = best + local[i]
            origin[t % size, i] = source
        # Decide what can be decided.
        done = counters[1]
        if t + 2 - done > window:
            state = 0
            for i in range(1, states):
                if new[i] < new[state]:
                    state = i
            for u in range(t, done, -1):
                state = origin[u % size, state]
            written = _decide(ring, ring_energy, done, state, gate, out, written)
            counters[1] = done + 1
        else:
            for i in range(states):
                alive[i] = i
            for u in range(t, done, -1):
                same = True
                for i in range(states):
                    alive[i] = origin[u % size, alive[i]]
                    same &= alive[i] == alive[0]
                if same:
                    # Frames up to u - 1 are common to all survivors.
                    written = _trace(ring, ring_energy, origin, done, u - 1, alive[0], gate, out, written)
                    counters[1] = u
                    break
    if last and counters[0] > counters[1]:
        end = cost[(counters[0] - 1) % 2]
        state = 0
        for i in range(1, states):
            if end[i] < end[state]:
                state = i
        written = _trace(ring, ring_energy, origin, counters[1], counters[0] - 1, state, gate, out, written)
        counters[1] = counters[0]
    return written


@_kernel
def _trace(ring, ring_energy, origin, first, last, state, gate, out, written):  # type: ignore[no-untyped-def]
    """Write frames `first` to `last` of the path that is in `state` at the end; return the new number of outputs."""
    for u in range(last, first - 1, -1):
        _decide(ring, ring_energy, u, state, gate, out, written + u - first)
        state = origin[u % len(origin), state]
    return written + last - first + 1


@_kernel
def _decide(ring, ring_energy, t, state, gate, out, at):  # type: ignore[no-untyped-def]
    k = t % len(ring)
    slots = ring.shape[2] - 1
    loud = ring_energy[k] > gate
    out[0, at] = ring[k, 0, state] if loud and state < slots else _ZERO
    out[1, at] = ring[k, 1, state if state < slots else 0] if loud else _ZERO
    return at + 1


def semitones(f0: F32, *, reference: float) -> F32:
    """F0 in semitones above `reference` Hz, rounded step by step in single precision; 0 where `f0` is 0.

    Values that would be at or below 1 semitone become 1, so that 0 always means unvoiced.

    References
    ----------
    Specification, part 02 section 8 and part 04 section 7.2.
    """
    out = np.empty_like(f0)
    _semitones(f0, np.float32(reference), out)
    return out


@_kernel
def _semitones(f0, reference, out):  # type: ignore[no-untyped-def]
    octave = math.log(np.float32(2))
    for n in range(len(f0)):
        if f0[n] > 0:
            value = np.float32(_TWELVE * math.log(np.float32(f0[n] / reference))) / octave
            out[n] = max(np.float32(value), _ONE)
        else:
            out[n] = 0
