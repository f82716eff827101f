"""Recordings as mono float32 samples: decoding, channels, exact segments, resampling.

Everything that libsndfile decodes can be read. Nothing here trusts a header: sizes that a file claims only decide
where to look, never how much memory is taken.
"""

import os
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from .errors import AudioError, ConfigError

__all__ = [
    "BLOCK",
    "EXTENSIONS",
    "Recording",
    "SampleHash",
    "Samples",
    "parse_channel",
    "resample",
    "resample_blocks",
    "show",
]

Samples = npt.NDArray[np.float32]

#: Endings by which a directory walk recognises recordings. A file named explicitly may have any ending.
# fmt: off
EXTENSIONS = frozenset({
    ".aif", ".aifc", ".aiff", ".au", ".caf", ".flac", ".mp3", ".nist", ".oga", ".ogg", ".opus", ".rf64", ".snd", ".sph",
    ".voc", ".w64", ".wav", ".wave",
})
# fmt: on

BLOCK = 1 << 18
"""Samples decoded at once, over all channels: 16 s at 16 kHz mono, 1 MB."""

_SEEKABLE = ("PCM_", "FLOAT", "DOUBLE", "ULAW", "ALAW")
"""Encodings in which a seek lands on the very sample. MP3 and Vorbis seeks come out a little different."""

_STREAMED = 0x7FFFF000
"""Data sizes from here on in a 32-bit header mean "length unknown": what a program writes that records to a pipe."""


def show(path: str) -> str:
    r"""Return a path as text that any terminal and any table can hold.

    Bytes that are not UTF-8 become ``\xNN``, a line break becomes ``\n``.
    """
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return text.replace("\n", "\\n").replace("\r", "\\r")


class Recording:
    """An audio file opened for reading, one mono signal out of its channels.

    Parameters
    ----------
    path : str
        Name of the file, as the operating system gives it.
    channel : "mix" or int
        The mean of all channels, or one of them, counted from 0.

    Attributes
    ----------
    rate : int
        Sampling rate in Hz.
    claimed : int
        Number of frames that the header states. Not to be trusted.
    truncated : str or None
        What the header promises beyond the end of the file, in words.

    Raises
    ------
    AudioError
        The file cannot be opened or decoded, or has no such channel.
    """

    def __init__(self, path: str, channel: str | int = "mix") -> None:
        self._path = path
        try:
            # Bytes, because soundfile refuses names that are not UTF-8.
            self._file: Any = soundfile.SoundFile(os.fsencode(path))
        except soundfile.LibsndfileError as error:
            raise AudioError(_why(path, error)) from None
        except OSError as error:
            raise AudioError(f"cannot be read: {error.strerror}") from None
        self.rate: int = self._file.samplerate
        self.claimed: int = self._file.frames
        self.channels: int = self._file.channels
        self._channel = channel
        self._exact = self._file.format == "FLAC" or self._file.subtype.startswith(_SEEKABLE)
        self._step = max(1024, BLOCK // self.channels)
        self._at = 0
        self._origin = 0  # where `_block`, the last one decoded, begins; for encodings without exact seeks
        self._block = np.zeros(0, np.float32)
        if isinstance(channel, int) and channel >= self.channels:
            self.close()
            raise AudioError(
                f"has no channel {channel}: it has {self.channels}, counted from 0 (--channel mix or a number)"
            )
        self.truncated = _missing_data(path) if self._file.format in ("WAV", "WAVEX") else None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def blocks(self, start: int = 0, stop: int | None = None) -> Iterator[Samples]:
        """Yield the frames from `start` up to `stop` (or to the end of the data) in blocks of bounded size.

        Parameters
        ----------
        start, stop : int
            Frame numbers. Where the encoding can seek to the very sample nothing before `start` is decoded.

        Yields
        ------
        numpy.ndarray
            Shape (frames,), float32, full scale ±1;
            at most `BLOCK` samples are decoded at once.

        Raises
        ------
        AudioError
            The data cannot be decoded, or hold NaN or infinite samples.
        """
        at = start
        for block in self._exact_blocks(start, stop) if self._exact else self._decoded_blocks(start, stop):
            if not np.isfinite(block).all():
                bad = at + int(np.argmin(np.isfinite(block)))
                raise AudioError(f"has NaN or infinite samples, the first at {bad / self.rate:.3f} s")
            at += len(block)
            yield block
        goal = self.claimed if stop is None else min(stop, self.claimed)
        if goal - at > self.rate // 10 and self.truncated is None:  # MP3 headers may be a little off
            self.truncated = (
                f"truncated: its header promises {self.claimed / self.rate:.2f} s, "
                f"{at / self.rate:.2f} s can be decoded"
            )

    def _exact_blocks(self, start: int, stop: int | None) -> Iterator[Samples]:
        """Seek, then read."""
        if start != self._at:
            try:
                self._at = max(0, self._file.seek(min(start, self.claimed)))
            except soundfile.LibsndfileError as error:
                raise AudioError(_why(self._path, error)) from None
        while stop is None or self._at < stop:
            block = self._read(self._step if stop is None else min(self._step, stop - self._at))
            if not len(block):
                return
            yield block

    def _decoded_blocks(self, start: int, stop: int | None) -> Iterator[Samples]:
        """Decode from the beginning in steps of one size: the last bits of an MP3 depend on how it is read."""
        if start < self._origin:
            self._file.close()
            self._file = soundfile.SoundFile(os.fsencode(self._path))
            self._at = self._origin = 0
            self._block = np.zeros(0, np.float32)
        while stop is None or self._origin < stop:
            piece = self._block[max(0, start - self._origin) : None if stop is None else stop - self._origin]
            if len(piece):
                yield piece
            if stop is not None and self._at >= stop:
                return
            block = self._read(self._step)
            if not len(block):
                return
            self._origin += len(self._block)
            self._block = block

    def _read(self, frames: int) -> Samples:
        try:
            data = self._file.read(frames, dtype="float32", always_2d=True)
        except soundfile.LibsndfileError as error:
            raise AudioError(f"damaged after {self._at / self.rate:.2f} s ({_reason(error)})") from None
        self._at += len(data)
        if isinstance(self._channel, int):
            return np.ascontiguousarray(data[:, self._channel])
        if self.channels == 1:
            return data[:, 0]
        with np.errstate(invalid="ignore", over="ignore"):
            return data.mean(axis=1, dtype=np.float32)


class SampleHash:
    """The identity of a stretch of audio: BLAKE2b over its decoded mono float32 samples, 16 hex digits."""

    def __init__(self) -> None:
        self._state = blake2b(digest_size=8)

    def update(self, samples: Samples) -> None:
        """Take in the next samples."""
        self._state.update(np.ascontiguousarray(samples, dtype="<f4").data)

    def hexdigest(self) -> str:
        """Return the 16 digits."""
        return self._state.hexdigest()


def resample(samples: Samples, rate: int, to: int) -> Samples:
    """Change the sampling rate (soxr, quality HQ).

    Parameters
    ----------
    samples : numpy.ndarray
        Shape (n,), float32.
    rate, to : int
        Sampling rates in Hz.

    Returns
    -------
    numpy.ndarray
        Shape (about n·to/rate,), float32. The input itself where the rates are equal.
    """
    if rate == to or not len(samples):
        return samples
    return soxr.resample(samples, rate, to, quality="HQ")


def resample_blocks(blocks: Iterator[Samples], rate: int, to: int) -> Iterator[Samples]:
    """Change the sampling rate of a signal that comes in blocks; the same filter as `resample`."""
    if rate == to:
        yield from blocks
        return
    stream = soxr.ResampleStream(rate, to, 1, dtype="float32", quality="HQ")
    for block in blocks:
        out = stream.resample_chunk(block)
        if len(out):
            yield out
    out = stream.resample_chunk(np.zeros(0, np.float32), last=True)
    if len(out):
        yield out


def parse_channel(text: str) -> str | int:
    """Return a channel option as "mix" or a number, or raise ConfigError."""
    if text == "mix":
        return text
    if text.isdecimal():
        return int(text)
    raise ConfigError(
        f"--channel {text}: expected mix (the mean of all channels) or a channel's number, counted from 0"
    )


def _reason(error: Exception) -> str:
    text = getattr(error, "error_string", None) or str(error)
    return str(text).strip().rstrip(".")


def _why(path: str, error: Exception) -> str:
    """Say why a file does not open: libsndfile's own words are "System error" for half of it."""
    try:
        if Path(path).stat().st_size == 0:
            return "empty file (0 bytes)"
        with Path(path).open("rb"):
            pass
    except OSError as denied:
        return f"cannot be read: {denied.strerror}"
    return f"not a sound file that can be decoded ({_reason(error)})"


def _missing_data(path: str) -> str | None:
    """Compare a WAV header's data size with the file's, which libsndfile silently cuts down to what is there."""
    size = Path(path).stat().st_size
    with Path(path).open("rb") as file:
        head = file.read(12)
        order = "big" if head[:4] == b"RIFX" else "little"
        if head[:4] not in (b"RIFF", b"RIFX"):
            return None
        at = 12
        for _ in range(64):
            file.seek(at)
            chunk = file.read(8)
            if len(chunk) < 8:
                return None
            length = int.from_bytes(chunk[4:], order)  # type: ignore[arg-type]
            if chunk[:4] == b"data":
                missing = at + 8 + length - size
                if missing <= 0:
                    return None
                if length >= _STREAMED:
                    return (
                        "its header states no usable length (as when recorded to a pipe): read to the end of the file"
                    )
                return f"truncated: its header promises {length:,} bytes of audio, {missing:,} of them are missing"
            at += 8 + length + length % 2
    return None
