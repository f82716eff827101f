"""Single-precision real FFT with a defined rounding, on frame lanes.

A split-radix transform in which every addition and product is rounded to single precision in a fixed order, so that
spectra are the same to the last bit on every machine (specification, part 02 annex A). Descriptors that depend on tiny
differences of a spectrum (linear prediction, local maxima, near-ties) would otherwise depend on the FFT library.

The strict order costs nothing because the vector instructions work *across frames*: 64 frames form a block, and an
array is ``(bins or samples, 64)``, float32, C-contiguous. Unused lanes hold anything finite.

The exponent is positive (imaginary parts are the negative of `numpy.fft.rfft`'s).
"""

import math
import threading
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ..errors import ConfigError
from .wide import wide

__all__ = [
    "LANES",
    "Plan",
    "complex_transform",
    "lane_array",
    "plan",
    "real_magnitude",
    "real_spectrum",
    "scratch",
    "vectors",
]

LANES = 64
"""Frames per block."""

F32 = NDArray[np.float32]
I64 = NDArray[np.int64]

QUARTER = np.float32(math.pi / 4)
ETA = np.float32(math.cos(QUARTER))

T1, T2, T1_LEAF, T2_LEAF = range(4)

_kernel = njit(cache=True, nogil=True, error_model="numpy")


@dataclass(frozen=True)
class Plan:
    """Tables of the real transform of length `n` (a power of two, at least 64) and its complex half.

    Attributes
    ----------
    n : int
        Length of the real transform; the complex one has length ``n // 2``.
    nodes : ndarray of int64, shape (nodes, 4)
        The steps of the complex transform in order: kind, first row, length, first row in `twiddles`.
    twiddles : ndarray of float32, shape (rows, 8)
    order : ndarray of int64, shape (n // 2,)
        Row at which `complex_transform` leaves element k.
    real_wr, real_wi : ndarray of float32, shape (n // 4,)
        The factor (w_r, w_i) of bin j between complex and real spectrum; row 0 is unused.
    """

    n: int
    nodes: I64
    twiddles: F32
    order: I64
    real_wr: F32
    real_wi: F32


@lru_cache(maxsize=32)
def plan(n: int) -> Plan:
    """Tables for length `n`, built once.

    Raises
    ------
    ConfigError
        `n` is not a power of two or less than 64.
    """
    if n < 64 or n & (n - 1):
        raise ConfigError(f"transform length is {n}, expected a power of two from 64 on")
    half = n // 2
    nodes: list[tuple[int, int, int, int]] = []
    order = np.zeros(half, dtype=np.int64)
    rows: dict[tuple[int, int, bool], int] = {}
    tables: list[F32] = []
    total = 0

    def twiddle_row(kind: int, length: int, top: bool) -> int:
        nonlocal total
        key = (kind, length, top)
        if key not in rows:
            table = _t1_twiddles(length, top=top) if kind == T1 else _t2_twiddles(length)
            rows[key] = total
            total += len(table)
            tables.append(table)
        return rows[key]

    def grow(kind: int, start: int, length: int, base: int, stride: int) -> None:
        """Node over rows start ... start + length - 1, whose outputs k belong to elements base + stride * k."""
        if length == 1:
            order[base] = start
        elif length == 2:
            nodes.append((T1_LEAF if kind == T1 else T2_LEAF, start, 2, 0))
            order[base], order[base + stride] = start, start + 1
        else:
            nodes.append((kind, start, length, twiddle_row(kind, length, length == half and kind == T1)))
            q = length // 4
            kinds = (T1, T2, T1, T1) if kind == T1 else (T1, T2, T1, T2)
            for block, (child, first) in enumerate(zip(kinds, (0, 2, 1, 3), strict=True)):
                grow(child, start + block * q, q, base + stride * first, 4 * stride)

    grow(T1, 0, half, 0, 1)
    real_wr, real_wi = _real_twiddles(n)
    arrays = (np.array(nodes, dtype=np.int64), np.concatenate(tables), order, real_wr, real_wi)
    for array in arrays:
        array.setflags(write=False)
    return Plan(n, *arrays)


def _twiddle(p: int, length: int, constant: np.float32 = QUARTER) -> tuple[np.float32, np.float32]:
    """Cosine and sine of a single-precision angle ``constant * p / length``."""
    angle = float(constant * np.float32(p)) / length
    return np.float32(math.cos(angle)), np.float32(math.sin(angle))


def _triple(p: int, length: int) -> tuple[np.float32, np.float32]:
    return _twiddle(p, length, np.float32(3) * QUARTER)


def _t1_twiddles(length: int, *, top: bool) -> F32:
    """Rows j = 0 ... length / 4 - 1 of (c1, s1, c3, s3); rows 0 and length / 8 are not read by the kernel."""
    q, h = length // 4, length // 8
    w1 = np.zeros((q, 2), dtype=np.float32)
    w3 = np.zeros((q, 2), dtype=np.float32)
    if length == 16:
        c, s = _twiddle(1, 2)
        w1[1], w3[1], w1[3], w3[3] = (c, s), (s, c), (s, c), (-c, -s)
    elif h > 1:
        for j in range(1, h):
            w1[j], w3[j] = _twiddle(8 * j, length), _triple(8 * j, length)
        if top:
            w1[0], w3[0], w1[h], w3[h] = (1, 0), (1, 0), (ETA, ETA), (-ETA, ETA)
            gamma1 = np.float32(0.5 / math.cos(float(np.float32(8) * QUARTER) / length))
            gamma3 = np.float32(0.5 / math.cos(float(np.float32(24) * QUARTER) / length))
            for j in range(1, h, 2):
                w1[j] = gamma1 * (w1[j - 1] + w1[j + 1])
                w3[j] = gamma3 * (w3[j - 1] + w3[j + 1])
        for j in range(h + 1, q):
            w1[j] = w1[q - j, ::-1]
            w3[j] = -w3[q - j, ::-1]
    return np.hstack([w1, w3, np.zeros((q, 4), dtype=np.float32)])


def _t2_twiddles(length: int) -> F32:
    """Rows j = 0 ... length / 4 - 1 of V1(j), V1(j + q), V3(j), V3(j + q); row 0 is not read by the kernel."""
    q = length // 4
    table = np.zeros((q, 8), dtype=np.float32)
    for j in range(1, q):
        if j == length // 8:
            c, s = _twiddle(1, 2)
            table[j] = c, s, s, c, s, c, -c, -s
        elif length == 16:
            (c1, s1), (c3, s3) = _twiddle(1, 4), _twiddle(3, 4)
            table[j] = (c1, s1, s3, c3, c3, s3, -c1, s1) if j == 1 else (c3, s3, s1, c1, -s1, c1, -s3, -c3)
        else:
            (c1, s1), (c3, s3) = _twiddle(4 * j, length), _triple(4 * j, length)
            (d1, t1), (d3, t3) = _twiddle(4 * (q - j), length), _triple(4 * (q - j), length)
            table[j] = c1, s1, t1, d1, c3, s3, -t3, -d3
    return table


def _real_twiddles(n: int) -> tuple[F32, F32]:
    cosine = np.zeros(n // 4, dtype=np.float32)
    sine = np.zeros(n // 4, dtype=np.float32)
    for j in range(1, n // 8):
        angle = float(QUARTER * np.float32(8 * j)) / n
        cosine[j], sine[j] = 0.5 * math.cos(angle), 0.5 * math.sin(angle)
    cosine[n // 8] = sine[n // 8] = np.float32(0.5) * ETA
    cosine[n // 8 + 1 :] = sine[1 : n // 8][::-1]
    sine[n // 8 + 1 :] = cosine[1 : n // 8][::-1]
    return np.float32(0.5) - sine, cosine


def lane_array(rows: int, dtype: type[np.floating[Any]] = np.float32) -> NDArray[Any]:
    """Zeros of shape (rows, 64), aligned so that a row begins with a cache line: unaligned ones cost a fifth more."""
    size = np.dtype(dtype).itemsize * LANES * rows
    raw = np.zeros(size + 64, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + size].view(dtype).reshape(rows, LANES)


def scratch(name: str, rows: int, dtype: type[np.floating[Any]] = np.float32) -> NDArray[Any]:
    """A `lane_array` with anything in it, the same for all of a thread's calls with this name.

    For what is not needed after the call: fresh arrays of this size cost a good part of what is done with them.
    """
    array = getattr(_scratch, name, None)
    if array is None or len(array) != rows:
        array = lane_array(rows, dtype)
        setattr(_scratch, name, array)
    return array


_scratch = threading.local()


def vectors(frames: int) -> int:
    """Lanes to compute for `frames` lanes in use: whole vector registers."""
    return min(-(-frames // 16) * 16, LANES)


def complex_transform(re: F32, im: F32, tables: Plan) -> None:
    """Complex transform with positive exponent, in place: ``X[k] = sum_j z[j] exp(2 pi i j k / m)``, ``m = n / 2``.

    Parameters
    ----------
    re, im : ndarray of float32, shape (n // 2, 64)
        Input in natural order. Element k of the output is found at row ``tables.order[k]``.
    tables : Plan
        ``plan(n)``.
    """
    _complex(re, im, LANES, tables.nodes, tables.twiddles)


def real_spectrum(re: F32, im: F32, tables: Plan, out_re: F32, out_im: F32, *, width: int = LANES) -> None:
    """Transform 64 real signals of length n at once.

    Parameters
    ----------
    re, im : ndarray of float32, shape (n // 2, 64)
        Even and odd samples. Overwritten.
    tables : Plan
        ``plan(n)``.
    out_re, out_im : ndarray of float32, shape (n // 2 + 1, 64)
        Receive the spectrum, DC to Nyquist.
    width : int
        Lanes to transform; the others of the output stay as they are.

    References
    ----------
    Specification, part 02 annex A.
    """
    _complex(re, im, width, tables.nodes, tables.twiddles)
    _to_real(re, im, width, tables.order, tables.real_wr, tables.real_wi, out_re, out_im)


def real_magnitude(re: F32, im: F32, tables: Plan, magnitude: F32, *, width: int = LANES) -> None:
    """As `real_spectrum`, but only the magnitudes: not writing the complex spectrum down is twice as fast.

    Parameters
    ----------
    re, im : ndarray of float32, shape (n // 2, 64)
        Even and odd samples. Overwritten.
    tables : Plan
        ``plan(n)``.
    magnitude : ndarray of float32, shape (n // 2 + 1, 64)
        Receives the magnitudes, DC to Nyquist.
    width : int
        Lanes to transform; the others of the output stay as they are.

    References
    ----------
    Specification, part 02 annex A and part 04 section 1.
    """
    _complex(re, im, width, tables.nodes, tables.twiddles)
    _to_magnitude(re, im, width, tables.order, tables.real_wr, tables.real_wi, magnitude)


@_kernel
def _complex(re: F32, im: F32, lanes: int, nodes: I64, twiddles: F32) -> None:
    wide()
    width = np.uint64(lanes)
    for node in range(len(nodes)):
        kind, start, length, row = nodes[node]
        if kind == T1:
            _t1_node(re[start : start + length], im[start : start + length], twiddles[row : row + length // 4], width)
        elif kind == T2:
            _t2_node(re[start : start + length], im[start : start + length], twiddles[row : row + length // 4], width)
        elif kind == T1_LEAF:
            for i in range(width):
                a, b = re[start, i], re[start + 1, i]
                re[start, i], re[start + 1, i] = a + b, a - b
                a, b = im[start, i], im[start + 1, i]
                im[start, i], im[start + 1, i] = a + b, a - b
        else:
            for i in range(width):
                ar, ai, br, bi = re[start, i], im[start, i], re[start + 1, i], im[start + 1, i]
                re[start, i], im[start, i] = ar - bi, ai + br
                re[start + 1, i], im[start + 1, i] = ar + bi, ai - br


# In the two nodes below rows 0, q, 2q, 3q are z_j, z_{j+q}, z_{j+2q}, z_{j+3q}; blocks 0 to 3 take their places.


@_kernel
def _t1_node(re: F32, im: F32, twiddles: F32, width: int) -> None:
    wide()
    q = np.uint64(len(twiddles))
    h = np.uint64(len(twiddles) // 2)
    eta = ETA
    for j in range(q):
        j1, j2, j3 = j + q, j + q + q, j + q + q + q
        if j == 0:
            for i in range(width):
                sr, si = re[j, i] + re[j2, i], im[j, i] + im[j2, i]
                dr, di = re[j, i] - re[j2, i], im[j, i] - im[j2, i]
                tr, ti = re[j1, i] + re[j3, i], im[j1, i] + im[j3, i]
                er, ei = re[j1, i] - re[j3, i], im[j1, i] - im[j3, i]
                re[j, i], im[j, i] = sr + tr, si + ti
                re[j1, i], im[j1, i] = sr - tr, si - ti
                re[j2, i], im[j2, i] = dr - ei, di + er
                re[j3, i], im[j3, i] = dr + ei, di - er
        elif j == h:
            for i in range(width):
                sr, si = re[j, i] + re[j2, i], im[j, i] + im[j2, i]
                dr, di = re[j, i] - re[j2, i], im[j, i] - im[j2, i]
                tr, ti = re[j1, i] + re[j3, i], im[j1, i] + im[j3, i]
                er, ei = re[j1, i] - re[j3, i], im[j1, i] - im[j3, i]
                re[j, i], im[j, i] = sr + tr, si + ti
                re[j1, i], im[j1, i] = sr - tr, si - ti
                x, y = dr - ei, di + er
                re[j2, i], im[j2, i] = eta * (x - y), eta * (y + x)
                x, y = dr + ei, di - er
                re[j3, i], im[j3, i] = -eta * (x + y), -eta * (y - x)
        else:
            c1, s1, c3, s3 = twiddles[j, 0], twiddles[j, 1], twiddles[j, 2], twiddles[j, 3]
            for i in range(width):
                sr, si = re[j, i] + re[j2, i], im[j, i] + im[j2, i]
                dr, di = re[j, i] - re[j2, i], im[j, i] - im[j2, i]
                tr, ti = re[j1, i] + re[j3, i], im[j1, i] + im[j3, i]
                er, ei = re[j1, i] - re[j3, i], im[j1, i] - im[j3, i]
                re[j, i], im[j, i] = sr + tr, si + ti
                re[j1, i], im[j1, i] = sr - tr, si - ti
                x, y = dr - ei, di + er
                re[j2, i], im[j2, i] = c1 * x - s1 * y, c1 * y + s1 * x
                x, y = dr + ei, di - er
                re[j3, i], im[j3, i] = c3 * x - s3 * y, c3 * y + s3 * x


@_kernel
def _t2_node(re: F32, im: F32, twiddles: F32, width: int) -> None:
    wide()
    q = np.uint64(len(twiddles))
    eta = ETA
    for j in range(q):
        j1, j2, j3 = j + q, j + q + q, j + q + q + q
        if j == 0:
            for i in range(width):
                ar, ai = re[j, i] - im[j2, i], im[j, i] + re[j2, i]
                br, bi = re[j, i] + im[j2, i], im[j, i] - re[j2, i]
                cr, ci = re[j1, i] - im[j3, i], im[j1, i] + re[j3, i]
                dr, di = re[j1, i] + im[j3, i], im[j1, i] - re[j3, i]
                er, ei = eta * (cr - ci), eta * (ci + cr)
                fr, fi = -eta * (di + dr), eta * (dr - di)
                re[j, i], im[j, i] = ar + er, ai + ei
                re[j1, i], im[j1, i] = ar - er, ai - ei
                re[j2, i], im[j2, i] = br + fr, bi + fi
                re[j3, i], im[j3, i] = br - fr, bi - fi
        else:
            c1, s1, d1, t1 = twiddles[j, 0], twiddles[j, 1], twiddles[j, 2], twiddles[j, 3]
            c3, s3, d3, t3 = twiddles[j, 4], twiddles[j, 5], twiddles[j, 6], twiddles[j, 7]
            for i in range(width):
                ar, ai = re[j, i] - im[j2, i], im[j, i] + re[j2, i]
                br, bi = re[j, i] + im[j2, i], im[j, i] - re[j2, i]
                cr, ci = re[j1, i] - im[j3, i], im[j1, i] + re[j3, i]
                dr, di = re[j1, i] + im[j3, i], im[j1, i] - re[j3, i]
                xr, xi = c1 * ar - s1 * ai, c1 * ai + s1 * ar
                er, ei = d1 * cr - t1 * ci, d1 * ci + t1 * cr
                re[j, i], im[j, i] = xr + er, xi + ei
                re[j1, i], im[j1, i] = xr - er, xi - ei
                yr, yi = c3 * br - s3 * bi, c3 * bi + s3 * br
                fr, fi = d3 * dr - t3 * di, d3 * di + t3 * dr
                re[j2, i], im[j2, i] = yr + fr, yi + fi
                re[j3, i], im[j3, i] = yr - fr, yi - fi


# Below, the arithmetic on rows is in functions of their own that get the rows as arrays: where these are few the
# compiler can check beforehand that they do not overlap, and the loops are several times faster than with indices of
# two dimensions. The nodes above have too many rows for that.


@_kernel
def _to_real(re: F32, im: F32, width: int, order: I64, real_wr: F32, real_wi: F32, out_re: F32, out_im: F32) -> None:
    m = len(order)
    first, middle = order[0], order[m // 2]
    for i in range(width):
        out_re[0, i], out_im[0, i] = re[first, i] + im[first, i], np.float32(0)
        out_re[m, i], out_im[m, i] = re[first, i] - im[first, i], np.float32(0)
        out_re[m // 2, i], out_im[m // 2, i] = re[middle, i], im[middle, i]
    for j in range(1, m // 2):
        k, p, q = m - j, order[j], order[m - j]
        wr, wi = real_wr[j], real_wi[j]
        _real_pair(width, re[p], im[p], re[q], im[q], wr, wi, out_re[j], out_im[j], out_re[k], out_im[k])


@_kernel
def _real_pair(
    width: int, pr: F32, pi: F32, qr: F32, qi: F32, wr: np.float32, wi: np.float32, jr: F32, ji: F32, kr: F32, ki: F32
) -> None:
    for i in range(np.uint64(width)):
        xr, xi = pr[i] - qr[i], pi[i] + qi[i]
        yr, yi = wr * xr - wi * xi, wr * xi + wi * xr
        jr[i], ji[i] = pr[i] - yr, pi[i] - yi
        kr[i], ki[i] = qr[i] + yr, qi[i] - yi


@_kernel
def _to_magnitude(re: F32, im: F32, width: int, order: I64, real_wr: F32, real_wi: F32, magnitude: F32) -> None:
    m = len(order)
    first, middle = order[0], order[m // 2]
    for i in range(width):
        magnitude[0, i] = abs(re[first, i] + im[first, i])
        magnitude[m, i] = abs(re[first, i] - im[first, i])
        magnitude[m // 2, i] = np.sqrt(re[middle, i] * re[middle, i] + im[middle, i] * im[middle, i])
    for j in range(1, m // 2):
        p, q = order[j], order[m - j]
        _magnitude_pair(width, re[p], im[p], re[q], im[q], real_wr[j], real_wi[j], magnitude[j], magnitude[m - j])


@_kernel
def _magnitude_pair(
    width: int, pr: F32, pi: F32, qr: F32, qi: F32, wr: np.float32, wi: np.float32, low: F32, high: F32
) -> None:
    for i in range(np.uint64(width)):
        xr, xi = pr[i] - qr[i], pi[i] + qi[i]
        yr, yi = wr * xr - wi * xi, wr * xi + wi * xr
        ar, ai, br, bi = pr[i] - yr, pi[i] - yi, qr[i] + yr, qi[i] - yi
        low[i], high[i] = np.sqrt(ar * ar + ai * ai), np.sqrt(br * br + bi * bi)
