"""Markdown: paragraphs, and tables where the lines stand in columns.

Only what the boxes show is written: no headings, no emphasis, and no text is joined or changed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ppocr_client.lines import Line
from ppocr_client.results import OcrResult
from ppocr_pipeline.order.page import level_page
from ppocr_pipeline.order.slope import upright_points

# Lengths in line heights (the median thickness of the page's lines).
LEVEL = 0.5  # lines that differ by less stand in one row
PARAGRAPH_GAP = 0.9  # white between two paragraphs, at least
INDENT = 1.5
THICKER = 1.4  # ratio of the thickness of two lines that are not in one paragraph

SPECIAL = re.compile(r"([\\`*_\[\]<>|~])")
AT_START = re.compile(r"^(\d{1,9}(?=[.)])|(?=[#+=-]))")


@dataclass(frozen=True)
class _Cell:
    """A line on the straightened page, in line heights."""

    line: Line
    left: float
    right: float
    top: float
    bottom: float

    @property
    def text(self) -> str:
        return " ".join(self.line.text.split())

    @property
    def middle(self) -> float:
        return (self.top + self.bottom) / 2

    def shares(self, other: _Cell) -> bool:
        """Whether both stand over each other."""
        return self.left < other.right and other.left < self.right


def to_markdown(pages: Sequence[OcrResult]) -> str:
    """GitHub-flavoured Markdown; a rule between pages.

    Lines that follow each other closely are one paragraph, one line of text each. Three or more
    rows with the same number of cells, two at least, under each other are a table, whose header
    is its first row.
    """
    return "\n---\n\n".join(_page(result) for result in pages)


def paragraphs(result: OcrResult) -> list[list[Line]]:
    """The lines of each paragraph; each cell of a table is one of its own."""
    found: list[list[Line]] = []
    for table, rows in _blocks(result):
        cells = [cell.line for row in rows for cell in row]
        found += [[cell] for cell in cells] if table else [cells]
    return found


def _page(result: OcrResult) -> str:
    blocks = [_table(rows) if table else _paragraph(rows) for table, rows in _blocks(result)]
    return "\n".join("".join(f"{line}\n" for line in block) for block in blocks)


def _blocks(result: OcrResult) -> list[tuple[bool, list[list[_Cell]]]]:
    """The rows of each table (True) and of each paragraph (False)."""
    rows = _rows(_cells(result))
    blocks: list[tuple[bool, list[list[_Cell]]]] = []
    start = 0
    while start < len(rows):
        stop = _table_end(rows, start)
        if stop - start >= 3:
            blocks.append((True, rows[start:stop]))
        else:
            stop = start + 1
            if blocks and not blocks[-1][0] and _continues(rows[start - 1], rows[start]):
                blocks[-1][1].append(rows[start])
            else:
                blocks.append((False, rows[start:stop]))
        start = stop
    return blocks


def _cells(result: OcrResult) -> list[_Cell]:
    if not result.lines:
        return []
    boxes = upright_points(np.array([line.box for line in result.lines]), result.angle)
    page = level_page(boxes)
    sides = np.column_stack([page.left, page.right, page.top, page.bottom]).tolist()
    return [_Cell(line, *box) for line, box in zip(result.lines, sides, strict=True)]


def _rows(cells: Sequence[_Cell]) -> list[list[_Cell]]:
    """Lines that follow each other from left to right at one height are one row."""
    rows: list[list[_Cell]] = []
    for cell in cells:
        last = rows[-1][-1] if rows else None
        if last and abs(cell.middle - last.middle) < LEVEL and cell.left >= last.right - LEVEL:
            rows[-1].append(cell)
        else:
            rows.append([cell])
    return rows


def _table_end(rows: Sequence[list[_Cell]], start: int) -> int:
    """The row after the last one whose cells stand under those of the first one."""
    columns = len(rows[start])
    stop = start + 1
    while columns > 1 and stop < len(rows) and len(rows[stop]) == columns:
        over = [[above.shares(cell) for above in rows[stop - 1]] for cell in rows[stop]]
        if over != np.eye(columns, dtype=bool).tolist():
            break
        stop += 1
    return stop


def _table(rows: Sequence[list[_Cell]]) -> list[str]:
    written = [f"| {' | '.join(_escaped(cell.text) for cell in row)} |" for row in rows]
    return [written[0], "|" + " --- |" * len(rows[0]), *written[1:]]


def _paragraph(rows: Sequence[list[_Cell]]) -> list[str]:
    return [_shielded(" ".join(_escaped(cell.text) for cell in row)) for row in rows]


def _continues(before: list[_Cell], row: list[_Cell]) -> bool:
    """Whether a row goes on with the paragraph of the row before it."""
    above, here = before[0], row[0]
    thin, thick = sorted((above.bottom - above.top, here.bottom - here.top))
    return (
        len(before) == len(row) == 1
        and above.shares(here)
        and here.middle - above.middle > 0
        and here.top - above.bottom < PARAGRAPH_GAP
        and here.left - above.left < INDENT
        and thick < THICKER * thin
    )


def _escaped(text: str) -> str:
    return SPECIAL.sub(r"\\\1", text)


def _shielded(text: str) -> str:
    """A line that Markdown does not take for a heading, a list or a rule."""
    return AT_START.sub(lambda found: f"{found.group()}\\", text)
