"""Charts as SVG, drawn for the width of a phone; colours follow the page's light and dark.

A chart is WIDTH user units wide and its text 13 units high, so that it can be read where it is
shown at that many pixels; the page lets it grow to a half more. The classes c0 … c7 in `charts.css`
are the colours of the series.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

from ppocr_bench.record import Chart, Row, heading, number

COLOURS = 8
WIDTH, HEIGHT = 360, 240
LEFT, RIGHT, TOP = 44, 14, 32
BAR, STEP, NOTE = 14, 40, 80  # height of a bar, from bar to bar, room for the value behind it
CHARACTER = 7.7  # width of one, on the average
UNITS = ("ms", "MiB", "%", "/s")


def draw(chart: Chart, rows: Sequence[Row]) -> str:
    """A chart of a table's rows as an SVG element, "" where none has its values."""
    there = [
        row
        for row in rows
        if row.get(chart.x) is not None and any(row.get(key) is not None for key in chart.y)
    ]
    return (
        {"lines": lines, "bars": bars, "stacked": stacked}[chart.kind](chart, there)
        if there
        else ""
    )


def unit(key: str) -> str:
    """The unit of a key's values, "" where they have none."""
    return next((one for one in UNITS if heading(key).endswith(one)), "")


def ticks(high: float, wanted: int = 5) -> list[float]:
    """Round numbers from 0 to the first one from `high` on."""
    if high <= 0:
        return [0.0, 1.0]
    rough = high / wanted
    scale = 10 ** math.floor(math.log10(rough))
    step = next(nice * scale for nice in (1, 2, 2.5, 5, 10) if nice * scale >= rough * 0.999)
    return [step * index for index in range(math.ceil(high / step - 1e-9) + 1)]


def lines(chart: Chart, rows: Sequence[Row]) -> str:
    """A line for each value and series, over two axes that begin at 0."""
    series: dict[str, list[tuple[float, float]]] = {}
    for row in rows:
        for key in chart.y:
            if row.get(key) is not None:
                words = [str(row.get(chart.series, "")), heading(key) if len(chart.y) > 1 else ""]
                place = float(row[chart.x]), float(row[key])
                series.setdefault(" ".join(filter(None, words)), []).append(place)
    dots = [dot for one in series.values() for dot in one]
    right, up = ticks(max(x for x, _ in dots), 4), ticks(max(y for _, y in dots))
    parts, top = legend(list(series))
    bottom = top + HEIGHT
    across, down = (WIDTH - LEFT - RIGHT) / right[-1], HEIGHT / up[-1]
    for tick in up:
        y = bottom - tick * down
        parts.append(f'<path class="grid" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>')
        parts.append(text(LEFT - 6, y + 4, f"{tick:,.6g}", "end"))
    for tick in right:
        parts.append(text(LEFT + tick * across, bottom + 18, f"{tick:,.6g}", "middle"))
    parts.append(text(WIDTH / 2, bottom + 37, heading(chart.x), "middle", "title"))
    shown = unit(chart.y[0]) if len(chart.y) > 1 else heading(chart.y[0])
    parts.append(text(2, top - 8, shown, "start", "title"))
    for index, (name, own) in enumerate(series.items()):
        places = [(LEFT + x * across, bottom - y * down) for x, y in own]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(f'<polyline class="line c{index % COLOURS}" points="{path}"/>')
        for (x, y), (at, height) in zip(own, places, strict=True):
            said = escape(f"{name}: {number(x)} {heading(chart.x)}, {number(y)}")
            circle = f'class="dot c{index % COLOURS}" cx="{at:.1f}" cy="{height:.1f}" r="3"'
            parts.append(f"<circle {circle}><title>{said}</title></circle>")
    return svg(bottom + 44, parts)


def bars(chart: Chart, rows: Sequence[Row]) -> str:
    """A bar for each value of each row under its name, in groups with a title."""
    found: list[tuple[str, str, Mapping[int, float]]] = []
    for row in rows:
        for colour, key in enumerate(chart.y):
            if row.get(key) is not None:
                name = f"{row[chart.x]}, {heading(key)}" if len(chart.y) > 1 else str(row[chart.x])
                found.append((str(row.get(chart.series, "")), name, {colour: row[key]}))
    return draw_bars(unit(chart.y[0]), found, [])


def stacked(chart: Chart, rows: Sequence[Row]) -> str:
    """A bar for each name, made of a part for each of its rows."""
    names = list(dict.fromkeys(str(row[chart.series]) for row in rows))
    found: dict[str, dict[int, float]] = {}
    for row in rows:
        bar = found.setdefault(str(row[chart.x]), {})
        bar[names.index(str(row[chart.series]))] = row[chart.y[0]]
    return draw_bars(unit(chart.y[0]), [("", *bar) for bar in found.items()], names)


def draw_bars(
    ends: str, found: Sequence[tuple[str, str, Mapping[int, float]]], names: Sequence[str]
) -> str:
    """Bars below each other: group, name, and values by colour; `names` are of the colours."""
    drawn, y = legend(names)
    y -= 0 if names else TOP - 4  # Nothing stands above the first bar.
    across = (WIDTH - NOTE) / max(1e-9, *(sum(parts.values()) for _, _, parts in found))
    last = ""
    for group, name, parts in found:
        if group != last:
            drawn.append(text(2, y + 12, group, "start", "group"))
            y, last = y + 24, group
        drawn.append(text(2, y + 12, name, "start"))
        x = 2.0
        for colour, value in parts.items():
            place = f'x="{x:.1f}" y="{y + 18:.1f}" width="{value * across:.1f}" height="{BAR}"'
            said = escape(f"{names[colour] if names else name}: {number(value)} {ends}")
            bar = f'<rect class="bar c{colour % COLOURS}" {place}><title>{said}</title></rect>'
            drawn.append(bar)
            x += value * across
        total = f"{number(float(sum(parts.values())))} {ends}"
        drawn.append(text(x + 5, y + 30, total, "start", "title"))
        y += STEP
    return svg(y + 4, drawn)


def legend(names: Sequence[str]) -> tuple[list[str], float]:
    """Names beside patches of their colours, and where the chart below begins; one says nothing."""
    if len(names) < 2:
        return [], TOP
    parts, x, y = [], 2.0, 14.0
    for index, name in enumerate(names):
        wide = 28 + CHARACTER * len(name)
        if x + wide > WIDTH and x > 2:
            x, y = 2.0, y + 20
        place = f'x="{x}" y="{y - 10}" width="11" height="11" rx="2"'
        parts.append(f'<rect class="bar c{index % COLOURS}" {place}/>')
        parts.append(text(x + 16, y, name, "start"))
        x += wide
    return parts, y + TOP


def text(x: float, y: float, said: str, anchor: str, kind: str = "") -> str:
    """A piece of text."""
    place = f'class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f"<text {place}>{escape(said)}</text>"


def svg(height: float, parts: Sequence[str]) -> str:
    """The whole element."""
    box = f'viewBox="0 0 {WIDTH} {height:.0f}" role="img"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {box}>{"".join(parts)}</svg>'
