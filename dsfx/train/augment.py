"""Random changes of a log power spectrogram that leave the emotion as it is."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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
    noise : highest level of added noise relative to the clip's mean power, in dB; it goes down 50 dB from there.
    mask_frames, mask_bands : largest width of two masks in time and two in frequency (SpecAugment), as a share.
    """

    warp: float = 0.1
    tempo: float = 0.15
    equaliser: float = 6.0
    noise: float = -10.0
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
        if rng.random() < 0.5:
            level = np.log(np.mean(np.exp(out))) + (self.noise - rng.uniform(0, 50)) * (np.log(10) / 10)
            tilt = np.linspace(0, rng.uniform(-4, 0), n_bands)
            speckle = np.log(rng.gamma(2.0, 0.5, size=out.shape) + 1e-3)
            out = np.logaddexp(out, (level + tilt + speckle).astype(np.float32))
        mean = out.mean()
        for _ in range(2):
            width = int(rng.uniform(0, self.mask_frames) * n)
            start = rng.integers(0, n - width + 1)
            out[start : start + width] = mean
            width = int(rng.uniform(0, self.mask_bands) * n_bands)
            start = rng.integers(0, n_bands - width + 1)
            out[:, start : start + width] = mean
        return out.astype(np.float32)


def interpolate(rows: Rows, at: NDArray[np.float64]) -> Rows:
    """`rows` read at fractional positions along axis 0, linearly."""
    lower = np.minimum(at.astype(np.int64), len(rows) - 2)
    weight = (at - lower).astype(np.float32)[:, None]
    out: Rows = rows[lower] * (1 - weight) + rows[lower + 1] * weight
    return out
