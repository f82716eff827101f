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
from .wide import wide

__all__ = ["CYCLE_COLUMNS", "Cycles"]

F32 = NDArray[np.float32]

CYCLE_COLUMNS = ("jitterLocal", "jitterDDP", "shimmerLocal", "logHNR")

_ZERO = np.float32(0)
_HALF = np.float32(0.5)
_ONE = np.float32(1)
_FLOOR = np.float32(-100)

TIE = 1e-10
"""Correlations closer than this are compared by their exactly defined values."""

FLAT = 1e-9
"""Share of the power below which what varies may be rounding errors only."""

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
        self.work = workspace(lags)
        self.average = np.zeros(lags, np.float32)
        self.starts = np.zeros(4 * framing.length + 16, np.int64)
        self.position = np.zeros(3, np.int64)
        self.held = np.zeros(5, np.float32)

    def reset(self) -> None:
        """Forget everything: a new signal begins."""
        self.position[:] = 0
        self.held[:] = 0

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


def workspace(longest: int) -> NDArray[np.float64]:
    """Rows for `_correlate` with periods of up to `longest` samples; the last one stays, reciprocals of lags."""
    work = np.zeros((6, 2 * longest + 18))
    work[5, 1:] = 1 / np.arange(1, work.shape[1])
    return work


@_kernel
def _add_products(x, y, sums):  # type: ignore[no-untyped-def]
    """Add the correlation of eight samples with what follows; `y` is 7 samples longer than `sums`."""
    wide()
    a, b, c, d, e, f, g, h = x[0], x[1], x[2], x[3], x[4], x[5], x[6], x[7]
    one, two, three, four = np.uint64(1), np.uint64(2), np.uint64(3), np.uint64(4)
    for k in range(np.uint64(len(sums))):
        former = (a * y[k] + b * y[k + one]) + (c * y[k + two] + d * y[k + three])
        k4 = k + four
        latter = (e * y[k4] + f * y[k4 + one]) + (g * y[k4 + two] + h * y[k4 + three])
        sums[k] += former + latter


@_kernel
def _correlate(segment, shortest, longest, work):  # type: ignore[no-untyped-def]
    """Correlation of each period with the next, for all period lengths, and bounds of their errors.

    NaN where one of the two is constant. `segment` holds 2 `longest` samples. Samples are taken relative to the first:
    that changes nothing and keeps the running sums accurate where a small signal sits on a large offset.
    """
    shifted, squares, sums, correlation, doubt = work[0], work[1], work[2], work[3], work[4]
    reciprocal = work[5, shortest : longest + 1]
    base = np.float64(segment[0])
    count = longest - shortest + 1
    for n in range(2 * longest):
        shifted[n] = np.float64(segment[n]) - base
    for n in range(2 * longest, 2 * longest + 16):
        shifted[n] = 0.0
    for k in range(count + 7):
        sums[k] = 0.0
    # Eight samples at a time for all lags that reach beyond them, and for some more that fill the last vector
    # register; then the rest of each lag.
    for n in range(0, longest - 7, 8):
        k = max(n + 8 - shortest, 0)
        size = (count - k + 7) & -8
        first = n + shortest + k
        _add_products(shifted[n : n + 8], shifted[first : first + size + 7], sums[k : k + size])
    for k in range(count):
        lag = shortest + k
        for n in range(lag & -8, lag):
            sums[k] += shifted[n] * shifted[n + lag]
    # squares[n]: sum of squares, shifted[n]: sum, both of the samples before n; four by four, for short chains of sums.
    total, power = 0.0, 0.0
    for n in range(0, 2 * longest + 1, 4):
        a, b, c, d = shifted[n], shifted[n + 1], shifted[n + 2], shifted[n + 3]
        ab, aabb = a + b, a * a + b * b
        shifted[n], squares[n] = total, power
        shifted[n + 1], squares[n + 1] = total + a, power + a * a
        shifted[n + 2], squares[n + 2] = total + ab, power + aabb
        shifted[n + 3], squares[n + 3] = total + (ab + c), power + (aabb + c * c)
        total += ab + (c + d)
        power += aabb + (c * c + d * d)
    # No branch for what is rare, so that all lags are normalised by vector instructions. A running sum is off by at
    # most 2^-53 times its length relative to the sum of magnitudes, and all these are bounded by the power.
    error = 2e-15 * longest * power
    u, uu = shifted[shortest : longest + 1], squares[shortest : longest + 1]
    v, vv = shifted[2 * shortest : 2 * longest + 1], squares[2 * shortest : 2 * longest + 1]
    flat = 0
    for k in range(count):
        share = reciprocal[k]
        first, second = u[k], v[2 * k] - u[k]
        power_u, power_v = uu[k], vv[2 * k] - uu[k]
        spread_u, spread_v = power_u - first * first * share, power_v - second * second * share
        flat += (spread_u <= FLAT * power_u) | (spread_v <= FLAT * power_v)
        correlation[k] = (sums[k] - first * second * share) / math.sqrt(spread_u * spread_v)
        doubt[k] = error / min(spread_u, spread_v)
    # A small spread may be no spread at all, or be lost in rounding: those are looked at again.
    if flat > 0:
        for k in range(count):
            lag = shortest + k
            share = 1 / np.float64(lag)
            first, second = u[k], v[2 * k] - u[k]
            power_u, power_v = uu[k], vv[2 * k] - uu[k]
            spread_u, spread_v = power_u - first * first * share, power_v - second * second * share
            if spread_u <= FLAT * power_u or spread_v <= FLAT * power_v:
                constant = _constant(segment[:lag]) or _constant(segment[lag : 2 * lag])
                correlation[k] = np.nan if constant else _exact_correlation(segment, lag)
                doubt[k] = 0.0


@_kernel
def _exact_correlation(segment, lag):  # type: ignore[no-untyped-def]
    """Correlation of the first `lag` samples with the next, in the order that defines its last bits."""
    base = np.float64(segment[0])
    sum_u, total = 0.0, 0.0
    for n in range(2 * lag):
        if n == lag:
            sum_u = total
        total += np.float64(segment[n]) - base
    mean_u = (sum_u + lag * base) / lag
    mean_v = ((total - sum_u) + lag * base) / lag
    former, latter = segment[:lag], segment[lag : 2 * lag]
    uv, uu, vv = 0.0, 0.0, 0.0
    for n in range(lag):
        u, v = np.float64(former[n]) - mean_u, np.float64(latter[n]) - mean_v
        uv += u * v
        uu += u * u
        vv += v * v
    return uv / (math.sqrt(uu) * math.sqrt(vv))


@_kernel
def _best_lag(segment, shortest, correlation, doubt):  # type: ignore[no-untyped-def]
    """Index of the highest local maximum, 0 if there is none. What decides is compared by its exact value."""
    count = len(correlation)
    ties = 0
    for i in range(1, count):
        ties += abs(correlation[i] - correlation[i - 1]) < max(TIE, doubt[i] + doubt[i - 1])
    if ties > 0:
        for i in range(1, count):
            if abs(correlation[i] - correlation[i - 1]) < max(TIE, doubt[i] + doubt[i - 1]):
                correlation[i - 1] = _exact_correlation(segment, shortest + i - 1)
                correlation[i] = _exact_correlation(segment, shortest + i)
    peak = 0
    # The last interior index is not looked at.
    for i in range(1, count - 2):
        c = correlation[i]
        if correlation[i - 1] < c and c > correlation[i + 1]:
            if peak > 0 and abs(c - correlation[peak]) < max(TIE, doubt[i] + doubt[peak]):
                correlation[i] = c = _exact_correlation(segment, shortest + i)
                correlation[peak] = _exact_correlation(segment, shortest + peak)
            if peak == 0 or c > correlation[peak]:
                peak = i
    return peak


@_kernel
def _vertex(correlation, peak):  # type: ignore[no-untyped-def]
    # Around the shortest lag as zero: the parabola's rounding depends on where zero is.
    return parabola(
        np.float64(peak - 1),
        correlation[peak - 1],
        np.float64(peak),
        correlation[peak],
        np.float64(peak + 1),
        correlation[peak + 1],
    )


@_kernel
def _refine(segment, shortest, peak, period, correlation, doubt):  # type: ignore[no-untyped-def]
    """Period in seconds by the parabola through exactly defined correlations, and whether its height is above 1/2.

    Exact correlations take as long as all the others. They are not needed as a rule: where neither the period, rounded
    to single precision, nor the comparison can come out differently within the bounds of the errors. To those of the
    correlations the rounding errors of the parabola's own terms are added, at most 10 times 2^-53 of the square (place)
    or the cube (height) of the largest abscissa.
    """
    place, height = _vertex(correlation, peak)
    curvature = 2 * correlation[peak] - correlation[peak - 1] - correlation[peak + 1]
    error = max(doubt[peak - 1], doubt[peak], doubt[peak + 1])
    furthest = np.float64(peak + 1)
    slack = (3 * error + 2e-14 * furthest * furthest) / curvature
    least = np.float32(abs(shortest + place - slack) * period)
    most = np.float32(abs(shortest + place + slack) * period)
    clear = abs(height - 0.5) > 4 * error + 2e-14 * furthest * furthest * furthest
    if not (clear and least == most and curvature > 4 * error):
        for i in range(peak - 1, peak + 2):
            correlation[i] = _exact_correlation(segment, shortest + i)
        place, height = _vertex(correlation, peak)
    return np.float32(abs(shortest + place) * period), height > 0.5


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
    # Four by four, for short chains of comparisons; the last four may have been looked at already.
    size = len(values)
    a = b = c = d = e = f = g = h = values[0]
    for n in range(0, size - 3, 4):
        p, q, r, s = values[n], values[n + 1], values[n + 2], values[n + 3]
        a, b, c, d = min(a, p), min(b, q), min(c, r), min(d, s)
        e, f, g, h = max(e, p), max(f, q), max(g, r), max(h, s)
    for n in range(max(size - 3, 0), size):
        a, e = min(a, values[n]), max(e, values[n])
    return np.float32(max(e, f, g, h) - min(a, b, c, d))


@_kernel
def _cycles(  # type: ignore[no-untyped-def]
    f0, samples, offset, length, step, advance, period, search, noise, position, held, work, average, starts, out
):
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
            _correlate(here, shortest, longest, work)
            correlation, doubt = work[3, : longest - shortest + 1], work[4, : longest - shortest + 1]
            peak = _best_lag(here, shortest, correlation, doubt)
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
                exact, similar = _refine(here, shortest, peak, period, correlation, doubt)
                if similar:
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
