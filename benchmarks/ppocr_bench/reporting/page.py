"""The report as one HTML page that needs nothing else, as Markdown, and as files of its charts."""

from __future__ import annotations

import os
from collections.abc import Sequence
from html import escape
from importlib import resources
from pathlib import Path

from ppocr_bench.reporting.blocks import Block, Code, Figure, Section, Table, Text

TITLE = "How fast, how exact, and on what"


def html(sections: Sequence[Section], under: str) -> str:
    """The whole page; `under` is a line below its title."""
    shown = "".join(
        f"<section><h2>{escape(section.title)}</h2>{''.join(map(_html_block, section.blocks))}"
        "</section>\n"
        for section in sections
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>ppocr-bench: {escape(under)}</title>"
        f"<style>{_css('charts.css')}{_css('report.css')}</style></head><body><main>"
        f'<h1>{TITLE}</h1><p class="under">{escape(under)}</p>\n{shown}</main></body></html>\n'
    )


def _html_block(block: Block) -> str:
    if isinstance(block, Text):
        kind = "note" if block.good is None else "good" if block.good else "bad"
        return f'<p class="{kind}">{escape(block.text)}</p>'
    if isinstance(block, Code):
        return f"<pre>$ {escape(block.text)}</pre>"
    if isinstance(block, Figure):
        return f"<figure>{block.svg}<figcaption>{escape(block.caption)}</figcaption></figure>"
    return _html_table(block)


def _html_table(table: Table) -> str:
    def row(cells: Sequence[str], tag: str) -> str:
        shown = (
            f"<{tag}{' class=word' if index < table.words else ''}>{escape(cell)}</{tag}>"
            for index, cell in enumerate(cells)
        )
        return f"<tr>{''.join(shown)}</tr>"

    caption = f"<caption>{escape(table.caption)}</caption>" if table.caption else ""
    head = f"<thead>{row(table.head, 'th')}</thead>" if any(table.head) else ""
    body = "".join(row(cells, "td") for cells in table.rows)
    return f'<div class="table"><table>{caption}{head}<tbody>{body}</tbody></table></div>'


def markdown(sections: Sequence[Section], plots: str | None) -> str:
    """Tables and figures for a README; `plots` is where its charts lie, None without them."""
    parts = []
    for section in sections:
        parts.append(f"### {section.title}")
        shown = (_markdown_block(block, plots) for block in section.blocks)
        parts += [text for text in shown if text]
    return "\n\n".join(parts) + "\n"


def _markdown_block(block: Block, plots: str | None) -> str:
    if isinstance(block, Text):
        verdict = "" if block.good is None else "PASS: " if block.good else "FAIL: "
        return f"{verdict}{block.text}"
    if isinstance(block, Code):
        return f"```sh\n{block.text}\n```"
    if isinstance(block, Figure):
        return "" if plots is None else f"![{block.caption}]({plots}/{block.name}.svg)"
    rule = ["---" if index < block.words else "---:" for index in range(len(block.head))]
    rows = [block.head, rule, *block.rows]
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join([*([block.caption, ""] if block.caption else []), *lines])


def write_plots(sections: Sequence[Section], folder: Path) -> list[Path]:
    """Every chart as a file that follows light and dark by itself."""
    folder.mkdir(parents=True, exist_ok=True)
    style = f"<style>{_css('charts.css')}</style>"
    written = []
    for figure in (b for section in sections for b in section.blocks if isinstance(b, Figure)):
        path = folder / f"{figure.name}.svg"
        begin, _, rest = figure.svg.partition(">")
        path.write_text(f"{begin}>{style}{rest}\n", "utf-8")
        written.append(path)
    return written


def relative(folder: Path, file: Path) -> str:
    """A folder as a file beside it would name it."""
    return Path(os.path.relpath(folder, file.parent)).as_posix()


def _css(name: str) -> str:
    return resources.files("ppocr_bench.reporting").joinpath(name).read_text("utf-8")
