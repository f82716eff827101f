"""Compare the hand-crafted sets with the reference, column by column, and write the report of the documentation.

    python benchmarks/agreement_report.py --clips 160 -o docs/agreement.md

Runs both on recordings of EmoDB and RAVDESS (where they are present) and on all synthetic signals at all sampling
rates. No value of the reference is kept: the report holds shares and the largest deviations.
"""

import argparse
import csv
import platform
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from agreement.compare import RATES, TABLES, TOLERANCES, Comparison, clips, compare, ours, read, signals

PITCH = ("F0semitoneFrom27.5Hz_sma3nz", "F0final_sma")
LEVELS = {"functionals": "functionals", "lld": "descriptors", "lld-delta": "deltas of descriptors"}


@dataclass
class Tally:
    """What one table's columns came to, over all files."""

    names: list[str]
    files: int = 0
    values: int = 0
    same_shape: int = 0
    same_times: int = 0
    same_voicing: int = 0
    identical: NDArray[np.int64] = field(init=False)
    close: NDArray[np.int64] = field(init=False)
    near: NDArray[np.int64] = field(init=False)
    worst: NDArray[np.float64] = field(init=False)
    where: list[str] = field(init=False)

    def __post_init__(self) -> None:
        n = len(self.names)
        self.identical, self.close, self.near = (np.zeros(n, np.int64) for _ in range(3))
        self.worst = np.zeros(n)
        self.where = [""] * n

    def add(self, result: Comparison, label: str) -> None:
        self.files += 1
        if any("values, the reference has" in problem for problem in result.problems):
            return
        self.same_shape += 1
        self.same_times += not result.problems
        self.values += len(result.expected)
        identical, relative = result.identical, result.relative
        self.identical += identical.sum(axis=0)
        self.close += (relative <= 1e-6).sum(axis=0)
        self.near += (relative <= 1e-3).sum(axis=0)
        largest = relative.max(axis=0)
        for column in np.flatnonzero(largest > self.worst):
            self.worst[column] = largest[column]
            self.where[column] = label
        pitch = [self.names.index(name) for name in PITCH if name in self.names]
        self.same_voicing += all(
            np.array_equal(result.expected[:, c] > 0, result.found[:, c] > 0) for c in pitch
        )  # fmt: skip


def inputs(count: int, synthetic: bool) -> Iterator[tuple[str, NDArray[np.float32], int]]:
    for corpus in ("emodb", "ravdess"):
        for path in clips(corpus, count):
            signal, rate = read(path)
            yield f"{corpus}/{path.name}", signal, rate
    if synthetic:
        for rate in RATES:
            for name, signal in signals(rate).items():
                yield f"{name}, {rate} Hz", signal, rate


def share(part: int, whole: int) -> str:
    """Per cent, never rounded up to 100."""
    if part == whole:
        return "100"
    return f"{min(100 * part / whole, 99.9999):.4f}"


def error(value: float) -> str:
    return "—" if value == 0 else f"{value:.1e}"


def report(tallies: dict[tuple[str, str], Tally], description: str) -> Iterator[str]:
    yield "# Agreement with the reference"
    yield ""
    yield description
    yield ""
    yield "`identical`: the same bits. Shares in per cent; relative deviations, so a value near 0 may show a large one."
    yield ""
    yield (
        "| set | level | files | rows | values | identical | within 1e-6 | within 1e-3 | same rows | same times "
        "| same voicing |"
    )
    yield "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|"
    for (name, level), tally in tallies.items():
        n = tally.values * len(tally.names)
        yield (
            f"| {name} | {LEVELS[level]} | {tally.files} | {tally.values} | {n} "
            f"| {share(int(tally.identical.sum()), n)} | {share(int(tally.close.sum()), n)} "
            f"| {share(int(tally.near.sum()), n)} "
            f"| {share(tally.same_shape, tally.files)} | {share(tally.same_times, tally.files)} "
            f"| {share(tally.same_voicing, tally.files) if set(PITCH) & set(tally.names) else '—'} |"
        )
    yield ""
    yield "## Exceptions"
    yield ""
    exceptions = [
        (name, level, tally, column)
        for (name, level), tally in tallies.items()
        for column in np.flatnonzero(tally.identical < tally.values)
    ]
    if exceptions:
        yield "| set | level | column | identical | within 1e-3 | worst | where |"
        yield "|---|---|---|--:|--:|--:|---|"
        for name, level, tally, c in exceptions:
            yield (
                f"| {name} | {LEVELS[level]} | `{tally.names[c]}` | {share(int(tally.identical[c]), tally.values)} "
                f"| {share(int(tally.near[c]), tally.values)} | {error(tally.worst[c])} | {tally.where[c]} |"
            )
    else:
        yield "None: every value of every column of every file is identical."
    yield ""
    yield "Tolerances of the agreement tests: " + (
        "; ".join(f"`{t.pattern}` {t.relative:g} relative, {t.absolute:g} absolute ({t.cause})" for t in TOLERANCES)
        if TOLERANCES
        else "none, every column must be identical."
    )
    for (name, level), tally in tallies.items():
        yield ""
        yield f"## {name}, {LEVELS[level]}"
        yield ""
        if len(tally.names) > 1000:
            yield from summarised(tally)
        else:
            yield from columns(tally.names, tally, [[i] for i in range(len(tally.names))], "column")


def summarised(tally: Tally) -> Iterator[str]:
    """Too many columns for a page: by functional and by contour (`--csv` writes them all)."""
    by_functional: dict[str, list[int]] = {}
    by_contour: dict[str, list[int]] = {}
    for i, name in enumerate(tally.names):
        contour, _, functional = name.rpartition("_")
        by_functional.setdefault(functional, []).append(i)
        by_contour.setdefault(contour, []).append(i)
    for what, groups in (("functional", by_functional), ("contour", by_contour)):
        yield from columns(list(groups), tally, list(groups.values()), what)
        yield ""


def columns(names: list[str], tally: Tally, members: list[list[int]], what: str) -> Iterator[str]:
    yield f"| {what} | values | identical | within 1e-6 | within 1e-3 | worst | where |"
    yield "|---|--:|--:|--:|--:|--:|---|"
    for name, group in zip(names, members, strict=True):
        n = tally.values * len(group)
        worst = max(group, key=lambda i: tally.worst[i])
        yield (
            f"| `{name}` | {n} | {share(int(tally.identical[group].sum()), n)} "
            f"| {share(int(tally.close[group].sum()), n)} | {share(int(tally.near[group].sum()), n)} "
            f"| {error(tally.worst[worst])} | {tally.where[worst]} |"
        )


def write_csv(path: Path, tallies: dict[tuple[str, str], Tally]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(["set", "level", "column", "values", "identical", "within_1e-6", "within_1e-3", "worst", "where"])
        for (name, level), t in tallies.items():
            for i, column in enumerate(t.names):
                counts = (t.identical[i], t.close[i], t.near[i])
                out.writerow([name, level, column, t.values, *counts, f"{t.worst[i]:.3g}", t.where[i]])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=160, help="recordings per corpus (default 160)")
    parser.add_argument("--no-synthetic", action="store_true", help="recordings only")
    parser.add_argument("-o", "--output", type=Path, default=Path("docs/agreement.md"))
    parser.add_argument("--csv", type=Path, help="also every column of every table, as CSV")
    options = parser.parse_args()
    tallies = {(name, level): Tally(ours(name, level).names[0]) for name, level in TABLES}
    recordings = made = 0
    for label, signal, rate in inputs(options.clips, not options.no_synthetic):
        for (name, level), tally in tallies.items():
            tally.add(compare(signal, rate, name, level), label)
        if " Hz" in label:
            made += 1
        else:
            recordings += 1
        if (recordings + made) % 25 == 0:
            exact = sum(int(t.identical.sum()) for t in tallies.values())
            total = sum(t.values * len(t.names) for t in tallies.values())
            print(f"{recordings + made} files, {share(exact, total)} % of {total} values identical", file=sys.stderr)
    if not recordings + made:
        print("nothing to compare", file=sys.stderr)
        return 1
    libc = " ".join(platform.libc_ver())
    text = (
        f"dsfx {version('dsfx')} against opensmile {version('opensmile')}, both run on {recordings} recordings of "
        f"EmoDB and RAVDESS (spread evenly over each) and {made} synthetic signals ({len(RATES)} sampling rates from "
        f"{min(RATES)} to {max(RATES)} Hz), on {platform.machine()} {platform.system()} with {libc}. Written by "
        "`benchmarks/agreement_report.py`."
    )
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text("\n".join(report(tallies, text)) + "\n", encoding="utf-8")
    if options.csv:
        write_csv(options.csv, tallies)
    print(f"wrote {options.output}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
