"""Formants: band-limited resampling to 11 kHz, linear prediction, roots of the prediction polynomial.

Specification, part 02 section 11. The autocorrelation is close to singular (a good part of the band up to 5.5 kHz is
empty), so the prediction depends on rounding errors: the order of every single-precision operation is part of the
definition. The roots then are well enough conditioned for any accurate method.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ..errors import ConfigError
from .fft import LANES, scratch, vectors
from .framing import Framing, round_half_away
from .wide import wide

__all__ = ["FormantModel", "formant_model", "formants", "polynomial_roots"]

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

_ZERO = np.float32(0)
_ONE = np.float32(1)
_GROUP = 16
"""Polynomials whose roots are sought together: enough to fill vector registers, few enough to wait for the slowest."""

_STEPS = 40
"""Rounds of the root finder at most; 5 to 12 are usual."""

_SETTLED = 1e-14
"""Squared relative step after which a root is final: convergence is cubic, the next would be below the last bit."""

_kernel = njit(cache=True, nogil=True, error_model="numpy")


@dataclass(frozen=True)
class FormantModel:
    """Tables for the frames of one framing.

    Attributes
    ----------
    rate : float
        Sampling rate in Hz that frames are resampled to.
    order : int
        Prediction order.
    limits : tuple of float
        Lowest and highest frequency in Hz of a formant.
    length : int
        Samples of a resampled frame.
    divisor : float32
        Scale of the resampled frame.
    cosine, sine : ndarray of float32, shape (bins used, length rounded up to 4)
        Weights of real and imaginary part of bins 1, 2 ...
    nyquist : ndarray of float32, shape (length rounded up to 4,) or (0,)
        Weight of the last bin where it is below the new Nyquist frequency.
    """

    rate: float
    order: int
    limits: tuple[float, float]
    length: int
    divisor: np.float32
    cosine: F32
    sine: F32
    nyquist: F32


@lru_cache(maxsize=8)
def formant_model(
    framing: Framing, *, rate: float = 11000.0, order: int = 11, limits: tuple[float, float] = (50.0, 5450.0)
) -> FormantModel:
    """Tables for frames of `framing` (specification, part 02 section 11.2).

    Raises
    ------
    ConfigError
        Resampled frames would not be longer than the prediction order, or an option makes no sense.
    """
    length = round_half_away(rate * framing.length / framing.sampling_rate)
    if order < 1 or length <= order:
        raise ConfigError(f"prediction order is {order}, expected 1 to {length - 1} (samples of a resampled frame)")
    if not 0 <= limits[0] < limits[1] <= rate / 2:
        raise ConfigError(f"formant limits are {limits} Hz, expected two ascending frequencies up to {rate / 2:g} Hz")
    duration = framing.nfft * length / framing.length
    used = min(framing.nfft, length) // 2
    padded = -(-length // 4) * 4

    def table(function: Callable[[float], float], k: int) -> F32:
        row = np.zeros(padded, np.float32)
        row[:length] = [function(2 * math.pi * (k * n) / duration) for n in range(length)]
        return row

    cosine = np.stack([table(math.cos, k) for k in range(1, used)])
    sine = np.stack([table(math.sin, k) for k in range(1, used)])
    nyquist = table(math.cos, framing.nfft // 2) if length >= framing.nfft else np.zeros(0, np.float32)
    return FormantModel(rate, order, limits, length, np.float32(framing.nfft // 2), cosine, sine, nyquist)


def formants(re: F32, im: F32, model: FormantModel, *, frames: int, count: int) -> F32:
    """Formant frequencies and bandwidths of a block of frames.

    Parameters
    ----------
    re, im : ndarray of float32, shape (bins, 64)
        Spectra (positive exponent) of windowed, centred frames.
    model : FormantModel
    frames : int
        Lanes in use.
    count : int
        Formants wanted.

    Returns
    -------
    ndarray of float32, shape (2, count, frames)
        Frequencies and bandwidths in Hz, ascending; 0 where there is none.

    References
    ----------
    Specification, part 02 section 11.
    """
    resampled = scratch("resampled", model.cosine.shape[1])
    _resample(re, im, vectors(frames), model.cosine, model.sine, model.nyquist, model.divisor, resampled)
    coefficients = np.zeros((model.order, LANES))
    _predict(resampled[: model.length], frames, vectors(frames), coefficients)
    roots_re, roots_im = polynomial_roots(coefficients, frames=frames)
    out = np.zeros((2, count, frames), np.float32)
    _describe(roots_re, roots_im, model.rate, model.limits[0], model.limits[1], out[0], out[1])
    return out


@_kernel
def _resample(re, im, width, cosine, sine, nyquist, divisor, out):  # type: ignore[no-untyped-def]
    wide()
    last = len(re) - 1
    rows, width = np.uint64(len(out)), np.uint64(width)
    n = np.uint64(0)
    one, two, three, four = np.uint64(1), np.uint64(2), np.uint64(3), np.uint64(4)
    while n < rows:
        for r in range(n, n + four):
            for i in range(width):
                out[r, i] = re[0, i]
            if len(nyquist) > 0:
                c0 = nyquist[r]
                for i in range(width):
                    out[r, i] += re[last, i] * c0
        for k in range(np.uint64(len(cosine))):
            bin_ = k + one
            c0, c1, c2, c3 = cosine[k, n], cosine[k, n + one], cosine[k, n + two], cosine[k, n + three]
            s0, s1, s2, s3 = sine[k, n], sine[k, n + one], sine[k, n + two], sine[k, n + three]
            for i in range(width):
                x, y = re[bin_, i], im[bin_, i]
                out[n, i] = (out[n, i] + x * c0) + y * s0
                out[n + one, i] = (out[n + one, i] + x * c1) + y * s1
                out[n + two, i] = (out[n + two, i] + x * c2) + y * s2
                out[n + three, i] = (out[n + three, i] + x * c3) + y * s3
        for r in range(n, n + four):
            for i in range(width):
                out[r, i] /= divisor
        n += four


@_kernel
def _predict(signal, frames, vectors, out):  # type: ignore[no-untyped-def]
    """Autocorrelation and Levinson-Durbin recursion in single precision; `out` gets a_1, a_2 ... as (order, lanes)."""
    wide()
    order = len(out)
    length = len(signal)
    moments = np.zeros((order + 1, LANES), np.float32)
    width = np.uint64(vectors)
    for lag in range(np.uint64(order + 1)):
        for n in range(lag, np.uint64(length)):
            k = n - lag
            for i in range(width):
                moments[lag, i] += signal[n, i] * signal[k, i]
    a = np.empty(order + 1, np.float32)
    for i in range(frames):
        error = moments[0, i]
        a[:] = 0
        for p in range(1, order + 1):
            if not np.isfinite(_ONE / error):  # zero, or so small that its reciprocal is too large: as good as zero
                break
            s = moments[p, i]
            for k in range(1, p):
                s += a[k] * moments[p - k, i]
            reflection = np.float32(np.float32(-_ONE / error) * s)
            a[p] = reflection
            for k in range(1, p // 2 + 1):
                t = a[k]
                a[k] += reflection * a[p - k]
                if 2 * k != p:
                    a[p - k] += reflection * t
            error *= np.float32(_ONE - np.float32(reflection * reflection))
        for k in range(order):
            out[k, i] = a[k + 1]


def polynomial_roots(coefficients: F64, *, frames: int) -> tuple[F64, F64]:
    """Roots of ``z**p - a_1 z**(p-1) - ... - a_p`` for many polynomials at once.

    Parameters
    ----------
    coefficients : ndarray of float64, shape (p, 64)
        a_1 ... a_p of each polynomial.
    frames : int
        Lanes in use.

    Returns
    -------
    re, im : ndarrays of float64, shape (p, frames)
        In no particular order.

    Notes
    -----
    The Ehrlich-Aberth iteration (simultaneous Newton steps with mutual deflation) runs on several lanes together. The
    rare polynomial on which it is slow, one with multiple roots, is left to the eigenvalues of its companion matrix.
    """
    order = len(coefficients)
    re, im = np.empty((2, order, LANES))
    open_ = np.empty(LANES, np.bool_)
    _roots(coefficients, frames, _GROUP, re, im, open_)
    if open_[:frames].any():
        for i in np.flatnonzero(open_[:frames]):
            companion = np.eye(order, k=-1)
            companion[0] = coefficients[:, i]
            roots = np.linalg.eigvals(companion)
            re[:, i], im[:, i] = roots.real, roots.imag
    return re[:, :frames], im[:, :frames]


@_kernel
def _roots(coefficients, frames, group, out_re, out_im, open_):  # type: ignore[no-untyped-def]
    order = len(coefficients)
    shape = (order, group)
    # Separate arrays: parts of one would not be seen to be disjoint, and nothing would be vectorised.
    monic, re, im = np.empty(shape), np.empty(shape), np.empty(shape)
    start_re, start_im = np.empty(order), np.empty(order)
    for j in range(order):
        # No symmetry about the real axis: a symmetric start would stay symmetric.
        angle = 2 * math.pi * (j + 0.3) / order
        start_re[j], start_im[j] = 0.77 * math.cos(angle), 0.77 * math.sin(angle)
    for first in range(0, frames, group):
        for i in range(group):
            # Roots at zero are multiple roots as a rule: such lanes (and those not in use) are not iterated on.
            regular = first + i < frames and coefficients[order - 1, first + i] != 0
            for j in range(order):
                monic[j, i] = coefficients[j, first + i] if regular else (0.5 if j == order - 1 else 0.0)
                re[j, i], im[j, i] = start_re[j], start_im[j]
        moved = _aberth(monic, re, im)
        for i in range(group):
            regular = first + i < frames and coefficients[order - 1, first + i] != 0
            open_[first + i] = not (regular and moved[i] < _SETTLED)
            for j in range(order):
                out_re[j, first + i], out_im[j, first + i] = re[j, i], im[j, i]


@_kernel
def _aberth(coefficients, re, im):  # type: ignore[no-untyped-def]
    """Improve roots in place until all steps are small; return each lane's largest squared relative step at the end."""
    order, width, one = np.uint64(re.shape[0]), np.uint64(re.shape[1]), np.uint64(1)
    t = np.empty((6, re.shape[1]))
    moved = np.empty(re.shape[1])
    for _ in range(_STEPS):
        moved[:] = 0
        for j in range(order):
            # Horner's rule for the polynomial and its derivative.
            for i in range(width):
                t[2, i], t[3, i] = 1.0, 0.0
                t[0, i], t[1, i] = re[j, i] - coefficients[0, i], im[j, i]
                t[4, i], t[5, i] = 0.0, 0.0
            for k in range(one, order):
                for i in range(width):
                    zr, zi = re[j, i], im[j, i]
                    x, y = t[2, i] * zr - t[3, i] * zi, t[2, i] * zi + t[3, i] * zr
                    t[2, i], t[3, i] = x + t[0, i], y + t[1, i]
                    x, y = t[0, i] * zr - t[1, i] * zi, t[0, i] * zi + t[1, i] * zr
                    t[0, i], t[1, i] = x - coefficients[k, i], y
            for k in range(order):
                if k != j:
                    for i in range(width):
                        x, y = re[j, i] - re[k, i], im[j, i] - im[k, i]
                        q = 1 / (x * x + y * y)
                        t[4, i] += x * q
                        t[5, i] -= y * q
            for i in range(width):
                # The step is p / (p' - p s).
                x = t[2, i] - (t[0, i] * t[4, i] - t[1, i] * t[5, i])
                y = t[3, i] - (t[0, i] * t[5, i] + t[1, i] * t[4, i])
                q = 1 / (x * x + y * y)
                x, y = (t[0, i] * x + t[1, i] * y) * q, (t[1, i] * x - t[0, i] * y) * q
                zr, zi = re[j, i] - x, im[j, i] - y
                re[j, i], im[j, i] = zr, zi
                q = (x * x + y * y) / (zr * zr + zi * zi)
                # Written so that NaN counts as movement.
                moved[i] = moved[i] if q <= moved[i] else q
        done = True
        for i in range(width):
            done &= moved[i] < _SETTLED
        if done:
            break
    return moved


@_kernel
def _describe(re, im, rate, lowest, highest, frequency, bandwidth):  # type: ignore[no-untyped-def]
    order, frames = re.shape
    count = len(frequency)
    place = np.empty(order, np.int64)
    slant = np.empty(order)
    for i in range(frames):
        # By ascending angle; the angle itself is computed only for roots that are used.
        used = 0
        for j in range(order):
            if im[j, i] > 0:
                s = re[j, i] / math.sqrt(re[j, i] * re[j, i] + im[j, i] * im[j, i])
                k = used
                while k > 0 and slant[k - 1] < s:
                    slant[k], place[k] = slant[k - 1], place[k - 1]
                    k -= 1
                slant[k], place[k] = s, j
                used += 1
        found = 0
        for k in range(used):
            if found == count:
                break
            x, y = re[place[k], i], im[place[k], i]
            f = math.atan2(y, x) * rate / (2 * math.pi)
            if lowest <= f <= highest:
                frequency[found, i] = f
                # A root outside the unit circle is reflected into it.
                bandwidth[found, i] = abs(math.log(math.sqrt(x * x + y * y))) * rate / math.pi
                found += 1
