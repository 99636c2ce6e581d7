"""Charts as SVG, drawn for the width of a phone; colours follow light and dark.

A chart is WIDTH user units wide and its text 13 units high, so that it can be read where it is
shown at that many pixels; the page lets it grow to a half more. The classes c0 … c7 in `chart.css`
are the colours of the series.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from importlib import resources
from textwrap import wrap

from ppocr_bench.record import Chart, Row, heading

COLOURS = 8
WIDTH, HEIGHT = 360, 240
LEFT, RIGHT, TOP, BOTTOM = 44, 22, 28, 44
MARGIN, LEADING, LETTERS = 10, 19, 50


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
