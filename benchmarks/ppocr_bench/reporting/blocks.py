"""What a report is made of, whatever it is written as."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True)
class Text:
    """A paragraph; `good` is a verdict, None where there is nothing to judge."""

    text: str
    good: bool | None = None


@dataclass(frozen=True)
class Table:
    """Rows under a head; the first column is text, the others are figures.

    Attributes:
        head: names of the columns.
        rows: as many cells each.
        caption: what it shows, may be empty.
        words: how many columns from the left hold text.
    """

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""
    words: int = 1


@dataclass(frozen=True)
class Figure:
    """A chart.

    Attributes:
        name: of its file, without an extension.
        caption: what it shows.
        svg: a whole SVG element; its colours are those of `charts.css`.
    """

    name: str
    caption: str
    svg: str


@dataclass(frozen=True)
class Code:
    """A command line as it was given."""

    text: str


Block: TypeAlias = Text | Table | Figure | Code


@dataclass(frozen=True)
class Section:
    """A part of the report under its own title."""

    title: str
    blocks: Sequence[Block]


def number(value: object, digits: int = 3) -> str:
    """A value as a cell: numbers to so many digits, thousands grouped, nothing as a dash."""
    if value is None:
        return "–"
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, int) or abs(value) >= 10 ** (digits - 1):
        return f"{value:,.0f}"
    if value == 0:
        return "0"
    before = len(str(int(abs(value)))) if abs(value) >= 1 else 0
    return f"{value:.{digits - before}f}" if abs(value) >= 0.001 else f"{value:.1e}"
