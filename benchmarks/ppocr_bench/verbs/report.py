"""One HTML page from the results that --out wrote: verdicts, charts, tables and machines."""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from importlib import resources
from pathlib import Path
from textwrap import wrap
from typing import Any

from ppocr_bench.machine import describe_lines
from ppocr_bench.options import REQUIRED
from ppocr_bench.record import (
    BenchError,
    Chart,
    Result,
    Row,
    Table,
    cells,
    heading,
    read_result,
    save,
)

OPTIONS = {
    "results": ([Path], REQUIRED, "of any verbs, by --out", "RESULT.json"),
    "--out": (Path, REQUIRED, "the HTML page", "FILE"),
    "--svg": (Path, None, "also the first chart of the first result as a picture", "FILE"),
}
TITLE = "How fast, how exact, and on what"
COLOURS = 8
WIDTH, HEIGHT = 360, 240
LEFT, RIGHT, TOP, BOTTOM = 44, 22, 28, 44
MARGIN, LEADING, LETTERS = 10, 19, 50


def run(args: argparse.Namespace) -> Result:
    """Read the results and write the page."""
    try:
        saved = [read_result(path) for path in args.results]
        page, drawn = html(saved), first_chart(saved[0]) if args.svg else ""
    except (KeyError, TypeError, ValueError) as error:
        said = f"a result is not as `ppocr-bench` writes it now ({error!r}); measure again"
        raise BenchError(said) from error
    save(args.out, page)
    if args.svg:
        if not drawn:
            raise BenchError(f"{args.results[0]} has no chart to draw as {args.svg}")
        save(args.svg, drawn)
    return Result(f"{len(args.results)} results are in {args.out}")


def first_chart(saved: Mapping[str, Any]) -> str:
    """A result's first chart as an SVG file, "" where it has none."""
    result = Result.from_dict(saved)
    return next(filter(None, drawings(result)), "")


def drawings(result: Result) -> Iterator[str]:
    """A result's charts as SVG."""
    return (draw(chart, result.tables[chart.table].rows) for chart in result.charts)


def html(saved: Sequence[Mapping[str, Any]]) -> str:
    """The whole page of what --out wrote."""
    sheets = map(resources.files(__package__).joinpath, ("chart.css", "report.css"))
    style = "".join(sheet.read_text("utf-8") for sheet in sheets)
    body = "".join(f"<section>{''.join(_section(one))}</section>\n" for one in saved)
    if len(saved) > 1 and (rows := machines(saved)):
        body = f"<section>{_table(Table(rows, list(rows[0]), 'Machines compared'))}</section>{body}"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>ppocr-bench: {TITLE}</title><style>{style}</style></head><body><main>"
        f"<h1>{TITLE}</h1>\n{body}</main></body></html>"
    )


def machines(saved: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A row for each load on each machine, of the results that `machine` and `sweep` wrote."""
    keys = ("protocol", "concurrency", "pictures_per_second", "p50_ms", "p99_ms")
    rows = [
        {key: one["machine"][key] for key in ("processor", "cores")} | {k: point[k] for k in keys}
        for one in saved
        if one["verb"] in ("machine", "sweep")
        for point in one["tables"]["points"]["rows"]
        if point.get("pictures_per_second")
    ]
    for row in rows:
        row["pictures_per_core_second"] = row["pictures_per_second"] / row["cores"]
    return rows


def _section(saved: Mapping[str, Any]) -> Iterator[str]:
    result, title = Result.from_dict(saved), saved["title"]
    kind = {None: "", True: "good", False: "bad"}[result.ok]
    yield f"<h2>{escape(title[:1].upper() + title[1:])}</h2>"
    yield f'<p class="{kind}">{escape(result.summary)}</p>' if result.summary else ""
    yield from (f'<p class="note">{escape(note)}</p>' for note in result.notes)
    yield from (f"<figure>{drawn}</figure>" for drawn in filter(None, drawings(result)))
    yield from (_table(table) for table in result.tables.values() if table.keys and table.rows)
    machine = escape("\n".join(describe_lines(saved["machine"])))
    yield f"<details><summary>Measured on</summary><pre>{machine}</pre></details>"


def _table(table: Table) -> str:
    head, rows, words = cells(table)

    def row(values: Sequence[str], tag: str) -> str:
        marks = [f"{tag} class=word" if word else tag for word in words]
        shown = (f"<{m}>{escape(v)}</{tag}>" for m, v in zip(marks, values, strict=True))
        return f"<tr>{''.join(shown)}</tr>"

    body = "".join(row(values, "td") for values in rows)
    whole = f"<table><thead>{row(head, 'th')}</thead><tbody>{body}</tbody></table>"
    caption = escape(table.caption) or "Figures"
    return f'<details open><summary>{caption}</summary><div class="table">{whole}</div></details>'


def ticks(high: float, wanted: int = 5) -> list[float]:
    """Round numbers from 0 to the first one from `high` on."""
    if high <= 0:
        return [0.0, 1.0]
    rough = high / wanted
    scale = 10 ** math.floor(math.log10(rough))
    step = next(nice * scale for nice in (1, 2, 2.5, 5, 10) if nice * scale >= rough * 0.999)
    return [step * index for index in range(math.ceil(high / step - 1e-9) + 1)]


def draw(chart: Chart, rows: Sequence[Row]) -> str:
    """The chart as SVG, its legend and caption below it; "" where no row has its values."""
    series = series_of(chart, rows)
    if not series:
        return ""
    parts, y = [*lines(chart, series)], TOP + HEIGHT + BOTTOM + 4
    for index, name in enumerate(series):
        y += LEADING
        square = f'<rect class="dot c{index % COLOURS}" x="{MARGIN}" y="{y - 10}" '
        parts += [f'{square} width="11" height="11"/>', text(MARGIN + 18, y, name, "start")]
    for line in wrap(chart.caption, LETTERS):
        y += LEADING
        parts.append(text(MARGIN, y, line, "start"))
    style = resources.files(__package__).joinpath("chart.css").read_text("utf-8")
    paper = '<rect class="paper" width="100%" height="100%"/>'
    size = f'viewBox="0 0 {WIDTH} {y + MARGIN}" width="{WIDTH}" height="{y + MARGIN}"'
    start = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img"><style>{style}</style>'
    return f"{start}{paper}{''.join(parts)}</svg>"


def series_of(chart: Chart, rows: Sequence[Row]) -> dict[str, list[tuple[float, float]]]:
    """The dots of each line by its name: its series, and its value where there are several."""
    series: dict[str, list[tuple[float, float]]] = {}
    for row in rows:
        for key in chart.y:
            if row.get(key) is not None and row.get(chart.x) is not None:
                own = str(row.get(chart.series, ""))
                value = heading(key) if len(chart.y) > 1 or not own else ""
                name = " ".join(filter(None, [own, value]))
                series.setdefault(name, []).append((float(row[chart.x]), float(row[key])))
    return series


def lines(chart: Chart, series: Mapping[str, Sequence[tuple[float, float]]]) -> Iterator[str]:
    """Two axes that begin at 0, and a line for each series."""
    dots = [dot for one in series.values() for dot in one]
    right, up = ticks(max(x for x, _ in dots), 4), ticks(max(y for _, y in dots))
    across, down = (WIDTH - LEFT - RIGHT) / right[-1], HEIGHT / up[-1]
    bottom = TOP + HEIGHT
    for tick in up:
        y = bottom - tick * down
        yield f'<path class="grid" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>'
        yield text(LEFT - 6, y + 4, f"{tick:,.6g}", "end")
    for tick in right:
        yield text(LEFT + tick * across, bottom + 18, f"{tick:,.6g}", "middle")
    yield text(WIDTH / 2, bottom + 37, heading(chart.x), "middle")
    yield text(MARGIN, TOP - 10, heading(chart.y[0]), "start") if len(chart.y) == 1 else ""
    for index, own in enumerate(series.values()):
        places = [(LEFT + x * across, bottom - y * down) for x, y in own]
        path, colour = " ".join(f"{x:.1f},{y:.1f}" for x, y in places), f"c{index % COLOURS}"
        yield f'<polyline class="line {colour}" points="{path}"/>'
        circle = f'<circle class="dot {colour}" r="3"'
        yield from (f'{circle} cx="{x:.1f}" cy="{y:.1f}"/>' for x, y in places)


def text(x: float, y: float, said: str, anchor: str) -> str:
    """A piece of text."""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(said)}</text>'
