"""Reading order of a page: rows in the page's own slope, columns, vertical text.

A recursive X-Y cut (Nagy and Seth, 1984) over the boxes of a straightened page. A cut into columns
must look like columns of text; cells of a table and prices of a receipt stay in their rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from statistics import median

import numpy as np

from ppocr_pipeline.order.slope import straighten

# Lengths in line heights (the median thickness of the page's boxes).
SHRINK_X, SHRINK_Y = 0.15, 0.25  # detectors' boxes reach over the ink by about this
GAP = 0.2  # white between two columns, after shrinking
SPECK = (3.0, 0.85)  # width and height of a lone punctuation mark, at most: it closes no gap
COLUMN_WIDTH = 6.0  # of a column of text, at least
LEVEL = 0.3  # two lines that differ by less stand in one row
# Shares of a column's width that its middle line fills: columns whose lines are level with each
# other may be a table, so they must be filled like justified or wrapped text.
FILLED_LEVEL, FILLED = 0.8, 0.5
# Or like paragraphs: a row that fills less ends one, and the row above it is full and close.
WRAPPED, CLOSE = 0.8, 1.6
HEADING = 1.3  # by which the heading of a vertical sign is larger than its other line
TRIED_GAPS = 5  # the widest ones
FEWEST_ROWS = 5  # of two columns together
DEPTH = 2  # columns within a column are looked for so often before a page is cut


@dataclass(frozen=True)
class Boxes:
    """Boxes of a straightened page, float64 [N] each, in line heights; y grows downwards."""

    left: np.ndarray
    right: np.ndarray
    top: np.ndarray
    bottom: np.ndarray
    vertical: np.ndarray

    @cached_property
    def middle(self) -> np.ndarray:
        """The height at which each box stands."""
        return (self.top + self.bottom) / 2

    @cached_property
    def center(self) -> np.ndarray:
        """The middle of each box from left to right."""
        return (self.left + self.right) / 2

    @cached_property
    def area(self) -> np.ndarray:
        """Of each box."""
        return self.width * self.height

    @cached_property
    def width(self) -> np.ndarray:
        """Of each box."""
        return self.right - self.left

    @cached_property
    def height(self) -> np.ndarray:
        """Of each box."""
        return self.bottom - self.top

    @cached_property
    def large(self) -> np.ndarray:
        """Boxes that can close a gap between columns, bool [N]."""
        return (self.width > SPECK[0]) | (self.height > SPECK[1])


def page_order(boxes: np.ndarray) -> np.ndarray:
    """Order boxes as a person reads the page.

    Args:
        boxes: float32 [N, 4, 2], pixels, clockwise from top-left.

    Returns:
        int64 [N], the index into `boxes` at each place.
    """
    if len(boxes) < 2:
        return np.arange(len(boxes))
    return np.array(_arrange(level_page(boxes), np.arange(len(boxes))), np.int64)


def level_page(boxes: np.ndarray) -> Boxes:
    """Boxes where they would lie on a level page, in line heights.

    Args:
        boxes: float32 [N, 4, 2], pixels, clockwise from top-left; N at least 1.
    """
    centers, widths, heights = straighten(boxes)
    unit = float(np.median(np.minimum(widths, heights))) or 1.0
    (x, y), half_width, half_height = centers.T / unit, widths / unit / 2, heights / unit / 2
    return Boxes(
        x - half_width,
        x + half_width,
        y - half_height,
        y + half_height,
        _vertical(widths, heights),
    )


def _vertical(widths: np.ndarray, heights: np.ndarray) -> np.ndarray:
    """Boxes of vertical text; a lone narrow character of horizontal text is none."""
    tall = heights >= 1.5 * widths
    if tall.all():
        return tall
    return tall & (heights >= 2 * np.median(heights[~tall]))


def _arrange(page: Boxes, ids: np.ndarray) -> list[int]:
    """Boxes in order; bands of white across them are looked for first."""
    if len(ids) < 2:
        return ids.tolist()
    bands = _split(page.top[ids] + SHRINK_Y, page.bottom[ids] - SHRINK_Y, ids, 0.0)
    order: list[int] = []
    start = 0
    while start < len(bands):
        stop = _run(page, bands, start)
        part = np.concatenate(bands[start:stop])
        vertical = page.vertical[part]
        if vertical.all():
            order += _vertical_lines(page, part)
        elif vertical.any():
            order += _beside_vertical(page, part)
        elif columns := _columns(page, part):
            order += [index for column in columns for index in _arrange(page, column)]
        else:
            order += [index for row in _rows(page, part) for index in row]
        start = stop
    return order


def _run(page: Boxes, bands: list[np.ndarray], start: int) -> int:
    """The end of the longest run of horizontal bands that share a gap between columns."""
    ids = bands[start]
    if page.vertical[ids].any():
        return start + 1
    left, right = _sides(page, ids)
    for stop in range(start + 1, len(bands)):
        band = bands[stop]
        more = _sides(page, band)
        spans = _spans(np.append(left, more[0]), np.append(right, more[1]), GAP)
        if len(spans) < 2 or page.vertical[band].any():
            return stop
        left, right = spans[:, 0], spans[:, 1]
    return len(bands)


def _sides(page: Boxes, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Left and right ends of the boxes that can close a gap between columns."""
    large = page.large[ids]
    wide = ids[large] if large.any() else ids
    return page.left[wide] + SHRINK_X, page.right[wide] - SHRINK_X


def _columns(page: Boxes, ids: np.ndarray, depth: int = 0) -> list[np.ndarray]:
    """Two columns of text, or nothing if the boxes do not stand in columns."""
    spans = _spans(*_sides(page, ids), GAP)
    white = spans[1:, 0] - spans[:-1, 1]
    for gap in np.argsort(-white, kind="stable")[:TRIED_GAPS]:
        beyond = page.center[ids] > (spans[gap, 1] + spans[gap + 1, 0]) / 2
        sides = [ids[~beyond], ids[beyond]]
        rows = [_row_numbers(page, side) for side in sides]
        limit = FILLED_LEVEL if _level(page, sides, rows) else FILLED
        enough = sum(int(numbers[-1]) + 1 for numbers in rows) >= FEWEST_ROWS
        if enough and all(
            _is_text(page, side, numbers, limit)
            or (depth < DEPTH and len(_columns(page, side, depth + 1)) > 1)
            for side, numbers in zip(sides, rows, strict=True)
        ):
            return sides
    return []


def _row_numbers(page: Boxes, ids: np.ndarray) -> np.ndarray:
    """Sorts `ids` from top to bottom, in place, and numbers them by rows."""
    ids[:] = ids[page.middle[ids].argsort(kind="stable")]
    middle = page.middle[ids]
    return np.concatenate([[0], (middle[1:] - middle[:-1] > 0.5).cumsum()])


def _is_text(page: Boxes, ids: np.ndarray, rows: np.ndarray, limit: float) -> bool:
    """Whether rows fill their column as lines of text do."""
    left, right = _sides(page, ids)
    width = right.max() - left.min()
    filled = np.bincount(rows, page.width[ids]) / width
    if len(filled) < 2 or width < COLUMN_WIDTH:
        return False
    # Not np.median: of so few numbers it takes ten times as long.
    return median(filled.tolist()) >= limit or _is_wrapped(
        filled >= WRAPPED, _heights(page, ids, rows)
    )


def _is_wrapped(full: np.ndarray, heights: np.ndarray) -> bool:
    """Whether every row that is not full ends a paragraph."""
    goes_on = full[:-1] & (np.diff(heights) < CLOSE)
    return len(full) > 2 and bool((full[1:] | goes_on).all())


def _heights(page: Boxes, ids: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The height at which each row stands."""
    return np.bincount(rows, page.middle[ids]) / np.bincount(rows)


def _level(page: Boxes, sides: list[np.ndarray], rows: list[np.ndarray]) -> bool:
    """Whether most rows of the side with fewer stand beside a row of the other side."""
    few, many = sorted((_heights(page, *side) for side in zip(sides, rows, strict=True)), key=len)
    beside = np.abs(few[:, None] - many).min(axis=1) < LEVEL
    return 2 * int(beside.sum()) >= len(few)


def _rows(page: Boxes, ids: np.ndarray) -> list[list[int]]:
    """Rows from top to bottom, each from left to right."""
    rows: list[list[int]] = []
    for index in ids[np.argsort(page.middle[ids], kind="stable")].tolist():
        row = rows[-1] if rows else []
        if row and _in_row(page, index, row):
            row.append(index)
        else:
            rows.append([index])
    return [sorted(row, key=lambda index: float(page.left[index])) for row in rows]


def _in_row(page: Boxes, index: int, row: list[int]) -> bool:
    """Whether a box stands in a row: beside it by half the lower, and over or under none of it."""
    # Sums: np.mean takes longer than all else here.
    others, height = np.array(row), page.height[index]
    heights = page.height[others]
    touching = (height + heights.sum() / len(row)) / 2
    lower = min(height, heights.min())
    if page.middle[index] - page.middle[others].sum() / len(row) >= touching - 0.5 * lower:
        return False
    right = np.minimum(page.right[others], page.right[index])
    left = np.maximum(page.left[others], page.left[index])
    return bool((right - left < 0.5 * np.minimum(page.width[others], height)).all())


def _vertical_lines(page: Boxes, ids: np.ndarray) -> list[int]:
    """Lines of vertical text: from right to left, pieces of one line from top to bottom.

    Two lines alone are a sign rather than a text: the larger one is its heading and comes first.
    """
    lines = _split(page.left[ids] + SHRINK_X, page.right[ids] - SHRINK_X, ids, 0.0)[::-1]
    if len(lines) == 2:
        first, second = (float(page.area[line].sum()) for line in lines)
        lines = lines[::-1] if second >= HEADING * first else lines
    return [
        index
        for line in lines
        for index in line[np.argsort(page.top[line], kind="stable")].tolist()
    ]


def _beside_vertical(page: Boxes, ids: np.ndarray) -> list[int]:
    """Vertical text beside horizontal text: blocks of one kind after each other."""
    slices = _split(page.left[ids] + SHRINK_X, page.right[ids] - SHRINK_X, ids, 0.0)
    blocks: list[np.ndarray] = []
    for part in slices:
        kind = page.vertical[part]
        if blocks and kind.all() == page.vertical[blocks[-1]].all():
            blocks[-1] = np.concatenate([blocks[-1], part])
        else:
            blocks.append(part)
    if len(blocks) < 2:
        return [index for row in _rows(page, ids) for index in row]
    if page.area[ids][page.vertical[ids]].sum() > page.area[ids].sum() / 2:
        blocks.reverse()
    return [index for block in blocks for index in _arrange(page, block)]


def _split(start: np.ndarray, stop: np.ndarray, ids: np.ndarray, gap: float) -> list[np.ndarray]:
    """Boxes in groups, cut where none reaches over; from the first to the last."""
    edges = _spans(start, stop, gap)[:, 0]
    group = np.searchsorted(edges, start, side="right")
    return [ids[group == number] for number in range(1, len(edges) + 1)]


def _spans(start: np.ndarray, stop: np.ndarray, gap: float) -> np.ndarray:
    """Where intervals lie, float64 [M, 2]: those nearer to each other than `gap` are one."""
    order = start.argsort(kind="stable")
    low = start[order]
    high = np.maximum.accumulate(np.maximum(low, stop[order]))
    cut = (low[1:] > high[:-1]) & (low[1:] >= high[:-1] + gap)
    first, last = np.concatenate([[True], cut]), np.concatenate([cut, [True]])
    return np.stack([low[first], high[last]], axis=1)
