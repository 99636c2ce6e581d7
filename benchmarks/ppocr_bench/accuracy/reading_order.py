"""How far the order of lines is from that in which a person reads the page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple

import cv2
import numpy as np
from tqdm import tqdm

from ppocr_bench.record import Table
from ppocr_client import OcrClient
from ppocr_converters.pictures.render import encode_page
from ppocr_converters.pictures.render_layouts import LAYOUTS, render_layout

ORDERS: tuple[Literal["page", "rows"], ...] = ("page", "rows")
SKEWS = (0, 3, -5, 15)
#: Layouts without columns of text, which are also read in perspective.
PERSPECTIVE = ("one_column", "receipt", "table", "form", "poem")


class Layout(NamedTuple):
    """A page whose lines have a known order: boxes float32 [N, 4, 2], pixels, in that order."""

    name: str
    view: str
    data: bytes
    boxes: np.ndarray


def layouts(seeds: int) -> Iterator[Layout]:
    """Pages of every layout: straight, skewed, and in perspective."""
    for seed in range(seeds):
        for name in LAYOUTS:
            views: list[tuple[str, dict[str, Any]]] = [
                (f"skewed by {skew}" if skew else "straight", {"skew": skew}) for skew in SKEWS
            ]
            if name in PERSPECTIVE:
                views.append(("in perspective", {"perspective": True}))
            for view, how in views:
                page = render_layout(name, seed, **how)
                boxes = np.array([line.box for line in page.lines])
                yield Layout(name, view, encode_page(page), boxes)


def order_error(truth: np.ndarray, found: np.ndarray) -> float:
    """The share of pairs of found boxes that are in the wrong order, 0 to 1.

    Args:
        truth: float32 [N, 4, 2], pixels, in the right order.
        found: float32 [M, 4, 2]; a box belongs to the true one in which its middle lies.
    """
    middles = [tuple(map(float, box.mean(axis=0))) for box in found]
    inside = [
        [cv2.pointPolygonTest(box, middle, False) >= 0 for box in truth] for middle in middles
    ]
    places = np.array([row.index(True) for row in inside if any(row)])
    first, second = np.triu_indices(len(places), 1)
    differ = places[first] != places[second]
    return float(np.mean(places[first] > places[second], where=differ)) if differ.any() else 0.0


def measure(client: OcrClient, seeds: int) -> Table:
    """Detect the lines of every layout in either order, and compare with the order known."""
    errors: dict[tuple[str, str], list[list[float]]] = {}
    pages: Sequence[Layout] = list(layouts(seeds))
    for page in tqdm(pages, unit="layout", disable=None):
        both = [
            order_error(page.boxes, client.detect(page.data, reading_order=order).boxes)
            for order in ORDERS
        ]
        errors.setdefault((page.name, page.view), []).append(both)
    rows = [
        {"layout": name, "view": view}
        | dict(zip((f"{order}_percent" for order in ORDERS), 100 * np.mean(both, 0), strict=True))
        for (name, view), both in errors.items()
    ]
    caption = "pairs of lines in the wrong order, by reading_order"
    return Table(rows, ["layout", "view", *(f"{order}_percent" for order in ORDERS)], caption)
