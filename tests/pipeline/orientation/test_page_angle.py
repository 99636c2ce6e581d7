"""What the angle of a page does to its crops, its boxes and their order."""

import numpy as np
import pytest

from ppocr_pipeline.crop import box_sizes, crop_line, crop_size
from ppocr_pipeline.order.slope import upright_points
from ppocr_pipeline.orientation.angle import (
    columns_side_by_side,
    is_vertical,
    main_direction,
    quarter_turns,
    seem_laid_down,
    turn_boxes,
)

ANGLES = (0, 90, 180, 270)
HEIGHT, WIDTH = 120, 200
# Left, top, right, bottom on the upright page: a line, a character, vertical writing.
UPRIGHT = [(10, 10, 110, 34), (130, 12, 150, 34), (160, 20, 184, 110)]


def corners(left: float, top: float, right: float, bottom: float) -> list[list[float]]:
    return [[left, top], [right, top], [right, bottom], [left, bottom]]


def turned(angle: int) -> tuple[np.ndarray, np.ndarray]:
    """A page turned clockwise, and boxes clockwise from the top left of the picture."""
    pixels = np.random.default_rng(3).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    boxes = np.array([corners(*box) for box in UPRIGHT], np.float32)
    x, y = boxes[..., 0], boxes[..., 1]
    where = {0: (x, y), 90: (HEIGHT - y, x), 180: (WIDTH - x, HEIGHT - y), 270: (y, WIDTH - x)}[
        angle
    ]
    moved = np.stack(where, axis=-1)
    low, high = moved.min(axis=1), moved.max(axis=1)
    sent = [corners(*a, *b) for a, b in zip(low.tolist(), high.tolist(), strict=True)]
    return np.ascontiguousarray(np.rot90(pixels, -angle // 90)), np.array(sent, np.float32)


def crops(angle: int) -> list[np.ndarray]:
    """The crops of a page that is known to be turned."""
    pixels, boxes = turned(angle)
    turns = quarter_turns(box_sizes(boxes, "paddleocr"), angle).tolist()
    return [np.rot90(crop_line(pixels, box), turn) for box, turn in zip(boxes, turns, strict=True)]


@pytest.mark.parametrize("angle", ANGLES)
def test_crops_of_a_turned_page_are_those_of_the_upright_one(angle):
    for crop, upright in zip(crops(angle), crops(0), strict=True):
        assert np.array_equal(crop, upright)


@pytest.mark.parametrize("angle", ANGLES)
def test_boxes_begin_at_the_top_left_of_their_text(angle):
    _, boxes = turned(angle)
    sizes = box_sizes(boxes, "paddleocr")
    found = turn_boxes(boxes, sizes, angle, np.zeros(3, bool))
    assert np.array_equal(np.sort(found, axis=1), np.sort(boxes, axis=1))
    upright = upright_points(found, angle)
    expected = np.array([corners(*box) for box in UPRIGHT], np.float32)
    assert np.array_equal(upright - upright[0, 0], expected - expected[0, 0])


@pytest.mark.parametrize("angle", ANGLES)
def test_an_upside_down_line_begins_where_its_crop_begins(angle):
    pixels, boxes = turned(angle)
    sizes = box_sizes(boxes, "paddleocr")
    found = turn_boxes(boxes, sizes, angle, np.ones(3, bool))
    for index, upright in enumerate(crops(angle)):
        height, width = upright.shape[:2]
        read = np.rot90(upright, 2)
        side = np.linalg.norm(found[index, 1] - found[index, 0])
        assert side == pytest.approx(width)
        # The pixel at the first corner, inside the box, is the first one that is read.
        x, y = (found[index, 0] + 0.01 * (found[index].mean(axis=0) - found[index, 0])).astype(int)
        assert pixels[y, x].tolist() == read[0, 0].tolist()
        assert height == pytest.approx(np.linalg.norm(found[index, 3] - found[index, 0]))


def test_most_of_the_text_gives_the_direction():
    sizes = [(20, 300), (200, 20), (180, 20), (20, 25), (30, 400)]
    longest, sideways = main_direction(sizes)
    assert (longest.tolist(), sideways) == ([4, 0, 3], False)
    longest, sideways = main_direction([*sizes, (500, 30), (600, 30)])
    assert (longest.tolist(), sideways) == ([6, 5, 1, 2], True)
    longest, sideways = main_direction([(20, 20)])
    assert (longest.tolist(), sideways) == ([0], False)


def test_crop_sizes_are_known_before_crops_are_cut():
    _, boxes = turned(90)
    sizes = box_sizes(boxes, "paddleocr")
    turns = quarter_turns(sizes, 90)
    assert sorted(turns.tolist()) == [0, 1, 2]
    for size, turn, crop in zip(sizes, turns.tolist(), crops(90), strict=True):
        expected = crop_size(size)[::-1] if turn % 2 else crop_size(size)
        assert crop.shape[:2] == expected


def test_letters_of_a_column_are_put_side_by_side():
    letters = [np.full((10, 12, 3), value, np.uint8) for value in (10, 20, 30)]
    letters[0][0, 0] = 99
    column = np.concatenate(letters)
    line = columns_side_by_side(np.rot90(column), 3)
    assert np.array_equal(line, np.concatenate(letters, axis=1))


@pytest.mark.parametrize("columns", [1, 4, 7])
def test_a_column_of_more_letters_than_pixels_is_cut_into_pixels(columns):
    crop = np.arange(columns * 6, dtype=np.uint8).reshape(2, columns, 3)
    line = columns_side_by_side(crop, 40)
    assert np.array_equal(line, np.concatenate([*np.rot90(crop, -1)[:, None]], axis=1))


def test_only_cjk_text_is_vertical_writing():
    assert is_vertical(["春天的公园", "孩子们"], ["春天的园", "孩子门"])
    assert not is_vertical(["春天的公园", "孩子们"], ["一十二", "二"])
    assert not is_vertical(["1024 2048"], ["1024 2048"])
    assert not is_vertical(["１０２４"], ["１０２４"])
    assert not is_vertical([""], [""])


def test_strokes_show_that_letters_lie_with_their_tops_to_the_left():
    line = np.full((40, 200, 3), 255, np.uint8)
    for row in (8, 20, 32):
        line[row : row + 3, 10:190] = 0
    assert not seem_laid_down([line])
    assert seem_laid_down([np.rot90(line)])
    assert not seem_laid_down([np.zeros((1, 200, 3), np.uint8)])
