"""The report as one HTML page that needs nothing else, as Markdown, and as files of its charts."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from importlib import resources
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

from ppocr_bench.machine import describe_lines
from ppocr_bench.record import Chart, Result, Row, Table, cells
from ppocr_bench.report.charts import draw

LONG = 12  # rows, from which a table is folded
TITLE = "How fast, how exact, and on what"


class Figure(NamedTuple):
    """A chart; `name` is that of its file, without an extension."""

    name: str
    caption: str
    svg: str


class Section(NamedTuple):
    """What is shown of one result."""

    title: str
    result: Result
    machine: Mapping[str, Any]
    figures: list[Figure]

    @property
    def tables(self) -> list[Table]:
        """Those that have columns and rows."""
        return [table for table in self.result.tables.values() if table.keys and table.rows]


def sections(saved: Sequence[Mapping[str, Any]]) -> list[Section]:
    """One for each result; several of one verb are compared in the first."""
    numbers = count(1)

    def section(title: str, result: Result, machine: Mapping[str, Any]) -> Section:
        drawn = [(one.caption, draw(one, result.tables[one.table].rows)) for one in result.charts]
        figures = [Figure(f"figure-{next(numbers)}", *one) for one in drawn if one[1]]
        return Section(title[:1].upper() + title[1:], result, machine, figures)

    compared = []
    for verb in dict.fromkeys(one["verb"] for one in saved):
        own = [one for one in saved if one["verb"] == verb and one["overall"]]
        if len(own) > 1:
            result = side_by_side([one["overall"] for one in own])
            compared.append(section(f"{verb}, side by side", result, own[0]["machine"]))
    each = [section(one["title"], Result.from_dict(one), one["machine"]) for one in saved]
    return [*compared, *each]


def side_by_side(overall: Sequence[Row]) -> Result:
    """A result made of several of one verb: their `overall` rows beside the first of them."""
    name, *_, figure = overall[0]
    first = max(1e-9, overall[0][figure])
    rows = [{**row, "times_first": row[figure] / first} for row in overall]
    chart = Chart("bars", "overall", name, [figure], "Side by side.")
    return Result("", tables={"overall": Table(rows, list(rows[0]))}, charts=[chart])


def _css(*names: str) -> str:
    folder = resources.files("ppocr_bench.report")
    return f"<style>{''.join(folder.joinpath(name).read_text('utf-8') for name in names)}</style>"


def html(shown: Sequence[Section]) -> str:
    """The whole page."""
    body = "".join(f"<section>{''.join(_html_section(one))}</section>\n" for one in shown)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>ppocr-bench: {TITLE}</title>{_css('charts.css', 'report.css')}</head><body><main>"
        f"<h1>{TITLE}</h1>\n{body}</main></body></html>"
    )


def _html_section(section: Section) -> Iterator[str]:
    result = section.result
    kind = {None: "", True: "good", False: "bad"}[result.ok]
    yield f"<h2>{escape(section.title)}</h2>"
    yield f'<p class="{kind}">{escape(result.summary)}</p>' if result.summary else ""
    yield from (f'<p class="note">{escape(note)}</p>' for note in result.notes)
    for figure in section.figures:
        yield f"<figure>{figure.svg}<figcaption>{escape(figure.caption)}</figcaption></figure>"
    yield from map(_html_table, section.tables)
    machine = "\n".join(describe_lines(section.machine))
    yield f"<details><summary>Measured on</summary><pre>{escape(machine)}</pre></details>"


def _html_table(table: Table) -> str:
    head, rows, words = cells(table)

    def row(values: Sequence[str], tag: str) -> str:
        marks = [f"{tag} class=word" if word else tag for word in words]
        shown = (f"<{m}>{escape(v)}</{tag}>" for m, v in zip(marks, values, strict=True))
        return f"<tr>{''.join(shown)}</tr>"

    body = "".join(row(values, "td") for values in rows)
    whole = f"<table><thead>{row(head, 'th')}</thead><tbody>{body}</tbody></table>"
    shown = "" if len(rows) > LONG else " open"
    caption = escape(table.caption) or "Figures"
    return f'<details{shown}><summary>{caption}</summary><div class="table">{whole}</div></details>'


def markdown(shown: Sequence[Section], folder: Path | None, file: Path) -> str:
    """Tables and figures for a README; `folder` holds its charts, None without them."""
    parts = []
    for section in shown:
        parts += [f"### {section.title}", section.result.verdict, *section.result.notes]
        if folder is not None:
            there = Path(os.path.relpath(folder, file.parent)).as_posix()
            parts += [f"![{one.caption}]({there}/{one.name}.svg)" for one in section.figures]
        for table in section.tables:
            head, rows, words = cells(table)
            rule = ["---" if word else "---:" for word in words]
            whole = [[cell.replace("|", "\\|") for cell in row] for row in (head, rule, *rows)]
            parts += [table.caption, "\n".join(f"| {' | '.join(row)} |" for row in whole)]
        parts.append("  \n".join(describe_lines(section.machine)[1:]))
    return "\n\n".join(filter(None, parts))


def plots(shown: Sequence[Section], folder: Path) -> dict[Path, str]:
    """Every chart as the text of a file that follows light and dark by itself."""
    figures = [figure for section in shown for figure in section.figures]
    style = f"{_css('charts.css')}</svg>"
    return {folder / f"{one.name}.svg": one.svg.removesuffix("</svg>") + style for one in figures}
