"""Formants: band-limited resampling to 11 kHz, linear prediction, roots of the prediction polynomial.

Specification, part 02 section 11. The autocorrelation is close to singular (most of the band up to 5.5 kHz is empty), so
the prediction depends on rounding errors: the order of every single-precision operation is part of the definition. The
roots then are well enough conditioned for any accurate method.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ..errors import ConfigError
from .fft import LANES
from .framing import Framing, round_half_away

__all__ = ["FormantModel", "formant_model", "formants", "polynomial_roots"]

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

_ZERO = np.float32(0)
_ONE = np.float32(1)
_STEPS = 40
"""Iterations of the simultaneous root finder; 6 to 12 are usual."""

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

    def table(function: "type[np.ufunc] | object", k: int) -> F32:
        row = np.zeros(padded, np.float32)
        row[:length] = [function(2 * math.pi * (k * n) / duration) for n in range(length)]  # type: ignore[operator]
        return row

    cosine = np.stack([table(math.cos, k) for k in range(1, used)])
    sine = np.stack([table(math.sin, k) for k in range(1, used)])
    nyquist = table(math.cos, framing.nfft // 2) if length >= framing.nfft else np.zeros(0, np.float32)
    return FormantModel(rate, order, limits, length, np.float32(framing.nfft // 2), cosine, sine, nyquist)


def formants(re: F32, im: F32, model: FormantModel, *, frames: int, count: int) -> tuple[F32, F32]:
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
    frequency, bandwidth : ndarrays of float32, shape (count, frames)
        In Hz, ascending; 0 where there is none.

    References
    ----------
    Specification, part 02 section 11.
    """
    resampled = np.empty((model.cosine.shape[1], LANES), np.float32)
    _resample(re, im, model.cosine, model.sine, model.nyquist, model.divisor, resampled)
    coefficients = np.zeros((model.order, LANES))
    _predict(resampled[: model.length], frames, coefficients)
    roots_re, roots_im = polynomial_roots(coefficients, frames=frames)
    frequency = np.zeros((count, frames), np.float32)
    bandwidth = np.zeros((count, frames), np.float32)
    _describe(roots_re, roots_im, model.rate, model.limits[0], model.limits[1], frequency, bandwidth)
    return frequency, bandwidth


@_kernel
def _resample(re, im, cosine, sine, nyquist, divisor, out):  # type: ignore[no-untyped-def]
    last = len(re) - 1
    rows = np.uint64(len(out))
    n = np.uint64(0)
    one, two, three, four = np.uint64(1), np.uint64(2), np.uint64(3), np.uint64(4)
    while n < rows:
        for r in range(n, n + four):
            for i in range(LANES):
                out[r, i] = re[0, i]
            if len(nyquist) > 0:
                c0 = nyquist[r]
                for i in range(LANES):
                    out[r, i] += re[last, i] * c0
        for k in range(np.uint64(len(cosine))):
            bin_ = k + one
            c0, c1, c2, c3 = cosine[k, n], cosine[k, n + one], cosine[k, n + two], cosine[k, n + three]
            s0, s1, s2, s3 = sine[k, n], sine[k, n + one], sine[k, n + two], sine[k, n + three]
            for i in range(LANES):
                x, y = re[bin_, i], im[bin_, i]
                out[n, i] = (out[n, i] + x * c0) + y * s0
                out[n + one, i] = (out[n + one, i] + x * c1) + y * s1
                out[n + two, i] = (out[n + two, i] + x * c2) + y * s2
                out[n + three, i] = (out[n + three, i] + x * c3) + y * s3
        for r in range(n, n + four):
            for i in range(LANES):
                out[r, i] /= divisor
        n += four


@_kernel
def _predict(signal, frames, out):  # type: ignore[no-untyped-def]
    """Autocorrelation and Levinson-Durbin recursion in single precision; `out` gets a_1, a_2 ... as (order, lanes)."""
    order = len(out)
    length = len(signal)
    moments = np.zeros((order + 1, LANES), np.float32)
    for lag in range(order + 1):
        row = moments[lag]
        for n in range(lag, length):
            here, there = signal[n], signal[n - lag]
            for i in range(LANES):
                row[i] += here[i] * there[i]
    a = np.empty(order + 1, np.float32)
    for i in range(frames):
        error = moments[0, i]
        a[:] = 0
        for p in range(1, order + 1):
            if error == 0:
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
    The Ehrlich-Aberth iteration (simultaneous Newton steps with mutual deflation) runs on all lanes together. The rare
    polynomial on which it is slow, one with multiple roots, is left to the eigenvalues of its companion matrix.
    """
    order = len(coefficients)
    re, im = np.empty((2, order, LANES))
    settled = np.zeros(LANES)
    regular = coefficients
    # Roots at zero are multiple roots as a rule: these lanes (and those not in use) are not iterated on.
    singular = coefficients[-1] == 0
    singular[frames:] = True
    if singular.any():
        regular = coefficients.copy()
        regular[:, singular] = 0
        regular[-1, singular] = 0.5
    _aberth(regular, re, im, settled)
    settled[singular] = 0
    for i in np.flatnonzero(settled[:frames] == 0):
        companion = np.eye(order, k=-1)
        companion[0] = coefficients[:, i]
        roots = np.linalg.eigvals(companion)
        re[:, i], im[:, i] = roots.real, roots.imag
    return re[:, :frames], im[:, :frames]


@_kernel
def _aberth(coefficients, re, im, settled):  # type: ignore[no-untyped-def]
    order = np.uint64(len(coefficients))
    one = np.uint64(1)
    pr, pi = np.empty(LANES), np.empty(LANES)
    dr, di = np.empty(LANES), np.empty(LANES)
    sr, si = np.empty(LANES), np.empty(LANES)
    moved = np.empty(LANES)
    for j in range(order):
        # No symmetry about the real axis: a symmetric start would stay symmetric.
        angle = 2 * math.pi * (j + 0.3) / order
        re[j, :], im[j, :] = 0.85 * math.cos(angle), 0.85 * math.sin(angle)
    for _ in range(_STEPS):
        for i in range(LANES):
            moved[i] = 0
        for j in range(order):
            zr, zi = re[j], im[j]
            # Horner for the polynomial and its derivative.
            a = coefficients[0]
            for i in range(LANES):
                dr[i], di[i] = 1.0, 0.0
                pr[i], pi[i] = zr[i] - a[i], zi[i]
            for k in range(one, order):
                a = coefficients[k]
                for i in range(LANES):
                    x, y = dr[i] * zr[i] - di[i] * zi[i], dr[i] * zi[i] + di[i] * zr[i]
                    dr[i], di[i] = x + pr[i], y + pi[i]
                    x, y = pr[i] * zr[i] - pi[i] * zi[i], pr[i] * zi[i] + pi[i] * zr[i]
                    pr[i], pi[i] = x - a[i], y
            for i in range(LANES):
                sr[i], si[i] = 0.0, 0.0
            for k in range(order):
                if k != j:
                    wr, wi = re[k], im[k]
                    for i in range(LANES):
                        x, y = zr[i] - wr[i], zi[i] - wi[i]
                        q = 1 / (x * x + y * y)
                        sr[i] += x * q
                        si[i] -= y * q
            for i in range(LANES):
                # Step p / (p' - p s).
                x = dr[i] - (pr[i] * sr[i] - pi[i] * si[i])
                y = di[i] - (pr[i] * si[i] + pi[i] * sr[i])
                q = 1 / (x * x + y * y)
                x, y = (pr[i] * x + pi[i] * y) * q, (pi[i] * x - pr[i] * y) * q
                zr[i] -= x
                zi[i] -= y
                q = (x * x + y * y) / (zr[i] * zr[i] + zi[i] * zi[i])
                # Written so that NaN counts as movement.
                moved[i] = moved[i] if q <= moved[i] else q
        done = True
        for i in range(LANES):
            settled[i] = 1.0 if moved[i] < 1e-20 else 0.0
            done &= settled[i] == 1.0
        if done:
            break


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
