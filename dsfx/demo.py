"""A small source-filter voice synthesiser, to have something to try the toolkit on.

Glottal pulses (or breath noise) go through four formant resonators; speakers differ in vocal-tract length, pitch and
breathiness, styles in pitch range, tempo, loudness and spectral tilt. It is a toy: it shows that everything runs and
what the output looks like, and proves nothing about emotion.
"""

import csv
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import soundfile
from scipy.signal import lfilter

from .errors import OutputError

__all__ = ["RATE", "Clip", "Speaker", "Style", "synthesise", "write_corpus"]

RATE = 16_000


class Speaker(NamedTuple):
    """A synthetic voice."""

    gender: str
    pitch: float
    """Hz."""
    tract: float
    """Formant frequencies are multiplied by it."""
    breath: float
    """Share of noise in the source."""


class Style(NamedTuple):
    """A way of speaking, relative to the speaker's own."""

    pitch: float
    melody: float
    """Semitones, standard deviation of the pitch targets."""
    tempo: float
    level: float
    """dB."""
    tilt: float
    """Pole of the source's low-pass filter: higher is duller."""


class Clip(NamedTuple):
    """One recording of the demonstration corpus."""

    file: str
    speaker: str
    gender: str
    style: str


SPEAKERS = {
    "anna": Speaker("female", 205.0, 1.12, 0.03),
    "ben": Speaker("male", 112.0, 0.96, 0.02),
    "carla": Speaker("female", 178.0, 1.06, 0.08),
    "dov": Speaker("male", 96.0, 0.90, 0.05),
}
STYLES = {
    "neutral": Style(1.0, 1.5, 1.0, -20.0, 0.92),
    "excited": Style(1.35, 4.0, 1.35, -13.0, 0.82),
    "subdued": Style(0.88, 0.7, 0.75, -27.0, 0.96),
}
_VOWELS = np.array([[730, 1090, 2440], [270, 2290, 3010], [570, 840, 2410], [530, 1840, 2480], [300, 870, 2240]])
_BANDWIDTHS = (60.0, 90.0, 130.0, 250.0)


def synthesise(speaker: Speaker, style: Style, seed: int, *, syllables: int = 9) -> npt.NDArray[np.float32]:
    """Speak a string of random vowels.

    Parameters
    ----------
    speaker : Speaker
    style : Style
    seed : int
        Decides everything that is random.
    syllables : int

    Returns
    -------
    numpy.ndarray
        Shape (n,), float32, at 16 kHz.
    """
    random = np.random.default_rng(seed)
    lengths = (0.19 / style.tempo * random.uniform(0.7, 1.4, syllables) * RATE).astype(int)
    targets = random.normal(0.0, style.melody, syllables) - np.linspace(0.0, 3.0, syllables)  # pitch declines
    vowels = _VOWELS[random.integers(0, len(_VOWELS), syllables)]
    n = int(lengths.sum())
    centres = np.cumsum(lengths) - lengths / 2
    at = np.arange(n)

    pitch = speaker.pitch * style.pitch * 2 ** (np.interp(at, centres, targets) / 12)
    pitch *= 1 + 0.008 * np.interp(at, np.arange(0, n, 120), random.normal(size=len(range(0, n, 120))))
    phase = np.cumsum(pitch) / RATE
    open_phase = phase % 1.0
    glottis = np.where(open_phase < 0.6, np.sin(np.pi * open_phase / 0.6) ** 2, 0.0)
    source = np.diff(glottis, prepend=0.0) + speaker.breath * 0.1 * random.normal(size=n) * glottis
    source = lfilter([1 - style.tilt], [1, -style.tilt], source)

    # Formants glide between vowels; each stretch of 5 ms is filtered with fixed resonators, states carried along.
    voice = np.zeros(n)
    hop = RATE // 200
    tracks = [np.interp(at[::hop], centres, vowels[:, f] * speaker.tract) for f in range(3)]
    tracks.append(np.full(len(tracks[0]), 3600.0 * speaker.tract))
    states = [np.zeros(2) for _ in tracks]
    for index, begin in enumerate(range(0, n, hop)):
        piece = source[begin : begin + hop]
        for f, (track, bandwidth) in enumerate(zip(tracks, _BANDWIDTHS, strict=True)):
            radius = np.exp(-np.pi * bandwidth / RATE)
            b, c = 2 * radius * np.cos(2 * np.pi * track[index] / RATE), -(radius**2)
            piece, states[f] = lfilter([1 - b - c], [1, -b, -c], piece, zi=states[f])
        voice[begin : begin + hop] = piece

    # Syllables swell and fade, with a short closure between them.
    edges = np.cumsum(lengths)
    position = at - np.concatenate([[0], edges[:-1]])[np.searchsorted(edges, at, side="right")]
    length = lengths[np.searchsorted(edges, at, side="right")]
    voice *= np.sin(np.pi * (position + 0.5) / length) ** 0.5
    level = random.normal(style.level, 1.0)
    voice *= 10 ** (level / 20) / np.sqrt(np.mean(voice**2))
    voice += 1e-4 * random.normal(size=n)
    pause = np.zeros(RATE // 10) + 1e-4 * random.normal(size=RATE // 10)
    return np.clip(np.concatenate([pause, voice, pause]), -0.999, 0.999).astype(np.float32)


def write_corpus(folder: Path, takes: int = 2) -> list[Clip]:
    """Write ``wavs/`` and ``labels.csv`` into a folder.

    Parameters
    ----------
    folder : Path
        Made if it does not exist.
    takes : int
        Clips of each speaker in each style.

    Returns
    -------
    list of Clip

    Raises
    ------
    OutputError
        The folder cannot be written.
    """
    clips = []
    try:
        (folder / "wavs").mkdir(parents=True, exist_ok=True)
        for s, (name, speaker) in enumerate(SPEAKERS.items()):
            for e, (style_name, style) in enumerate(STYLES.items()):
                for take in range(takes):
                    clip = Clip(f"wavs/{name}-{style_name}-{take + 1}.wav", name, speaker.gender, style_name)
                    signal = synthesise(speaker, style, seed=1000 * s + 100 * e + take)
                    soundfile.write(folder / clip.file, signal, RATE, subtype="PCM_16")
                    clips.append(clip)
        with (folder / "labels.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["file", "speaker", "gender", "emotion"])
            writer.writerows(clips)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written ({error.strerror})") from None
    return clips
