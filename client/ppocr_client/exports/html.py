"""A result in a notebook: its boxes, and a table of its lines."""

from __future__ import annotations

from html import escape

from ppocr_client.lines import Line
from ppocr_client.results import OcrResult

MAX_LINES = 200  # A longer table would fill the notebook.


def to_html(result: OcrResult) -> str:
    """A drawing of the boxes, with text and score as tooltips, beside a table of the lines."""
    width, height = result.extent
    shown = result.lines[:MAX_LINES]
    rows = "".join(
        f"<tr><td>{number}</td><td style='text-align:left'>{escape(line.text)}</td>"
        f"<td>{line.score:.3f}</td></tr>"
        for number, line in enumerate(shown, 1)
    )
    left = len(result.lines) - len(shown)
    more = f"<p>… and {left} more</p>" if left else ""
    return (
        "<div style='display:flex;gap:1em;align-items:flex-start'>"
        f"<svg viewBox='0 0 {width} {height}' style='width:320px;max-height:480px;"
        "border:1px solid #bbb;background:#fff'>"
        f"{''.join(map(_polygon, shown))}</svg>"
        f"<div><table><tr><th>line</th><th>text</th><th>score</th></tr>{rows}</table>{more}</div>"
        "</div>"
    )


def _polygon(line: Line) -> str:
    corners = " ".join(f"{x:g},{y:g}" for x, y in line.box.tolist())
    return (
        f"<polygon points='{corners}' fill='#0068c922' stroke='#0068c9' "
        "vector-effect='non-scaling-stroke'>"
        f"<title>{escape(line.text)} ({line.score:.3f})</title></polygon>"
    )
