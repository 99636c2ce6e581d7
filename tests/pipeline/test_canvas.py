"""Canvases: where a picture lies on one, and how its part of the map is found again."""

import numpy as np
import pytest

from ppocr_pipeline.detection import det_input, find_boxes
from ppocr_pipeline.limits import Limits
from ppocr_pipeline.options import parse_options
from ppocr_pipeline.resize import parse_canvases, place

CANVASES = parse_canvases("960x960,640x640,736x960")
OPTIONS, LIMITS = parse_options({}), Limits()


def test_canvases_are_tried_from_the_smallest_on():
    assert CANVASES == ((640, 640), (736, 960), (960, 960))
    assert parse_canvases("none") == ()


@pytest.mark.parametrize("text", ["", "640", "640x650", "0x640", "640x640,", "640x640x3", "00x32"])
def test_other_sizes_are_refused(text):
    with pytest.raises(ValueError, match=r"det_canvases is .*multiples of 32 pixels, such as"):
        parse_canvases(text)


@pytest.mark.parametrize(
    ("size", "canvas"),
    [
        ((32, 640), (640, 640)),
        ((640, 672), (736, 960)),
        ((960, 640), (960, 960)),
        ((960, 960), (960, 960)),
        ((992, 64), (992, 64)),  # no canvas holds it
    ],
)
def test_a_picture_lies_top_left_and_its_edges_are_repeated(size, canvas):
    pixels = np.random.default_rng(1).integers(0, 256, (*size, 3), np.uint8)
    placed = place(pixels, CANVASES)
    assert placed.shape[:2] == canvas
    np.testing.assert_array_equal(placed[: size[0], : size[1]], pixels)
    rows = np.minimum(np.arange(canvas[0]), size[0] - 1)
    columns = np.minimum(np.arange(canvas[1]), size[1] - 1)
    np.testing.assert_array_equal(placed, pixels[rows][:, columns])


@pytest.mark.parametrize("reference", ["paddleocr", "paddle_serving"])
def test_boxes_of_a_canvas_are_those_of_the_picture(reference):
    options = parse_options({"reference": reference})
    pixels = np.zeros((430, 1300, 3), np.uint8)
    (alone, plan), (shown, _) = (det_input(pixels, options, LIMITS, c) for c in ((), CANVASES))
    placed = shown.shape
    assert placed == (1, 736, 960, 3)
    probability = np.zeros(placed[1:3], np.float32)
    probability[100:130, 200:400] = 0.9
    probability[alone.shape[1] + 40 :, :] = 0.9  # outside of the picture
    own = probability[: alone.shape[1], : alone.shape[2]]
    expected = find_boxes(own[None], plan.tiles, 430, 1300, options, LIMITS)
    found = find_boxes(probability[None], plan.tiles, 430, 1300, options, LIMITS)
    assert len(expected[0]) == 1
    for one, other in zip(expected, found, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_map_that_is_smaller_than_the_picture_is_refused():
    tiles = np.array([(0, 0, 352, 640)], np.int32)
    with pytest.raises(ValueError, match=r"DET_TILES is .* PROBABILITY of shape \[1, 320, 640\]"):
        find_boxes(np.zeros((1, 320, 640), np.float32), tiles, 700, 700, OPTIONS, LIMITS)
