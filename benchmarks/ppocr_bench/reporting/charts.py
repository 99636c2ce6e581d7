"""Charts as SVG, made by hand: colours are the page's, so that they follow light and dark.

Every chart is an element of its own width and height in user units; text is 13 units high. The
classes c0 … c5 are the series' colours, in `report.css`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from ppocr_bench.reporting.blocks import number

COLOURS = 6
WIDTH = 900
HEIGHT = 400
LEFT, RIGHT, TOP, BOTTOM = 62, 22, 16, 46
BAR, GAP = 22, 10
CHARACTER = 7.2  # width of one, on the average


@dataclass(frozen=True)
class Dot:
    """A point of a line: where it is, what is written beside it."""

    x: float
    y: float
    label: str = ""


@dataclass(frozen=True)
class Line:
    """A series of dots; a dashed one has the colour of the `like`-th series."""

    name: str
    dots: Sequence[Dot]
    like: int | None = None


@dataclass(frozen=True)
class Part:
    """A piece of a bar; a faint one has the colour of the piece before it."""

    name: str
    value: float
    colour: int
    faint: bool = False


@dataclass(frozen=True)
class Bar:
    """Pieces one after the other; `note` is written behind them."""

    name: str
    parts: Sequence[Part]
    note: str = ""


def ticks(high: float, wanted: int = 5) -> list[float]:
    """Round numbers from 0 to the first one from `high` on."""
    if high <= 0:
        return [0.0, 1.0]
    rough = high / wanted
    scale = 10 ** math.floor(math.log10(rough))
    step = next(nice * scale for nice in (1, 2, 2.5, 5, 10) if nice * scale >= rough * 0.999)
    return [step * index for index in range(math.ceil(high / step - 1e-9) + 1)]


def line_chart(lines: Sequence[Line], x_title: str, y_title: str) -> str:
    """Lines over two axes that begin at 0."""
    dots = [dot for line in lines for dot in line.dots]
    x_ticks = ticks(max((dot.x for dot in dots), default=1.0), 7)
    y_ticks = ticks(max((dot.y for dot in dots), default=1.0))
    colours = [index if line.like is None else line.like for index, line in enumerate(lines)]
    named = zip(lines, colours, strict=True)
    parts, top = legend([(line.name, colour, line.like is not None) for line, colour in named])
    across = (WIDTH - LEFT - RIGHT) / x_ticks[-1]
    down = (HEIGHT - top - BOTTOM) / y_ticks[-1]
    for tick in y_ticks:
        y = HEIGHT - BOTTOM - tick * down
        parts.append(f'<path class="grid" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>')
        parts.append(_text(LEFT - 8, y + 4, _tick(tick), "end"))
    for tick in x_ticks:
        x = LEFT + tick * across
        parts.append(f'<path class="tick" d="M{x:.1f} {HEIGHT - BOTTOM}v5"/>')
        parts.append(_text(x, HEIGHT - BOTTOM + 19, _tick(tick), "middle"))
    parts.append(_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 6, x_title, "middle", "title"))
    middle = (top + HEIGHT - BOTTOM) / 2
    parts.append(
        f'<text class="title" text-anchor="middle" transform="translate(15 {middle:.0f}) '
        f'rotate(-90)">{escape(y_title)}</text>'
    )
    for line, colour in zip(lines, colours, strict=True):
        places = [(LEFT + dot.x * across, HEIGHT - BOTTOM - dot.y * down) for dot in line.dots]
        parts += _line(line, places, colour % COLOURS, f"{x_title}, {y_title}")
    return _svg(WIDTH, HEIGHT, parts)


def _line(line: Line, places: Sequence[tuple[float, float]], colour: int, units: str) -> list[str]:
    """One line, its dots with what they say when pointed at, and their labels."""
    dashed = "" if line.like is None else " dashed"
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    parts = [f'<polyline class="line c{colour}{dashed}" points="{path}"/>']
    for dot, (x, y) in zip(line.dots, places, strict=True):
        said = f"{line.name}, {dot.label}: {number(dot.x)}, {number(dot.y)} ({units})"
        parts.append(
            f'<circle class="dot c{colour}" cx="{x:.1f}" cy="{y:.1f}" '
            f'r="{2.5 if dashed else 4}"><title>{escape(said)}</title></circle>'
        )
        if dashed:
            continue
        if x + 7 + CHARACTER * len(dot.label) < WIDTH:
            parts.append(_text(x + 7, y - 7, dot.label, "start", "small"))
        else:
            parts.append(_text(x - 7, y - 7, dot.label, "end", "small"))
    return parts


def bar_chart(bars: Sequence[Bar], x_title: str, groups: Mapping[int, str] | None = None) -> str:
    """Horizontal bars, one below the other.

    Args:
        bars: from the top.
        x_title: of the axis.
        groups: titles above the bars of these indices.
    """
    groups = groups or {}
    left = 16 + CHARACTER * max((len(bar.name) for bar in bars), default=0)
    right = 16 + CHARACTER * max((len(bar.note) for bar in bars), default=0)
    x_ticks = ticks(max((sum(p.value for p in bar.parts) for bar in bars), default=1.0), 6)
    across = (WIDTH - left - right) / x_ticks[-1]
    names = {p.name: p.colour for bar in bars for p in bar.parts if p.name and not p.faint}
    parts, top = legend([(name, colour, False) for name, colour in names.items()])
    y = top
    for index, bar in enumerate(bars):
        if index in groups:
            y += 8 if index else 0
            parts.append(_text(left, y + 10, groups[index], "start", "group"))
            y += 20
        parts.append(_text(left - 8, y + BAR / 2 + 4, bar.name, "end"))
        x = left
        for part in bar.parts:
            wide = part.value * across
            faint = " faint" if part.faint else ""
            parts.append(
                f'<rect class="bar c{part.colour % COLOURS}{faint}" x="{x:.1f}" y="{y:.1f}" '
                f'width="{wide:.1f}" height="{BAR}">'
                f"<title>{escape(part.name)}: {number(part.value)} {escape(x_title)}</title></rect>"
            )
            x += wide
        parts.append(_text(x + 7, y + BAR / 2 + 4, bar.note, "start", "value"))
        y += BAR + GAP
    grid = []
    for tick in x_ticks:
        x = left + tick * across
        grid.append(f'<path class="grid" d="M{x:.1f} {top - 4:.1f}V{y:.1f}"/>')
        parts.append(_text(x, y + 15, _tick(tick), "middle"))
    middle = left + (WIDTH - left - right) / 2
    parts.append(_text(middle, y + 36, x_title, "middle", "title"))
    return _svg(WIDTH, y + 44, [*grid, *parts])


def legend(names: Sequence[tuple[str, int, bool]]) -> tuple[list[str], float]:
    """Names beside patches of their colour, and where the chart below them begins.

    Args:
        names: with the number of the colour, and whether it is the faint one; a single name says
            nothing and is left out.
    """
    if len(names) < 2:
        return [], float(TOP)
    parts, x, y = [], float(LEFT), 14.0
    for name, colour, faint in names:
        wide = 34 + CHARACTER * len(name)
        if x + wide > WIDTH and x > LEFT:
            x, y = float(LEFT), y + 20
        look = f"bar c{colour % COLOURS}{' faint' if faint else ''}"
        parts.append(f'<rect class="{look}" x="{x}" y="{y - 10}" width="12" height="12" rx="2"/>')
        parts.append(_text(x + 18, y, name, "start"))
        x += wide
    return parts, y + 22


def _tick(value: float) -> str:
    return f"{value:,.6g}"


def _text(x: float, y: float, text: str, anchor: str, kind: str = "") -> str:
    return (
        f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
        if text
        else ""
    )


def _svg(width: float, height: float, parts: Sequence[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" height="{height:.0f}" role="img">{"".join(parts)}</svg>'
    )
