"""The command line: help, exit statuses, what a person reads; and the README's own commands."""

import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
import soundfile
from tiny import tiny_model

from dsfx.cli import cli
from dsfx.demo import SPEAKERS, STYLES, synthesise, write_corpus

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def dsfx(*arguments: object, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "dsfx", *map(str, arguments)]
    return subprocess.run(
        command, cwd=cwd, text=True, capture_output=True, env={**os.environ, **environment}, check=False
    )


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"deep:{tiny_model(tmp_path_factory.mktemp('models') / 'tiny')}"


COMMANDS = sorted(cli.commands)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_and_option_explains_itself(command):
    verb = cli.commands[command]
    assert verb.help
    assert len(verb.help.splitlines()[0]) < 90
    for parameter in verb.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{command} {parameter.opts[0]} has no help"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_in_the_readme(command):
    assert f"dsfx {command}" in README


def test_help_and_import_load_nothing_heavy():
    script = (
        "import sys, dsfx, dsfx.cli\n"
        "from click.testing import CliRunner\n"
        "assert CliRunner().invoke(dsfx.cli.cli, ['--help']).exit_code == 0\n"
        "heavy = {'onnxruntime', 'pandas', 'torch', 'sklearn', 'matplotlib', 'numba', 'pyarrow', 'scipy', 'numpy'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], text=True, capture_output=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_extraction_loads_what_it_needs(wavs, tmp_path, model):
    script = (
        "import sys\nfrom dsfx.cli import cli\n"
        "cli(sys.argv[1:], standalone_mode=False)\n"
        "print(sorted({'torch', 'sklearn', 'matplotlib'} & set(sys.modules)))\n"
    )
    arguments = ["extract", str(wavs), "-o", str(tmp_path / "f.parquet"), "--set", model]
    done = subprocess.run([sys.executable, "-c", script, *arguments], text=True, capture_output=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_run_that_went_well(wavs, tmp_path, model):
    done = dsfx("extract", wavs, "-o", "f.parquet", "--set", model, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "")
    assert "deep:tiny: 24 features of the model tiny, licence Apache-2.0\n" in done.stderr
    assert "f.parquet: 6 rows × 24 features" in done.stderr
    assert "× real time" in done.stderr
    again = dsfx("extract", wavs, "-o", "f.parquet", "--set", model, cwd=tmp_path)
    assert again.returncode == 0
    assert "6 of 6 inputs were done by an earlier run" in again.stderr


def test_a_run_in_which_something_failed(wavs, tmp_path, model):
    (wavs / "a.wav").write_text("oops")
    done = dsfx("extract", wavs, "-o", "f.parquet", "--set", model, cwd=tmp_path)
    assert done.returncode == 1
    assert "1 failed, 0 warnings: see f.parquet.errors.csv" in done.stderr
    assert (tmp_path / "f.parquet.errors.csv").read_text().splitlines()[1].startswith("a.wav,0,,not a sound file")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere", "-o", "f.parquet"], "nowhere: no such file or directory"),
        (["wavs", "-o", "f.xls"], "-o f.xls: expected a name that ends in .parquet, .csv, or /"),
        (["wavs", "-o", "f.parquet", "--set", "mystery"], "--set mystery: no such set; there are deep, "),
        (["wavs", "-o", "f.parquet", "--set", "deep:mystery"], "no model 'mystery'"),
        (["wavs", "-o", "f.parquet", "--channel", "left"], "--channel left: expected mix"),
        (["wavs", "-o", "f.parquet", "-j", "-1"], "--jobs -1: expected 0 (all cores)"),
        (["wavs", "-o", "f.parquet", "--max-failures", "7"], "--max-failures 7: expected a share between 0 and 1"),
        (["wavs"], "Missing option '-o'"),
        ([], "Missing argument 'INPUT...'"),
    ],
)
def test_wrong_usage_is_one_clear_line(wavs, tmp_path, model, arguments, message):
    more = [] if "--set" in arguments else ["--set", model]
    done = dsfx("extract", *arguments, *more, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) <= 4  # click prefixes its own with a usage line
    assert not (tmp_path / "f.parquet").exists()


@pytest.mark.parametrize(("audio", "words"), [(0.3, "0.3"), (9.94, "9.9"), (10, "10"), (240.4, "240")])
def test_slow_is_not_nothing(audio, words):
    from dsfx.progress import pace

    assert pace(audio, 1.0) == f"{words} × real time"


def test_a_plain_line_now_and_then_where_there_is_no_terminal(wavs, tmp_path, model, monkeypatch, capsys):
    from dsfx import pipeline, progress
    from dsfx.worker import Config

    monkeypatch.setattr(progress, "_EVERY", 0.0)
    monkeypatch.setattr(pipeline, "_SHARD_SECONDS", dict.fromkeys(pipeline._SHARD_SECONDS, 1.5))
    with progress.lines() as (on_progress, on_note):
        pipeline.run([wavs], tmp_path / "f.parquet", Config(sets=(model,)), on_progress=on_progress, on_note=on_note)
    lines = capsys.readouterr().err.splitlines()
    assert re.fullmatch(r"\d/6, \d+ s of audio, [\d.]+ × real time, \d+ s left", lines[-2])
    assert lines[-1].startswith("6/6, 7 s of audio")


def test_sets_and_describe(model):
    done = dsfx("describe", model, "deep_003")
    assert done.returncode == 0
    assert "filter 3 of the convolutional branch" in done.stdout or "activation" in done.stdout
    assert "80 mel" in done.stdout or "24 mel bands" in done.stdout
    for arguments, message in [((model, "deep_999"), "has no column 'deep_999'"), (("mystery",), "mystery")]:
        done = dsfx("describe", *arguments)
        assert done.returncode == 2
        assert message in done.stderr
    assert dsfx("sets").returncode == 0


def test_demo_voices_differ(tmp_path):
    clips = write_corpus(tmp_path, takes=1)
    assert len(clips) == len(SPEAKERS) * len(STYLES)
    for clip in clips:
        samples, rate = soundfile.read(tmp_path / clip.file)
        assert rate == 16_000
        assert 0.02 < abs(samples).max() < 1
    first = synthesise(SPEAKERS["anna"], STYLES["neutral"], 1)
    assert (first == synthesise(SPEAKERS["anna"], STYLES["neutral"], 1)).all()
    assert (tmp_path / "labels.csv").read_text().splitlines()[0] == "file,speaker,gender,emotion"


def readme_commands() -> list[str]:
    """The commands of the README's section on use, in order; they build on the demonstration corpus."""
    usage = README.split("## Use", 1)[1].split("\n## ", 1)[0]
    blocks = re.findall(r"```sh\n(.*?)```", usage, flags=re.S)
    return [line for block in blocks for line in block.replace("\\\n", " ").splitlines() if line.strip()]


def test_the_readmes_commands_run(tmp_path):
    (tmp_path / "bin").mkdir()
    for name, target in [("dsfx", "-m dsfx "), ("python", "")]:
        (tmp_path / "bin" / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {target}"$@"\n')
        (tmp_path / "bin" / name).chmod(0o755)
    path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
    write_corpus(tmp_path / "dsfx-demo")
    commands = readme_commands()
    assert len(commands) >= 8
    for command in commands:
        done = subprocess.run(
            ["sh", "-c", command],
            cwd=tmp_path,
            env={**os.environ, "PATH": path},
            text=True,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stderr}"
