"""Signals made by formula, for the tests of the descriptors."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

RATES = (8000, 11025, 16000, 22050, 24000, 44100, 48000)


def buzz() -> NDArray[np.float32]:
    """A sawtooth with noise, then silence: one second at 16 kHz, integer arithmetic throughout."""
    state, values = 1, []
    for n in range(16000):
        state = (1103515245 * state + 12345) % 2**31
        sawtooth = (561 * n % 65536) - 32768
        level = 4000 + (3 * n) % 5000
        values.append((sawtooth * level) // 32768 + (state >> 16) % 401 - 200 if n < 11200 else 0)
    return (np.array(values) / 32768).astype(np.float32)


def two_tones() -> NDArray[np.float32]:
    """Two sines and a periodic ripple: 0.3 s at 16 kHz."""
    n = np.arange(4800)
    tones = 6000 * np.sin(2 * np.pi * 210 * n / 16000) + 2000 * np.sin(2 * np.pi * 1730 * n / 16000 + 1)
    return ((np.round(tones) + (7919 * n) % 401 - 200) / 32768).astype(np.float32)


def stress(rate: int, duration: float = 0.9) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Signals at the edges: noise, single steps, DC, Nyquist, clipping, bursts between silences; 16-bit but for one."""
    random = np.random.default_rng(1)
    n = int(rate * duration)
    t = np.arange(n) / rate

    def quantised(values: NDArray[np.floating]) -> NDArray[np.float32]:
        return (np.clip(np.round(values), -32768, 32767) / 32768).astype(np.float32)

    yield "silence", np.zeros(n, np.float32)
    yield "noise", quantised(random.standard_normal(n) * 3000)
    yield "one step of noise", quantised(random.integers(-1, 2, n))
    yield "clicks", quantised((np.arange(n) % 997 == 0).astype(float))
    yield "constant step", quantised(np.ones(n))
    yield "negative full scale", quantised(np.full(n, -32768.0))
    yield "Nyquist", quantised(20000 * (-1.0) ** np.arange(n))
    yield "sine", quantised(20000 * np.sin(2 * np.pi * 440 * t))
    yield "decay", quantised(20000 * np.exp(-6 * t) * np.sin(2 * np.pi * 300 * t))
    yield "square", quantised(32767 * np.sign(np.sin(2 * np.pi * 150 * t)))
    yield "burst", quantised(random.standard_normal(n) * 8000 * ((t > 0.3) & (t < 0.45)))
    yield "chirp", quantised(9000 * np.sin(2 * np.pi * (50 * t + 0.3 * rate * t * t)) + 300 * random.standard_normal(n))
    yield "floats", (random.standard_normal(n) * 0.4).astype(np.float32)
