"""One HTML page from the results that --out wrote: verdicts, charts, tables and machines."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from importlib import resources
from pathlib import Path
from typing import Any

from ppocr_bench.errors import BenchError
from ppocr_bench.machine import describe_lines
from ppocr_bench.options import REQUIRED
from ppocr_bench.record import Result, Table, cells, read_result, save
from ppocr_bench.report.charts import draw

OPTIONS = {
    "results": ([Path], REQUIRED, "of any verbs, by --out", "RESULT.json"),
    "--out": (Path, REQUIRED, "the HTML page", "FILE"),
    "--svg": (Path, None, "also the first chart of the first result as a picture", "FILE"),
}
TITLE = "How fast, how exact, and on what"


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
    sheets = map(resources.files("ppocr_bench.report").joinpath, ("chart.css", "report.css"))
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
