"""Boxes are parted where nothing stands between two texts, and nowhere else."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from ppocr_pipeline.detection import find_boxes
from ppocr_pipeline.limits import Limits
from ppocr_pipeline.options import parse_options
from ppocr_pipeline.words.gaps import part_at_gaps

HEIGHT, WIDTH = 30, 300
GAP = 1.1
NOISE = np.random.default_rng(0).normal(0, 8, (HEIGHT, WIDTH, 3))
PATTERN = np.tile(np.array([[200, 230] * 2], np.uint8).repeat(2, axis=1), (HEIGHT, 38))[:, :WIDTH]


def strip(*starts: int, width: int = 60, ink: int = 20) -> np.ndarray:
    """Blocks of strokes that begin in these columns: uint8 [HEIGHT, WIDTH, 3]."""
    picture = np.full((HEIGHT, WIDTH, 3), 230, np.uint8)
    for start in starts:
        for left in range(start, start + width, 10):
            picture[6:24, left : left + 6] = ink
    return picture


def noisy(picture: np.ndarray) -> np.ndarray:
    return (picture + NOISE).clip(0, 255).astype(np.uint8)


def underlined(picture: np.ndarray) -> np.ndarray:
    picture[26:28] = 20
    return picture


def on_pattern(picture: np.ndarray) -> np.ndarray:
    return np.minimum(picture, PATTERN[..., None])


@pytest.mark.parametrize(
    ("picture", "texts"),
    [
        (strip(10, 110), [(10, 66), (110, 166)]),  # 44 columns of nothing
        (strip(10, 100), [(10, 66), (100, 156)]),  # 34
        (strip(10, 90), []),  # 24 are a wide space
        (strip(10, 110, 210), [(10, 66), (110, 166), (210, 266)]),
        (255 - strip(10, 110), [(10, 66), (110, 166)]),
        (strip(10, 110, ink=190), [(10, 66), (110, 166)]),
        (noisy(strip(10, 110)), [(10, 66), (110, 166)]),
        (on_pattern(strip(10, 110)), [(10, 66), (110, 166)]),
        (underlined(strip(10, 110)), []),
        (strip(10, 70, 130, 190, width=10), []),  # letters that are spaced out
        (strip(10, width=10) & strip(60), []),  # the number of a heading
        (strip(10) & strip(110, width=10), [(10, 66), (110, 116)]),
        (strip(110), []),  # room at both ends
        (strip(), []),
    ],
)
@pytest.mark.parametrize("turned", [False, True])
def test_a_box_is_parted_at_wide_gaps(picture, texts, turned):
    box = np.array([[0, 0], [WIDTH, 0], [WIDTH, HEIGHT], [0, HEIGHT]], np.float32)
    if turned:
        picture, box = picture.transpose(1, 0, 2), np.roll(box[:, ::-1], -1, axis=0)[::-1]
    parts, of = part_at_gaps(np.ascontiguousarray(picture), box[None].copy(), GAP, "paddleocr")
    assert of.tolist() == [0] * max(1, len(texts))
    if not texts:
        assert parts.tolist() == [box.tolist()]
        return
    along = 1 if turned else 0
    assert parts[:, 0, along].tolist() == [start - 3 for start, _ in texts]
    assert parts[:, 2, along].tolist() == [stop + 3 for _, stop in texts]
    assert (parts[:, :, 1 - along].min(axis=1) == 0).all()
    assert (parts[:, :, 1 - along].max(axis=1) == HEIGHT).all()


def test_a_leaning_box_is_parted_along_its_line():
    lean = cv2.getRotationMatrix2D((150, 150), 10, 1)
    page = np.full((300, WIDTH, 3), 230, np.uint8)
    page[135:165] = strip(10, 200)
    page = cv2.warpAffine(page, lean, (WIDTH, 300), borderValue=(230, 230, 230))
    level = np.array([[5, 135], [265, 135], [265, 165], [5, 165]], np.float32)
    box = cv2.transform(level[None], lean)
    parts, _ = part_at_gaps(page, box.astype(np.float32), GAP, "paddleocr")
    back = cv2.transform(parts, cv2.invertAffineTransform(lean))
    assert np.allclose(back[:, 0, 0], [7, 197], atol=2)
    assert np.allclose(back[:, :2, 1], 135, atol=2)


@pytest.mark.parametrize(
    ("gap", "seen", "most", "count"),
    [(GAP, True, 9, 3), (0, True, 9, 1), (GAP, False, 9, 1), (GAP, True, 2, 1)],
)
def test_parts_come_in_order_with_the_score_of_their_box(gap, seen, most, count):
    probability = np.zeros((1, 96, 320), np.float32)
    probability[0, 45:55, 8:280] = 0.9
    picture = np.full((96, 320, 3), 230, np.uint8)
    picture[35:65, :WIDTH] = strip(10, 110, 210)
    tiles, limits = np.array([(0, 0, 96, 320)], np.int32), Limits(max_lines=most)
    options, pixels = parse_options({"det_split_gap": gap}), picture if seen else None
    boxes, scores = find_boxes(probability, tiles, 96, 320, options, limits, pixels)
    assert (len(boxes), len(scores)) == (count, count)
    assert np.allclose(scores, 0.9)
    assert (np.diff(boxes[:, 0, 0]) > 0).all()
