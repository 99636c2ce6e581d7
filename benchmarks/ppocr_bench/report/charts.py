"""Charts as HTML and SVG, drawn for the width of a phone; colours follow the page's light and dark.

A chart is WIDTH user units wide and its text 13 units high, so that it can be read where it is
shown at that many pixels; the page lets it grow to a half more. The classes c0 … c7 in `report.css`
are the colours of the series.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from ppocr_bench.record import Chart, Row, heading

COLOURS = 8
WIDTH, HEIGHT = 360, 240
LEFT, RIGHT, TOP, BOTTOM = 44, 14, 24, 44


def ticks(high: float, wanted: int = 5) -> list[float]:
    """Round numbers from 0 to the first one from `high` on."""
    if high <= 0:
        return [0.0, 1.0]
    rough = high / wanted
    scale = 10 ** math.floor(math.log10(rough))
    step = next(nice * scale for nice in (1, 2, 2.5, 5, 10) if nice * scale >= rough * 0.999)
    return [step * index for index in range(math.ceil(high / step - 1e-9) + 1)]


def draw(chart: Chart, rows: Sequence[Row]) -> str:
    """A line for each value and series over two axes that begin at 0; "" where no row has them."""
    series: dict[str, list[tuple[float, float]]] = {}
    for row in rows:
        for key in chart.y:
            if row.get(key) is not None and row.get(chart.x) is not None:
                name = " ".join(filter(None, [str(row.get(chart.series, "")), heading(key)]))
                series.setdefault(name, []).append((float(row[chart.x]), float(row[key])))
    if not series:
        return ""
    dots = [dot for one in series.values() for dot in one]
    right, up = ticks(max(x for x, _ in dots), 4), ticks(max(y for _, y in dots))
    across, down = (WIDTH - LEFT - RIGHT) / right[-1], HEIGHT / up[-1]
    bottom, parts = TOP + HEIGHT, []
    for tick in up:
        y = bottom - tick * down
        parts.append(f'<path class="grid" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>')
        parts.append(text(LEFT - 6, y + 4, f"{tick:,.6g}", "end"))
    for tick in right:
        parts.append(text(LEFT + tick * across, bottom + 18, f"{tick:,.6g}", "middle"))
    parts.append(text(WIDTH / 2, bottom + 37, heading(chart.x), "middle"))
    for index, own in enumerate(series.values()):
        places = [(LEFT + x * across, bottom - y * down) for x, y in own]
        path, colour = " ".join(f"{x:.1f},{y:.1f}" for x, y in places), f"c{index % COLOURS}"
        parts.append(f'<polyline class="line {colour}" points="{path}"/>')
        circle = f'<circle class="dot {colour}" r="3"'
        parts += [f'{circle} cx="{x:.1f}" cy="{y:.1f}"/>' for x, y in places]
    box = f'viewBox="0 0 {WIDTH} {bottom + BOTTOM}" role="img"'
    keys = (f'<span class="c{i % COLOURS}">{escape(name)}</span>' for i, name in enumerate(series))
    return f'<p class="legend">{"".join(keys)}</p><svg {box}>{"".join(parts)}</svg>'


def text(x: float, y: float, said: str, anchor: str) -> str:
    """A piece of text."""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(said)}</text>'
