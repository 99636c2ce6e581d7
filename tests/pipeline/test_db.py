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


def test_one_blob_grows_by_the_unclip_distance():
    probability = blob_map((320, 320), ((160, 100), (100, 20), 0, 0.9))
    boxes, scores = db.decode_boxes(probability, 320, 320)
    assert boxes.shape == (1, 4, 2)
    assert scores[0] == pytest.approx(0.9, abs=1e-3)
    left, top = boxes[0, 0]
    right, bottom = boxes[0, 2]
    distance = 100 * 20 * 1.5 / (2 * (100 + 20))
    assert left == pytest.approx(110 - distance, abs=2)
    assert right == pytest.approx(210 + distance, abs=2)
    assert top == pytest.approx(90 - distance, abs=2)
    assert bottom == pytest.approx(110 + distance, abs=2)


def test_boxes_are_scaled_to_the_picture():
    probability = blob_map((160, 320), ((160, 80), (100, 20), 0, 0.9))
    small, _ = db.decode_boxes(probability, 160, 320)
    large, _ = db.decode_boxes(probability, 480, 640)
    assert np.abs(large - small * np.array([2, 3])).max() <= 2


def test_a_rotated_blob_gives_a_rotated_box():
    probability = blob_map((400, 400), ((200, 200), (160, 20), 30, 0.9))
    boxes, _ = db.decode_boxes(probability, 400, 400)
    top_edge = boxes[0, 1] - boxes[0, 0]
    assert np.degrees(np.arctan2(top_edge[1], top_edge[0])) == pytest.approx(30, abs=2)


@pytest.mark.parametrize("value", [0.0, 0.3])
def test_a_map_at_or_below_thresh_has_no_boxes(value):
    boxes, scores = db.decode_boxes(np.full((64, 64), value, np.float32), 64, 64)
    assert boxes.shape == (0, 4, 2)
    assert boxes.dtype == np.float32
    assert scores.shape == (0,)


def test_a_full_map_is_one_box_inside_the_picture():
    boxes, scores = db.decode_boxes(np.ones((64, 96), np.float32), 640, 960)
    assert boxes.tolist() == [[[0, 0], [959, 0], [959, 639], [0, 639]]]
    assert scores[0] == pytest.approx(1.0)


def test_blobs_too_small_or_too_unsure_are_dropped():
    probability = blob_map((200, 200), ((50, 50), (1, 1), 0, 0.9), ((100, 100), (60, 20), 0, 0.5))
    assert len(db.decode_boxes(probability, 200, 200)[0]) == 0
    assert len(db.decode_boxes(probability, 200, 200, box_thresh=0.4)[0]) == 1


def test_max_candidates_bounds_the_work():
    probability = np.zeros((320, 320), np.float32)
    for y in range(10, 310, 30):
        for x in range(10, 310, 30):
            probability[y : y + 10, x : x + 20] = 0.9
    assert len(db.decode_boxes(probability, 320, 320)[0]) == 100
    assert len(db.decode_boxes(probability, 320, 320, max_candidates=7)[0]) == 7


def test_dilation_joins_what_one_pixel_parts():
    probability = np.zeros((100, 200), np.float32)
    probability[40:60, 20:90] = 0.9
    probability[40:60, 91:180] = 0.9
    assert len(db.decode_boxes(probability, 100, 200)[0]) == 2
    assert len(db.decode_boxes(probability, 100, 200, use_dilation=True)[0]) == 1


def test_slow_scores_are_taken_inside_the_contour_only():
    triangle = np.array([[20, 20], [180, 20], [20, 180]], np.int32)
    probability = np.zeros((200, 200), np.float32)
    cv2.fillPoly(probability, [triangle], 0.9)
    assert len(db.decode_boxes(probability, 200, 200, score_mode="fast")[0]) == 0
    _, scores = db.decode_boxes(probability, 200, 200, score_mode="slow")
    assert scores[0] == pytest.approx(0.9, abs=0.02)


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


@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(1, 500),
    st.integers(1, 500),
    st.sampled_from(["fast", "slow"]),
)
def test_any_map_gives_boxes_inside_the_picture(seed, rows, columns, height, width, score_mode):
    noise = np.random.default_rng(seed).random((32 * rows, 32 * columns), np.float32)
    probability = cv2.GaussianBlur(noise, (0, 0), 2)
    probability = (probability - probability.min()) / max(float(np.ptp(probability)), 1e-6)
    boxes, scores = db.decode_boxes(
        probability, height, width, thresh=0.4, box_thresh=0.3, score_mode=score_mode
    )
    assert len(boxes) == len(scores)
    assert ((boxes >= 0) & (boxes <= [width - 1, height - 1])).all()
    assert ((scores >= 0.3) & (scores <= 1)).all()
