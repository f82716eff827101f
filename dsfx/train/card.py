"""The files around a graph: model.toml and the model card."""

import json
from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import Any

__all__ = ["card", "toml"]


def toml(table: Mapping[str, Any]) -> str:
    """A TOML document of nested tables, lists of tables, numbers, strings and lists."""
    lines: list[str] = []
    _write(table, (), lines)
    return "\n".join(lines).strip() + "\n"


def _write(table: Mapping[str, Any], path: tuple[str, ...], lines: list[str]) -> None:
    later: list[tuple[str, Any]] = []
    for key, value in table.items():
        if isinstance(value, Mapping) or (isinstance(value, list) and value and isinstance(value[0], Mapping)):
            later.append((key, value))
        elif value is not None:
            lines.append(f"{_key(key)} = {_value(value)}")
    for key, value in later:
        name = ".".join(_key(part) for part in (*path, key))
        for item in value if isinstance(value, list) else [value]:
            lines.append(f"\n[[{name}]]" if isinstance(value, list) else f"\n[{name}]")
            _write(item, (*path, key), lines)


def _key(key: str) -> str:
    return key if key.isascii() and key.replace("_", "").replace("-", "").isalnum() else json.dumps(key)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    if isinstance(value, float):
        return repr(value)
    # A JSON string is a TOML basic string.
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else str(value)


def card(table: Mapping[str, Any]) -> str:
    """The model card (Markdown) of a model.toml."""
    front, training = table["frontend"], table["training"]
    range_hz = f"from {front['lower_hz']:g} to {front['upper_hz']:g} Hz"
    bands = f"{front['n_mels']} mel bands {range_hz}" if front["bands"] == "mel" else f"linear bands {range_hz}"
    parts = [
        f"# {table['name']}",
        paragraph(table["description"]),
        bullets(
            f"Licence: {table['licence']}",
            f"Features: {table['dim']}; classes: {', '.join(table['labels'])}",
            f"""Input: mono at {front["sampling_rate"]} Hz, at least {table["min_seconds"]:g} s; what is longer than
            {table["max_seconds"]:g} s is computed in windows of that length, averaged by duration""",
            f"SHA-256 of model.onnx: `{table['sha256']}`"
            if table.get("sha256")
            else "No model is here: the folds alone were trained, to be evaluated",
        ),
        "## Data",
        rows(
            ["corpus", "files", "hours", "speakers", "licence", "reference"],
            [
                [c["name"], c["files"], f"{c['hours']:.2f}", c["speakers"], c["licence"], c["reference"]]
                for c in table["corpora"]
            ],
        ),
        paragraph(
            """`hashes.txt` has one line for every training clip: BLAKE2b, 16 hexadecimal digits, of its mono float32
            samples at the file's own rate. The same stands in the column `hash` of an extracted table, so that an
            evaluation can tell when it runs on training data."""
        ),
        "## Front end",
        paragraph(
            f"""{front["window"].capitalize()} window of {front["window_length"] * 1e3:g} ms every
            {front["hop"] * 1e3:g} ms, FFT of {front["fft_length"]} points
            ({front["sampling_rate"] / front["fft_length"]:.4g} Hz per bin), {bands}; natural logarithm of the power,
            not below {front["floor"]:g} of full scale; normalisation `{front["normalisation"]}`."""
        ),
        "## Network",
        paragraph(network(table)),
        "## Training",
        paragraph(
            f"""Seed {training["seed"]}, {training["threads"]} thread(s) on {training.get("device", "cpu")}, dsfx
            {table["dsfx"]}, torch {training["torch"]}. {stopping(training)}
            {checked(training)}"""
        ),
        rows(["parameter", "value"], recipe(training)),
    ]
    if "auxiliary" in table:
        auxiliary = table["auxiliary"]
        told = ["the functionals of eGeMAPSv02"] if auxiliary["functionals"] else []
        told += [f"{auxiliary['components']} principal components of ComParE_2016"] if auxiliary["components"] else []
        parts.append(paragraph(f"""The features were also trained to tell {" and ".join(told)} of a clip."""))
    if table.get("metrics"):
        parts += results(table["metrics"], len(table["labels"]))
    if table.get("notes"):
        parts += ["## Use and limits", bullets(*table["notes"])]
    return "\n\n".join(parts) + "\n"


def network(table: Mapping[str, Any]) -> str:
    """The network in words."""
    layers = table["layers"]
    kernels = ", ".join(f"{frames} × {bands}" for frames, bands in layers["kernels"])
    branches = {
        "convolutional": f"""2-D convolutions with {", ".join(str(n) for n in layers["channels"])} channels ({kernels}
            frames × bands) and a 1-D one with {layers["filters"]} filters, pooled by mean and deviation over time""",
        "recurrent": f"""frames stacked by four, bidirectional LSTM with {layers["units"]} units per direction, pooled
            by attention""",
    }
    wanted = layers.get("branches", "both")
    parts = [f"{name.capitalize()} branch: {words}." for name, words in branches.items() if wanted in {"both", name}]
    members = layers.get("members", 1)
    several = f"""{members} networks side by side, trained from seeds of their own: the features are those of all, the
        posteriors their mean. Each has: """
    beside = table.get("training", {}).get("beside")
    return f"""After Zhao et al. (2018), {table["parameters"]} parameters. {several * (members > 1)}{" ".join(parts)} {
        "Both concatenated are" if len(parts) > 1 else "These are"
    } the features; a dense layer of {layers["dense"]} units and one of {len(table["labels"])} give the posteriors.{
        f" The features of {beside}, of the same sizes and trained before, follow." * bool(beside)
    }"""


def recipe(training: Mapping[str, Any]) -> list[list[str]]:
    """The parameters of a recipe, name and value."""
    about = {"seed", "threads", "device", "torch", "precision", "onnx_difference", "best_epochs", "held_out_speakers"}
    plain = {
        key: value for key, value in training.items() if key not in about and not isinstance(value, Mapping | None)
    }
    nested = {
        f"{name}: {key}": value
        for name, table in training.items()
        if isinstance(table, Mapping)
        for key, value in table.items()
    }
    return [[key.replace("_", " "), _value(value)] for key, value in (plain | nested).items()]


def stopping(training: Mapping[str, Any]) -> str:
    """How the number of epochs was found."""
    held = training.get("held_out_speakers")
    if not held:
        return f"No early stopping: {training['epochs']} epochs."
    if "best_epochs" not in training:
        return f"""The weights of each fold are those of the best of {training["epochs"]} epochs on speakers of whom it
            learned nothing else."""
    best = " and ".join(str(epoch) for epoch in training["best_epochs"])
    return f"""The weights are those of epoch {best} of {training["epochs"]}, the best on speakers of whom nothing else
        was learned: {", ".join(held)}."""


def checked(training: Mapping[str, Any]) -> str:
    """How far the graph is from the network in torch, where there is one."""
    difference = training.get("onnx_difference")
    return "" if difference is None else f"The graph differs from torch by at most {difference:.1g}."


def results(metrics: Mapping[str, Any], classes: int) -> list[str]:
    """The section of a card on speakers, or corpora, that were left out."""
    parts = [
        "## How well it recognises speakers it has never heard",
        paragraph(
            f"""The same recipe was trained once per fold ({metrics["folds"]}) without the fold's speakers. Judged by
            the network's own posteriors, pooled over all clips{
                " of a corpus, mean of the corpora" * (len(metrics.get("corpora", [])) > 1)
            }: **UAR {100 * metrics["uar"]:.1f} %, WA {100 * metrics["wa"]:.1f} %**{
                f" (chance: UAR {100 / classes:.1f} %)" * (len(metrics.get("corpora", [])) < 2)
            }."""
        ),
    ]
    if "corpora" in metrics:
        parts.append(
            rows(
                ["corpus", "classes", "clips", "UAR % (95 % interval over speakers)", "WA %", "chance UAR %"],
                [
                    [
                        row["name"],
                        row["classes"],
                        row["files"],
                        f"{100 * row['uar']:.1f}{interval(row.get('uar_interval'))}",
                        f"{100 * row['wa']:.1f}{interval(row.get('wa_interval'))}",
                        f"{100 / row['classes']:.1f}",
                    ]
                    for row in metrics["corpora"]
                ],
            )
        )
    several = len(metrics.get("corpora", [])) > 1
    parts += [
        rows(
            ["speaker", "clips", "UAR %", "WA %"],
            [
                [
                    f"{row['corpus']}/{row['speaker']}" if several else row["speaker"],
                    row["files"],
                    f"{100 * row['uar']:.1f}",
                    f"{100 * row['wa']:.1f}",
                ]
                for row in metrics["speakers"]
            ],
        ),
        paragraph(
            """`folds.csv` has the confusions behind these numbers: per speaker and class, how many clips were taken
            for which class."""
        ),
    ]
    return parts


def interval(bounds: Sequence[float] | None) -> str:
    """An interval in words, if there is one."""
    return f" ({100 * bounds[0]:.1f} to {100 * bounds[1]:.1f})" if bounds else ""


def paragraph(text: str, indent: str = "") -> str:
    """A text wrapped anew."""
    return fill(" ".join(text.split()), 100, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def bullets(*items: str) -> str:
    """A list."""
    return "\n".join(paragraph(f"* {item}", "  ") for item in items)


def rows(header: Sequence[str], cells: Sequence[Sequence[Any]]) -> str:
    """A table."""
    lines = [header, ["---"] * len(header), *cells]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)
