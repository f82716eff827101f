"""Signals that stress the voice descriptors, made by formula."""

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]

NAMES = (
    "silence",
    "noise",
    "quiet noise",
    "sine",
    "loud sine",
    "vibrato",
    "falling",
    "impulses",
    "lone impulses",
    "patched",
    "clipped",
    "gated",
    "two voices",
    "rivals",
    "dc",
    "square",
    "whole periods",
)


def make(name: str, rate: int, seconds: float, *, seed: int = 0) -> F32:
    """A signal in [-1, 1), shape (samples,), on the 16-bit grid."""
    rng = np.random.default_rng(seed)
    n = round(seconds * rate)
    t = np.arange(n) / rate
    if n == 0:
        return np.zeros(0, np.float32)

    def saw(f0: NDArray[np.float64] | float, *, partials: int = 30, slope: float = 1) -> NDArray[np.float64]:
        phase = 2 * np.pi * np.cumsum(np.broadcast_to(f0, n)) / rate
        top = np.max(f0)
        below = (k for k in range(1, partials + 1) if k * top < rate / 2)
        return sum((np.sin(k * phase) / k**slope for k in below), start=np.zeros(n))

    noise = rng.standard_normal(n)
    if name == "silence":
        x = np.zeros(n)
    elif name == "noise":
        x = 0.2 * noise
    elif name == "quiet noise":
        x = noise * 2e-4 * (1 + np.sin(2 * np.pi * 0.7 * t)) * 5
    elif name == "sine":
        x = 0.4 * np.sin(2 * np.pi * 211.3 * t)
    elif name == "loud sine":
        x = 0.999 * np.sin(2 * np.pi * 440 * t)
    elif name == "vibrato":
        x = 0.2 * saw(180 + 25 * np.sin(2 * np.pi * 5 * t)) * (1 + 0.3 * np.sin(2 * np.pi * 3 * t)) + 0.003 * noise
    elif name == "falling":
        x = 0.2 * saw(600 * 2 ** (-2.5 * t / max(seconds, 1e-9))) + 0.01 * noise
    elif name == "impulses":
        x = np.zeros(n)
        x[:: max(round(rate / 120), 1)] = 0.8
    elif name == "lone impulses":
        x = np.zeros(n)
        x[rng.integers(0, n, size=max(n * 4 // rate, 1))] = 0.9
    elif name == "patched":
        x = 0.25 * saw(140.0) + 0.002 * noise
        for _ in range(6):
            a = int(rng.integers(0, n))
            x[a : a + rate // 30] = rng.choice([0.0, 0.3, -0.5])
    elif name == "clipped":
        x = np.clip(1.5 * saw(230 + 10 * np.sin(2 * np.pi * 4 * t)) + 0.02 * noise, -1, 0.9999)
    elif name == "gated":
        x = 0.3 * saw(110 + 15 * np.sin(2 * np.pi * 2 * t)) * (np.sin(2 * np.pi * 2.3 * t) > -0.2)
    elif name == "two voices":
        x = 0.2 * saw(150.0) + 0.2 * saw(217.0) + 0.005 * noise
    elif name == "rivals":
        # Two pitches that overtake each other every few frames: their survivors never agree.
        beat = 0.36 * np.sin(2 * np.pi * 33.3 * t)
        x = saw(375.5, partials=40, slope=0.7) * (1 + beat) + 1.44 * saw(697.8, partials=40, slope=0.7) * (1 - beat)
        x += 0.03 * noise
        x *= 0.3 / np.abs(x).max()
    elif name == "dc":
        x = 0.5 + 0.1 * saw(125.0) * (np.sin(2 * np.pi * 1.7 * t) > 0)
    elif name == "square":
        x = 0.5 * np.sign(np.sin(2 * np.pi * 100.3 * t))
    elif name == "whole periods":
        x = 0.2 * np.resize(saw(rate / round(rate / 160))[: round(rate / 160)], n)
    else:
        raise ValueError(name)
    return (np.clip(np.round(x * 32768), -32768, 32767) / 32768).astype(np.float32)
