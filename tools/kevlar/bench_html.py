"""The report as one HTML file without references to others: tables, and plots by Chart.js.

The library is Debian's libjs-chart.js, unpacked into the cache and written into the page.
"""

import html
import json

from . import bench_report as report, bench_rows, packages, paths
from .errors import Failure
from .ui import warn

PACKAGE = "libjs-chart.js"
SCRIPT = "usr/share/javascript/chart.js/chart.min.js"


def page(results: report.Results) -> str:
    body = [f"<h1>Kevlar: performance</h1><p>{html.escape(results.made)}; {html.escape(results.machine)}</p>",
            "<ul>" + "".join(f"<li>{html.escape(k)}: {html.escape(v)}</li>"
                             for k, v in results.versions.items()) + "</ul>"]
    script = _library()
    if script:
        body += ["<h2>Instructions, Linux = 1</h2><p>Shorter is better; the line is Linux's best case.</p>",
                 '<div class="tall"><canvas id="ratios"></canvas></div>',
                 "<h2>Growth</h2><p>Instructions for one operation among more and more objects.</p>",
                 '<div id="growth"></div>']
    body += ["<h2>All rows</h2>", _table(report.heads(results),
                                         [report.cells(results, row) for row in results.rows()])]
    if report.has_times(results):
        rows = [row for row in results.rows() if any(c.time(row) for c in results.columns)]
        body += ["<h2>Wall clock</h2>", _table(report.timed_heads(results),
                                               [report.timed_cells(results, row) for row in rows])]
    for label, row, why in results.failures():
        text = html.escape(f"FAILED {row} on {label}: {why}")
        body.append(f"<p class=failed>{text}</p>")
    if script:
        data = json.dumps(_data(results)).replace("</", "<\\/")
        body.append(f"<script>{script}</script><script>const data = {data};{DRAW}</script>")
    return f"{HEAD}{''.join(body)}</body></html>\n"


def _library() -> str | None:
    kept = paths.cache() / "bench" / "chart.min.js"
    if not kept.exists():
        kept.parent.mkdir(exist_ok=True)
        try:
            with packages.unpacked(PACKAGE) as tree:
                kept.write_bytes((tree / SCRIPT).read_bytes())
        except (Failure, OSError) as e:
            warn(f"no plots: {e}")
            return None
    return kept.read_text(encoding="utf-8").replace("</script", "<\\/script")


def _table(head: list[str], lines: list[list[str]]) -> str:
    rows = ["<tr>" + "".join(f"<th>{html.escape(cell)}</th>" for cell in head) + "</tr>"]
    for line in lines:
        kind = " class=failed" if "FAILED" in line else ""
        what = html.escape(bench_rows.describe(line[0]).what)
        cells = [f'<td title="{what}">{html.escape(line[0])}</td>']
        cells += [f"<td>{html.escape(cell)}</td>" for cell in line[1:]]
        rows.append(f"<tr{kind}>{''.join(cells)}</tr>")
    return f"<table>{''.join(rows)}</table>"


def _data(results: report.Results) -> dict:
    """What the plots show: our ratios, and each growth row as a line for each kernel."""
    plain = [row for row in results.rows() if "@" not in row and results.ratio(row)]
    plain.sort(key=lambda row: results.ratio(row))
    growth: dict[str, dict] = {}
    for row in results.rows():
        base, at, count = row.partition("@")
        for column in results.columns if at else []:
            if (value := column.count(row)) is not None:
                lines = growth.setdefault(base, {})
                lines.setdefault(column.label, []).append({"x": int(count), "y": value})
    return {"rows": plain, "ratios": [results.ratio(row) for row in plain], "growth": growth,
            "titles": {base: bench_rows.GROWTH.get(base, base) for base in growth}}


HEAD = """<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><title>Kevlar: performance</title><style>
body { font: 15px/1.5 system-ui, sans-serif; max-width: 1100px; margin: 2em auto; padding: 0 1em; color: #222 }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 14px }
th, td { padding: 2px 10px; text-align: right; border-bottom: 1px solid #ddd }
th:first-child, td:first-child, td:last-child { text-align: left }
.failed { color: #b00020 } .tall { min-height: 120px }
#growth { display: grid; grid-template-columns: repeat(auto-fill, minmax(320px, 1fr)); gap: 1em }
#growth div { height: 260px }
</style></head><body>"""

DRAW = """
Chart.defaults.animation = false; Chart.defaults.maintainAspectRatio = false;
const colours = ['#0a6', '#b33', '#888', '#36c'];
document.querySelector('.tall').style.height = 80 + 18 * data.rows.length + 'px';
new Chart('ratios', { type: 'bar',
  data: { labels: data.rows, datasets: [{ data: data.ratios,
    backgroundColor: data.ratios.map(r => r <= 1 ? '#0a6' : '#b33') }] },
  options: { indexAxis: 'y', plugins: { legend: { display: false } },
    scales: { x: { type: 'logarithmic', title: { display: true, text: 'Kevlar / Linux, instructions' },
      grid: { color: c => c.tick.value === 1 ? '#000' : '#eee' } }, y: { ticks: { autoSkip: false } } } } });
for (const [name, lines] of Object.entries(data.growth)) {
  const box = document.createElement('div'), canvas = document.createElement('canvas');
  box.append(canvas); document.getElementById('growth').append(box);
  new Chart(canvas, { type: 'line',
    data: { datasets: Object.entries(lines).map(([label, points], i) => ({ label, data: points,
      borderColor: colours[i % 4], backgroundColor: colours[i % 4], borderWidth: 2 })) },
    options: { plugins: { title: { display: true, text: data.titles[name] } },
      scales: { x: { type: 'logarithmic' }, y: { type: 'logarithmic' } } } });
}
"""
