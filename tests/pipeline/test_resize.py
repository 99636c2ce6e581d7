"""The detector's input size."""

import numpy as np
import pytest

from ppocr_pipeline import resize


@pytest.mark.parametrize(
    ("size", "resized"),
    [((430, 323), (384, 288)), ((960, 640), (960, 640)), ((63, 20), (32, 32)), ((3, 1), (32, 32))],
)
def test_paddle_serving_rounds_further_down(size, resized):
    assert resize.det_size(size[0], size[1], 960, "max", "paddle_serving") == resized


def test_the_longer_side_is_fixed_and_rounded_up_to_128():
    assert resize.det_size(154, 308, 960, "long", "paddleocr_pdserving") == (512, 1024)
    assert resize.det_size(2000, 1000, 960, "long") == (1024, 512)
    assert resize.det_size(1, 2000, 960, "long") == (128, 1024)


def test_a_thin_picture_is_not_blown_up_without_bound():
    with pytest.raises(
        ValueError, match=r"would be read at .*x736, .*allowed: max_det_pixels 16777216"
    ):
        resize.det_size(1, 2000, 736, "min")


def test_tiny_pictures_are_padded_at_the_bottom_right():
    pixels = np.full((5, 40, 3), 9, np.uint8)
    padded = resize.pad_tiny(pixels)
    assert padded.shape == (32, 40, 3)
    assert (padded[:5] == 9).all()
    assert not padded[5:].any()
    large = np.zeros((30, 34, 3), np.uint8)
    assert resize.pad_tiny(large) is large
