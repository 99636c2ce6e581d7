"""Cropping and straightening lines."""

import cv2
import numpy as np
import pytest

from ppocr_pipeline import crop
from ppocr_pipeline.limits import Limits
from ppocr_pipeline.options import REFERENCES

PIXELS = np.random.default_rng(0).integers(0, 256, (120, 200, 3), np.uint8)


def quad(left, top, right, bottom):
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32)


def test_an_upright_box_is_cut_out_exactly():
    cut = crop.crop_line(PIXELS, quad(20, 30, 120, 60))
    assert np.array_equal(cut, PIXELS[30:60, 20:120])


@pytest.mark.parametrize("reference", REFERENCES)
@pytest.mark.parametrize("box", [quad(0, 0, 200, 120), quad(7, 9, 190, 10), quad(3, 4, 9, 118)])
def test_an_upright_box_is_what_its_warp_would_be(box, reference, monkeypatch):
    cut = crop.crop_line(PIXELS, box, reference)
    monkeypatch.setattr(crop, "upright_part", lambda *_: None)
    assert np.array_equal(cut, crop.crop_line(PIXELS, box, reference))


def test_a_tall_box_is_turned_counterclockwise():
    cut = crop.crop_line(PIXELS, quad(20, 10, 60, 70))
    assert np.array_equal(cut, np.rot90(PIXELS[10:70, 20:60]))
    just_below = crop.crop_line(PIXELS, quad(20, 10, 61, 70))
    assert just_below.shape == (60, 41, 3)


def test_a_rotated_box_is_straightened():
    page = np.full((300, 300, 3), 255, np.uint8)
    corners = cv2.boxPoints(((150, 150), (160, 40), 25)).astype(np.float32)
    cv2.fillPoly(page, [corners.astype(np.int32)], (0, 0, 0))
    clockwise = corners[[1, 2, 3, 0]]
    cut = crop.crop_line(page, clockwise)
    assert cut.shape[0] == pytest.approx(40, abs=1)
    assert cut.shape[1] == pytest.approx(160, abs=1)
    assert cut.mean() < 12


def test_paddle_serving_measures_the_upper_and_the_left_side():
    box = np.array([[20, 20], [60, 20], [90, 60], [20, 50]], np.float32)
    assert crop.crop_line(PIXELS, box).shape == (50, 70, 3)
    assert crop.crop_line(PIXELS, box, "paddle_serving").shape == (30, 40, 3)


def test_paddle_serving_cuts_an_upright_box_like_paddleocr():
    box = quad(20, 30, 120, 60)
    assert np.array_equal(
        crop.crop_line(PIXELS, box, "paddle_serving"), crop.crop_line(PIXELS, box)
    )


def test_a_box_beyond_the_edge_repeats_the_edge():
    cut = crop.crop_line(PIXELS, quad(-10, 0, 30, 20))
    assert cut.shape == (20, 40, 3)
    assert (cut[:, :10] == cut[:, 10:11]).all()


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
