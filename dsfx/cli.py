"""The command line: thin verbs over the library. Heavy imports wait until a verb needs them."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from . import __version__
from .errors import DsfxError, StorageError

if TYPE_CHECKING:
    from .pipeline import Summary

__all__ = ["main"]


def main() -> None:
    """Run the command line; the exit status is 0, 1 (some inputs failed) or 2 (wrong usage, nothing done)."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")  # parallel work is done by processes (--jobs)
    try:
        sys.exit(cli(standalone_mode=False))
    except (KeyboardInterrupt, click.Abort):
        click.echo("\ninterrupted; run the same command again to go on where it stopped", err=True)
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except DsfxError as error:
        click.echo(f"dsfx: {error}", err=True)
        sys.exit(1 if isinstance(error, StorageError) else 2)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="dsfx")
def cli() -> None:
    """Features of speech recordings, in one table you can trust, publish and feed to a classifier.

    Start with `dsfx demo`, or with your own folder: dsfx extract wavs/ -o feats.parquet
    """


def _channel(context: click.Context, option: click.Parameter, value: str) -> str | int:
    from .audio import parse_channel

    return parse_channel(value)


@cli.command()
@click.argument("inputs", metavar="INPUT...", nargs=-1, required=True)
@click.option(
    "-o",
    "--output",
    metavar="OUT",
    required=True,
    help="The table: a name ending in .parquet or .csv, or a folder's name ending in / for a Parquet dataset.",
)
@click.option(
    "-s",
    "--set",
    "sets",
    metavar="NAME",
    multiple=True,
    help="Feature set, may be given several times: deep, deep:NAME_OR_FOLDER, eGeMAPSv02, ComParE_2016, …, or a TOML "
    "file of your own. Default: deep, eGeMAPSv02 and ComParE_2016. `dsfx sets` lists all.",
)
@click.option(
    "--level",
    type=click.Choice(["functionals", "lld", "lld-delta"]),
    default="functionals",
    show_default=True,
    help="One row per segment, or one per frame.",
)
@click.option(
    "-j", "--jobs", metavar="N", type=int, default=1, show_default=True, help="Worker processes; 0: all cores."
)
@click.option("--window", metavar="S", type=float, help="Cut every segment into windows of S seconds, a row each.")
@click.option("--step", metavar="S", type=float, help="Seconds from one window to the next. Default: --window.")
@click.option(
    "--channel",
    metavar="mix|N",
    default="mix",
    show_default=True,
    callback=_channel,
    help="The mean of all channels, or one of them, counted from 0.",
)
@click.option("--rate", metavar="HZ", type=int, help="Resample everything first. Default: as each set needs it.")
@click.option("--prefix", is_flag=True, help="Put the set's name before every column: needed where two sets share one.")
@click.option(
    "--frame", metavar="S", type=float, help="Short frames of S seconds for hand-crafted sets. Default: theirs."
)
@click.option(
    "--hop", metavar="S", type=float, help="S seconds from frame to frame for hand-crafted sets. Default: theirs."
)
@click.option(
    "--compat",
    type=click.Choice(["int16"]),
    help="Let hand-crafted sets see samples as openSMILE does: cut down to 16 bits, wrapped at full scale.",
)
@click.option("--overwrite", is_flag=True, help="Start anew. Default: go on where an earlier run stopped.")
@click.option(
    "--max-failures",
    metavar="SHARE",
    type=float,
    default=1.0,
    help="Give up when more than this share (0 to 1) of the inputs has failed. Default: never.",
)
@click.pass_context
def extract(context: click.Context, /, inputs: tuple[str, ...], output: str, **options: Any) -> None:
    """Extract features of recordings into a table, one row per segment.

    INPUT: folders (searched recursively), audio files, lists of paths (.txt), or tables (.csv, .parquet) with columns
    file[, start, end] in seconds. A table of labels will do.

    Run the same command again to resume, or to add what is new in the folders. Inputs that fail are listed in
    OUT.errors.csv and do not stop the run; the exit status is then 1.
    """
    from .pipeline import run
    from .worker import Config

    runner = {name: options.pop(name) for name in ("jobs", "overwrite", "max_failures")}
    config = Config(**{k: v for k, v in options.items() if k != "sets"}, **_named_sets(options["sets"]))
    _announce(config)
    with _progress() as (on_progress, on_note):
        summary = run(inputs, output, config, on_progress=on_progress, on_note=on_note, **runner)
    _report(summary)
    context.exit(1 if summary.failed or summary.aborted else 0)


def _named_sets(sets: tuple[str, ...]) -> dict[str, Any]:
    return {"sets": sets} if sets else {}


def _announce(config: Any) -> None:
    """Say which sets are computed, and under which licence their models stand."""
    from .worker import setup_of

    setup = setup_of(config)
    for name in setup.identity:
        if name in setup.models:
            model = setup.models[name]
            text = f"{model.dim} features of the model {model.name}, licence {model.licence}"
        else:
            text = f"{sum(column.set == name for column in setup.columns)} features"
        click.echo(f"{name}: {text}", err=True)


@contextmanager
def _progress() -> Iterator[Any]:
    """Show progress on stderr: a bar on a terminal, a plain line now and then elsewhere."""
    from .progress import bar, lines

    with bar() if sys.stderr.isatty() else lines() as callbacks:
        yield callbacks


def _report(summary: "Summary") -> None:
    from .progress import clock, counted, pace

    out = summary.output
    if summary.aborted:
        click.echo(f"dsfx: {summary.aborted}", err=True)
    else:
        size = sum(p.stat().st_size for p in (out.rglob("*.parquet") if out.is_dir() else [out]))
        click.echo(f"{out}: {counted(summary.rows, 'row')} × {summary.columns} features, {size / 1e6:.1f} MB", err=True)
    if summary.audio:
        click.echo(
            f"{clock(summary.audio)} of audio in {summary.elapsed:.1f} s, {pace(summary.audio, summary.elapsed)}",
            err=True,
        )
    if summary.reused:
        click.echo(f"{summary.reused} of {summary.items} inputs were done by an earlier run", err=True)
    if summary.incomplete:
        verb = "holds" if summary.incomplete == 1 else "hold"
        click.echo(f"{counted(summary.incomplete, 'row')} {verb} NaN: the recording is too short", err=True)
    if summary.errors:
        click.echo(f"{summary.failed} failed, {counted(summary.warnings, 'warning')}: see {summary.errors}", err=True)


@cli.command()
def sets() -> None:
    """List every feature set and model: size, licence, minimum duration, what it needs."""
    from .sets import list_sets

    click.echo(list_sets())


@cli.command()
@click.argument("name", metavar="SET")
@click.argument("column", required=False)
def describe(name: str, column: str | None) -> None:
    """Say what a set, or one of its columns, is: definition, unit, parameters, reference."""
    from .sets import describe as text_of

    click.echo(text_of(name, column))


class _Corpora(click.Command):
    """A command whose help ends with the corpora it knows."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from .corpora import CORPORA, RULES

        with formatter.section("Corpora"):
            formatter.write_dl(
                [(name, f"{corpus.title}: {corpus.example}") for name, corpus in CORPORA.items()] + [*RULES.items()]
            )


def _pairs(context: click.Context, option: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    for value in values:
        if not all(value.partition("=")):
            raise click.BadParameter(f"{value}: expected OLD=NEW, such as calm=neutral")
    return {old: new for old, _, new in (value.partition("=") for value in values)}


@cli.command(cls=_Corpora)
@click.argument("corpus", metavar="CORPUS")
@click.argument("folder", metavar="DIR")
@click.option("-o", "--output", metavar="LABELS.csv", required=True, help="The table to write.")
@click.option(
    "--pattern",
    metavar="REGEX",
    help="For `pattern`: searched for in the path below DIR; named groups, such as (?P<speaker>\\w+), become columns.",
)
@click.option(
    "--speaker",
    metavar="REGEX",
    help="For `folders`: searched for in the path below DIR; its first group, or all of it, is the speaker.",
)
@click.option(
    "--classes", metavar="N", type=int, help="A customary subset: 4 for iemocap, excitement merged into happiness."
)
@click.option(
    "--rename", metavar="OLD=NEW", multiple=True, callback=_pairs, help="Rename an emotion, or merge it; repeatable."
)
@click.option("--strict", is_flag=True, help="Write nothing when a recording does not fit. Default: leave it out.")
@click.pass_context
def labels(context: click.Context, /, corpus: str, folder: str, output: str, **options: Any) -> None:
    """Make a table of labels from a corpus's file names and annotations.

    The table has the columns file (relative to its own folder), speaker and emotion, and what else the corpus tells,
    and is what `dsfx train` and `dsfx evaluate` take. The exit status is 1 when something was left out.
    """
    from .labels import label

    found = label(corpus, folder, output, **options)
    for note in found.notes:
        click.echo(note, err=True)
    classes = ", ".join(f"{name} {count}" for name, count in found.classes.items())
    speakers = f", {found.speakers} speakers" if found.speakers else ""
    click.echo(f"{output}: {len(found.rows)} recordings{speakers}{'; ' if classes else ''}{classes}", err=True)
    context.exit(1 if found.left_out else 0)


def _print_config(context: click.Context, option: click.Parameter, value: bool) -> None:
    if value:
        from .train import default_config

        click.echo(default_config(), nl=False)
        context.exit()


@cli.command()
@click.argument("labels", metavar="LABELS.csv...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", metavar="MODELDIR", required=True, type=click.Path(path_type=Path), help="Folder to write."
)
@click.option(
    "--config", metavar="FILE.toml", type=click.Path(path_type=Path), help="Front end, network and recipe of your own."
)
@click.option(
    "--print-config",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_config,
    help="Print the defaults of --config, each explained, and exit.",
)
@click.option("--epochs", metavar="N", type=int, help="Passes over the clips. Default: as the configuration says.")
@click.option("--seed", metavar="N", type=int, default=0, show_default=True, help="Of weights, order and augmentation.")
@click.option(
    "--folds",
    metavar="loso|N|corpus|column:NAME",
    help="Also one extractor per fold, which never hears the fold's speakers: each speaker left out once, N groups of "
    "them, each corpus, or the folds of a column of LABELS.csv.",
)
@click.option(
    "--folds-only",
    is_flag=True,
    help="Train the folds and no model of all clips: enough for `dsfx evaluate`, where recipes are compared.",
)
@click.option(
    "--fold-corpus",
    "fold_corpora",
    metavar="NAME",
    multiple=True,
    help="Corpus whose speakers the folds leave out, repeatable; every network learns from the others. Default: all.",
)
@click.option(
    "--hold-out",
    metavar="SHARE|N",
    type=float,
    default=0.0,
    help="Speakers of each corpus who choose the best epoch instead of being learned from: a share below 1, or a "
    "number. Default: none, and the last epoch counts.",
)
@click.option(
    "--start",
    metavar="MODELDIR",
    type=click.Path(path_type=Path),
    help="Begin with the weights of a model, or of a fold of one (MODELDIR/folds/fold-00.npz), instead of random ones.",
)
@click.option(
    "--beside",
    metavar="MODELDIR",
    type=click.Path(path_type=Path),
    help="A model, or a fold of one, whose networks stand beside those trained here, unchanged: their features follow.",
)
@click.option(
    "-j", "--jobs", metavar="N", type=int, default=1, show_default=True, help="Networks to train at the same time."
)
@click.option("--threads", metavar="N", type=int, default=1, show_default=True, help="Threads of torch per network.")
@click.option(
    "--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True, help="auto: CUDA if any."
)
@click.option(
    "--cache",
    metavar="GB",
    type=float,
    default=4.0,
    show_default=True,
    help="Disk space for spectrograms while training, about 0.12 GB an hour; the rest is computed when needed.",
)
@click.option("--skip-unusable", is_flag=True, help="Leave out recordings that are unreadable, too short or silent.")
@click.option("--column", default="emotion", show_default=True, help="The column of LABELS.csv to learn.")
@click.option("--name", help="The model's name. Default: that of the folder.")
@click.option("--description", help="One sentence for the card and for `dsfx sets`.")
@click.option("--note", "notes", multiple=True, help="Sentence on use and limits, for the card; repeatable.")
@click.option("--licence", default="unspecified", help="Of the model.")
@click.option(
    "--corpus",
    "corpora",
    multiple=True,
    help="Name of the corpus, once per table. Default: the table's, or its folder's if that is labels.csv.",
)
@click.option(
    "--corpus-licence",
    "corpus_licences",
    multiple=True,
    help="Licence of the recordings, once per table, for the card.",
)
@click.option(
    "--reference", "references", multiple=True, help="Publication of the corpus, once per table, for the card."
)
@click.option("--overwrite", is_flag=True, help="Replace the folder if it exists, and an unfinished one.")
def train(labels: tuple[Path, ...], output: Path, **options: Any) -> None:
    """Train a deep spectrum extractor on your own recordings (needs the extra `train`).

    LABELS.csv: columns file (relative to its own folder), speaker, emotion; several tables are several corpora. The
    folder that comes out is what `dsfx extract --set deep:MODELDIR` takes.

    Run the same command again after an interruption and it goes on; an epoch is lost at most. With --folds, `dsfx
    evaluate MODELDIR LABELS.csv` judges the features on speakers that neither extractor nor classifier has heard.
    """
    from .train import train as run
    from .train.progress import bar, lines

    folds = options.pop("folds")
    options["folds"] = int(folds) if folds and folds.isdecimal() else folds
    with bar() if sys.stderr.isatty() else lines() as (on_progress, on_note):
        written = run(labels, output, on_progress=on_progress, on_note=on_note, **options)
    tables = " ".join(str(table) for table in labels)
    hint = (
        f"dsfx evaluate {written} {tables} -o report"
        if options["folds_only"]
        else f"dsfx extract RECORDINGS -o feats.parquet --set deep:{written}"
    )
    click.echo(f"{written}: try {hint}", err=True)


def _numbers(context: click.Context, option: click.Parameter, value: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in value.split(","))
    except ValueError:
        raise click.BadParameter(f"{value}: expected numbers such as 0.001,0.01,0.1") from None


@cli.command()
@click.argument("features", metavar="FEATS.parquet")
@click.argument("labels", metavar="LABELS.csv")
@click.option("-o", "--output", metavar="REPORTDIR", required=True, help="Folder for the report and the results.")
@click.option(
    "-s",
    "--set",
    "sets",
    metavar="NAME",
    multiple=True,
    help="Feature set to evaluate, may be given several times; A+B is the two together. Default: all of the table, "
    "each on its own.",
)
@click.option("--table", "tables", metavar="FEATS2", multiple=True, help="Further feature table of the same clips.")
@click.option(
    "--test",
    nargs=2,
    metavar="FEATS LABELS",
    help="Train on the first corpus and test on this other one, on the classes they share.",
)
@click.option("--column", metavar="NAME", default="emotion", show_default=True, help="The column of labels to tell.")
@click.option(
    "--task",
    type=click.Choice(["auto", "classification", "regression"]),
    default="auto",
    show_default=True,
    help="Take the column for classes or for numbers. auto: for numbers where it holds more than ten different ones.",
)
@click.option(
    "--group", metavar="NAME", default="speaker", show_default=True, help="The column of labels that says who speaks."
)
@click.option(
    "--protocol",
    metavar="NAME",
    default="loso",
    show_default=True,
    help="loso: each speaker left out once. kfold:K: K folds of whole speakers. column:NAME: the folds, or train and "
    "test, in a column of the labels. random:K: folds that mix speakers.",
)
@click.option("--repeats", metavar="N", type=int, default=1, show_default=True, help="Draw the folds N times.")
@click.option(
    "-c",
    "--classifier",
    "classifiers",
    metavar="NAME",
    multiple=True,
    help="Of classes: linear-svm (the default), rbf-svm, logistic or mlp. Of numbers: svr (the default) or ridge. May "
    "be given several times.",
)
@click.option(
    "--c",
    "c",
    metavar="NUMBERS",
    default="1e-5,1e-4,1e-3,1e-2,1e-1,1,10",
    show_default=True,
    callback=_numbers,
    help="Values of C to choose from, inside the training part.",
)
@click.option(
    "--standardise",
    type=click.Choice(["global", "speaker"]),
    default="global",
    show_default=True,
    help="By mean and deviation of the training part, or of each speaker.",
)
@click.option(
    "--vote",
    is_flag=True,
    help="Let the rows of one file (windows, segments) vote on its class; average numbers.",
)
@click.option(
    "--model",
    "models",
    metavar="MODELDIR",
    multiple=True,
    help="Folder of the model behind a deep set, to see whether it knows the clips.",
)
@click.option(
    "--allow-leakage", is_flag=True, help="Evaluate although a model or the training part has seen test clips."
)
@click.option("--bootstrap", "times", metavar="N", type=int, default=2000, show_default=True, help="Resamples.")
@click.option("--seed", metavar="N", type=int, default=0, show_default=True, help="Of folds, networks and resamples.")
@click.option("--save", is_flag=True, help="Learn the best combination from all clips; for dsfx predict.")
@click.option(
    "-j", "--jobs", metavar="N", type=int, default=1, show_default=True, help="Worker processes; 0: all cores."
)
def evaluate(features: str, labels: str, output: str, **options: Any) -> None:
    """Compare feature sets: how well do they tell emotions, or valence, of unheard speakers?

    Needs the extra `evaluate`. Writes REPORTDIR/report.html, results.json and predictions.parquet. Run the same command
    again after an interruption and it goes on.
    """
    import shlex

    from .evaluate import evaluate as run
    from .evaluate import need

    need("evaluation")
    from .evaluate.report import terminal

    with _folds() as (on_progress, on_note):
        found = run(
            features,
            labels,
            output=output,
            command=shlex.join(["dsfx", *sys.argv[1:]]),
            on_progress=on_progress,
            on_note=on_note,
            **options,
        )
    terminal(found)
    click.echo(f"{Path(output) / 'report.html'}: the report", err=True)


@cli.command()
@click.argument("classifier", metavar="PIPELINE.skops")
@click.argument("inputs", metavar="INPUT...", nargs=-1, required=True)
@click.option("-o", "--output", metavar="OUT.csv", required=True, help="The table of predictions.")
@click.option("-s", "--set", "sets", metavar="FILE.toml", multiple=True, help="A set of your own that it takes.")
@click.option("--model", "models", metavar="MODELDIR", multiple=True, help="Folder of the model behind a deep set.")
@click.option(
    "-j", "--jobs", metavar="N", type=int, default=1, show_default=True, help="Worker processes; 0: all cores."
)
@click.pass_context
def predict(context: click.Context, /, classifier: str, inputs: tuple[str, ...], output: str, **options: Any) -> None:
    """Tell the classes of new recordings, or numbers, by what `dsfx evaluate --save` stored.

    INPUT: as for `dsfx extract`, or a feature table. OUT.csv gets the columns file, start, end, label, and the
    probability of every class.
    """
    from .evaluate import need

    need("prediction")
    from .evaluate.saved import predict as run

    with _progress() as (on_progress, on_note):
        rows, failed, failures = run(classifier, inputs, output, on_progress=on_progress, on_note=on_note, **options)
    click.echo(f"{output}: {rows} rows", err=True)
    for file, error in failures[:20]:
        click.echo(f"{file}: {error}", err=True)
    context.exit(1 if failed else 0)


@cli.command()
@click.argument("features", metavar="FEATS.parquet")
@click.option("-o", "--output", metavar="OUT", required=True, help="A name ending in .csv, .arff, .libsvm or .npy.")
@click.option("--labels", metavar="LABELS.csv", help="Write the rows that have a label, with it.")
@click.option("-s", "--set", "sets", metavar="NAME", multiple=True, help="Sets to write. Default: all columns.")
@click.option("--column", metavar="NAME", default="emotion", show_default=True, help="The column of labels.")
def export(features: str, output: str, **options: Any) -> None:
    """Write a feature table for other programs: CSV, ARFF (Weka), LIBSVM or NumPy.

    Next to .libsvm and .npy, OUT.rows.csv names the rows, OUT.columns.csv the columns, and OUT.classes.csv the numbers
    of the classes.
    """
    from .export import export as run

    rows, columns = run(features, output, **options)
    click.echo(f"{output}: {rows} rows × {columns} features", err=True)


@cli.command()
@click.argument("file", metavar="FILE")
@click.option("-o", "--output", metavar="OUT", required=True, help="A name ending in .png, .svg or .pdf.")
@click.option(
    "-s",
    "--set",
    metavar="NAME",
    default="deep",
    show_default=True,
    help="Whose view is drawn: deep, or deep:NAME_OR_FOLDER for another model.",
)
@click.option("--start", metavar="S", type=float, help="Draw from S seconds on. Default: the beginning.")
@click.option("--end", metavar="S", type=float, help="Draw up to S seconds. Default: the end.")
@click.option("--title", help="Default: the name of the file.")
def plot(file: str, output: str, **options: Any) -> None:
    """Draw what the network sees in a recording, where it attends, and what it hears.

    Needs the extra `plot`. One picture, aligned in time: the spectrogram as the network reads it, F0 and loudness, the
    network's attention; below, the posteriors of its classes.
    """
    from .plot import plot as run

    for note in run(file, output, **options):
        click.echo(f"{file}: {note}", err=True)
    click.echo(f"{output}: the picture", err=True)


@contextmanager
def _folds() -> Iterator[Any]:
    """Show finished folds on stderr: a bar on a terminal, a plain line now and then elsewhere."""
    import time

    from rich.console import Console
    from rich.progress import Progress, TimeRemainingColumn

    console = Console(stderr=True)
    last = time.perf_counter()

    def line(done: int, total: int) -> None:
        nonlocal last
        if time.perf_counter() - last >= 20:
            last = time.perf_counter()
            click.echo(f"{done}/{total} folds", err=True)

    def note(text: str) -> None:
        # Warnings come again, in red, with the results.
        if not text.startswith("WARNING: "):
            click.echo(text, err=True)

    if not sys.stderr.isatty():
        yield line, note
        return
    with Progress(*Progress.get_default_columns()[:3], TimeRemainingColumn(), console=console, transient=True) as bar:
        task = bar.add_task("folds", total=None)
        yield (
            lambda done, total: bar.update(task, completed=done, total=total),
            lambda text: console.print(text, markup=False),
        )


@cli.command()
@click.argument("folder", type=click.Path(path_type=Path), default=Path("dsfx-demo"))
@click.option(
    "-j", "--jobs", metavar="N", type=int, default=1, show_default=True, help="Worker processes; 0: all cores."
)
@click.pass_context
def demo(context: click.Context, folder: Path, jobs: int) -> None:
    """Make a few clips of synthetic voices in FOLDER and extract features from them."""
    from .demo import write_corpus
    from .pipeline import run
    from .worker import Config

    clips = write_corpus(folder)
    speakers = len({clip.speaker for clip in clips})
    styles = ", ".join(dict.fromkeys(clip.style for clip in clips))
    click.echo(f"{folder}/wavs: {len(clips)} clips of {speakers} synthetic speakers ({styles})", err=True)
    click.echo(f"{folder}/labels.csv: file, speaker, gender, emotion", err=True)
    output = folder / "feats.parquet"
    config = Config()
    _announce(config)
    with _progress() as (on_progress, on_note):
        summary = run([folder / "wavs"], output, config, jobs=jobs, on_progress=on_progress, on_note=on_note)
    _report(summary)
    click.echo(
        f"""
Try next:
  dsfx extract your-recordings/ -o feats.parquet            your own folder
  dsfx extract {folder}/labels.csv -o table.csv --window 1    a row for every second
  dsfx sets                                                 what can be extracted
  python -c 'import dsfx; print(dsfx.read("{output}"))'
""".rstrip()
    )
    context.exit(1 if summary.failed else 0)
