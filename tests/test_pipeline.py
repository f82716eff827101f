"""Runs from end to end: the table, bad inputs, resume, killed processes, workers."""

import csv
import hashlib
import json
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
from tiny import tiny_model

import dsfx
from dsfx import pipeline, worker
from dsfx.errors import ConfigError, InputError, ModelError, OutputError, StorageError
from dsfx.inputs import Item
from dsfx.worker import Config

Voice = Callable[..., np.ndarray]


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"deep:{tiny_model(tmp_path_factory.mktemp('models') / 'tiny')}"


@pytest.fixture
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make shards of one or two clips, so that a few clips are many shards."""
    monkeypatch.setattr(pipeline, "_SHARD_SECONDS", dict.fromkeys(pipeline._SHARD_SECONDS, 1.5))


def errors_of(output: Path) -> list[list[str]]:
    path = output.with_name(f"{output.name}.errors.csv")
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["file", "start", "end", "error"]
    return rows[1:]


def sha(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


# The table


def test_the_table_is_as_promised(wavs, tmp_path, model):
    out = tmp_path / "feats.parquet"
    summary = pipeline.run([wavs], out, Config(sets=(model,)))
    assert (summary.rows, summary.failed, summary.errors) == (6, 0, None)
    table = pq.read_table(out)
    assert table.column_names[:4] == ["file", "start", "end", "hash"]
    assert table.column_names[4:] == [f"deep_{i:03d}" for i in range(24)]
    assert table.schema.field("file").type == pa.string()
    assert table.schema.field("start").type == table.schema.field("end").type == pa.duration("ns")
    assert all(table.schema.field(name).type == pa.float32() for name in table.column_names[4:])
    assert all(table.schema.field(name).metadata[b"set"] == b"deep:tiny" for name in table.column_names[4:])
    assert table["file"].to_pylist() == ["a.wav", "b.flac", "c.wav", "d.wav", "sub/e.wav", "z.ogg"]
    for name, start, end, digits in zip(*(table[c].to_pylist() for c in ("file", "start", "end", "hash")), strict=True):
        samples, rate = soundfile.read(wavs / name, dtype="float32")
        assert start.total_seconds() == 0
        assert end.total_seconds() == pytest.approx(len(samples) / rate, abs=1e-6)
        assert digits == hashlib.blake2b(samples.tobytes(), digest_size=8).hexdigest()
    metadata = {k.decode(): v.decode() for k, v in table.schema.metadata.items()}
    assert metadata["dsfx_version"] == dsfx.__version__
    assert json.loads(metadata["config"])["channel"] == "mix"
    assert metadata["model"] == "tiny"
    assert json.loads(metadata["sets"]) == {"deep:tiny": metadata["model_sha256"]}
    assert metadata["level"] == "functionals"
    assert len(metadata["config_hash"]) == 32
    assert "pandas" not in metadata
    file = pq.ParquetFile(out).metadata
    assert file.num_row_groups == 1
    assert "DICTIONARY" not in str(file.row_group(0).column(5).encodings)


def test_read_gives_the_index_that_audformat_users_know(wavs, tmp_path, model):
    out = tmp_path / "f.parquet"
    frame = dsfx.extract(wavs, sets=model, output=out)
    assert frame == out
    frame = dsfx.read(out)
    assert frame.index.names == ["file", "start", "end"]
    assert frame.index.get_level_values("start").dtype == "timedelta64[ns]"
    assert list(frame.columns) == [f"deep_{i:03d}" for i in range(24)]
    assert (frame.dtypes == np.float32).all()
    assert list(dsfx.read(out, hash=True).columns[:2]) == ["hash", "deep_000"]
    assert dsfx.read(out, "deep:tiny").equals(frame)
    pd.testing.assert_frame_equal(dsfx.extract(wavs, sets=[model]), frame)
    with pytest.raises(ConfigError, match=r"holds no set 'eGeMAPSv02'; it holds deep:tiny"):
        dsfx.read(out, sets="eGeMAPSv02")
    with pytest.raises(InputError, match="no such file"):
        dsfx.read(tmp_path / "nowhere.parquet")


def test_csv_and_folder_hold_the_same_numbers(wavs, tmp_path, model, small_shards, monkeypatch):
    monkeypatch.setattr("dsfx.store._PART_BYTES", 150)
    monkeypatch.setattr("dsfx.store._GROUP_BYTES", 200)
    config = Config(sets=(model,))
    for name in ("f.parquet", "f.csv", "folder/"):
        pipeline.run([wavs], str(tmp_path / name) + ("/" if name.endswith("/") else ""), config)
    one = dsfx.read(tmp_path / "f.parquet", hash=True)
    pd.testing.assert_frame_equal(dsfx.read(tmp_path / "f.csv", hash=True), one)
    pd.testing.assert_frame_equal(dsfx.read(tmp_path / "folder", hash=True), one)
    assert len(list((tmp_path / "folder").glob("part-*.parquet"))) > 1
    assert pq.read_table(tmp_path / "folder").num_rows == 6  # what is not a part is not in the way of other readers


@pytest.mark.parametrize("name", ["f.xlsx", "f", ".parquet", "f.parquet.gz"])
def test_other_endings_are_refused_before_any_work(wavs, tmp_path, model, name):
    with pytest.raises(OutputError, match=r"expected a name that ends in .parquet, .csv, or /"):
        pipeline.run([wavs], tmp_path / name, Config(sets=(model,)))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["wavs"]


def test_a_segment_table_gives_the_rows_of_cut_files(wavs, tmp_path, model, voice):
    (tmp_path / "cut").mkdir()
    rows = []
    for index, (name, start, end) in enumerate(
        [("a.wav", 0.1, 0.4), ("b.flac", 0.25, 0.8), ("z.ogg", 0.5, 1.2), ("z.ogg", 0.1, 0.6)]
    ):
        samples, rate = soundfile.read(wavs / name, dtype="float32")
        soundfile.write(tmp_path / f"cut/{index}.wav", samples[int(start * rate) : int(end * rate)], rate, "FLOAT")
        rows.append(f"{name},{start},{end}")
    (wavs / "segments.csv").write_text("file,start,end\n" + "\n".join(rows) + "\n")
    segments = dsfx.extract(wavs / "segments.csv", sets=model)
    cut = dsfx.extract(tmp_path / "cut", sets=model)
    assert tuple(segments.index[0]) == ("a.wav", pd.Timedelta("100ms"), pd.Timedelta("400ms"))
    np.testing.assert_allclose(segments.to_numpy(), cut.to_numpy(), rtol=0, atol=1e-6)


def test_windows(tmp_path, model, voice):
    soundfile.write(tmp_path / "x.wav", voice(2.55), 16_000, subtype="FLOAT")
    soundfile.write(tmp_path / "y.wav", voice(0.5), 16_000, subtype="FLOAT")
    frame = dsfx.extract(tmp_path, sets=model, window=1.0, step=0.4)
    keys = [(f, s.total_seconds(), e.total_seconds()) for f, s, e in frame.index]
    assert keys == [("x.wav", s, s + 1) for s in (0, 0.4, 0.8, 1.2)] + [("y.wav", 0, 0.5)]
    samples = soundfile.read(tmp_path / "x.wav", dtype="float32")[0]
    soundfile.write(tmp_path / "cut.wav", samples[12_800:28_800], 16_000, subtype="FLOAT")
    cut = dsfx.extract(tmp_path / "cut.wav", sets=model).to_numpy()
    np.testing.assert_allclose(frame.to_numpy()[2:3], cut, rtol=0, atol=1e-6)


def test_features_do_not_depend_on_what_else_is_extracted(wavs, model):
    together = dsfx.extract(wavs, sets=model)
    for file, _, _ in together.index:
        alone = dsfx.extract(wavs / file, sets=model)
        np.testing.assert_allclose(alone.to_numpy()[0], together.xs(file).to_numpy()[0], rtol=0, atol=1e-6)


def test_long_segments_are_pooled_over_windows(tmp_path, model, voice):
    signal = voice(5.3)
    soundfile.write(tmp_path / "long.wav", signal, 16_000, subtype="FLOAT")
    parts = [signal[:32_000], signal[32_000:64_000], signal[64_000:]]
    for index, part in enumerate(parts):
        soundfile.write(tmp_path / f"part{index}.wav", part, 16_000, subtype="FLOAT")
    long = dsfx.extract(tmp_path / "long.wav", sets=model).to_numpy()[0]
    rows = dsfx.extract([tmp_path / f"part{i}.wav" for i in range(3)], sets=model).to_numpy()
    np.testing.assert_allclose(long, np.average(rows, axis=0, weights=[len(p) for p in parts]), atol=1e-6)


def test_channels_and_rates(tmp_path, model, voice):
    left, right = voice(1.0, 44_100), voice(1.0, 44_100, pitch=200)
    soundfile.write(tmp_path / "two.wav", np.stack([left, right], axis=1), 44_100, subtype="FLOAT")
    soundfile.write(tmp_path / "left.wav", left, 44_100, subtype="FLOAT")
    soundfile.write(
        tmp_path / "mix.wav", np.stack([left, right], axis=1).mean(axis=1, dtype="f4"), 44_100, subtype="FLOAT"
    )

    def of(name: str, **options: object) -> np.ndarray:
        return dsfx.extract(tmp_path / name, sets=model, **options).to_numpy()

    np.testing.assert_array_equal(of("two.wav", channel=0), of("left.wav"))
    np.testing.assert_array_equal(of("two.wav"), of("mix.wav"))
    assert not np.array_equal(of("two.wav", channel=1), of("left.wav"))
    frame = dsfx.extract(tmp_path, sets=model, channel=1)
    assert list(frame.index.get_level_values("file")) == ["two.wav"]
    assert [error[0] for error in frame.attrs["errors"]] == ["left.wav", "mix.wav"]
    np.testing.assert_allclose(of("left.wav", rate=16_000), of("left.wav"), atol=1e-6)
    assert np.abs(of("left.wav", rate=8000) - of("left.wav")).max() > 1e-3


def test_two_models_need_a_prefix(wavs, tmp_path, model):
    other = f"deep:{tiny_model(tmp_path / 'other', seed=1)}"
    with pytest.raises(ConfigError, match=r"deep:tiny and deep:other both have a column deep_000; --prefix"):
        dsfx.extract(wavs, sets=[model, other])
    frame = dsfx.extract(wavs, sets=[model, other], prefix=True)
    assert list(frame.columns[[0, 24]]) == ["deep:tiny.deep_000", "deep:other.deep_000"]
    np.testing.assert_array_equal(frame.to_numpy()[:, 24:], dsfx.extract(wavs, sets=other).to_numpy())


# Bad input


def test_bad_recordings_are_listed_and_harm_no_other(wavs, tmp_path, model, voice):
    good = dsfx.extract(wavs, sets=model)
    signal = voice(0.8)
    for name, kind in [("u8", "PCM_U8"), ("s24", "PCM_24"), ("s32", "PCM_32"), ("f64", "DOUBLE"), ("mu", "ULAW")]:
        soundfile.write(wavs / f"ok_{name}.wav", signal, 16_000, subtype=kind)
    soundfile.write(wavs / "ok_8ch.wav", np.tile(signal[:, None], 8), 16_000)
    soundfile.write(wavs / "ok_4k.wav", signal, 4000)
    soundfile.write(wavs / "ok_192k.wav", voice(0.8, 192_000), 192_000)
    soundfile.write(wavs / "ok space 😀 ü.wav", signal, 16_000)
    (wavs / "bad_empty.wav").touch()
    (wavs / "bad_text.wav").write_text("no audio\n" * 100)
    for name, value in [("nan", np.nan), ("inf", np.inf)]:
        broken = signal.copy()
        broken[8000] = value
        soundfile.write(wavs / f"bad_{name}.wav", broken, 16_000, subtype="FLOAT")
    for name, size in [("0", 0), ("1", 1), ("5ms", 80)]:
        soundfile.write(wavs / f"short_{name}.wav", signal[:size], 16_000)
    for name, claim in [("truncated", None), ("4gb", 0xFFFFFFF0)]:
        path = wavs / f"odd_{name}.wav"
        soundfile.write(path, signal, 16_000)
        content = bytearray(path.read_bytes())
        content[40:44] = struct.pack("<I", claim) if claim else content[40:44]
        path.write_bytes(content if claim else content[:-8000])

    out = tmp_path / "f.parquet"
    summary = pipeline.run([wavs], out, Config(sets=(model,)))
    frame = dsfx.read(out)
    assert summary.failed == 4
    assert summary.incomplete == 3
    assert summary.warnings == 5
    listed = {row[0]: row[3] for row in errors_of(out)}
    assert listed == {
        "bad_empty.wav": "empty file (0 bytes)",
        "bad_inf.wav": "has NaN or infinite samples, the first at 0.500 s",
        "bad_nan.wav": "has NaN or infinite samples, the first at 0.500 s",
        "bad_text.wav": "not a sound file that can be decoded (Format not recognised)",
        "odd_4gb.wav": "warning: its header states no usable length (as when recorded to a pipe): "
        "read to the end of the file",
        "odd_truncated.wav": "warning: truncated: its header promises 25,600 bytes of audio, 8,000 of them are missing",
        "short_0.wav": "warning: NaN: too short, deep:tiny needs 0.102 s",
        "short_1.wav": "warning: NaN: too short, deep:tiny needs 0.102 s",
        "short_5ms.wav": "warning: NaN: too short, deep:tiny needs 0.102 s",
    }
    files = frame.index.get_level_values("file")
    assert not any(name.startswith("bad_") for name in files)
    assert frame[files.str.startswith("short_")].isna().all(axis=None)
    assert frame[~files.str.startswith("short_")].notna().all(axis=None)
    assert len(files) == 6 + 9 + 3 + 2
    for file in good.index.get_level_values("file"):
        np.testing.assert_allclose(frame.xs(file).to_numpy(), good.xs(file).to_numpy(), rtol=0, atol=1e-6)


def test_segments_that_do_not_fit(wavs, tmp_path, model):
    duration = soundfile.info(wavs / "a.wav").duration
    (wavs / "t.csv").write_text(
        f"file,start,end\na.wav,0,{duration + 0.004}\na.wav,0.1,{duration + 0.5}\na.wav,7,8\na.wav,7,\n"
        "a.wav,-1,0.5\na.wav,0.5,0.2\ngone.wav,0,1\na.wav,0,0.5\n"
    )
    out = tmp_path / "f.parquet"
    summary = pipeline.run([wavs / "t.csv"], out, Config(sets=(model,)))
    assert (summary.rows, summary.failed) == (2, 6)
    assert [row[3] for row in errors_of(out)] == [
        "end 1.2 s lies beyond the recording, which ends at 0.700 s",
        "end 8 s lies beyond the recording, which ends before 7 s",
        "start 7 s lies beyond the end of the recording",
        "start -1 s is negative",
        "end 0.2 s is not after start 0.5 s",
        "cannot be read: No such file or directory",
    ]
    assert [row[:3] for row in errors_of(out)][:2] == [["a.wav", "0.1", "1.2"], ["a.wav", "7", "8"]]


def test_an_unreadable_file(shared_folder, ordinary_user, model, voice, tmp_path):
    for name in ("a", "b"):
        soundfile.write(shared_folder / f"{name}.wav", voice(0.5), 16_000)
    (shared_folder / "a.wav").chmod(0)
    setup = worker.Setup(Config(sets=(model,)))
    rows = worker._Rows(setup, None)  # type: ignore[arg-type]
    item = Item("a.wav", str(shared_folder / "a.wav"), 0, None, 1, 1, 1.0)
    with ordinary_user(), pytest.raises(dsfx.errors.AudioError, match="cannot be read: Permission denied"):
        rows.add(item)


def test_nothing_to_do(tmp_path, model):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"empty: no recordings found, nothing to do"):
        pipeline.run([tmp_path / "empty"], tmp_path / "f.parquet", Config(sets=(model,)))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["empty"]


def test_a_library_that_fails_is_an_error_of_the_file(wavs, tmp_path, model, monkeypatch):
    real = worker.resample

    def fail(samples, rate, to):
        if len(samples) > 20_000:
            raise RuntimeError("out of luck")
        return real(samples, rate, to)

    monkeypatch.setattr(worker, "resample", fail)
    frame = dsfx.extract(wavs, sets=model)
    assert len(frame) == 3
    assert {error[3] for error in frame.attrs["errors"]} == {"internal error (RuntimeError: out of luck)"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sets": ()}, "name at least one"),
        ({"sets": ("deep", "deep")}, "named twice"),
        ({"level": "frames"}, "expected functionals, lld, lld-delta"),
        ({"rate": 10}, "between 1000 and 768000 Hz"),
        ({"channel": -1}, "expected mix or"),
        ({"step": 1.0}, "needs --window"),
        ({"window": 0.0}, "at least 0.01 seconds"),
        ({"window": 1.0, "step": 0.0}, "at least 0.001 seconds"),
    ],
)
def test_impossible_options(options, message):
    with pytest.raises(ConfigError, match=message):
        Config(**options)


def test_unknown_sets_and_models(wavs, tmp_path):
    for name, error, message in [
        ("mystery", ConfigError, "mystery"),
        ("deep:mystery", ModelError, "no model 'mystery'"),
        (f"deep:{tmp_path}", ModelError, r"model.toml: No such file"),
    ]:
        with pytest.raises(error, match=message):
            dsfx.extract(wavs, sets=name)
    with pytest.raises(ConfigError, match="has no option 'colour'"):
        dsfx.extract(wavs, colour="red")


def test_a_damaged_model_is_refused_before_any_work(wavs, tmp_path, model):
    folder = shutil.copytree(model.removeprefix("deep:"), tmp_path / "damaged")
    content = bytearray((folder / "model.onnx").read_bytes())
    content[-100] ^= 1
    (folder / "model.onnx").write_bytes(content)
    with pytest.raises(ModelError, match="its SHA-256 is not the one in model.toml"):
        pipeline.run([wavs], tmp_path / "f.parquet", Config(sets=(f"deep:{folder}",)))
    assert not (tmp_path / "f.parquet").exists()


def test_frame_level_needs_a_set_that_has_it(wavs, tmp_path, model):
    with pytest.raises(ConfigError, match="--level lld: a table of frames holds one hand-crafted set"):
        dsfx.extract(wavs, sets=model, level="lld")


# Resume


def test_the_same_bytes_for_any_number_of_workers(wavs, tmp_path, model, small_shards):
    config = Config(sets=(model,))
    for jobs in (1, 2, 3):
        pipeline.run([wavs], tmp_path / f"{jobs}.parquet", config, jobs=jobs)
    with ThreadPoolExecutor(3) as executor:
        pipeline.run([wavs], tmp_path / "threads.parquet", config, executor=executor)
    assert len({sha(p) for p in tmp_path.glob("*.parquet")}) == 1


def test_a_second_run_does_nothing_and_a_grown_folder_only_what_is_new(
    wavs, tmp_path, model, small_shards, monkeypatch, voice
):
    config = Config(sets=(model,))
    worked: list[str] = []
    real = pipeline.run_shard

    def spy(config, items, *rest, **more):
        worked.extend(item.file for item in items)
        return real(config, items, *rest, **more)

    monkeypatch.setattr(pipeline, "run_shard", spy)
    out = tmp_path / "f.parquet"
    pipeline.run([wavs], out, config)
    assert len(worked) == 6
    before = out.stat().st_mtime_ns
    summary = pipeline.run([wavs], out, config)
    assert (summary.rows, summary.reused, len(worked)) == (6, 6, 6)
    assert out.stat().st_mtime_ns == before

    worked.clear()
    soundfile.write(wavs / "sub/new.wav", voice(0.9, seed=9), 16_000)
    pipeline.run([wavs], out, config)
    assert "sub/new.wav" in worked
    assert len(worked) < 7
    fresh = tmp_path / "fresh.parquet"
    pipeline.run([wavs], fresh, config)
    assert sha(out) == sha(fresh)

    worked.clear()
    pipeline.run([wavs], out, config, overwrite=True)
    assert len(worked) == 7
    assert sha(out) == sha(fresh)


def test_what_failed_is_tried_again_after_it_was_mended(wavs, tmp_path, model, small_shards, voice):
    config = Config(sets=(model,))
    out = tmp_path / "f.parquet"
    (wavs / "c.wav").write_text("oops")
    assert pipeline.run([wavs], out, config).failed == 1
    assert pipeline.run([wavs], out, config).failed == 1
    assert len(errors_of(out)) == 1
    soundfile.write(wavs / "c.wav", voice(1.0), 16_000)
    summary = pipeline.run([wavs], out, config)
    assert (summary.failed, summary.rows) == (0, 6)
    assert summary.reused >= 3
    assert errors_of(out) == []


def test_rows_of_another_configuration_are_never_used(wavs, tmp_path, model):
    out = tmp_path / "f.parquet"
    pipeline.run([wavs], out, Config(sets=(model,)))
    with pytest.raises(OutputError, match=r"other options \(channel differ\); --overwrite"):
        pipeline.run([wavs], out, Config(sets=(model,), channel=0))
    other = tiny_model(tmp_path / "tiny", seed=5)
    with pytest.raises(OutputError, match=r"other options \(sets differ\)"):
        pipeline.run([wavs], out, Config(sets=(f"deep:{other}",)))
    summary = pipeline.run([wavs], out, Config(sets=(model,), channel=0), overwrite=True)
    assert summary.reused == 0


def test_a_changed_file_is_done_again(wavs, tmp_path, model, voice):
    out = tmp_path / "f.parquet"
    pipeline.run([wavs], out, Config(sets=(model,)))
    before = dsfx.read(out)
    soundfile.write(wavs / "a.wav", voice(0.7, pitch=250), 16_000)
    pipeline.run([wavs], out, Config(sets=(model,)))
    after = dsfx.read(out)
    assert not np.array_equal(before.to_numpy()[0], after.to_numpy()[0])
    np.testing.assert_allclose(before.to_numpy()[1:], after.to_numpy()[1:], rtol=0, atol=1e-6)


def test_a_foreign_file_is_not_overwritten(wavs, tmp_path, model):
    out = tmp_path / "f.parquet"
    out.write_text("precious")
    with pytest.raises(OutputError, match="not known how it was made; --overwrite replaces it"):
        pipeline.run([wavs], out, Config(sets=(model,)))
    assert out.read_text() == "precious"
    assert not list(tmp_path.glob(".f*"))
    (tmp_path / "g.parquet").mkdir()
    with pytest.raises(OutputError, match="g.parquet: is a folder; choose another -o"):
        pipeline.run([wavs], tmp_path / "g.parquet", Config(sets=(model,)))


def test_a_damaged_manifest(wavs, tmp_path, model):
    out = tmp_path / "f.parquet"
    (tmp_path / ".f.parquet.dsfx").mkdir()
    (tmp_path / ".f.parquet.dsfx/manifest.jsonl").write_text("hello\nworld\n")
    with pytest.raises(OutputError, match="manifest.jsonl: is damaged; --overwrite starts"):
        pipeline.run([wavs], out, Config(sets=(model,)))
    assert pipeline.run([wavs], out, Config(sets=(model,)), overwrite=True).rows == 6


def test_a_line_that_a_crash_cut_off_does_not_count(wavs, tmp_path, model, small_shards):
    config, out = Config(sets=(model,)), tmp_path / "f.parquet"
    with pytest.raises(KeyboardInterrupt):
        pipeline.run([wavs], out, config, on_progress=_interrupt_after(3))
    manifest = tmp_path / ".f.parquet.dsfx/manifest.jsonl"
    whole = manifest.read_bytes()
    manifest.write_bytes(whole[:-10])
    summary = pipeline.run([wavs], out, config)
    assert summary.rows == 6
    pipeline.run([wavs], tmp_path / "g.parquet", config)
    assert sha(out) == sha(tmp_path / "g.parquet")


def _interrupt_after(calls: int) -> Callable[[pipeline.Progress], None]:
    left = [calls]

    def callback(progress: pipeline.Progress) -> None:
        left[0] -= 1
        if not left[0]:
            raise KeyboardInterrupt

    return callback


def test_two_runs_at_once(wavs, tmp_path, model):
    config, out = Config(sets=(model,)), tmp_path / "f.parquet"
    seen = []

    def meanwhile(progress: pipeline.Progress) -> None:
        with pytest.raises(OutputError, match="another run is writing it"):
            pipeline.run([wavs], out, config)
        seen.append(1)

    pipeline.run([wavs], out, config, on_progress=meanwhile)
    assert seen


def test_max_failures(wavs, tmp_path, model, small_shards):
    for name in ("a.wav", "c.wav", "d.wav"):
        (wavs / name).write_text("oops")
    out = tmp_path / "f.parquet"
    summary = pipeline.run([wavs], out, Config(sets=(model,)), max_failures=0.2)
    assert "more than --max-failures 0.2 allows" in (summary.aborted or "")
    assert not out.exists()
    assert errors_of(out)
    summary = pipeline.run([wavs], out, Config(sets=(model,)), max_failures=0.5)
    assert (summary.aborted, summary.rows, summary.failed) == (None, 3, 3)


# Disks and processes that fail


def test_a_folder_that_cannot_be_written(wavs, shared_folder, ordinary_user, model):
    with ordinary_user(), pytest.raises(OutputError, match=r"cannot be written there \(Permission denied\)"):
        place = pipeline._Workplace(shared_folder / "f.parquet", "parquet", {}, False)
        place.__enter__()


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="mounts a small disk")
def test_a_full_disk(tmp_path, model, voice):
    disk = tmp_path / "disk"
    disk.mkdir()
    wavs = tmp_path / "wavs"
    wavs.mkdir()
    for index in range(400):
        soundfile.write(wavs / f"{index:03d}.wav", voice(0.12, seed=index), 16_000)
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40k", "tmpfs", disk], capture_output=True, check=False)
    if mount.returncode:
        pytest.skip("mounting is not allowed here")
    try:
        with pytest.raises(
            StorageError, match=r"cannot be written \(no space left on the disk\); what is finished is kept"
        ):
            pipeline.run([wavs], disk / "f.parquet", Config(sets=(model,)))
        subprocess.run(["mount", "-o", "remount,size=10m", disk], check=True)
        summary = pipeline.run([wavs], disk / "f.parquet", Config(sets=(model,)))
        assert summary.rows == 400
    finally:
        subprocess.run(["umount", disk], check=True)


def test_a_worker_that_dies_costs_one_input(wavs, tmp_path, model, small_shards, monkeypatch):
    """One clip kills every process that touches it, as a decoder with a bug would."""
    monkeypatch.setattr(pipeline, "run_shard", _DeadlyShard(frozenset(["c.wav"])))
    notes: list[str] = []
    out = tmp_path / "f.parquet"
    summary = pipeline.run([wavs], out, Config(sets=(model,)), jobs=2, on_note=notes.append)
    assert notes == ["a worker process died (killed, or out of memory); its work is tried again"]
    assert (summary.rows, summary.failed) == (5, 1)
    assert errors_of(out) == [["c.wav", "0", "", "the worker process died over this (killed, or out of memory)"]]


class _DeadlyShard:
    """`run_shard`, but some files kill the process."""

    def __init__(self, deadly: frozenset[str]) -> None:
        self.deadly = deadly

    def __call__(self, config, items, key, folder, *, mark=None, deadly=None):
        real = worker._Rows.add

        def add(rows, item):
            if item.file in self.deadly:
                os.kill(os.getpid(), signal.SIGKILL)
            real(rows, item)

        worker._Rows.add = add
        return worker.run_shard(config, items, key, folder, mark=mark, deadly=deadly)


def test_a_worker_killed_once_costs_nothing(wavs, tmp_path, model, small_shards):
    """The whole pool is killed from outside while it works; a second try succeeds."""
    out = tmp_path / "f.parquet"
    killed: list[int] = []

    def kill(progress: pipeline.Progress) -> None:
        import psutil

        if progress.done and not killed:
            for child in psutil.Process().children(recursive=True):
                if "spawn_main" in " ".join(child.cmdline()):
                    child.kill()
                    killed.append(child.pid)

    summary = pipeline.run([wavs], out, Config(sets=(model,)), jobs=2, on_progress=kill)
    assert killed
    assert (summary.rows, summary.failed) == (6, 0)
    pipeline.run([wavs], tmp_path / "g.parquet", Config(sets=(model,)))
    assert sha(out) == sha(tmp_path / "g.parquet")


RUNNER = """
import sys
from dsfx import pipeline
from dsfx.worker import Config
pipeline._SHARD_SECONDS = dict.fromkeys(pipeline._SHARD_SECONDS, 3.0)
pipeline.run([sys.argv[1]], sys.argv[2], Config(sets=(sys.argv[3],)), jobs=int(sys.argv[4]))
"""


@pytest.mark.parametrize("moments", [6, pytest.param(30, marks=pytest.mark.slow)])
def test_a_killed_run_loses_and_repeats_nothing(tmp_path, model, voice, moments):
    """The whole process group is killed at random moments; every rerun goes on where the last one was stopped."""
    wavs = tmp_path / "wavs"
    wavs.mkdir()
    clips = 200 * moments
    for index in range(20):
        soundfile.write(tmp_path / f"{index}.wav", voice(0.5 + index % 7 / 5, seed=index), 16_000)
    for index in range(clips):
        (wavs / f"{index:04d}.wav").hardlink_to(tmp_path / f"{index % 20}.wav")
    reference = tmp_path / "reference.parquet"
    command = [sys.executable, "-c", RUNNER, str(wavs)]
    subprocess.run([*command, str(reference), model, "1"], check=True)

    out = tmp_path / "f.parquet"
    manifest = tmp_path / ".f.parquet.dsfx/manifest.jsonl"
    dice = random.Random(1)
    kills = 0
    committed: list[str] = []
    while True:
        process = subprocess.Popen([*command, str(out), model, str(1 + kills % 2)], start_new_session=True)
        try:
            process.wait(timeout=dice.uniform(0.3, 1.5) if kills < moments else 300)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            kills += 1
        now = [e["shard"] for e in map(json.loads, _whole_lines(manifest)[1:]) if "shard" in e]
        assert len(set(now)) == len(now), "a finished shard was repeated"
        assert set(committed) <= set(now), "a finished shard was lost"
        committed = now
        if process.returncode == 0:
            break
    assert kills == moments
    assert sha(out) == sha(reference)
    assert len(dsfx.read(out)) == clips
    assert [p.name for p in manifest.parent.iterdir()] == ["manifest.jsonl"]


def _whole_lines(path: Path) -> list[bytes]:
    if not path.exists():
        return [b"{}"]
    whole = path.read_bytes()
    return whole[: whole.rfind(b"\n") + 1].splitlines() or [b"{}"]


# Plans


def test_a_plan_holds_everything_in_order_and_changes_little():
    random_items = [Item(f"{i:05d}.wav", f"/x/{i:05d}.wav", 0, None, 1000 + i, 1, 1 + i % 5, None) for i in range(2000)]
    plan = pipeline.plan_shards(random_items, "c", 60.0)
    assert [item for shard in plan for item in shard.items] == random_items
    assert all(shard.seconds <= 2 * 60 for shard in plan)
    assert 60 / 2 < np.mean([shard.seconds for shard in plan]) < 90
    without = pipeline.plan_shards(random_items[:777] + random_items[778:], "c", 60.0)
    changed = {s.key for s in without} - {s.key for s in plan}
    assert len(changed) <= 3
    assert {s.key for s in pipeline.plan_shards(random_items, "d", 60.0)}.isdisjoint(s.key for s in plan)


def test_one_huge_segment_is_a_shard_of_its_own():
    items = [
        Item("a", "a", 0, None, 1, 1, 1.0),
        Item("b", "b", 0, None, 1, 1, 36_000.0),
        Item("c", "c", 0, None, 1, 1, 1.0),
    ]
    assert [len(s.items) for s in pipeline.plan_shards(items, "", 60.0)] == [1, 1, 1]


def test_time_left_is_judged_by_this_runs_pace():
    from dsfx.progress import time_left

    progress = pipeline.Progress(100, 100.0, done=60, reused=50, began=time.perf_counter() - 10)
    assert time_left(progress) == pytest.approx(40, rel=0.05)
