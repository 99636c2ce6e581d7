"""The order of a page's lines is that in which a person reads them."""

from collections.abc import Sequence

import numpy as np
import pytest

from ppocr_converters.pictures.render_layouts import LAYOUTS, render_layout
from ppocr_pipeline.order.page import page_order
from ppocr_pipeline.order.rows import row_order

FLAT = [(name, 0.0, False) for name in LAYOUTS]
SKEWED = [(name, skew, False) for name in LAYOUTS for skew in (3.0, -5.0, 15.0, -15.0)]
# Columns that run towards each other have no straight gap between them.
PERSPECTIVE = [(name, 0.0, True) for name in ("one_column", "receipt", "table", "form", "poem")]


def order_error(order: np.ndarray) -> float:
    """The share of pairs of lines that are in the wrong order."""
    place = np.argsort(order)
    first, second = np.triu_indices(len(order), 1)
    return float(np.mean(place[first] > place[second]))


@pytest.mark.parametrize(("name", "skew", "perspective"), FLAT + SKEWED + PERSPECTIVE)
def test_layouts_are_read_in_order(name, skew, perspective):
    page = render_layout(name, 1, skew=skew, perspective=perspective)
    rng = np.random.default_rng(0)
    boxes = np.array([line.box for line in page.lines])
    boxes += rng.normal(0, 1, boxes.shape).astype(np.float32)
    shuffled = rng.permutation(len(boxes))
    error = order_error(shuffled[page_order(boxes[shuffled])])
    by_rows = order_error(shuffled[row_order(boxes[shuffled])])
    assert error <= 0.1 * by_rows if name != "one_column" else error <= by_rows


@pytest.mark.parametrize(
    "sides",  # left, top, right and bottom of each box, in order
    [
        [(20, 0, 32, 30), (60, 0, 260, 30)],  # a narrow character is no vertical text
        # A number beside a larger heading, and what stands below both.
        [(31, 45, 186, 71), (305, 39, 351, 57), (30, 76, 102, 92), (308, 75, 351, 91)],
    ],
)
def test_boxes_of_one_row_come_from_left_to_right(sides):
    boxes = [[(x, y), (right, y), (right, low), (x, low)] for x, y, right, low in sides]
    backwards = np.array(boxes[::-1], np.float32)
    assert page_order(backwards).tolist() == list(range(len(sides)))[::-1]


@pytest.mark.parametrize("count", [0, 1, 3])
def test_few_boxes_and_boxes_in_one_place(count):
    boxes = np.full((count, 4, 2), 7, np.float32)  # of no size, too
    order = page_order(boxes)
    assert order.dtype == np.int64
    assert sorted(order.tolist()) == list(range(count))


def test_a_punctuation_mark_between_two_columns_does_not_join_them():
    def column(left: int) -> list[list[list[int]]]:
        rows = [(left, y, left + 300, y + 30) for y in range(0, 450, 45)]
        return [[[a, b], [c, b], [c, d], [a, d]] for a, b, c, d in rows]

    mark = [[[296, 10], [336, 10], [336, 30], [296, 30]]]
    boxes = np.array(column(0) + mark + column(332), np.float32)
    order = page_order(boxes).tolist()
    assert [index for index in order if index != 10] == [*range(10), *range(11, 21)]


@pytest.mark.parametrize(("left_height", "order"), [(360, [1, 0]), (700, [0, 1])])
def test_of_two_vertical_lines_a_much_larger_one_comes_first(left_height, order):
    heights = ((100, left_height), (400, 400))
    boxes = [[[x, 50], [x + 60, 50], [x + 60, 50 + h], [x, 50 + h]] for x, h in heights]
    assert page_order(np.array(boxes, np.float32)).tolist() == order


def test_paddle_serving_moves_a_box_one_place_at_the_most():
    boxes = np.array(
        [
            np.add(corner, [[0, 0], [50, 0], [50, 20], [0, 20]])
            for corner in ((30, 0), (20, 4), (10, 8))
        ]
    )
    assert row_order(boxes).tolist() == [2, 1, 0]
    assert row_order(boxes, "paddle_serving").tolist() == [1, 2, 0]


def test_no_boxes():
    found = row_order(np.zeros((0, 4, 2), np.float32))
    assert found.shape == (0,)
    assert found.dtype == np.int64


# Left, width and height of each column's cells.
SHORT_CELLS = ((60, 110, 50), (410, 45, 45), (755, 75, 45))
ONE_LONG_CELL = ((60, 100, 44), (380, 30, 40), (700, 50, 44))


def table_and_turned(
    degrees: float, columns: Sequence[tuple[int, int, int]] = SHORT_CELLS
) -> tuple[np.ndarray, np.ndarray]:
    """A level table of six rows, and the same table turned."""
    table = [
        [[x, y], [x + width, y], [x + width, y + height], [x, y + height]]
        for y in range(0, 420, 70)
        for x, width, height in columns
    ]
    boxes, angle = np.array(table, np.float32), np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return boxes, (boxes @ turn).astype(np.float32)


def test_a_skewed_table_with_few_long_cells_keeps_its_rows():
    _, turned = table_and_turned(-5, ONE_LONG_CELL)
    assert page_order(turned).tolist() == list(range(18))


def test_a_table_of_four_columns_of_full_cells_is_read_by_rows():
    widths = (120, 110, 130, 100)
    columns = [(200 * place, width, 26) for place, width in enumerate(widths)]
    boxes, _ = table_and_turned(0, columns)
    assert page_order(boxes).tolist() == list(range(24))


def moved(boxes: np.ndarray, to: np.ndarray) -> np.ndarray:
    """Boxes with their centers where those of others are."""
    return boxes - boxes.mean(axis=1, keepdims=True) + to.mean(axis=1, keepdims=True)


def test_level_boxes_of_short_words_do_not_hide_that_a_table_is_skewed():
    boxes, turned = table_and_turned(3)
    level = moved(boxes, turned)
    turned[9:], turned[1::3] = level[9:], level[1::3]
    assert page_order(turned).tolist() == list(range(18))


def test_a_few_leaning_boxes_at_the_top_straighten_the_whole_table():
    """As PP-OCRv6 finds a table that is skewed by 3 degrees: most cells exactly level."""
    boxes, turned = table_and_turned(3)
    found = moved(boxes, turned)
    for cell, degrees in {0: 1.0, 2: 2.1, 3: 1.3, 5: 2.4, 8: 1.1}.items():
        found[cell] = moved(table_and_turned(degrees)[1], turned)[cell]
    assert page_order(found).tolist() == list(range(18))


def test_a_column_of_leaning_boxes_does_not_turn_a_level_table():
    boxes, turned = table_and_turned(8)
    boxes[::3] = moved(turned, boxes)[::3]
    assert page_order(boxes).tolist() == list(range(18))
