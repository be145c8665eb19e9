"""What a benchmark found, as data, and as text: terminal, TSV, JSON, Markdown."""

import json
import statistics
import time
from dataclasses import asdict, dataclass, field
from typing import Iterable

from . import bench_rows
from .bench_run import Sample

AGREEMENT = 0.01


@dataclass
class Column:
    """One kernel's figures: instruction counts of each run, nanoseconds of each wall-clock run."""

    label: str
    what: str
    counted: list[dict[str, Sample]] = field(default_factory=list)
    timed: list[dict[str, Sample]] = field(default_factory=list)

    def failure(self, row: str) -> str | None:
        for run in self.counted + self.timed:
            if row in run and run[row].failed:
                return run[row].failed
        return None

    def count(self, row: str) -> float | None:
        """The first run's; the others are there to agree with it."""
        values = [run[row].value for run in self.counted if row in run]
        return values[0] if values and not self.failure(row) else None

    def disagreement(self, row: str) -> float | None:
        """The largest relative distance between the runs' counts."""
        values = [run[row].value for run in self.counted if row in run]
        if len(values) < 2 or self.failure(row) or not min(values):
            return None
        return max(values) / min(values) - 1

    def time(self, row: str) -> tuple[float, float] | None:
        """Nanoseconds: the runs' median, and (largest - smallest) / median."""
        values = [run[row].value for run in self.timed if row in run]
        if not values or self.failure(row):
            return None
        middle = statistics.median(values)
        return middle, (max(values) - min(values)) / middle if middle else 0.0


@dataclass
class Results:
    columns: list[Column]  # ours first, then what it is compared with
    versions: dict[str, str]
    machine: str
    made: str = field(default_factory=lambda: time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()))

    def rows(self) -> list[str]:
        seen: dict[str, None] = {}
        for column in self.columns:
            for run in column.counted + column.timed:
                seen.update(dict.fromkeys(run))
        return sorted(seen, key=_order)

    def ratio(self, row: str, column: int = 1) -> float | None:
        if len(self.columns) <= column:
            return None
        ours, theirs = self.columns[0].count(row), self.columns[column].count(row)
        return ours / theirs if ours is not None and theirs else None

    def failures(self) -> list[tuple[str, str, str]]:
        return [(column.label, row, why) for row in self.rows() for column in self.columns
                if (why := column.failure(row))]


def _order(name: str) -> tuple:
    groups = [*bench_rows.GROUPS, "other"]
    base, at, count = name.partition("@")
    table = list(bench_rows.GROWTH) if at else list(bench_rows.ROWS)
    return (groups.index(bench_rows.describe(name).group), table.index(base) if base in table else 999,
            int(count) if at else 0, name)


def number(value: float | None) -> str:
    if value is None:
        return "-"
    if value >= 1e7:
        return f"{value / 1e6:,.1f} M"
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"


def nanoseconds(value: float) -> str:
    for limit, unit in ((1e3, "ns"), (1e6, "µs"), (1e9, "ms")):
        if value < limit:
            return f"{value / limit * 1e3:.3g} {unit}"
    return f"{value / 1e9:.3g} s"


def ratio_text(ratio: float | None) -> str:
    return "-" if ratio is None else f"{ratio:.2f}" if ratio >= 0.1 else f"{ratio:.2g}"


def cells(results: Results, row: str) -> list[str]:
    """One line: ours, then each other kernel with our ratio to it, then what is to be remarked."""
    out = [row, _cell(results.columns[0], row)]
    for i, column in enumerate(results.columns[1:], 1):
        out += [_cell(column, row), ratio_text(results.ratio(row, i))]
    budget = bench_rows.describe(row).budget
    return out + [number(budget) if budget else "", remark(results, row)]


def _cell(column: Column, row: str) -> str:
    if column.failure(row):
        return "FAILED"
    unit = bench_rows.describe(row).unit
    text = number(column.count(row))
    return text if unit == "instructions" or text == "-" else f"{text} {unit}"


def remark(results: Results, row: str) -> str:
    apart = [f"{column.label}'s runs {d:.1%} apart" for column in results.columns
             if (d := column.disagreement(row)) and d > AGREEMENT]
    budget, ours = bench_rows.describe(row).budget, results.columns[0].count(row)
    over = [f"{ours / budget:.2f} x budget"] if budget and ours and ours > budget else []
    return "; ".join(over + apart)


def heads(results: Results) -> list[str]:
    out = ["row", results.columns[0].label]
    for column in results.columns[1:]:
        out += [column.label, "ratio"]
    return out + ["budget", ""]


def timed_cells(results: Results, row: str) -> list[str]:
    out = [row]
    for column in results.columns:
        t = column.time(row)
        out.append("FAILED" if column.failure(row) else
                   f"{nanoseconds(t[0])} ±{t[1] / 2:.0%}" if t else "-")
    ours = results.columns[0].time(row)
    for column in results.columns[1:]:
        theirs = column.time(row)
        out.append(ratio_text(ours[0] / theirs[0] if ours and theirs and theirs[0] else None))
    return out


def timed_heads(results: Results) -> list[str]:
    return (["row", *[c.label for c in results.columns]] +
            [f"to {c.label}" for c in results.columns[1:]])


def has_times(results: Results) -> bool:
    return any(column.timed for column in results.columns)


def grouped(rows: Iterable[str]) -> dict[str, list[str]]:
    out: dict[str, list[str]] = {}
    for row in rows:
        out.setdefault(bench_rows.describe(row).group, []).append(row)
    return out


def aligned(lines: list[list[str]]) -> str:
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    text = []
    for line in lines:
        first = line[0].ljust(widths[0])
        rest = [cell.rjust(width) for cell, width in zip(line[1:-1], widths[1:-1])]
        text.append("  ".join([first, *rest, line[-1]]).rstrip())
    return "\n".join(text) + "\n"


def terminal(results: Results) -> str:
    rows = results.rows()
    lines = [heads(results)] + [cells(results, row) for row in rows]
    text = aligned(lines)
    if has_times(results):
        timed = [row for row in rows if any(c.time(row) for c in results.columns)]
        text += "\nwall clock\n" + aligned([timed_heads(results) + [""]] +
                                             [timed_cells(results, row) + [""] for row in timed])
    for label, row, why in results.failures():
        text += f"FAILED {row} on {label}: {why}\n"
    return text


def tsv(results: Results) -> str:
    head = ["row", "group", "unit", "budget"]
    for column in results.columns:
        runs = max(len(column.counted), 1)
        head += [f"{column.label} run {i + 1}" for i in range(runs)]
        head += [f"{column.label} ns", f"{column.label} spread", f"{column.label} failed"]
    lines = [head]
    for row in results.rows():
        info = bench_rows.describe(row)
        line = [row, info.group, info.unit, str(info.budget or "")]
        for column in results.columns:
            runs = column.counted or [{}]
            line += [f"{run[row].value:.1f}" if row in run and not run[row].failed else "" for run in runs]
            t = column.time(row)
            line += [f"{t[0]:.0f}", f"{t[1]:.3f}"] if t else ["", ""]
            line.append(column.failure(row) or "")
        lines.append(line)
    return "".join("\t".join(line) + "\n" for line in lines)


def as_json(results: Results) -> str:
    return json.dumps({
        "made": results.made, "machine": results.machine, "versions": results.versions,
        "rows": {row: asdict(bench_rows.describe(row)) for row in results.rows()},
        "columns": [asdict(column) for column in results.columns]}, indent=1) + "\n"


def from_json(text: str) -> Results:
    """What as_json wrote."""
    data = json.loads(text)
    columns = [Column(c["label"], c["what"],
                      [{row: Sample(**s) for row, s in run.items()} for run in c["counted"]],
                      [{row: Sample(**s) for row, s in run.items()} for run in c["timed"]])
               for c in data["columns"]]
    return Results(columns, data["versions"], data["machine"], data["made"])


def _markdown_table(lines: list[list[str]]) -> str:
    head, *body = lines
    text = "| " + " | ".join(head) + " |\n|---" + "|---:" * (len(head) - 2) + "|---|\n"
    return text + "".join("| " + " | ".join(line) + " |\n" for line in body)


def _growth_table(results: Results) -> str:
    """One line an operation: the three sizes of each kernel side by side."""
    bases: dict[str, list[str]] = {}
    for row in results.rows():
        base, at, _count = row.partition("@")
        if at:
            bases.setdefault(base, []).append(row)
    columns = results.columns[:2]
    sizes = ("small", "medium", "large")
    lines = [["operation", "sizes", *[f"{c.label} {s}" for c in columns for s in sizes], "growth of ours"]]
    for base, rows in bases.items():
        counts = " / ".join(f"{int(row.partition('@')[2]):,}" for row in rows)
        line = [bench_rows.GROWTH.get(base, base), counts]
        for column in columns:
            line += ([_cell(column, row) for row in rows] + ["-"] * 3)[:3]
        first, last = columns[0].count(rows[0]), columns[0].count(rows[-1])
        lines.append(line + [f"{last / first:.2f} x" if first and last else "-"])
    return _markdown_table(lines)


def _needs(results: Results) -> str:
    slow = sorted((row for row in results.rows() if (results.ratio(row) or 0) > 1),
                  key=lambda row: -(results.ratio(row) or 0))
    if not slow:
        return "None: every row needs fewer instructions than Linux's best case.\n"
    return "".join(f"- `{row}`, {results.ratio(row):.2f} x Linux: {_need(row)}\n" for row in slow)


def _need(row: str) -> str:
    known = bench_rows.NEEDS
    return known.get(row) or known.get(row.partition("@")[0]) or "not looked at yet"


def _over_budget(results: Results) -> str:
    ours = results.columns[0]
    lines = []
    for row in results.rows():
        budget, count = bench_rows.describe(row).budget, ours.count(row)
        if budget and count and count > budget:
            lines.append((count / budget, f"- `{row}`: {number(count)} of {number(budget)}; {_need(row)}\n"))
    return "".join(line for _over, line in sorted(lines, reverse=True)) or "None.\n"


def agreement(results: Results) -> str:
    """How far the runs of each kernel are apart, in one line each."""
    lines = []
    for column in results.columns:
        found = [d for row in results.rows() if (d := column.disagreement(row)) is not None]
        if found:
            beyond = sum(d > AGREEMENT for d in found)
            lines.append(f"- {column.label}: {len(found)} rows counted in {len(column.counted)} runs, "
                         f"at most {max(found):.2%} apart; {beyond} more than {AGREEMENT:.0%}\n")
    return "".join(lines)


def markdown(results: Results) -> str:
    """docs/performance.md."""
    text = HEAD + f"\n## The last full run\n\n{results.made}; {results.machine}\n\n"
    text += "".join(f"- {name}: {value}\n" for name, value in results.versions.items())
    text += "".join(f"- column *{column.label}*: {column.what}\n" for column in results.columns)
    text += "\nRuns of the same kernel against each other:\n\n" + agreement(results)
    text += "\n## Instructions for one operation\n\nA ratio below 1 means that Kevlar needs fewer.\n"
    text += _means(results)
    for group, rows in grouped(r for r in results.rows() if "@" not in r).items():
        text += f"\n### {bench_rows.GROUPS.get(group, 'Others')}\n\n"
        body = [[f"`{row}`"] + [bench_rows.describe(row).what] + cells(results, row)[1:] for row in rows]
        text += _markdown_table([["row", "what it does", *heads(results)[1:]]] + body)
    growth = _growth_table(results)
    text += "\n## Growth\n\nThe same operation among more and more objects; instructions.\n\n" + growth
    text += "\n## Rows slower than Linux, and what each would need\n\n" + _needs(results)
    text += "\n## Rows over their budget\n\n" + _over_budget(results)
    failures = results.failures()
    if failures:
        text += "\n## Failed rows\n\n"
        text += "".join(f"- `{row}` on {label}: {why}\n" for label, row, why in failures)
    text += _side_by_side(results)
    if has_times(results):
        timed = [row for row in results.rows() if any(c.time(row) for c in results.columns)]
        text += "\n## Wall clock\n\n" + WALL + "\n" + _markdown_table(
            [timed_heads(results)] + [[f"`{row}`"] + timed_cells(results, row)[1:] for row in timed])
        text += "\n### Slower by wall clock, and why\n\n" + _slow_times(results)
    return text


def _means(results: Results) -> str:
    """The geometric mean of the ratios to each other kernel, over all rows but the machine's and growth's."""
    text = ""
    for number, column in enumerate(results.columns[1:], 1):
        ratios = [ratio for row in results.rows()
                  if bench_rows.describe(row).group not in ("machine", "growth")
                  and (ratio := results.ratio(row, number)) is not None]
        if ratios:
            text += (f"\nGeometric mean of the {len(ratios)} ratios to *{column.label}*, without the rows of the machine "
                     f"and of growth: **{statistics.geometric_mean(ratios):.3f}**\n")
    return text


def _side_by_side(results: Results) -> str:
    """Every counted run of ours and of Linux at its best."""
    columns = [column for column in results.columns[:2] if len(column.counted) > 1]
    if not columns:
        return ""
    head = ["row", *[f"{c.label} run {i + 1}" for c in columns for i in range(len(c.counted))], "apart"]
    lines = [head]
    for row in results.rows():
        apart = [d for c in columns if (d := c.disagreement(row)) is not None]
        values = [f"{run[row].value:,.1f}" if row in run and not run[row].failed else "FAILED"
                  for c in columns for run in c.counted]
        lines.append([f"`{row}`", *values, f"{max(apart):.2%}" if apart else "-"])
    return "\n## The runs side by side\n\n" + _markdown_table(lines)


def _slow_times(results: Results) -> str:
    """Rows that take more than a tenth longer than Linux at its best."""
    lines = []
    for row in results.rows():
        times = [column.time(row) for column in results.columns[:2]]
        if len(times) == 2 and all(times) and times[0][0] > 1.1 * times[1][0]:
            need = bench_rows.NEEDS_BY_TIME.get(row, "not looked at yet; within the spread it may be noise")
            lines.append(f"- `{row}`, {times[0][0] / times[1][0]:.1f} x: {need}\n")
    return "".join(lines) or "None.\n"


HEAD = """\
# Performance

Written by `./kevlar bench --doc docs/performance.md`; do not edit. What the rows do: `tests/bench/`; how
they are measured, and what to beware of: `tests/bench/README.md`.
"""

WALL = """\
Plain TCG, two CPUs, machines in turn, medians; ± is half of the spread between the runs. Other work on the
machine shows here, and emulation prices TLB flushes and MMIO differently from hardware: a check of the
counts above, not a second opinion.
"""
