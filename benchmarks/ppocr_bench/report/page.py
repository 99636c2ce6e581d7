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
from ppocr_bench.record import Chart, Table, cells
from ppocr_bench.report.charts import draw

LONG = 12  # rows, from which a table is folded
TITLE = "How fast, how exact, and on what"


class Figure(NamedTuple):
    """A chart; `name` is that of its file, without an extension."""

    name: str
    caption: str
    svg: str


class Section(NamedTuple):
    """What is shown of one result; `ok` is None where nothing is judged."""

    title: str
    summary: str
    ok: bool | None
    notes: Sequence[str]
    figures: Sequence[Figure]
    tables: Sequence[Table]
    machine: Mapping[str, Any]


def sections(results: Sequence[Mapping[str, Any]]) -> list[Section]:
    """One for each result; several of one verb are compared in the first."""
    shown, numbers = [], count(1)
    for result in [*_compared(results), *results]:
        tables = {name: Table(**table) for name, table in result["tables"].items()}
        charts = [Chart(**chart) for chart in result["charts"]]
        drawn = [(one.caption, draw(one, tables[one.table].rows)) for one in charts]
        figures = [Figure(f"figure-{next(numbers)}", *one) for one in drawn if one[1]]
        kept = [table for table in tables.values() if table.keys and table.rows]
        title, said = str(result["title"]), (result["summary"], result["ok"], result["notes"])
        title = title[:1].upper() + title[1:]
        shown.append(Section(title, *said, figures, kept, result["machine"]))
    return shown


def _compared(results: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """A result made of several of one verb: their `overall` rows beside the first of them."""
    for verb in dict.fromkeys(result["verb"] for result in results):
        own = [one for one in results if one["verb"] == verb and one["overall"]]
        if len(own) > 1:
            found = [one["overall"] for one in own]
            name, *_, figure = found[0]
            first = max(1e-9, found[0][figure])
            rows = [{**row, "times_first": row[figure] / first} for row in found]
            tables = {"overall": Table(rows, list(rows[0]))._asdict()}
            charts = [Chart("bars", "overall", name, [figure], "Side by side.")._asdict()]
            shown = {"tables": tables, "charts": charts, "machine": own[0]["machine"]}
            said: dict[str, Any] = {
                "title": f"{verb}, side by side",
                "summary": "",
                "ok": None,
                "notes": [],
            }
            yield {**said, **shown}


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
    kind = {None: "", True: "good", False: "bad"}[section.ok]
    yield f"<h2>{escape(section.title)}</h2>"
    yield f'<p class="{kind}">{escape(section.summary)}</p>' if section.summary else ""
    yield from (f'<p class="note">{escape(note)}</p>' for note in section.notes)
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
        verdict = {None: "", True: "PASS: ", False: "FAIL: "}[section.ok]
        parts += [f"### {section.title}", f"{verdict}{section.summary}", *section.notes]
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
