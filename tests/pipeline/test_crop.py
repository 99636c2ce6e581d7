"""Cropping and straightening lines."""

import numpy as np
import pytest

from ppocr_pipeline import crop
from ppocr_pipeline.limits import Limits
from ppocr_pipeline.options import REFERENCES, parse_options
from ppocr_pipeline.pipeline import Pipeline
from ppocr_pipeline.recognition import RecognitionPlan

PIXELS = np.random.default_rng(0).integers(0, 256, (120, 200, 3), np.uint8)


def quad(left, top, right, bottom):
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32)


@pytest.mark.parametrize("reference", ["paddleocr", "paddle_serving"])
def test_an_upright_box_is_cut_out_exactly(reference):
    cut = crop.crop_line(PIXELS, quad(20, 30, 120, 60), reference)
    assert np.array_equal(cut, PIXELS[30:60, 20:120])


@pytest.mark.parametrize("reference", REFERENCES)
@pytest.mark.parametrize("box", [quad(0, 0, 200, 120), quad(7, 9, 190, 10), quad(3, 4, 9, 118)])
def test_an_upright_box_is_what_its_warp_would_be(box, reference, monkeypatch):
    cut = crop.crop_line(PIXELS, box, reference)
    monkeypatch.setattr(crop, "upright_part", lambda *_: None)
    assert np.array_equal(cut, crop.crop_line(PIXELS, box, reference))


def test_paddle_serving_measures_the_upper_and_the_left_side():
    box = np.array([[20, 20], [60, 20], [90, 60], [20, 50]], np.float32)
    assert crop.crop_line(PIXELS, box).shape == (50, 70, 3)
    assert crop.crop_line(PIXELS, box, "paddle_serving").shape == (30, 40, 3)


@pytest.mark.parametrize("box", [quad(5, 5, 5, 20), quad(5, 5, 20, 5), quad(0, 0, 40_000, 10)])
def test_a_box_that_cannot_be_cut_is_refused(box):
    with pytest.raises(ValueError, match="allowed: sides from 1 to 32767"):
        crop.crop_line(PIXELS, box)


def test_boxes_must_be_finite():
    with pytest.raises(ValueError, match="not a finite number"):
        crop.check_boxes(np.full((1, 4, 2), np.nan, np.float32), Limits())


def test_one_pixel_pictures():
    pixel = np.full((1, 1, 3), 7, np.uint8)
    assert crop.crop_line(pixel, crop.whole_picture(pixel)[0]).tolist() == [[[7, 7, 7]]]


def test_a_crop_has_a_margin_around_its_line_and_none_like_paddleocr():
    crops = parse_options({"rec_padding": "crop"})
    turned = np.roll(quad(20, 30, 120, 70), 1, axis=0)  # begins at the lower left
    boxes = np.stack([quad(20, 30, 120, 70), quad(20, 30, 60, 130), turned])
    wide, tall, other = crop.with_margin(boxes, crops)
    assert np.array_equal(wide, quad(14, 28, 126, 72))
    assert np.array_equal(tall, quad(18, 24, 62, 136))
    assert np.array_equal(np.roll(other, -1, axis=0), wide)
    plain = parse_options({"rec_padding": "paddle"})
    assert np.array_equal(crop.with_margin(boxes, plain), boxes)


def test_a_margin_makes_no_box_too_large_and_none_of_nothing():
    boxes = np.stack([quad(0, 0, crop.MAX_SIDE, 30_000), quad(5, 5, 5, 5)])
    large, nothing = crop.with_margin(boxes, parse_options({}))
    assert large[1, 0] - large[0, 0] == crop.MAX_SIDE
    assert large[3, 1] - large[0, 1] <= crop.MAX_SIDE
    assert np.array_equal(nothing, boxes[1])


def test_a_letter_that_a_box_cuts_is_read_whole():
    """The pipeline shows the recogniser what lies just outside of a box."""
    page = np.zeros((60, 200, 3), np.uint8)
    page[20:40, 97:103] = 255  # ends three pixels beyond the box
    seen = []

    def rec(feeds):
        seen.append(feeds["CROPS"])
        steps = np.zeros((1, feeds["CROPS"].shape[2] // 8), np.int32)
        return [steps, steps.astype(np.float32)]

    plan = RecognitionPlan(48, (320,), 1)
    reader = Pipeline({"rec": rec}, plan, ["a"])
    reader.recognize(page, quad(20, 20, 100, 40)[None])
    reader.recognize(page, quad(20, 20, 100, 40)[None], {"rec_padding": "paddle"})
    bright = [(crops[0, 24].max(axis=1) > 200).sum() * 20 / 48 for crops in seen]
    assert bright[0] == pytest.approx(6, abs=1)
    assert bright[1] == pytest.approx(3, abs=1)
