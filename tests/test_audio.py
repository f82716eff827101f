"""Decoding, channels, exact segments, lying headers."""

import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from dsfx import audio
from dsfx.errors import AudioError, ConfigError

WAV_KINDS = [
    "PCM_U8",
    "PCM_16",
    "PCM_24",
    "PCM_32",
    "FLOAT",
    "DOUBLE",
    "ULAW",
    "ALAW",
    "IMA_ADPCM",
    "MS_ADPCM",
    "GSM610",
]
OTHERS = [("flac", "PCM_16"), ("flac", "PCM_24"), ("ogg", "VORBIS"), ("ogg", "OPUS"), ("mp3", "MPEG_LAYER_III")]
OTHERS += [("aiff", "PCM_16"), ("au", "PCM_16"), ("caf", "PCM_16"), ("w64", "PCM_16")]


def samples_of(path: Path, start: int = 0, stop: int | None = None, channel: str | int = "mix") -> np.ndarray:
    with audio.Recording(str(path), channel) as recording:
        blocks = list(recording.blocks(start, stop))
    return np.concatenate(blocks) if blocks else np.zeros(0, "f4")


@pytest.mark.parametrize("kind", WAV_KINDS)
def test_every_wav_encoding_is_read(tmp_path, voice, kind):
    soundfile.write(tmp_path / "x.wav", voice(0.5), 16_000, subtype=kind)
    expected = soundfile.read(tmp_path / "x.wav", dtype="float32")[0]
    np.testing.assert_array_equal(samples_of(tmp_path / "x.wav"), expected)


@pytest.mark.parametrize(("ending", "kind"), [("wav", kind) for kind in WAV_KINDS] + OTHERS)
def test_a_segment_is_what_the_whole_holds_there(tmp_path, voice, ending, kind, monkeypatch):
    monkeypatch.setattr(audio, "BLOCK", 3000)
    path = tmp_path / f"x.{ending}"
    soundfile.write(path, voice(1.3), 16_000, subtype=kind)
    whole = samples_of(path)
    np.testing.assert_allclose(whole, soundfile.read(path, dtype="float32")[0], atol=1e-7)
    for start, stop in [(0, 100), (5000, 5001), (3001, 12_345), (777, None), (15_000, 20_000)]:
        np.testing.assert_array_equal(samples_of(path, start, stop), whole[start:stop], err_msg=f"{start}:{stop}")


def test_segments_of_one_recording_may_go_backwards(tmp_path, voice):
    soundfile.write(tmp_path / "x.ogg", voice(1.0), 16_000)
    whole = soundfile.read(tmp_path / "x.ogg", dtype="float32")[0]
    with audio.Recording(str(tmp_path / "x.ogg")) as recording:
        for start in (9000, 2000, 2000, 12_000):
            np.testing.assert_array_equal(np.concatenate(list(recording.blocks(start, start + 50))), whole[start:][:50])


def test_channels(tmp_path):
    data = np.random.default_rng(0).uniform(-0.5, 0.5, (500, 8)).astype("f4")
    soundfile.write(tmp_path / "x.wav", data, 8000, subtype="FLOAT")
    np.testing.assert_array_equal(samples_of(tmp_path / "x.wav"), data.mean(axis=1))
    np.testing.assert_array_equal(samples_of(tmp_path / "x.wav", channel=7), data[:, 7])
    with pytest.raises(AudioError, match=r"no channel 8: it has 8, counted from 0 \(--channel"):
        samples_of(tmp_path / "x.wav", channel=8)


@pytest.mark.parametrize(("value", "at"), [(np.nan, 0), (np.inf, 3999), (-np.inf, 1234)])
def test_samples_that_are_no_numbers_are_found(tmp_path, value, at):
    data = np.zeros(4000, "f4")
    data[at] = value
    soundfile.write(tmp_path / "x.wav", data, 8000, subtype="FLOAT")
    with pytest.raises(AudioError, match=f"NaN or infinite samples, the first at {at / 8000:.3f} s"):
        samples_of(tmp_path / "x.wav")


def test_opposite_infinities_in_two_channels_are_found(tmp_path):
    soundfile.write(tmp_path / "x.wav", np.array([[np.inf, -np.inf]] * 9), 8000, subtype="FLOAT")
    with pytest.raises(AudioError, match="NaN or infinite"):
        samples_of(tmp_path / "x.wav")


def test_truncated_wav_gives_what_is_there_and_says_so(tmp_path, voice):
    path = tmp_path / "x.wav"
    soundfile.write(path, voice(1.0), 16_000)
    path.write_bytes(path.read_bytes()[:20_044])
    with audio.Recording(str(path)) as recording:
        assert sum(map(len, recording.blocks())) == 10_000
        assert recording.truncated == "truncated: its header promises 32,000 bytes of audio, 12,000 of them are missing"


def test_a_header_that_claims_four_gigabytes_more(tmp_path, voice):
    path = tmp_path / "x.wav"
    soundfile.write(path, voice(1.0), 16_000)
    content = bytearray(path.read_bytes())
    content[40:44] = struct.pack("<I", 0xFFFFFFF0)
    path.write_bytes(content)
    with audio.Recording(str(path)) as recording:
        assert sum(map(len, recording.blocks())) == 16_000
        assert "states no usable length" in (recording.truncated or "")


def test_truncated_flac(tmp_path, voice):
    path = tmp_path / "x.flac"
    soundfile.write(path, voice(3.0), 16_000)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with audio.Recording(str(path)) as recording:
        try:
            got = sum(map(len, recording.blocks()))
        except AudioError as error:
            assert "damaged after" in str(error)  # noqa: PT017
        else:
            assert 0 < got < 48_000
            assert "its header promises 3.00 s" in (recording.truncated or "")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"empty file \(0 bytes\)"),
        (b"This is no recording, it is a letter.\n" * 30, "not a sound file that can be decoded"),
        (b"RIFF\x00\x00\x00\x00WAVE", "not a sound file that can be decoded"),
    ],
)
def test_what_is_no_recording(tmp_path, content, message):
    (tmp_path / "x.wav").write_bytes(content)
    with pytest.raises(AudioError, match=message):
        audio.Recording(str(tmp_path / "x.wav"))


def test_a_missing_file():
    with pytest.raises(AudioError, match="cannot be read: No such file"):
        audio.Recording("nowhere/x.wav")


def test_hash_is_of_the_samples_not_of_the_file(tmp_path, voice):
    signal = (voice(0.5) * 32_768).astype("i2")
    soundfile.write(tmp_path / "x.wav", signal, 16_000)
    soundfile.write(tmp_path / "x.flac", signal, 16_000)
    digests = []
    for name in ("x.wav", "x.flac"):
        samples = samples_of(tmp_path / name)
        one, two = audio.SampleHash(), audio.SampleHash()
        one.update(samples)
        two.update(samples[:777])
        two.update(samples[777:])
        assert one.hexdigest() == two.hexdigest()
        digests.append(one.hexdigest())
    assert digests[0] == digests[1]
    assert len(digests[0]) == 16


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, 5000), min_size=1, max_size=6), st.sampled_from([8000, 22_050, 44_100, 48_000]))
def test_resampling_in_blocks_equals_resampling_at_once(sizes, rate):
    signal = np.random.default_rng(1).normal(0, 0.1, sum(sizes)).astype("f4")
    whole = audio.resample(signal, rate, 16_000)
    pieces = list(audio.resample_blocks(iter(np.split(signal, np.cumsum(sizes)[:-1])), rate, 16_000))
    np.testing.assert_allclose(np.concatenate([*pieces, np.zeros(0, "f4")]), whole, atol=2e-7)


def test_resampling_to_the_same_rate_changes_nothing():
    signal = np.ones(10, "f4")
    assert audio.resample(signal, 8000, 8000) is signal
    assert audio.resample(signal[:0], 8000, 16_000).size == 0


@pytest.mark.parametrize("text", ["-1", "left", "1.5", ""])
def test_channel_option(text):
    assert audio.parse_channel("mix") == "mix"
    assert audio.parse_channel("3") == 3
    with pytest.raises(ConfigError, match="expected mix"):
        audio.parse_channel(text)


def test_show_makes_any_name_printable():
    assert audio.show("Grüße 😀.wav") == "Grüße 😀.wav"
    assert audio.show("a\nb") == "a\\nb"
    assert audio.show(b"caf\xe9.wav".decode("utf-8", "surrogateescape")) == "caf\\xe9.wav"
