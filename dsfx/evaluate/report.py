"""Results as a page that opens offline, and as a table for the terminal."""

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from .scores import CLASSIFICATION, REGRESSION

__all__ = ["html", "methods", "terminal"]

Result = dict[str, Any]


@dataclass(frozen=True)
class Kind:
    """How the results of a task are told: the scores' names, and how much of one a digit is."""

    scores: tuple[str, ...]
    heads: tuple[str, ...]
    label: str
    """Of the score that decides."""
    times: int
    digits: int
    unit: str
    axis: str
    points: str
    words: str
    legend: str

    @property
    def main(self) -> str:
        return self.scores[0]

    def show(self, value: float | None) -> str:
        return "–" if value is None else f"{self.times * value:.{self.digits}f}"

    def span(self, value: dict[str, float | None]) -> str:
        if value["low"] is None:
            return "unknown"
        between = "–" if self.times == 100 else " to "
        return f"{self.show(value['low'])}{between}{self.show(value['high'])}"


_KINDS = {
    "classification": Kind(
        tuple(score.name for score in CLASSIFICATION),
        ("UA %", "WA %"),
        "UA",
        100,
        1,
        " %",
        "UA in per cent",
        "Points of UA",
        "the unweighted average recall (UA) and the accuracy (WA)",
        "UA: unweighted average recall (UAR). WA: accuracy.",
    ),
    "regression": Kind(
        tuple(score.name for score in REGRESSION),
        ("CCC", "Pearson", "RMSE"),
        "CCC",
        1,
        3,
        "",
        "CCC",
        "CCC",
        "Lin's concordance correlation coefficient (CCC), Pearson's correlation and the root mean squared error (RMSE)",
        "CCC: Lin's concordance correlation coefficient. RMSE: root mean squared error, in units of the labels.",
    ),
}


def methods(found: dict[str, Any]) -> str:
    """Describe the evaluation as the methods section of a paper would."""
    data, options = found["data"], found["options"]
    results = found["results"]
    who = f" of {data['speakers']} speakers" if data["speakers"] else ""
    kind = _KINDS[found["task"]]
    classifiers = list(dict.fromkeys(result["classifier_words"] for result in results))
    units = "speakers" if data["speakers"] else "clips, since speakers are not known,"
    scaling = (
        "Features were standardised to the mean and deviation of the training part"
        if options["standardise"] == "global"
        else "Features were standardised to the mean and deviation of each speaker's own clips, without their labels"
    )
    inner = (
        f"Parameters were chosen by the mean {kind.label} in an inner cross-validation of the training part alone, "
        "with at most five folds"
        + (" of whole speakers" if data["speakers"] else "")
        + "; of equally good ones the smallest C was taken. "
    )
    if found["protocol"]["name"] == "out-of-fold":
        inner = (
            f"Parameters of a fold were chosen by the {kind.label} in the other folds, whose test clips are of other "
            "speakers; of equally good ones the smallest C was taken. "
        )
    widened = found["protocol"]["intervals_widened"]
    training = (
        f"They were widened by the factor {widened:.2f}, since the training parts of the folds overlap (Nadeau and "
        "Bengio 2003)."
        if widened > 1
        else "They hold for the classifiers as they were trained: that other training clips would give other "
        "classifiers is not part of them."
    )
    together = "voted together" if found["task"] == "classification" else "averaged"
    vote = f"The rows of one file were {together}. " if options["vote"] else ""
    tuned = any(fold["parameters"] for result in results for fold in result["folds"])
    return (
        f"{data['clips']} clips{who} were used ({data['labelled']}). The protocol was {found['protocol']['words']}. "
        f"The methods: {'; '.join(classifiers)}. {scaling}; missing values were replaced by that mean. "
        f"{inner if tuned else ''}{vote}Reported are {kind.words} of all test clips together, with 95 % confidence "
        f"intervals from {options['times']} bootstrap samples of {units} (expanded percentiles). {training} The chance "
        f"level is the mean {kind.label} of the same predictions for labels shuffled within speakers (1000 times). "
        "Pairs of sets (of classifiers, where there is one set) were compared by a two-sided permutation test that "
        f"exchanges the predictions of whole {'speakers' if data['speakers'] else 'clips'}, with Holm's correction "
        f"({len(found['comparisons'])} pairs); effects are "
        "standardised by the deviation between speakers and named after Cohen (0.2 small, 0.5 medium, 0.8 large). "
        f"Software: dsfx {found['versions']['dsfx']}, scikit-learn {found['versions']['scikit-learn']}; seed "
        f"{options['seed']}."
    )


def terminal(found: dict[str, Any]) -> None:
    """Print the ranked results and the comparisons; warnings in red."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    # A file or a pipe takes lines of any length.
    console = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 200)
    for line in found["warnings"]:
        console.print(Text(f"WARNING: {line}", style="bold red"))
    kind = _KINDS[found["task"]]
    table = Table(title=Text(found["protocol"]["words"]), title_justify="left")
    for name in ("set", "classifier"):
        table.add_column(name, overflow="fold")
    for name in (*(part for head in kind.heads for part in (head, "95 %")), "chance"):
        table.add_column(name, justify="right", overflow="fold")
    for result in found["results"]:
        row = [result["set"], result["classifier"]]
        for score in kind.scores:
            row += [kind.show(result[score]["value"]), kind.span(result[score])]
        table.add_row(*(Text(cell) for cell in (*row, kind.show(result["chance"][kind.main]))))
    console.print(table)
    for entry in found["comparisons"][:10]:
        console.print(Text(entry["words"]))
    if len(found["comparisons"]) > 10:
        console.print(f"{len(found['comparisons']) - 10} more comparisons are in the report")


# The page ------------------------------------------------------------------------------------------------------------

_STYLE = """
:root { --ink: #1d2430; --soft: #5b6675; --line: #d9dee6; --blue: #1f5fa8; --pale: #eef3f9; --red: #b3261e; }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem; max-width: 68rem; color: var(--ink); background: #fff;
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .3rem; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 2.4rem 0 .6rem; }
h3 { font-size: 1rem; margin: 0 0 .4rem; }
p.lead { color: var(--soft); margin: 0 0 1rem; }
.warn { border: 2px solid var(--red); color: var(--red); font-weight: 600; padding: .6rem .9rem; margin: .6rem 0;
  border-radius: 4px; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: .35rem .6rem; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { color: var(--soft); font-weight: 600; font-size: .85rem; }
th.l, td.l { text-align: left; }
td.wrap { white-space: normal; overflow-wrap: break-word; }
.m { display: none; }
td small { color: var(--soft); }
figure { margin: 0; }
figcaption, .note { color: var(--soft); font-size: .88rem; }
svg { display: block; width: 100%; max-width: 46rem; height: auto; }
svg text { font: 13px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; fill: var(--ink);
  paint-order: stroke; stroke: #fff; stroke-width: 4px; }
svg .axis { fill: var(--soft); font-size: 12px; }
.grid { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(30rem, 100%), 1fr)); gap: 1.6rem; }
.matrix th, .matrix td { padding: .25rem .2rem; text-align: center; font-size: .8rem; border: 1px solid #fff; }
.matrix th.l { text-align: right; }
ul.plain { padding-left: 1.1rem; }
li { margin: .3rem 0; overflow-wrap: anywhere; }
pre { background: var(--pale); padding: .8rem; overflow-x: auto; border-radius: 4px; font-size: .85rem; }
details { margin: .5rem 0; }
summary { cursor: pointer; color: var(--blue); }
@media (max-width: 600px) {
  body { padding: 1rem; } h1 { font-size: 1.35rem; }
  .x { display: none; } td small, .m { display: block; } th, td { padding: .3rem .25rem; font-size: .9rem; }
  svg text { font-size: 22px; } svg .axis { font-size: 20px; }
  .matrix tr:first-child th { writing-mode: vertical-rl; transform: rotate(180deg); text-align: left; }
}
"""


def html(found: dict[str, Any], predictions: Sequence[dict[str, Any]]) -> str:
    """Return the report: one HTML page with its pictures, which loads nothing.

    Parameters
    ----------
    found : dict
        What `evaluate` returns.
    predictions : sequence of dict
        Columns `label` and `predicted` for every result.
    """
    data, results, kind = found["data"], found["results"], _KINDS[found["task"]]
    best = results[0]
    who = f", {data['speakers']} speakers" if data["speakers"] else ""
    parts = [
        f"<h1>{escape(_title(found))}</h1>",
        f'<p class="lead">{data["clips"]} clips{who} · {escape(found["protocol"]["words"])}</p>',
        *(f'<p class="warn">{escape(line)}</p>' for line in found["warnings"]),
        f"<p>Best: <b>{escape(best['set'])}</b> with {escape(best['classifier'])}, {kind.label} "
        f"<b>{kind.show(best[kind.main]['value'])}{kind.unit}</b> (95 % interval {kind.span(best[kind.main])}), chance "
        f"{kind.show(best['chance'][kind.main])}{kind.unit}.</p>",
        "<h2>Results</h2>",
        _ranking(results, kind),
        f'<p class="note">{kind.legend} In brackets 95 % confidence intervals. '
        "p: how often labels shuffled within speakers do as well.</p>",
        "<h2>Intervals</h2>",
        f"<figure>{_intervals(results, kind)}<figcaption>{kind.label} with its 95 % interval; the dashed line is the "
        "chance level.</figcaption></figure>",
    ]
    if data["speakers"]:
        parts += [
            "<h2>Speakers</h2>",
            f"<figure>{_speakers(results, kind)}<figcaption>{kind.label} of every speaker, a dot each; the "
            "bar is the mean. Hover over "
            "a dot for the speaker's name.</figcaption></figure>",
            _speaker_table(results, kind),
        ]
    if found["comparisons"]:
        parts += ["<h2>Differences</h2>", _differences(found["comparisons"], kind)]
    if found["task"] == "classification":
        parts += [
            "<h2>Confusions</h2>",
            f'<div class="grid">{"".join(_matrix(result) for result in results)}</div>',
            '<p class="note">Rows: the true class; columns: what it was taken for; per cent of the row.</p>',
        ]
    else:
        pictures = (_scatter(*pair, found["options"]["column"]) for pair in zip(results, predictions, strict=True))
        parts += [
            "<h2>Predictions</h2>",
            f'<div class="grid">{"".join(pictures)}</div>',
            f'<p class="note">A dot for every clip (of {_DOTS} at most, evenly taken); on the line predictions are '
            "right.</p>",
        ]
    parts += [
        "<h2>Method</h2>",
        f"<p>{escape(methods(found))}</p>",
        "<h2>Details</h2>",
        _details(found, kind),
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        # An empty icon: a browser asks for none.
        '<link rel="icon" href="data:,">\n'
        f"<title>{escape(_title(found))}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(parts)
        + "\n</body>\n</html>\n"
    )


def _title(found: dict[str, Any]) -> str:
    names = list(dict.fromkeys(result["set"] for result in found["results"]))
    shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return f"How well {shown} {'tells' if len(names) == 1 else 'tell'} {found['options']['column']}"


def _breakable(name: str) -> str:
    """Let a concatenation of sets break after its plus signs."""
    return "+<wbr>".join(escape(part) for part in name.split("+"))


def _ranking(results: Sequence[Result], kind: Kind) -> str:
    # What a phone has no room for has the class x.
    scores = [(name, head, ' class="x"' * (head == "RMSE")) for name, head in zip(kind.scores, kind.heads, strict=True)]
    head = (
        '<tr><th class="l">Set</th><th class="l x">Classifier</th><th class="x">Features</th>'
        + "".join(f"<th{hidden}>{head}</th>" for _, head, hidden in scores)
        + f'<th class="x">Chance{kind.unit}</th><th class="x">p</th><th class="x">Time</th></tr>'
    )
    rows = []
    for r in results:
        p = r["chance"]["p"]
        cells = "".join(
            f"<td{hidden}>{'<b>' * (name == kind.main)}{kind.show(r[name]['value'])}{'</b>' * (name == kind.main)} "
            f"<small>[{kind.span(r[name])}]</small></td>"
            for name, _, hidden in scores
        )
        rows.append(
            f'<tr><td class="l wrap"><b>{_breakable(r["set"])}</b>'
            f'<small class="m">{escape(r["classifier"])}</small></td><td class="l x">{escape(r["classifier"])}</td>'
            f'<td class="x">{r["columns"]}</td>{cells}'
            f'<td class="x">{kind.show(r["chance"][kind.main])}</td>'
            f'<td class="x">{"≤ 0.001" if p < 0.00101 else f"{p:.2g}"}</td>'
            f'<td class="x">{r["seconds"]:.0f} s</td></tr>'
        )
    return f'<div class="scroll"><table>{head}{"".join(rows)}</table></div>'


_WIDTH, _TOP, _ROW = 640, 8, 54
_DOT = 38
"""Where in a row its mark is; the name stands above."""


def _names(results: Sequence[Result]) -> list[str]:
    several = len({result["classifier"] for result in results}) > 1
    return [f"{r['set']} · {r['classifier']}" if several else r["set"] for r in results]


def _frame(results: Sequence[Result], kind: Kind, low: float, high: float, label: str) -> tuple[list[str], Any, int]:
    """Axis and names of a picture with one row a result; names stand above their row, so that phones have room."""
    height = _TOP + _ROW * len(results) + 54
    left, right = 14, _WIDTH - 14

    def x(value: float) -> float:
        return left + (right - left) * (value - low) / (high - low)

    bottom = _TOP + _ROW * len(results)
    marks = [
        f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{escape(label)}" xmlns="http://www.w3.org/2000/svg">'
    ]
    step = 0.05 if high - low < 0.36 else 0.1 if high - low < 1.1 else 0.2
    tick = math.ceil(low / step - 1e-9) * step
    while tick <= high + 1e-9:
        marks.append(f'<line x1="{x(tick):.1f}" x2="{x(tick):.1f}" y1="{_TOP}" y2="{bottom}" stroke="#e6eaf0"/>')
        marks.append(
            f'<text class="axis" x="{x(tick):.1f}" y="{bottom + 22}" text-anchor="middle">'
            f"{kind.times * tick:{'.0f' if kind.times == 100 else '.2g'}}</text>"
        )
        tick += step
    marks.append(f'<text class="axis" x="{_WIDTH / 2}" y="{bottom + 46}" text-anchor="middle">{kind.axis}</text>')
    for row, name in enumerate(_names(results)):
        marks.append(f'<text x="{left}" y="{_TOP + row * _ROW + 20}">{escape(name)}</text>')
    return marks, x, bottom


def _limits(values: Sequence[float], kind: Kind) -> tuple[float, float]:
    low = max(0.0 if kind.times == 100 else -1.0, (min(values) * 20 - 0.5) // 1 / 20)
    high = min(1.0, -(-(max(values) * 20 + 0.5) // 1) / 20)
    return low, max(high, low + 0.1)


def _intervals(results: Sequence[Result], kind: Kind) -> str:
    values = [v for r in results for v in (*r[kind.main].values(), r["chance"][kind.main]) if v is not None]
    label = f"{kind.label} and its confidence interval, by feature set"
    marks, x, bottom = _frame(results, kind, *_limits(values, kind), label)
    chance = results[0]["chance"][kind.main]
    marks.append(
        f'<line x1="{x(chance):.1f}" x2="{x(chance):.1f}" y1="{_TOP}" y2="{bottom}" stroke="#5b6675" '
        'stroke-dasharray="4 4"><title>chance level</title></line>'
    )
    for row, r in enumerate(results):
        y = _TOP + row * _ROW + _DOT
        value = r[kind.main]
        if value["low"] is not None:
            marks.append(
                f'<line x1="{x(value["low"]):.1f}" x2="{x(value["high"]):.1f}" y1="{y}" y2="{y}" stroke="#1f5fa8" '
                'stroke-width="3" stroke-linecap="round"/>'
            )
        marks.append(
            f'<circle cx="{x(value["value"]):.1f}" cy="{y}" r="6" fill="#1f5fa8"><title>'
            f"{kind.show(value['value'])}{kind.unit} ({kind.span(value)})</title></circle>"
        )
    return "".join(marks) + "</svg>"


def _speakers(results: Sequence[Result], kind: Kind) -> str:
    values = [s[kind.main] for r in results for s in r["per_speaker"]]
    marks, x, _ = _frame(results, kind, *_limits(values, kind), f"{kind.label} of every speaker, by feature set")
    for row, r in enumerate(results):
        y = _TOP + row * _ROW + _DOT
        per = r["per_speaker"]
        mean = sum(s[kind.main] for s in per) / len(per)
        marks.append(
            f'<line x1="{x(mean):.1f}" x2="{x(mean):.1f}" y1="{y - 10}" y2="{y + 10}" stroke="#1d2430" '
            'stroke-width="2"/>'
        )
        for number, s in enumerate(sorted(per, key=lambda s: (s[kind.main], s["speaker"]))):
            marks.append(
                f'<circle cx="{x(s[kind.main]):.1f}" cy="{y + (-4, 0, 4)[number % 3]}" r="5" fill="#1f5fa8" '
                'fill-opacity=".45">'
                f"<title>{escape(s['speaker'])}: {kind.label} {kind.show(s[kind.main])}{kind.unit}, "
                f"{s['clips']} clips</title></circle>"
            )
    return "".join(marks) + "</svg>"


def _speaker_table(results: Sequence[Result], kind: Kind) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in _names(results))
    rows = []
    for index, s in enumerate(results[0]["per_speaker"]):
        cells = "".join(f"<td>{kind.show(r['per_speaker'][index][kind.main])}</td>" for r in results)
        rows.append(f'<tr><td class="l">{escape(s["speaker"])}</td><td>{s["clips"]:g}</td>{cells}</tr>')
    return (
        f"<details><summary>{kind.label} of every speaker, in numbers</summary>"
        f'<div class="scroll"><table><tr><th class="l">Speaker</th><th>Clips</th>'
        f"{head}</tr>{''.join(rows)}</table></div></details>"
    )


def _differences(comparisons: Sequence[Result], kind: Kind) -> str:
    items = "".join(f"<li>{escape(entry['words'])}</li>" for entry in comparisons[:10])
    single = any("p_mcnemar" in entry for entry in comparisons)
    several = len({entry[k]["classifier"] for entry in comparisons for k in ("better", "worse")}) > 1
    rows = []
    for e in comparisons:
        pair = [f"{e[k]['set']} · {e[k]['classifier']}" if several else e[k]["set"] for k in ("better", "worse")]
        effect = "–" if e["effect"] is None else f"{e['effect']:.2f}"
        rows.append(
            f'<tr><td class="l wrap">{escape(pair[0])}</td><td class="l wrap">{escape(pair[1])}</td>'
            f"<td>{kind.show(e['difference']['value'])} <small>[{kind.span(e['difference'])}]</small></td>"
            f"<td>{e['p']:.2g}</td><td>{e['p_holm']:.2g}</td>"
            + (f"<td>{e['p_mcnemar']:.2g}</td>" if single else "")
            + f"<td>{effect} <small>{e['effect_words']}</small></td>"
            f"<td>{e['speakers_better']} : {e['speakers_worse']}</td></tr>"
        )
    return (
        f'<ul class="plain">{items}</ul><details{"" if len(comparisons) <= 10 else " open"}><summary>All comparisons, '
        'in numbers</summary><div class="scroll"><table><tr><th class="l">Better</th><th class="l">Worse</th>'
        f"<th>{kind.points}</th><th>p</th><th>p (Holm)</th>"
        + ("<th>p (McNemar, clips)</th>" if single else "")
        + f"<th>Effect</th><th>Speakers</th></tr>{''.join(rows)}</table></div></details>"
    )


def _matrix(result: Result) -> str:
    classes = result["classes"]
    head = "".join(f"<th>{escape(label)}</th>" for label in classes)
    rows = []
    for label, counts in zip(classes, result["confusion"], strict=True):
        total = sum(counts)
        cells = []
        for answer, number in zip(classes, counts, strict=True):
            share = number / total if total else 0.0
            colour = "#fff" if share > 0.55 else "#1d2430"
            cells.append(
                f'<td style="background:rgba(31,95,168,{0.04 + 0.96 * share:.2f});color:{colour}" '
                f'title="{escape(label)} taken for {escape(answer)}: {number:g} of {total:g} clips">'
                f"{100 * share:.0f}</td>"
            )
        rows.append(f'<tr><th class="l">{escape(label)}</th>{"".join(cells)}</tr>')
    return (
        f'<div><h3>{escape(result["set"])} · {escape(result["classifier"])}</h3><div class="scroll">'
        '<table class="matrix">'
        f"<tr><th></th>{head}</tr>{''.join(rows)}</table></div></div>"
    )


_DOTS = 2000
"""In a picture of predictions."""


def _scatter(result: Result, table: dict[str, Any], column: str) -> str:
    """Draw predictions against labels, both axes with the same limits."""
    size, edge = 400, 46
    step = -(-len(table["label"]) // _DOTS)
    true, predicted = table["label"][::step].tolist(), table["predicted"][::step].tolist()
    low, high = min(true + predicted), max(true + predicted)
    tick = _tick(high - low)

    def at(value: float) -> float:
        return edge + (size - edge - 10) * (value - low) / (high - low)

    marks = [
        f'<svg viewBox="0 0 {size} {size}" role="img" aria-label="predictions against labels" '
        'xmlns="http://www.w3.org/2000/svg">'
    ]
    for number in range(math.ceil(low / tick), math.floor(high / tick) + 1):
        place, text = at(number * tick), f"{number * tick:.6g}"
        marks.append(
            f'<path d="M{place:.1f} {size - edge}V10M{edge} {size - place:.1f}H{size - 10}" stroke="#e6eaf0"/>'
            f'<text class="axis" x="{place:.1f}" y="{size - edge + 18}" text-anchor="middle">{text}</text>'
            f'<text class="axis" x="{edge - 5}" y="{size - place + 4:.1f}" text-anchor="end">{text}</text>'
        )
    marks.append(
        f'<path d="M{edge} {size - edge}L{size - 10} 10" stroke="#5b6675" stroke-dasharray="4 4"/>'
        f'<text class="axis" x="{size / 2}" y="{size - 6}" text-anchor="middle">{escape(column)}, as labelled</text>'
        f'<text class="axis" transform="translate(13 {size / 2}) rotate(-90)" text-anchor="middle">as predicted</text>'
    )
    marks += [
        f'<circle cx="{at(a):.1f}" cy="{size - at(b):.1f}" r="3" fill="#1f5fa8" fill-opacity=".45"/>'
        for a, b in zip(true, predicted, strict=True)
    ]
    return f"<div><h3>{escape(result['set'])} · {escape(result['classifier'])}</h3>{''.join(marks)}</svg></div>"


def _tick(span: float) -> float:
    """Return a round distance for about five ticks."""
    base = 10 ** math.floor(math.log10(span / 5))
    return float(next(base * factor for factor in (1, 2, 5, 10) if span / (base * factor) <= 6))


def _details(found: dict[str, Any], kind: Kind) -> str:
    parts = []
    if found["command"]:
        parts.append(f"<p>The command:</p><pre>{escape(found['command'])}</pre>")
    versions = ", ".join(f"{name} {version}" for name, version in found["versions"].items())
    parts.append(f"<p>Versions: {escape(versions)}. Seed {found['options']['seed']}. {found['seconds']:g} s.</p>")
    hashes = [
        f"<li>{escape(name)}: {about['columns']} columns"
        + "".join(f", {escape(part)} {escape(value[:16])}" for part, value in about["parts"].items() if value)
        + "</li>"
        for name, about in found["data"]["sets"].items()
    ]
    parts.append(f'<p>Sets and what they were computed by:</p><ul class="plain">{"".join(hashes)}</ul>')
    lines = [*found["remarks"], *(f"{r['set']}, {r['classifier']}: {n}" for r in found["results"] for n in r["notes"])]
    if lines:
        items = "".join(f"<li>{escape(line)}</li>" for line in lines)
        parts.append(f'<p>Remarks:</p><ul class="plain">{items}</ul>')
    for r in found["results"]:
        rows = "".join(
            f'<tr><td class="l">{escape(fold["fold"])}</td><td>{fold["clips"]}</td><td class="l">'
            + escape(", ".join(f"{k} = {v:g}" for k, v in fold["parameters"].items()) or "–")
            + f"</td><td>{kind.show(max((v for v in fold[f'inner_{kind.main}'] if v is not None), default=None))}</td>"
            f"<td>{fold['imputed']}</td><td>{fold['seconds']:.1f} s</td></tr>"
            for fold in r["folds"]
        )
        parts.append(
            f"<details><summary>Folds of {escape(r['set'])} · {escape(r['classifier'])}</summary>"
            '<div class="scroll"><table><tr><th class="l">Fold</th><th>Clips</th><th class="l">Chosen</th>'
            f"<th>Inner {kind.heads[0]}</th><th>Imputed</th><th>Time</th></tr>{rows}</table></div></details>"
        )
    return "".join(parts)
