"""DB decoding: boxes out of probability maps, degenerate maps included."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppocr_pipeline import db


def blob_map(shape: tuple[int, int], *rectangles: tuple[tuple[float, float], tuple, float, float]):
    """A map with rotated rectangles: (centre, size, angle in degrees, probability)."""
    probability = np.zeros(shape, np.float32)
    for centre, size, angle, value in rectangles:
        corners = cv2.boxPoints((centre, size, angle)).astype(np.int32)
        cv2.fillPoly(probability, [corners], value)
    return probability


@pytest.mark.parametrize("value", [0.0, 0.3])
def test_a_map_at_or_below_thresh_has_no_boxes(value):
    boxes, scores = db.decode_boxes(np.full((64, 64), value, np.float32), 64, 64)
    assert boxes.shape == (0, 4, 2)
    assert boxes.dtype == np.float32
    assert scores.shape == (0,)


def test_paddle_serving_rounds_in_the_map_and_wants_longer_sides():
    probability = blob_map((100, 100), ((50, 50), (40, 10), 0, 0.9))
    boxes, _ = db.decode_boxes(probability, 250, 250, reference="paddle_serving")
    assert set(np.unique(boxes % 2.5)) <= {0.0, 2.0}  # whole map pixels, times 2.5, cut off
    assert len(db.decode_boxes(probability, 40, 40)[0]) == 1
    assert len(db.decode_boxes(probability, 40, 40, reference="paddle_serving")[0]) == 0


@pytest.mark.parametrize("reference", ["paddleocr", "paddle_serving"])
@pytest.mark.parametrize("angle", range(-40, 41, 8))
@pytest.mark.parametrize("size", [(30, 400), (400, 30)])
def test_corners_are_clockwise_from_the_top_left(reference, angle, size):
    probability = blob_map((640, 640), ((320, 320), size, angle, 0.9))
    boxes, _ = db.decode_boxes(probability, 1280, 1280, reference=reference)
    across, down = boxes[0, 1] - boxes[0, 0], boxes[0, 3] - boxes[0, 0]
    assert np.degrees(np.arctan2(across[1], across[0])) == pytest.approx(angle, abs=3)
    assert (np.linalg.norm(across) > np.linalg.norm(down)) == (size[0] > size[1])


def test_paddle_serving_begins_a_leaning_column_elsewhere():
    probability = blob_map((640, 640), ((320, 320), (20, 500), -10, 0.9))
    boxes, _ = db.decode_boxes(probability, 640, 640, reference="paddle_serving")
    theirs, _ = db.decode_boxes(probability, 640, 640, reference="paddle_serving", exact=True)
    assert theirs[0].tolist() == boxes[0, [1, 2, 3, 0]].tolist()


@given(st.floats(8, 40), st.floats(8, 900), st.floats(0.1, 2))
def test_growing_by_shape_undoes_the_shrinking_of_the_training(width, height, ratio):
    shrunk = ratio / (1 + ratio) * width * height / (2 * (width + height))
    size = np.array([width, height]) - 2 * shrunk
    middles = np.array([[[0, 0], [1, 0], [1, 1], [0, 1]]]) * (size - 1)
    grown, kept = db.grow_by_shape(middles.astype(np.float32), ratio)
    assert kept.tolist() == [0]
    assert grown[0, 2] - grown[0, 0] == pytest.approx([width, height], abs=0.01)
    assert grown[0, 2] + grown[0, 0] == pytest.approx(size, abs=0.01)


def test_a_long_line_grows_by_shape_as_far_as_the_reference():
    line = np.array([[[20, 20], [4020, 20], [4020, 40], [20, 40]]], np.float32)
    assert np.abs(db.grow_by_shape(line, 1.4)[0] - db.grow(line, 1.4)[0]).max() <= 2


def test_text_is_found_among_the_specks_of_a_blank_tile():
    probability = blob_map((600, 600), ((300, 40), (200, 20), 0, 0.9))
    probability[100::4, ::4] = 0.4
    assert len(db.decode_boxes(probability, 600, 600)[0]) == 0
    boxes, _ = db.decode_boxes(probability, 600, 600, largest=True)
    assert np.abs(boxes.mean(axis=1) - [300, 40]).max() <= 1
