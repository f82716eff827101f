"""Random changes of a log power spectrogram that leave the emotion as it is."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

__all__ = ["Augmentation"]

Rows = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """How far spectrograms are changed in training; every change is drawn anew for every clip and epoch.

    Parameters
    ----------
    warp : largest relative change of frequency (another vocal tract and pitch).
    tempo : largest relative change of duration.
    equaliser : largest gain of a smooth random filter, in dB.
    gain : largest change of level of every second clip, in dB: with normalisation ``none`` the network learns to do
        without the level, and to use it where it is right; without a meaning elsewhere.
    reverberation : longest time in which the sound of a room falls by 60 dB, in frames, for every second clip; 0: none.
    noise : highest level of added noise relative to the clip's mean power, in dB; it goes down 50 dB from there. For
        every second clip.
    band_limit : largest share of the bands that every second clip lacks at the top, as over a telephone.
    mask_frames, mask_bands : largest width of two masks in time and two in frequency (SpecAugment), as a share.
    """

    warp: float = 0.1
    tempo: float = 0.15
    equaliser: float = 6.0
    gain: float = 0.0
    reverberation: float = 0.0
    noise: float = -10.0
    band_limit: float = 0.0
    mask_frames: float = 0.15
    mask_bands: float = 0.15

    def __call__(self, rows: Rows, rng: np.random.Generator) -> Rows:
        """A changed copy of log power (frames, bands), not normalised."""
        n_frames, n_bands = rows.shape
        # Frequency: bands are read at a stretched position; on the mel scale this is near to a stretch in Hz.
        factor = np.exp(rng.uniform(-self.warp, self.warp))
        bands = np.clip(np.arange(n_bands) * factor, 0, n_bands - 1)
        out = interpolate(rows.T, bands).T
        n = max(4, round(n_frames * np.exp(rng.uniform(-self.tempo, self.tempo))))
        out = interpolate(out, np.linspace(0, n_frames - 1, n))
        knots = rng.uniform(-self.equaliser, self.equaliser, size=6) * (np.log(10) / 10)
        out = out + np.interp(np.linspace(0, 5, n_bands), np.arange(6), knots).astype(np.float32)
        # What is off draws nothing.
        if self.gain and rng.random() < 0.5:
            out = out + np.float32(rng.uniform(-self.gain, self.gain) * (np.log(10) / 10))
        if self.reverberation and rng.random() < 0.5:
            out = reverberate(out, rng.uniform(0, self.reverberation), share=rng.uniform(0, 0.5))
        if rng.random() < 0.5:
            level = np.log(np.mean(np.exp(out))) + (self.noise - rng.uniform(0, 50)) * (np.log(10) / 10)
            tilt = np.linspace(0, rng.uniform(-4, 0), n_bands)
            speckle = np.log(rng.gamma(2.0, 0.5, size=out.shape) + 1e-3)
            out = np.logaddexp(out, (level + tilt + speckle).astype(np.float32))
        if self.band_limit and rng.random() < 0.5:
            out[:, n_bands - int(rng.uniform(0, self.band_limit) * n_bands) :] = out.min()
        mean = out.mean()
        for _ in range(2):
            width = int(rng.uniform(0, self.mask_frames) * n)
            start = rng.integers(0, n - width + 1)
            out[start : start + width] = mean
            width = int(rng.uniform(0, self.mask_bands) * n_bands)
            start = rng.integers(0, n_bands - width + 1)
            out[:, start : start + width] = mean
        return out.astype(np.float32)


def reverberate(rows: Rows, frames: float, share: float) -> Rows:
    """Log power of which a `share` falls off by 60 dB in so many `frames`: every band's power rings on."""
    decay = 10.0 ** (-6.0 / max(frames, 1.0))
    power = np.exp(rows.astype(np.float64))
    ringing = lfilter([1 - decay], [1, -decay], power, axis=0)
    out: Rows = np.log((1 - share) * power + share * ringing).astype(np.float32)
    return out


def interpolate(rows: Rows, at: NDArray[np.float64]) -> Rows:
    """`rows` read at fractional positions along axis 0, linearly."""
    lower = np.minimum(at.astype(np.int64), len(rows) - 2)
    weight = (at - lower).astype(np.float32)[:, None]
    out: Rows = rows[lower] * (1 - weight) + rows[lower + 1] * weight
    return out
