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
    front, layers, training = table["frontend"], table["layers"], table["training"]
    range_hz = f"from {front['lower_hz']:g} to {front['upper_hz']:g} Hz"
    bands = f"{front['n_mels']} mel bands {range_hz}" if front["bands"] == "mel" else f"linear bands {range_hz}"
    kernels = ", ".join(f"{frames} × {bands}" for frames, bands in layers["kernels"])
    parts = [
        f"# {table['name']}",
        paragraph(table["description"]),
        bullets(
            f"Licence: {table['licence']}",
            f"Features: {table['dim']}; classes: {', '.join(table['labels'])}",
            f"""Input: mono at {front["sampling_rate"]} Hz, at least {table["min_seconds"]:g} s; what is longer than
            {table["max_seconds"]:g} s is computed in windows of that length, averaged by duration""",
            f"SHA-256 of model.onnx: `{table['sha256']}`",
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
        paragraph(
            f"""After Zhao et al. (2018), {table["parameters"]} parameters. Convolutional branch: 2-D convolutions with
            {", ".join(str(n) for n in layers["channels"])} channels ({kernels} frames × bands, max-pooling between
            them) and a 1-D one with {layers["filters"]} filters, pooled by mean and deviation over time. Recurrent
            branch: frames stacked by four, bidirectional LSTM with {layers["units"]} units per direction, pooled by
            attention. Both concatenated are the features; a dense layer of {layers["dense"]} units and one of
            {len(table["labels"])} give the posteriors."""
        ),
        "## Training",
        paragraph(
            f"""{training["epochs"]} epochs in batches of {training["batch"]}, AdamW with a one-cycle rate up to
            {training["learning_rate"]:g}, weight decay {training["weight_decay"]:g}, dropout {training["dropout"]:g},
            label smoothing {training["smoothing"]:g}, classes weighted by inverse frequency, {training["precision"]},
            seed {training["seed"]}. Augmentation:
            {", ".join(f"{key} {value:g}" for key, value in training["augmentation"].items())}. dsfx {table["dsfx"]},
            torch {training["torch"]}. The graph differs from torch by at most {training["onnx_difference"]:.1g}."""
        ),
    ]
    metrics = table.get("metrics")
    if metrics:
        parts += [
            "## How well it recognises speakers it has never heard",
            paragraph(
                f"""The same recipe was trained once per fold ({metrics["folds"]}) without the fold's speakers: no early
                stopping, the same number of epochs. Judged by the network's own posteriors, pooled over all clips:
                **UAR {100 * metrics["uar"]:.1f} %, WA {100 * metrics["wa"]:.1f} %** (chance: UAR
                {100 / len(table["labels"]):.1f} %)."""
            ),
            rows(
                ["speaker", "clips", "UAR %", "WA %"],
                [
                    [row["speaker"], row["files"], f"{100 * row['uar']:.1f}", f"{100 * row['wa']:.1f}"]
                    for row in metrics["speakers"]
                ],
            ),
            paragraph(
                """`folds.csv` has the confusions behind these numbers: per speaker and class, how many clips were taken
                for which class."""
            ),
        ]
    if table.get("notes"):
        parts += ["## Use and limits", bullets(*table["notes"])]
    return "\n\n".join(parts) + "\n"


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
