"""The files around a graph: model.toml and the model card."""

import json
from collections.abc import Mapping, Sequence
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
    augmentation = ", ".join(f"{key} {value:g}" for key, value in training["augmentation"].items())
    bands = (
        f"{front['n_mels']} mel bands from {front['lower_hz']:g} to {front['upper_hz']:g} Hz"
        if front["bands"] == "mel"
        else f"linear bands from {front['lower_hz']:g} to {front['upper_hz']:g} Hz"
    )
    out = [
        f"# {table['name']}",
        "",
        table["description"],
        "",
        f"* Licence: {table['licence']}",
        f"* Features: {table['dim']}; classes: {', '.join(table['labels'])}",
        f"* Input: mono at {front['sampling_rate']} Hz, at least {table['min_seconds']:g} s; longer than "
        f"{table['max_seconds']:g} s is computed in windows of that length and averaged by duration",
        f"* SHA-256 of model.onnx: `{table['sha256']}`",
        "",
        "## Data",
        "",
        "| corpus | files | hours | speakers | licence | reference |",
        "|---|---|---|---|---|---|",
        *(
            f"| {corpus['name']} | {corpus['files']} | {corpus['hours']:.2f} | {corpus['speakers']} "
            f"| {corpus.get('licence', '')} | {corpus.get('reference', '')} |"
            for corpus in table["corpora"]
        ),
        "",
        "`hashes.txt` has one line for every training clip: BLAKE2b, 16 hexadecimal digits, of its mono float32 "
        "samples at the file's own rate. The same stands in the column `hash` of an extracted table, so that "
        "an evaluation can tell when it runs on training data.",
        "",
        "## Front end",
        "",
        f"{front['window']} window of {front['window_length'] * 1e3:g} ms every {front['hop'] * 1e3:g} ms, FFT of "
        f"{front['fft_length']} points ({front['sampling_rate'] / front['fft_length']:.4g} Hz per bin), {bands}; "
        f"natural logarithm of the power, not below {front['floor']:g} of full scale; "
        f"normalisation `{front['normalisation']}`.",
        "",
        "## Network",
        "",
        f"After Zhao et al. (2018), {table['parameters']} parameters. Convolutional branch: 2-D convolutions with "
        f"{', '.join(str(n) for n in layers['channels'])} channels and a 1-D one with {layers['filters']} filters, "
        f"pooled by mean and deviation over time. Recurrent branch: frames stacked by four, bidirectional LSTM with "
        f"{layers['units']} units per direction, pooled by attention. Both concatenated are the features; a dense "
        f"layer of {layers['dense']} units and one of {len(table['labels'])} give the posteriors.",
        "",
        "## Training",
        "",
        f"{training['epochs']} epochs in batches of {training['batch']}, AdamW with a one-cycle rate up to "
        f"{training['learning_rate']:g}, weight decay {training['weight_decay']:g}, dropout {training['dropout']:g}, "
        f"label smoothing {training['smoothing']:g}, classes weighted by inverse frequency, seed {training['seed']}. "
        f"Augmentation: {augmentation}. dsfx {table['dsfx']}.",
        "",
    ]
    metrics = table.get("metrics")
    if metrics:
        out += [
            "## How well it recognises speakers it has never heard",
            "",
            f"The same recipe was trained once per fold ({metrics['folds']}) without the fold's speakers: no early "
            "stopping, the same epochs. Judged by the network's own posteriors and pooled over all clips: "
            f"**UAR {100 * metrics['uar']:.1f} %, WA {100 * metrics['wa']:.1f} %** "
            f"(chance UAR {100 / len(table['labels']):.1f} %).",
            "",
            "| speaker | clips | UAR % | WA % |",
            "|---|---|---|---|",
            *(
                f"| {row['speaker']} | {row['files']} | {100 * row['uar']:.1f} | {100 * row['wa']:.1f} |"
                for row in metrics["speakers"]
            ),
            "",
            "The confusions behind these numbers are in `folds.csv`: per speaker and class, how many clips were "
            "taken for which class.",
            "",
        ]
    notes: Sequence[str] = table.get("notes", [])
    if notes:
        out += ["## Use and limits", "", *(f"* {note}" for note in notes), ""]
    return "\n".join(out)
