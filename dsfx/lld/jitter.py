"""Cycle by cycle: jitter, shimmer and the harmonics-to-noise ratio of the waveform.

Specification, part 02 section 9, with the single-precision sums of part 04 section 7.3. Consecutive periods are matched
by cross-correlation in the samples of each voiced frame; where one frame's analysis ends, the next one's begins, so
frames are taken in order and a `Cycles` keeps the state in between.

The period is refined by the parabola of part 04 section 7.1 around correlations whose means, products and sums are
evaluated in a fixed order: the parabola's rounding errors show in the last bits at 48 kHz and above.
"""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ..errors import ConfigError
from .framing import Framing
from .pitch import parabola

__all__ = ["CYCLE_COLUMNS", "Cycles"]

F32 = NDArray[np.float32]

CYCLE_COLUMNS = ("jitterLocal", "jitterDDP", "shimmerLocal", "logHNR")

_ZERO = np.float32(0)
_HALF = np.float32(0.5)
_ONE = np.float32(1)
_FLOOR = np.float32(-100)

TIE = 1e-10
"""Correlations closer than this are compared by their exactly defined values."""

_kernel = njit(cache=True, nogil=True, error_model="numpy")


class Cycles:
    """Jitter, shimmer and waveform HNR of consecutive frames of one signal.

    Parameters
    ----------
    framing : Framing
        The frames F0 was found in.
    search : float
        How far a period may be from the one F0 says, as a share of it.
    longest_period : float
        Longest period in seconds that F0 can have.
    noise : bool
        Whether the waveform HNR is wanted.

    Attributes
    ----------
    needs : int
        First sample (counted from the begin of the signal) that further frames may need.

    Raises
    ------
    ConfigError
        `search` is not a share, or two of the longest periods do not fit into a frame.

    References
    ----------
    Specification, part 02 section 9.
    """

    def __init__(self, framing: Framing, *, search: float, longest_period: float, noise: bool) -> None:
        if not 0 < search < 1:
            raise ConfigError(f"period search range is {search}, expected a share between 0 and 1")
        longest = (1 + search) * longest_period
        if not 2 * longest < framing.frame:
            raise ConfigError(
                f"F0 down to {1 / longest_period:g} Hz with a period search range of {search} needs frames of more "
                f"than {2 * longest:g} s, got {framing.frame:g} s: raise the lowest F0"
            )
        self.framing = framing
        self.search = search
        self.noise = noise
        self.period = 1 / framing.sampling_rate
        # Not the hop in samples: the quotient of two rounded numbers may land just above an integer.
        self.advance = math.ceil(framing.hop / self.period)
        lags = math.ceil(longest / self.period) + 2
        self.work = np.zeros((3, 2 * lags + 2))
        self.average = np.zeros(lags, np.float32)
        self.starts = np.zeros(4 * framing.length + 16, np.int64)
        self.position = np.zeros(3, np.int64)
        self.held = np.zeros(5, np.float32)

    @property
    def needs(self) -> int:
        return int(min(self.position[0], self.position[2] * self.framing.step))

    def push(self, f0: F32, samples: F32, *, offset: int) -> F32:
        """Values of the next frames.

        Parameters
        ----------
        f0 : ndarray of float32, shape (frames,)
            F0 of the next frames in Hz, 0 where unvoiced.
        samples : ndarray of float32
            Samples of the signal from number `offset` on, at least to the end of the last of these frames.
        offset : int
            At most `needs`.

        Returns
        -------
        ndarray of float32, shape (4, frames)
            Rows as in `CYCLE_COLUMNS`; jitter and shimmer are ratios, the HNR is in dB.
        """
        out = np.empty((4, len(f0)), np.float32)
        _cycles(
            f0,
            samples,
            offset,
            self.framing.length,
            self.framing.step,
            self.advance,
            self.period,
            self.search,
            self.noise,
            self.position,
            self.held,
            self.work,
            self.average,
            self.starts,
            out,
        )
        return out


@_kernel
def _correlate(segment, shifted, squares, shortest, longest, out):  # type: ignore[no-untyped-def]
    """Correlation of each period with the next, for all period lengths; NaN where one of the two is constant.

    `segment` holds 2 `longest` samples. Samples are taken relative to the first: that changes nothing and keeps the
    running sums accurate where a small signal sits on a large offset.
    """
    base = np.float64(segment[0])
    count = longest - shortest + 1
    for n in range(2 * longest):
        shifted[n] = np.float64(segment[n]) - base
    sums = out[:count]
    for k in range(count):
        sums[k] = 0.0
    # Eight samples of the former period at a time; a lag of n or less does not reach sample n.
    for n in range(0, longest, 8):
        behind = max(n + 8 - shortest, 0)
        if n + 8 <= longest:
            _add_products(shifted, n, n + shortest + behind, sums[behind:])
        for k in range(max(n + 1 - shortest, 0), min(behind, count)):
            for m in range(n, min(n + 8, shortest + k)):
                sums[k] += shifted[m] * shifted[m + shortest + k]
    # squares[n]: sum of squares, shifted[n]: sum, both of the samples before n.
    total, power = 0.0, 0.0
    for n in range(2 * longest):
        x = shifted[n]
        shifted[n], squares[n] = total, power
        total += x
        power += x * x
    shifted[2 * longest], squares[2 * longest] = total, power
    # A small spread may be no spread at all, or be lost in rounding: those are looked at again.
    doubtful = False
    ends, middles = shifted[2 * shortest : 2 * longest + 1], shifted[shortest : longest + 1]
    ends2, middles2 = squares[2 * shortest : 2 * longest + 1], squares[shortest : longest + 1]
    for k in range(count):
        share = 1 / np.float64(shortest + k)
        u, uu = middles[k], middles2[k]
        v, vv = ends[2 * k] - u, ends2[2 * k] - uu
        spread_u, spread_v = uu - u * u * share, vv - v * v * share
        doubtful |= (spread_u <= 1e-9 * uu) | (spread_v <= 1e-9 * vv)
        sums[k] = (sums[k] - u * v * share) / math.sqrt(abs(spread_u * spread_v))
    if doubtful:
        for k in range(count):
            lag = shortest + k
            flat = _constant(segment[:lag]) or _constant(segment[lag : 2 * lag])
            sums[k] = np.nan if flat else _exact_correlation(segment, shifted, lag)


@_kernel
def _add_products(values, at, other, sums):  # type: ignore[no-untyped-def]
    """Add the products of eight values from `at` on with the eight from ``other + k`` on to sum k."""
    one = np.uint64(1)
    n = np.uint64(at)
    a, b, c, d = values[n], values[n + one], values[n + np.uint64(2)], values[n + np.uint64(3)]
    n += np.uint64(4)
    e, f, g, h = values[n], values[n + one], values[n + np.uint64(2)], values[n + np.uint64(3)]
    first = np.uint64(other)
    for k in range(np.uint64(len(sums))):
        p = first + k
        q = p + np.uint64(4)
        low = (a * values[p] + b * values[p + one]) + (c * values[p + np.uint64(2)] + d * values[p + np.uint64(3)])
        high = (e * values[q] + f * values[q + one]) + (g * values[q + np.uint64(2)] + h * values[q + np.uint64(3)])
        sums[k] += low + high


@_kernel
def _exact_correlation(segment, sums, lag):  # type: ignore[no-untyped-def]
    """Correlation of the first `lag` samples with the next, in the order that defines its last bits.

    `sums[n]` is the sum of n samples, each less the first. It is exact for samples on the 16-bit grid, so the means are
    the same in whatever order they are summed.
    """
    base = np.float64(segment[0])
    mean_u = (sums[lag] + lag * base) / lag
    mean_v = ((sums[2 * lag] - sums[lag]) + lag * base) / lag
    former, latter = segment[:lag], segment[lag : 2 * lag]
    uv, uu, vv = 0.0, 0.0, 0.0
    for n in range(lag):
        u, v = np.float64(former[n]) - mean_u, np.float64(latter[n]) - mean_v
        uv += u * v
        uu += u * u
        vv += v * v
    return uv / (math.sqrt(uu) * math.sqrt(vv))


@_kernel
def _best_lag(segment, sums, shortest, correlation):  # type: ignore[no-untyped-def]
    """Index of the highest local maximum, 0 if there is none. Its correlation and its neighbours' become exact."""
    count = len(correlation)
    for i in range(1, count):
        if abs(correlation[i] - correlation[i - 1]) < TIE:
            correlation[i - 1] = _exact_correlation(segment, sums, shortest + i - 1)
            correlation[i] = _exact_correlation(segment, sums, shortest + i)
    peak = 0
    # The last interior index is not looked at.
    for i in range(1, count - 2):
        c = correlation[i]
        if correlation[i - 1] < c and c > correlation[i + 1]:
            if peak > 0 and abs(c - correlation[peak]) < TIE:
                correlation[i] = c = _exact_correlation(segment, sums, shortest + i)
                correlation[peak] = _exact_correlation(segment, sums, shortest + peak)
            if peak == 0 or c > correlation[peak]:
                peak = i
    if peak > 0:
        for i in range(peak - 1, peak + 2):
            correlation[i] = _exact_correlation(segment, sums, shortest + i)
    return peak


@_kernel
def _constant(values):  # type: ignore[no-untyped-def]
    n = 1
    while n < len(values) and values[n] == values[0]:
        n += 1
    return n >= len(values)


@_kernel
def _extent(values):  # type: ignore[no-untyped-def]
    if len(values) == 0:
        return _ZERO
    low, high = values[0], values[0]
    for n in range(1, len(values)):
        low, high = min(low, values[n]), max(high, values[n])
    return np.float32(high - low)


@_kernel
def _cycles(  # type: ignore[no-untyped-def]
    f0, samples, offset, length, step, advance, period, search, noise, position, held, work, average, starts, out
):
    shifted, squares = work[0], work[1]
    begin, backlog, frame = position[0], position[1], position[2]
    last_period, last_change, jitter, jitter_ddp, shimmer = held[0], held[1], held[2], held[3], held[4]
    for k in range(len(f0)):
        first = frame * step
        frame += 1
        floor_size = advance + backlog
        size = floor_size
        lag, shortest, longest = 0, 0, 0
        if f0[k] > 0:
            tau = (1 / np.float64(f0[k])) / period
            lag = math.floor(tau + 0.5)
            shortest = max(math.floor((1 - search) * tau), 1)
            longest = math.ceil((1 + search) * tau)
            size = max(floor_size, 2 * longest + 2)
        size = min(size, backlog + length)
        if first - backlog != begin:
            begin = first
            size = min(size, length)
        if not f0[k] > 0:
            begin += floor_size
            backlog = 0
            last_period, last_change, jitter, jitter_ddp, shimmer = _ZERO, _ZERO, _ZERO, _ZERO, _ZERO
            out[0, k], out[1, k], out[2, k], out[3, k] = _ZERO, _ZERO, _ZERO, _FLOOR
            continue
        segment = samples[begin - offset : begin - offset + size]
        at, reached, listed, latest = 0, 0, 0, 0
        n_period, n_jitter, n_ddp = 0, 0, 0
        sum_period, sum_jitter, sum_ddp, sum_height, sum_change = _ZERO, _ZERO, _ZERO, _ZERO, _ZERO
        while at < size - 2 * longest - 1:
            here = segment[at : at + 2 * longest]
            _correlate(here, shifted, squares, shortest, longest, work[2])
            correlation = work[2, : longest - shortest + 1]
            peak = _best_lag(here, shifted, shortest, correlation)
            if peak == 0:
                latest = lag
                at += lag
            else:
                latest = shortest + peak
                following = at + latest
                range0 = _extent(segment[at + 1 : at + latest - 1])
                range1 = _extent(segment[following + 1 : following + latest - 1])
                starts[listed] = at
                listed += 1
                # Around the shortest lag as zero: the parabola's rounding depends on where zero is.
                place, height = parabola(
                    np.float64(peak - 1),
                    correlation[peak - 1],
                    np.float64(peak),
                    correlation[peak],
                    np.float64(peak + 1),
                    correlation[peak + 1],
                )
                if height > 0.5:
                    exact = np.float32(abs(shortest + place) * period)
                    n_period += 1
                    sum_period += exact
                    if last_period > 0:
                        change = abs(last_period - exact)
                        n_jitter += 1
                        sum_jitter += change
                        if last_change > 0:
                            n_ddp += 1
                            sum_ddp += abs(last_change - change)
                        last_change = change
                    last_period = exact
                    sum_height += np.float32(range0 + range1) * _HALF
                    sum_change += abs(range0 - range1)
                at = following
            if at < floor_size - 1:
                reached = at
        if n_period > 0:
            mean_period = sum_period / np.float32(n_period)
            out[0, k], out[1, k] = _ZERO, _ZERO
            if n_jitter > 0:
                jitter = min(np.float32(sum_jitter / np.float32(n_jitter)) / mean_period, _ONE)
                out[0, k] = jitter
            if n_ddp > 0:
                jitter_ddp = min(np.float32(sum_ddp / np.float32(n_ddp)) / mean_period, _ONE)
                out[1, k] = jitter_ddp
            shimmer = min(sum_change / sum_height, _ONE) if sum_height > 0 else _ZERO
        else:
            out[0, k], out[1, k] = jitter, jitter_ddp
        out[2, k] = shimmer
        out[3, k] = 0
        if noise:
            starts[listed] = at
            out[3, k] = _noise(segment, starts, listed, lag, latest, average)
        backlog = floor_size - reached
        begin += reached
    position[0], position[1], position[2] = begin, backlog, frame
    held[0], held[1], held[2], held[3], held[4] = last_period, last_change, jitter, jitter_ddp, shimmer


@_kernel
def _noise(segment, starts, listed, lag, latest, average):  # type: ignore[no-untyped-def]
    """Harmonics-to-noise ratio in dB: the average period against what each period differs from it."""
    mean = average[:lag]
    for i in range(lag):
        mean[i] = 0
    for j in range(listed + 1):
        cycle = segment[starts[j] : starts[j] + lag]
        for i in range(lag):
            mean[i] += cycle[i]
    for i in range(lag):
        mean[i] /= np.float32(listed + 1)
    power = _ZERO
    for i in range(3, lag - 2):
        power += mean[i] * mean[i]
    harmonic = math.sqrt(np.float32(power / np.float32(lag - 4)))
    power, count = _ZERO, 0
    for j in range(listed + 1):
        size = latest if j == listed else starts[j + 1] - starts[j]
        for i in range(2, min(size, lag) - 2):
            difference = segment[starts[j] + i] - mean[i]
            power += difference * difference
            count += 1
    rest = math.sqrt(np.float32(power / np.float32(count))) if count > 0 else _ZERO
    if not rest > 0:
        return _ZERO
    if not harmonic > 0:
        return _FLOOR
    return max(np.float32(20 * math.log10(np.float64(np.float32(harmonic / rest)))), _FLOOR)
