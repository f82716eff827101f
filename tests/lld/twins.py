"""Slow, obvious second implementations of the descriptors, frame by frame, with the roundings spelled out.

``f`` rounds to single precision. Spectra come in as ``(bins,)`` arrays of one frame.
"""

import ctypes
import ctypes.util
import math
from itertools import pairwise

import numpy as np

from dsfx.lld.framing import Framing

f = np.float32
PI4 = f(math.pi / 4)
ETA = f(math.cos(float(PI4)))

_libm = ctypes.CDLL(ctypes.util.find_library("m"))
_libm.logf.restype = _libm.expf.restype = ctypes.c_float
_libm.logf.argtypes = _libm.expf.argtypes = [ctypes.c_float]


def logf(x):
    return f(_libm.logf(float(x)))


def expf(x):
    return f(_libm.expf(float(x)))


# --- transform -------------------------------------------------------------------------------------------------------


def twiddle(p, length, constant=PI4):
    angle = float(f(constant * f(p))) / length
    return f(math.cos(angle)), f(math.sin(angle))


def twiddle3(p, length):
    return twiddle(p, length, f(f(3) * PI4))


def times(w, z):
    return f(f(w[0] * z[0]) - f(w[1] * z[1])), f(f(w[0] * z[1]) + f(w[1] * z[0]))


def plus(a, b):
    return f(a[0] + b[0]), f(a[1] + b[1])


def minus(a, b):
    return f(a[0] - b[0]), f(a[1] - b[1])


def turn(z):
    """Multiply by i."""
    return -z[1], z[0]


def eighth(z):
    """Multiply by exp(i pi / 4)."""
    return f(ETA * f(z[0] - z[1])), f(ETA * f(z[1] + z[0]))


def three_eighths(z):
    return f(-ETA * f(z[0] + z[1])), f(-ETA * f(z[1] - z[0]))


def plain_twiddles(j, length, top):
    """W1(j) and W3(j) for 0 < j < length / 4, j not length / 8."""
    h = length // 8
    if length == 16:
        c, s = twiddle(1, 2)
        return ((c, s), (s, c)) if j == 1 else ((s, c), (-c, -s))
    if j > h:
        (c1, s1), (c3, s3) = plain_twiddles(length // 4 - j, length, top)
        return (s1, c1), (-s3, -c3)
    if top and j % 2:

        def at(i):
            if i == 0:
                return (f(1), f(0)), (f(1), f(0))
            return ((ETA, ETA), (-ETA, ETA)) if i == h else plain_twiddles(i, length, top)

        before, after = at(j - 1), at(j + 1)
        factors = [f(0.5 / math.cos(float(f(f(c) * PI4)) / length)) for c in (8, 24)]
        one, three = (
            tuple(f(g * f(a + b)) for a, b in zip(before[w], after[w], strict=True)) for w, g in enumerate(factors)
        )
        return one, three
    return twiddle(8 * j, length), twiddle3(8 * j, length)


def plain_transform(z, top=False):
    length = len(z)
    if length == 1:
        return z
    if length == 2:
        return [plus(z[0], z[1]), minus(z[0], z[1])]
    q = length // 4
    blocks = [[], [], [], []]
    for j in range(q):
        s, d = plus(z[j], z[j + 2 * q]), minus(z[j], z[j + 2 * q])
        t, e = plus(z[j + q], z[j + 3 * q]), minus(z[j + q], z[j + 3 * q])
        a, b = plus(d, turn(e)), minus(d, turn(e))
        if length >= 8 and j == length // 8:
            a, b = eighth(a), three_eighths(b)
        elif j:
            w1, w3 = plain_twiddles(j, length, top)
            a, b = times(w1, a), times(w3, b)
        for block, value in zip(blocks, (plus(s, t), minus(s, t), a, b), strict=True):
            block.append(value)
    out = [None] * length
    out[0::4] = plain_transform(blocks[0])
    out[2::4] = shifted_transform(blocks[1])
    out[1::4] = plain_transform(blocks[2])
    out[3::4] = plain_transform(blocks[3])
    return out


def shifted_transform(z):
    length = len(z)
    if length == 1:
        return z
    if length == 2:
        return [plus(z[0], turn(z[1])), minus(z[0], turn(z[1]))]
    q = length // 4
    blocks = [[], [], [], []]
    for j in range(q):
        a, b = plus(z[j], turn(z[j + 2 * q])), minus(z[j], turn(z[j + 2 * q]))
        c, d = plus(z[j + q], turn(z[j + 3 * q])), minus(z[j + q], turn(z[j + 3 * q]))
        if j == 0:
            y, y_, u, u_ = a, eighth(c), b, turn(eighth(d))
        else:
            if 8 * j == length:
                c1, s1 = twiddle(1, 2)
                v = (c1, s1), (s1, c1), (s1, c1), (-c1, -s1)
            elif length == 16:
                (c1, s1), (c3, s3) = twiddle(1, 4), twiddle(3, 4)
                v = {
                    1: ((c1, s1), (s3, c3), (c3, s3), (-c1, s1)),
                    3: ((c3, s3), (s1, c1), (-s1, c1), (-s3, -c3)),
                }[j]
            else:
                (p1, r1), (p3, r3) = twiddle(4 * (q - j), length), twiddle3(4 * (q - j), length)
                v = twiddle(4 * j, length), (r1, p1), twiddle3(4 * j, length), (-r3, -p3)
            y, y_, u, u_ = times(v[0], a), times(v[1], c), times(v[2], b), times(v[3], d)
        for block, value in zip(blocks, (plus(y, y_), minus(y, y_), plus(u, u_), minus(u, u_)), strict=True):
            block.append(value)
    out = [None] * length
    out[0::4] = plain_transform(blocks[0])
    out[2::4] = shifted_transform(blocks[1])
    out[1::4] = plain_transform(blocks[2])
    out[3::4] = shifted_transform(blocks[3])
    return out


def real_transform(x):
    """Real and imaginary parts of the spectrum of one frame."""
    n = len(x)
    m = n // 2
    z = plain_transform([(f(x[2 * j]), f(x[2 * j + 1])) for j in range(m)], top=True)
    re, im = np.zeros(m + 1, f), np.zeros(m + 1, f)
    re[0], re[m] = f(z[0][0] + z[0][1]), f(z[0][0] - z[0][1])
    re[m // 2], im[m // 2] = z[m // 2]

    def halves(j):
        if 8 * j > n:
            cosine, sine = halves(n // 4 - j)
            return sine, cosine
        if 8 * j == n:
            return f(f(0.5) * ETA), f(f(0.5) * ETA)
        angle = float(f(PI4 * f(8 * j))) / n
        return f(0.5 * math.cos(angle)), f(0.5 * math.sin(angle))

    for j in range(1, m // 2):
        k = m - j
        cosine, sine = halves(j)
        y = times((f(f(0.5) - sine), cosine), (f(z[j][0] - z[k][0]), f(z[j][1] + z[k][1])))
        re[j], im[j] = f(z[j][0] - y[0]), f(z[j][1] - y[1])
        re[k], im[k] = f(z[k][0] + y[0]), f(z[k][1] - y[1])
    return re, im


def magnitudes(re, im):
    result = np.array([np.sqrt(f(f(a * a) + f(b * b))) for a, b in zip(re, im, strict=True)], f)
    result[0], result[-1] = abs(re[0]), abs(re[-1])
    return result


# --- energy ----------------------------------------------------------------------------------------------------------


def crossing_rate(frame):
    count = 0
    for i in range(1, len(frame) - 1):
        before, here, after = (np.sign(frame[j]) for j in (i - 1, i, i + 1))
        count += (here == 0 and before * after <= 0) or before * here < 0
    return f(count / len(frame))


# --- auditory --------------------------------------------------------------------------------------------------------


def mel(hertz):
    return f(1127 * math.log(1 + hertz / 700))


def mel_corners(framing, bands, low, high):
    high = min(high, framing.nfft * framing.resolution / 2)
    a, b = mel(low), mel(high)
    return [f(a + f(f(m) * f(f(b - a) / f(bands + 1)))) for m in range(bands + 2)]


def mel_bands(power, framing: Framing, bands=26, low=20, high=8000):
    corners = mel_corners(framing, bands, low, high)
    top = min(high, framing.nfft * framing.resolution / 2)
    result = [f(0)] * (bands + 2)
    for k in range(len(power)):
        if not math.floor(low / framing.resolution + 0.5) < k < math.floor(top / framing.resolution + 0.5):
            continue
        here = mel(k * framing.resolution)
        j = next(j for j in range(1, bands + 2) if corners[j - 1] < here <= corners[j])
        share = f(f(f(corners[j] - here) / f(corners[j] - corners[j - 1])) * power[k])
        result[j - 1] = f(result[j - 1] + share)
        result[j] = f(result[j] + f(power[k] - share))
    return np.array(result[1:-1], f)


def loudness_weights(framing, bands=26, low=20, high=8000):
    weights = []
    for c in mel_corners(framing, bands, low, high)[1:-1]:
        w = 2 * math.pi * 700 * (math.exp(float(c) / 1127) - 1)
        weights.append(f(1e32 * (w**2 + 56.8e6) * w**4 / ((w**2 + 6.3e6) ** 2 * (w**2 + 0.38e9) * (w**7 + 1.7e31))))
    return weights


def mean_in_order(values):
    total = f(0)
    for v in values:
        total = f(total + v)
    return f(total / f(len(values)))


def auditory_spectrum(bands, weights, floor=9.3e-10, compression=0.33):
    return np.array(
        [f(math.pow(f(max(m, f(floor)) * e), float(f(compression)))) for m, e in zip(bands, weights, strict=True)], f
    )


def rasta(contour, weight, *, hop=0.01, low=1.0, high=29.0, floor=9.3e-10, compression=0.33):
    """One band, all frames."""
    omega = f(math.cos(2 * math.pi * high * hop))
    gain = f(math.sqrt(10 * (32 * float(omega) ** 2 + 8)))
    beta = [f(f(2) / gain), f(f(f(-4) * omega) / gain), f(0), f(f(f(4) * omega) / gain), f(f(-2) / gain)]
    pole = f(1 - math.sin(2 * math.pi * low * hop))
    logs = [logf(max(m, f(floor))) for m in contour]
    out, y = [], f(0)
    for t in range(len(logs)):
        if t >= 5:
            value = f(beta[4] * logs[t - 4])
            for i in (3, 2, 1):
                value = f(value + f(beta[i] * logs[t - i]))
            y = f(f(value + f(pole * y)) + f(beta[0] * logs[t]))
        out.append(expf(f(f(compression) * f(y + logf(weight)))))
    return np.array(out, f)


def mfcc(bands, first=1, last=14, lifter=22, floor=1):
    logs = [logf(max(f(m * f(f(32767) * f(32767))), f(floor))) for m in bands]
    n = len(bands)
    out = []
    for i in range(first, last + 1):
        total = f(0)
        for b, level in enumerate(logs):
            total = f(total + f(level * f(math.cos(math.pi * i / n * (b + 0.5)))))
        out.append(f(total * f(f(math.sqrt(2 / n)) * f(1 + lifter / 2 * math.sin(math.pi * i / lifter)))))
    return np.array(out, f)


# --- spectral --------------------------------------------------------------------------------------------------------


def band_terms(framing, low, high):
    axis, width = [k * framing.resolution for k in range(framing.bins)], framing.resolution
    last = framing.bins - 1
    q = next((k for k in range(framing.bins) if axis[k] > low), None)
    left = (last, 1.0) if q is None else (q - 1, (axis[q] - low) / width)
    q = next((k for k in range(framing.bins) if axis[k] >= high), None)
    if q is None:
        right = (last, 1.0)
    elif axis[q] == high:
        right = (q, 1.0)
    else:
        right = (q - 1, (high - axis[q - 1]) / width)
    return [left, *((k, 1.0) for k in range(left[0] + 1, right[0])), right]


def band_energy(power, framing, low, high):
    return f(sum_in_order(w * float(power[k]) for k, w in band_terms(framing, low, high)) / (len(power) - 1))


def sum_in_order(values):
    total = 0.0
    for v in values:
        total += v
    return total


def descriptors(power, framing, points=(0.25, 0.5, 0.75, 0.9)):
    """Everything relative to the total power, by name."""
    p = [float(v) for v in power[1:]]
    axis = [k * framing.resolution for k in range(1, framing.bins)]
    n, total = len(p), sum_in_order(p)
    result = {}
    running = np.cumsum(p)
    result["roll_off"] = [f(axis[next(k for k in range(n) if running[k] >= share * total)]) for share in points]
    first = sum_in_order(a * v for a, v in zip(axis, p, strict=True))
    result["centroid"] = f(first / total) if total else f(0)
    mu = float(result["centroid"])
    variance = sum_in_order((a - mu) * (a - mu) * v for a, v in zip(axis, p, strict=True)) / total if total else 0.0
    third = sum_in_order((a - mu) * (a - mu) * v * (a - mu) for a, v in zip(axis, p, strict=True))
    fourth = sum_in_order((a - mu) * (a - mu) * v * (a - mu) * (a - mu) for a, v in zip(axis, p, strict=True))
    spread = variance > 0
    result["moments"] = [
        f(variance),
        f(third / (total * variance * math.sqrt(variance))) if spread else f(0),
        f(fourth / (total * variance * variance)) if spread else f(0),
    ]
    quotients = [max(v, 1e-7) / max(total, float(f(1e-7))) for v in p]
    result["entropy"] = f(-sum_in_order(q * math.log2(q) for q in quotients))
    s1, s2 = sum_in_order(axis), sum_in_order(a * a for a in axis)
    result["slope"] = f((n - 1) * (n * first - s1 * total) / (n * s2 - s1 * s1))
    weighted = f(0)
    for a, v in zip(axis, power[1:], strict=True):
        u = 26.81 / (1 + 1960 / a) - 0.53
        z = 0.85 * u + 0.3 if u < 2 else 1.22 * u - 0.22 * 20.1 if u > 20.1 else u
        weighted = f(weighted + f(float(v) * (z * (1 if z <= 16 else 1 + ((z - 16) / 4) ** 1.5849625))))
    result["sharpness"] = f(0.11 * float(f(float(weighted) / total))) if total else f(0)
    return result


def flux(now, before, first, last):
    total = sum_in_order((float(now[k]) - float(before[k])) ** 2 for k in range(first, last + 1))
    return f(math.sqrt(total / (last - first + 1)))


def harmonicity(power):
    extrema = []
    for k in range(3, len(power) - 2):
        around = [power[k - 2], power[k - 1], power[k + 1], power[k + 2]]
        if all(power[k] > v for v in around) or all(power[k] < v for v in around):
            extrema.append(power[k])
    total = f(0)
    for a, b in pairwise(extrema):
        total = f(total + f(abs(f(b - a))))
    return f(f(total / f(2)) / f(len(power) - 1))


FLOOR = f(f(1e-7) * f(1e-7))


def alpha_ratio(power, framing, middle=1000, high=5000):
    low_sum = high_sum = f(0)
    for k, p in enumerate(power):
        if k * framing.resolution < middle:
            low_sum = f(low_sum + p)
        elif k * framing.resolution <= high:
            high_sum = f(high_sum + p)
    if low_sum == 0:
        return f(0)
    level = logf(f(high_sum / low_sum)) if high_sum > FLOOR else f(logf(FLOOR) - logf(low_sum))
    return f(10 / math.log(10) * float(level))


def hammarberg_index(power, framing, middle=2000, high=5000):
    lower = max(p for k, p in enumerate(power) if k * framing.resolution < middle)
    upper = max((p for k, p in enumerate(power) if middle <= k * framing.resolution <= high), default=f(0))
    if upper == 0:
        return f(0)
    return f(10 / math.log(10) * float(logf(f(max(lower, FLOOR) / upper))))


def band_slope(power, framing, low, high):
    terms = band_terms(framing, low, high)
    n = terms[-1][0] - terms[0][0]
    s_f = s_ff = s_fv = s_v = 0.0
    for k, w in terms:
        axis = k * framing.resolution
        level = float(f(f(10 / math.log(10)) * logf(power[k]))) if power[k] > FLOOR else -140.0
        s_f += w * axis
        s_ff += (w * axis) * (w * axis)
        s_fv += w * axis * level
        s_v += w * level
    denominator = n * s_ff - s_f * s_f
    return f((n * s_fv - s_f * s_v) / denominator) if denominator else f(0)
