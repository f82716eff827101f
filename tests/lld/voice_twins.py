"""Slow, obvious second implementations of the voice descriptors, one frame at a time.

``f`` rounds to single precision. Spectra come in as ``(bins,)`` arrays of one frame.
"""

import math
from itertools import pairwise

import numpy as np
from scipy.interpolate import CubicSpline

from .twins import f, logf, plain_transform

# --- pitch -----------------------------------------------------------------------------------------------------------


def duration(framing):
    return framing.frame if framing.nfft == framing.length else framing.frame * (framing.nfft / framing.length)


def octave_axis(framing):
    """Source abscissae, target abscissae, points per octave."""
    bins = framing.nfft // 2 + 1
    step = 1 / float(f(duration(framing)))
    source = [math.log2(i * step) for i in range(1, bins)]
    source = np.array([2 * source[0] - source[1], *source])
    top = step * (bins - 1)
    return source, np.linspace(math.log2(25), math.log2(top), bins), bins / math.log2(top / 25)


def octave_spectrum(magnitude, framing):
    m = magnitude.astype(float)
    bins = len(m)
    peaks = [i for i in range(bins) if (i == 0 or m[i] > m[i - 1]) and (i == bins - 1 or more(m, i))]
    enhanced = m.copy()
    if len(peaks) == 1:
        enhanced[3:] = 0
    for left, right in pairwise(peaks):
        enhanced[left + 3 : right - 2] = 0
    smooth = enhanced.copy()
    for i in range(bins - 1):
        smooth[i] = ((enhanced[i - 1] if i else 0) + 2 * enhanced[i] + enhanced[i + 1]) / 4
    source, target, per_octave = octave_axis(framing)
    values = CubicSpline(source, smooth, bc_type="natural")(target).astype(f)
    centre = per_octave * math.log2(65 / 50) - 1
    weight = np.array([0.5 + math.atan(3 * (i + 1 - centre) / per_octave) / math.pi for i in range(bins)])
    return np.where(values > 0, (values * weight).astype(f), f(0))


def more(m, i):
    """The right-hand condition of a maximum: at bin 0 strictly higher, otherwise at least as high."""
    return m[i] > m[i + 1] if i == 0 else m[i] >= m[i + 1]


def subharmonic_sum(octave, framing):
    per_octave = f(octave_axis(framing)[2])
    bins = len(octave)
    sums = np.empty(bins, f)
    for j in range(bins):
        total, weight = octave[j], f(0.85)
        for r in range(2, 16):
            k = j + math.floor(per_octave * math.log2(r))
            if k < bins:
                total = f(total + f(weight * octave[k]))
            weight = f(weight * f(0.85))
        sums[j] = f(total / f(15))
    return sums


def vertex(x1, y1, x2, y2, x3, y3):
    d = x1 * x1 * x2 + x2 * x2 * x3 + x3 * x3 * x1 - x3 * x3 * x2 - x2 * x2 * x1 - x1 * x1 * x3
    a = y1 * x2 + y2 * x3 + y3 * x1 - y3 * x2 - y2 * x1 - y1 * x3
    if d == 0 or a / d == 0:
        return x2, y2
    a = a / d
    b = (x1 * x1 * y2 + x2 * x2 * y3 + x3 * x3 * y1 - x3 * x3 * y2 - x2 * x2 * y1 - x1 * x1 * y3) / d
    c = (
        x1 * x1 * x2 * y3
        + x2 * x2 * x3 * y1
        + x3 * x3 * x1 * y2
        - x3 * x3 * x2 * y1
        - x2 * x2 * x1 * y3
        - x1 * x1 * x3 * y2
    ) / d
    x = -b / (2 * a)
    return x, c - a * x * x


def candidates(sums, framing, count):
    """List of (frequency, voicing, score), at most `count`."""
    target = octave_axis(framing)[1]
    start = f(target[0])
    spacing = f((f(target[-1]) - start) / f(len(sums) - 1))
    mean = float(np.mean(sums.astype(float)))
    peaks = [i for i in range(1, len(sums) - 1) if sums[i - 1] < sums[i] > sums[i + 1]]
    found = []
    for i in sorted(peaks, key=lambda i: -sums[i])[:count]:
        points = []
        for k in (i - 1, i, i + 1):
            points += [float(f(f(f(k) * spacing) + start)), float(sums[k])]
        x, height = vertex(*points)
        found.append((f(2**x), f(1 - mean / height) if height > max(mean, 0) else f(0), f(height)))
    return found


class SlowPath:
    """The path search with every survivor's whole path written out."""

    def __init__(self, f0_range, window, count, voicing=0.7, energy=0.001):
        self.low, self.high = f(f0_range[0]), f(f0_range[1])
        self.window, self.count, self.threshold, self.gate = window, count, f(voicing), f(energy)
        self.frames, self.energy, self.fixed, self.paths, self.cost = [], [], [], None, None

    def push(self, found, energy):
        kept = [c for c in found if self.low <= c[0] <= self.high]
        if kept:
            top = max(range(len(kept)), key=lambda k: (kept[k][2], -k))
            kept[0], kept[top] = kept[top], kept[0]
        slots = [(c[0], c[1]) for c in kept] + [(f(0), f(0))] * (self.count - len(kept))
        previous = self.frames[-1] if self.frames else None
        self.frames.append(slots)
        self.energy.append(energy)
        t, states, unvoiced = len(self.frames) - 1, self.count + 1, self.count
        local = []
        for pitch, clarity in slots:
            v = min(max(float(clarity), 0.01), 1)
            local.append(2 * (-math.log(v) + 4 * (v < self.threshold)) + penalty(float(pitch)))
        local.append(8 if any(clarity >= self.threshold for _, clarity in slots) else 0)
        if previous is None:
            self.cost, self.paths = local, [[s] for s in range(states)]
            return
        cost, paths = [], []
        for i in range(states):
            totals = []
            last = 1 if t == 1 and i == 0 else 0
            for j in range(states):
                if i == unvoiced and j == unvoiced:
                    step = 1
                elif unvoiced in (i, j):
                    step = 10
                elif slots[i][0] == 0 or previous[j][0] == 0:
                    step = 999
                else:
                    ratio = math.log(float(f(slots[i][0] / previous[j][0])))
                    step = 10 * abs(ratio) + 10 * abs(ratio - last)
                    last = ratio
                totals.append(self.cost[j] + step)
            best = totals.index(min(totals))
            cost.append(totals[best] + local[i])
            paths.append([*self.paths[best], i])
        self.cost, self.paths = cost, paths
        done = len(self.fixed)
        if t + 1 - (done - 1) > self.window:
            self.fixed.append(self.paths[cost.index(min(cost))][done])
        else:
            while done <= t and len({path[done] for path in paths}) == 1:
                self.fixed.append(paths[0][done])
                done += 1

    def finish(self):
        """F0 and voicing of all frames, and how many had been decided before."""
        released = len(self.fixed)
        if self.frames:
            self.fixed += self.paths[self.cost.index(min(self.cost))][released:]
        out = []
        for state, slots, energy in zip(self.fixed, self.frames, self.energy, strict=True):
            pitch, clarity = slots[state] if state < self.count else (f(0), slots[0][1])
            out.append((pitch, clarity) if energy > self.gate else (f(0), f(0)))
        return np.array(out, f).reshape(-1, 2), released


def penalty(pitch):
    if pitch <= 0:
        return 2
    if pitch < 100:
        return 1 - pitch / 100
    if pitch < 350:
        return 0
    return (pitch - 350) / 250 if pitch < 600 else 1.2


def semitones(pitch):
    return f(f(f(12) * logf(f(pitch / f(27.5)))) / logf(f(2))) if pitch > 0 else f(0)


# --- cycles ----------------------------------------------------------------------------------------------------------


def correlation(u, v):
    u, v = u.astype(float), v.astype(float)
    if np.all(u == u[0]) or np.all(v == v[0]):
        return math.nan
    mean_u, mean_v = math.fsum(u) / len(u), math.fsum(v) / len(v)
    uv = uu = vv = 0.0
    for a, b in zip(u, v, strict=True):
        uv += (a - mean_u) * (b - mean_v)
        uu += (a - mean_u) ** 2
        vv += (b - mean_v) ** 2
    return uv / (math.sqrt(uu) * math.sqrt(vv))


def cycles(f0, x, framing, search):
    """Rows jitter, DDP, shimmer, HNR, shape (frames, 4)."""
    period, hop, length = 1 / framing.sampling_rate, framing.step, framing.length
    advance = math.ceil(framing.hop / period)
    begin = backlog = 0
    last, change = f(0), f(0)
    held = [f(0), f(0), f(0)]
    rows = []
    for k, pitch in enumerate(f0):
        base = advance + backlog
        size = base
        if pitch > 0:
            tau = (1 / float(pitch)) / period
            lag, low, high = math.floor(tau + 0.5), math.floor((1 - search) * tau), math.ceil((1 + search) * tau)
            size = max(base, 2 * high + 2)
        size = min(size, backlog + length)
        if k * hop - backlog != begin:
            begin, size = k * hop, min(size, length)
        if not pitch > 0:
            begin, backlog, last, change, held = begin + base, 0, f(0), f(0), [f(0), f(0), f(0)]
            rows.append((0, 0, 0, -100))
            continue
        d = x[begin : begin + size]
        q = reached = latest = 0
        starts, periods, jumps, second, heights, changes = [], [], [], [], [], []
        while q < size - 2 * high - 1:
            c = [correlation(d[q : q + n], d[q + n : q + 2 * n]) for n in range(low, high + 1)]
            peaks = [i for i in range(1, high - low - 1) if c[i - 1] < c[i] > c[i + 1]]
            if not peaks:
                latest, q = lag, q + lag
            else:
                i = max(peaks, key=lambda i: (c[i], -i))
                latest, n = low + i, q + low + i
                a0, a1 = f(np.ptp(d[q + 1 : n - 1])), f(np.ptp(d[n + 1 : n + latest - 1]))
                starts.append(q)
                place, height = vertex(float(i - 1), c[i - 1], float(i), c[i], float(i + 1), c[i + 1])
                if height > 0.5:
                    p = f(abs(low + place) * period)
                    periods.append(p)
                    if last > 0:
                        new = abs(f(last - p))
                        jumps.append(new)
                        if change > 0:
                            second.append(abs(f(change - new)))
                        change = new
                    last = p
                    heights.append(f(f(a0 + a1) / f(2)))
                    changes.append(abs(f(a0 - a1)))
                q = n
            if q < base - 1:
                reached = q
        row = [held[0], held[1], f(0), f(0)]
        if periods:
            mean = f(total(periods) / f(len(periods)))
            for which, values in enumerate((jumps, second)):
                row[which] = f(0)
                if values:
                    held[which] = row[which] = min(f(f(total(values) / f(len(values))) / mean), f(1))
            held[2] = min(f(total(changes) / total(heights)), f(1)) if total(heights) > 0 else f(0)
        row[2] = held[2]
        row[3] = noise(d, [*starts, q], lag, latest)
        rows.append(row)
        begin, backlog = begin + reached, base - reached
    return np.array(rows, f).reshape(-1, 4)


def total(values):
    result = f(0)
    for value in values:
        result = f(result + value)
    return result


def noise(d, starts, lag, latest):
    mean = np.zeros(lag, f)
    for q in starts:
        mean += d[q : q + lag]
    mean /= f(len(starts))
    harmonic = f(math.sqrt(f(total(mean[i] * mean[i] for i in range(3, lag - 2)) / f(lag - 4))))
    rest = []
    for q, following in zip(starts, [*starts[1:], starts[-1] + latest], strict=True):
        for i in range(2, min(following - q, lag) - 2):
            difference = f(d[q + i] - mean[i])
            rest.append(f(difference * difference))
    remaining = f(np.sqrt(f(total(rest) / f(len(rest))))) if rest else f(0)
    if remaining == 0:
        return f(0)
    if harmonic == 0:
        return f(-100)
    return max(f(20 * math.log10(f(harmonic / remaining))), f(-100))


# --- autocorrelation -------------------------------------------------------------------------------------------------


def hnr(magnitude, pitch, framing):
    power = magnitude * magnitude
    half = len(power) - 1
    n = 2 * half
    cosine, sine = half_angles(n)
    delta = f(f(0.5) * f(power[0] - power[half]))
    u = [None] * half
    u[0], u[half // 2] = (f(power[0] - delta), -delta), (power[half // 2], f(0))
    for j in range(1, half // 2):
        x = f(power[j] - power[half - j])
        y, s = f(f(f(0.5) - sine[j]) * x), f(cosine[j] * x)
        u[j], u[half - j] = (f(power[j] - y), -s), (f(power[half - j] + y), -s)
    z = plain_transform(u, top=True)
    a = [abs(part) / f(half + 1) for k in range(half // 2 + 1) for part in z[k]][: half + 1]
    wanted = min(int(2 * (1 / duration(framing) * half) / float(pitch)), half)
    lag = nearest(a, wanted, half)
    if lag <= 0:
        return f(0)
    rest = f(a[0] - a[lag])
    ratio = float(a[lag]) / float(rest) if rest != 0 else 1e11
    return f(10 * math.log10(min(max(ratio, 1e-9), 1e11)))


def half_angles(n):
    quarter = f(math.pi / 4)
    cosine, sine = np.zeros(n // 4, f), np.zeros(n // 4, f)
    for j in range(1, n // 4):
        k = j if j < n // 8 else n // 4 - j
        if j == n // 8:
            cosine[j] = sine[j] = f(f(0.5) * f(math.cos(quarter)))
            continue
        angle = float(f(quarter * f(8 * k))) / n
        pair = f(0.5 * math.cos(angle)), f(0.5 * math.sin(angle))
        cosine[j], sine[j] = pair if j < n // 8 else pair[::-1]
    return cosine, sine


def is_peak(a, n):
    return (n == 0 or a[n] > a[n - 1]) and (n == len(a) - 1 or a[n] > a[n + 1])


def nearest(a, wanted, last):
    if is_peak(a, wanted):
        return wanted
    for away in range(1, last + 1):
        for n in (wanted - away, wanted + away):
            if 0 < n < last and is_peak(a, n):
                return n
    left, right = a[0] > a[wanted], a[last] > a[wanted]
    if left and right:
        return 0 if wanted < (last + 1) // 2 else last
    return 0 if left else last if right else wanted


# --- formants --------------------------------------------------------------------------------------------------------


def formants(re, im, framing, count):
    """Frequencies and bandwidths, shape (2, count)."""
    length = math.floor(11000 * framing.length / framing.sampling_rate + 0.5)
    period = framing.nfft * length / framing.length
    n = np.arange(length)
    y = np.full(length, re[0], f)
    if length >= framing.nfft:
        y = y + re[-1] * np.cos(2 * np.pi * (framing.nfft // 2 * n) / period).astype(f)
    for k in range(1, min(framing.nfft, length) // 2):
        y = y + re[k] * np.cos(2 * np.pi * (k * n) / period).astype(f)
        y = y + im[k] * np.sin(2 * np.pi * (k * n) / period).astype(f)
    y = y / f(framing.nfft // 2)
    a = prediction([total(y[lag:] * y[: length - lag]) for lag in range(12)])
    found = []
    if any(a):
        for root in np.roots([1.0, *(-float(c) for c in a)]):
            z = 1 / np.conj(root) if abs(root) > 1 else root
            if z.imag >= 0 and 50 <= abs(np.angle(z)) * 11000 / (2 * math.pi) <= 5450:
                found.append((abs(np.angle(z)) * 11000 / (2 * math.pi), -math.log(abs(z)) * 11000 / math.pi))
    found = sorted(found)[:count] + [(0, 0)] * (count - len(found))
    return np.array(found, f).T


def prediction(r):
    order = len(r) - 1
    a = [f(0)] * (order + 1)
    error = r[0]
    for p in range(1, order + 1):
        if error == 0:
            break
        s = r[p]
        for i in range(1, p):
            s = f(s + f(a[i] * r[p - i]))
        reflection = f(f(f(-1) / error) * s)
        a[p] = reflection
        for i in range(1, p // 2 + 1):
            t = a[i]
            a[i] = f(a[i] + f(reflection * a[p - i]))
            if 2 * i != p:
                a[p - i] = f(a[p - i] + f(reflection * t))
        error = f(error * f(f(1) - f(reflection * reflection)))
    return a[1:]


# --- harmonics -------------------------------------------------------------------------------------------------------


def nearest_bin(axis, frequency, start):
    for i in range(start, len(axis)):
        if axis[i] > frequency:
            return i - 1 if i > 0 and axis[i] - frequency > frequency - axis[i - 1] else i
    return 0


def log10f(x):
    """Decimal logarithm from its three parts, as some C libraries compute it in single precision."""
    alpha, beta, gamma = np.array([0x355427DB, 0x3EDE5BD9, 0x3E9A2080], np.uint32).view(f)
    mantissa, exponent = math.frexp(x)
    if x >= 1:
        mantissa, exponent = 2 * mantissa, exponent - 1
    return f(f(f(alpha * f(exponent)) + f(beta * logf(f(mantissa)))) + f(gamma * f(exponent)))


def harmonics(magnitude, pitch, formant, framing):
    """The five levels of a voiced frame, all hundred harmonics looked at."""
    axis = [1 / duration(framing) * i for i in range(len(magnitude))]
    last = len(magnitude) - 1
    half = float(f(f(0.5) * pitch))
    u = nearest_bin(axis, half, 1)
    lowest = nearest_bin(axis, half, u)
    bins, heights, frequencies, levels = [], [], [], []
    for h in range(100):
        c = nearest_bin(axis, float(f(f(h + 1) * pitch)), u)
        p = None
        if is_peak(magnitude, c):
            p = c
        else:
            low = nearest_bin(axis, float(f(f(h + 0.5) * pitch)), u)
            high = nearest_bin(axis, float(f(f(h + 1.5) * pitch)), c)
            left, right = c - 1, c + 1
            while p is None and (left >= low or right <= high):
                if right <= high:
                    p = right if is_peak(magnitude, right) else None
                    right += 1
                if p is None and left >= low:
                    p = left if is_peak(magnitude, left) else None
                    left -= 1
        u = c
        height = frequency = refined = f(0)
        if p is not None and lowest <= p < last and p > 0:
            c, height = p, magnitude[p]
            points = []
            for k in (p - 1, p, p + 1):
                points += [axis[k], float(magnitude[k])]
            x, y = vertex(*points)
            frequency, refined = f(x), f(y)
        if h == 0:
            level = f(0)
        elif heights[0] == 0:
            level = f(-201)
        elif refined > 0:
            level = max(f(20 * (float(log10f(refined)) - float(log10f(heights[0])))), f(-200))
        else:
            level = f(-200)
        if h > 0 and c == bins[-1]:
            c, height, frequency, level = 0, f(0), f(0), f(-201)
        for values, value in zip((bins, heights, frequencies, levels), (c, height, frequency, level), strict=True):
            values.append(value)
    amplitudes = []
    for place in formant:
        within = [h for h in range(100) if heights[h] > 0 and f(f(0.8) * place) <= frequencies[h] <= f(f(1.2) * place)]
        amplitudes.append(levels[max(within, key=lambda h: (heights[h], -h))] if within else None)
    third = f(201) if amplitudes[2] is None else amplitudes[2]
    differences = [f(levels[1] - levels[2]), f(levels[1] - third)]
    return np.array(
        [*(min(max(v, f(-201)), f(201)) for v in differences), *(f(0) if v is None else v for v in amplitudes)], f
    )
