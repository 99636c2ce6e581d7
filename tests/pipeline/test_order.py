"""Reading order."""

import numpy as np

from ppocr_pipeline.order.rows import row_order


def boxes_at(*corners: tuple[float, float]) -> np.ndarray:
    size = np.array([[0, 0], [50, 0], [50, 20], [0, 20]])
    return np.array([size + corner for corner in corners], np.float32).reshape(-1, 4, 2)


def test_lines_go_down_and_words_go_right():
    boxes = boxes_at((200, 104), (10, 100), (100, 96), (10, 10))
    assert row_order(boxes).tolist() == [3, 1, 2, 0]


def test_ten_pixels_apart_is_another_line():
    assert row_order(boxes_at((100, 0), (0, 9))).tolist() == [1, 0]
    assert row_order(boxes_at((100, 0), (0, 10))).tolist() == [0, 1]


def test_paddle_serving_moves_a_box_one_place_at_the_most():
    boxes = boxes_at((30, 0), (20, 4), (10, 8))
    assert row_order(boxes).tolist() == [2, 1, 0]
    assert row_order(boxes, "paddle_serving").tolist() == [1, 2, 0]


def test_no_boxes():
    found = row_order(np.zeros((0, 4, 2), np.float32))
    assert found.shape == (0,)
    assert found.dtype == np.int64
