"""Hand-crafted sets in a run: next to deep features, at all levels, each thing computed once."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import soundfile
from tiny import tiny_model

import dsfx
from dsfx import pipeline, worker
from dsfx.errors import ConfigError
from dsfx.lld import long, spectrum
from dsfx.worker import Config

ALL = ("eGeMAPSv02", "ComParE_2016")


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"deep:{tiny_model(tmp_path_factory.mktemp('models') / 'tiny')}"


def test_all_sets_in_one_table(wavs, tmp_path, model):
    out = tmp_path / "f.parquet"
    summary = pipeline.run([wavs], out, Config(sets=(model, *ALL)))
    assert (summary.rows, summary.columns, summary.incomplete) == (6, 24 + 88 + 6373, 0)
    table = pq.read_table(out)
    names = [field.metadata[b"set"].decode() for field in list(table.schema)[4:]]
    assert Counter(names) == {"deep:tiny": 24, "eGeMAPSv02": 88, "ComParE_2016": 6373}
    assert table.schema.field("F0semitoneFrom27.5Hz_sma3nz_amean").metadata[b"unit"]
    assert set(json.loads(table.schema.metadata[b"sets"])) == {"deep:tiny", *ALL}
    for name in ALL:
        frame = dsfx.read(out, sets=name)
        functionals = dsfx.FeatureSet(name)
        assert list(frame.columns) == functionals.names
        for (file, _, _), row in zip(frame.index, frame.to_numpy(), strict=True):
            samples, rate = soundfile.read(wavs / file, dtype="float32")
            np.testing.assert_array_equal(row, functionals(samples, rate).to_numpy()[0], err_msg=f"{name} {file}")


def test_the_same_bytes_for_any_number_of_workers(wavs, tmp_path, model, monkeypatch):
    monkeypatch.setattr(pipeline, "_SHARD_SECONDS", dict.fromkeys(pipeline._SHARD_SECONDS, 1.5))
    for jobs in (1, 2):
        pipeline.run([wavs], tmp_path / f"{jobs}.parquet", Config(sets=(model, *ALL)), jobs=jobs)
    assert (tmp_path / "1.parquet").read_bytes() == (tmp_path / "2.parquet").read_bytes()


def test_each_transform_and_each_tracking_happens_once(tmp_path, voice, model):
    """Two sets together transform no frame twice and track F0 once each, over candidates found once."""
    soundfile.write(tmp_path / "x.wav", voice(2.0), 16_000)
    config = Config(sets=(model, *ALL))
    worker.warm_up(worker.setup_of(config), lambda line: None)

    def count() -> dict[str, int]:
        spectrum.frames_transformed.clear()
        long.frames_analysed.clear()
        worker.warm_up(worker.setup_of(config), lambda line: None)  # a run warms up first; that is taken off below
        before = {"transforms": sum(spectrum.frames_transformed.values()), **long.frames_analysed}
        spectrum.frames_transformed.clear()
        long.frames_analysed.clear()
        dsfx.extract(tmp_path / "x.wav", sets=config.sets)
        after = {"transforms": sum(spectrum.frames_transformed.values()), **long.frames_analysed}
        return {name: after[name] - before[name] for name in ("transforms", "candidates", "path")}

    short, lengthy = 1 + (32_000 - 320) // 160, 1 + (32_000 - 960) // 160
    assert count() == {"transforms": short + lengthy, "candidates": lengthy, "path": 2 * lengthy}


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("level", ["lld", "lld-delta"])
def test_frame_levels(wavs, tmp_path, name, level, monkeypatch):
    if (name, level) == ("eGeMAPSv02", "lld-delta"):
        with pytest.raises(ConfigError, match="eGeMAPSv02.*lld-delta|no deltas"):
            dsfx.extract(wavs, sets=name, level=level)
        return
    monkeypatch.setattr("dsfx.audio.BLOCK", 5000)
    frame = dsfx.extract(wavs, sets=name, level=level)
    descriptors = dsfx.FeatureSet(name, level=level)
    assert list(frame.columns) == descriptors.names
    hashes = set()
    for file in frame.index.get_level_values("file").unique():
        samples, rate = soundfile.read(wavs / file, dtype="float32")
        expected = descriptors(samples, rate)
        pd.testing.assert_frame_equal(frame.xs(file), expected)
        hashes.add(file)
    assert len(hashes) == 6


def test_segments_have_frame_times_within_their_file(wavs):
    (wavs / "t.csv").write_text("file,start,end\nb.flac,0.25,0.75\n")
    frame = dsfx.extract(wavs / "t.csv", sets="eGeMAPSv02", level="lld")
    start, end = frame.index.get_level_values("start"), frame.index.get_level_values("end")
    assert start[0] == pd.Timedelta("250ms")
    assert end[-1] == pd.Timedelta("750ms")
    assert start[1] - start[0] == pd.Timedelta("10ms")


def test_too_short_is_nan_with_a_reason(tmp_path, voice, model):
    for name, size in [("a", 0), ("b", 1), ("c", 959), ("d", 16_000)]:
        soundfile.write(tmp_path / f"{name}.wav", voice(1.0)[:size], 16_000)
    soundfile.write(tmp_path / "low.wav", voice(1.0, 1000), 1000)
    out = tmp_path / "f.parquet"
    pipeline.run([tmp_path], out, Config(sets=(model, *ALL)))
    frame = dsfx.read(out)
    crafted = frame[dsfx.FeatureSet("eGeMAPSv02").names]
    assert list(crafted.isna().all(axis=1)) == [True, True, True, False, True]
    errors = (tmp_path / "f.parquet.errors.csv").read_text().splitlines()[1:]
    assert errors[0].split(",", 3)[3].strip('"') == (
        "warning: NaN: too short, eGeMAPSv02 needs 0.06 s; too short, ComParE_2016 needs 0.06 s; "
        "too short, deep:tiny needs 0.102 s"
    )
    assert "low.wav" in errors[3]
    assert "1000 Hz" in errors[3]
    frames = dsfx.extract(tmp_path / "c.wav", sets="ComParE_2016", level="lld")
    assert len(frames) == 1
    assert frames.isna().all(axis=None)
    assert "ComParE_2016 needs 0.06 s" in frames.attrs["errors"][0][3]


def test_silence_and_constants(tmp_path, model):
    for name, value in [("silence", 0.0), ("dc", 0.25), ("full", 0.99997)]:
        soundfile.write(tmp_path / f"{name}.wav", np.full(16_000, value), 16_000)
    frame = dsfx.extract(tmp_path, sets=ALL)
    assert frame.notna().all(axis=None)


def test_a_set_of_ones_own(wavs, tmp_path):
    text = (Path(dsfx.__file__).parents[1] / "baselines/eGeMAPSv02.toml").read_text(encoding="utf-8")
    (tmp_path / "mine.toml").write_text(
        text.replace('name = "eGeMAPSv02"', 'name = "mine"').replace("hop = 0.010", "hop = 0.005")
    )
    frame = dsfx.extract(wavs, sets=str(tmp_path / "mine.toml"))
    assert frame.shape == (6, 88)
    out = tmp_path / "f.parquet"
    dsfx.extract(wavs, sets=str(tmp_path / "mine.toml"), output=out)
    (name,) = json.loads(pq.read_schema(out).metadata[b"sets"])
    assert name.startswith("mine")
    assert name != "eGeMAPSv02"
    both = dsfx.extract(wavs, sets="eGeMAPSv02", hop=0.005)
    np.testing.assert_array_equal(both.to_numpy(), frame.to_numpy())
    (tmp_path / "bad.toml").write_text(text.replace("hop = 0.010", "hop = 0.010\ncolour = 1"))
    with pytest.raises(ConfigError, match=r"bad.toml line 14: .*colour"):
        dsfx.extract(wavs, sets=str(tmp_path / "bad.toml"))


def test_compat_reproduces_the_references_wrap_around(tmp_path, voice):
    signal = voice(0.5)
    signal[4000:4050] = 1.0
    soundfile.write(tmp_path / "x.wav", signal, 16_000, subtype="FLOAT")
    ours = dsfx.extract(tmp_path, sets="eGeMAPSv02").to_numpy()
    theirs = dsfx.extract(tmp_path, sets="eGeMAPSv02", compat="int16").to_numpy()
    assert not np.array_equal(ours, theirs)
    np.testing.assert_array_equal(theirs, dsfx.FeatureSet("eGeMAPSv02", compat="int16")(signal, 16_000).to_numpy())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sets": ALL, "level": "lld"}, "a table of frames holds one hand-crafted set"),
        ({"sets": ("deep",), "hop": 0.005}, "none is among the --set"),
        ({"sets": ("eGeMAPSv02",), "frame": -1.0}, "-1"),
        ({"sets": ("eGeMAPSv02", "GeMAPSv01b")}, "--prefix"),
    ],
)
def test_impossible_combinations(wavs, options, message, monkeypatch, model):
    options = {**options, "sets": [model if name == "deep" else name for name in options["sets"]]}
    with pytest.raises(ConfigError, match=message):
        dsfx.extract(wavs, **options)
