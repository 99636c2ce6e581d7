"""How crops are shown to the direction classifier, and which are turned."""

import cv2
import numpy as np
import pytest

from ppocr_pipeline import orientation

PAD = orientation.Classifier(48, 192, "pad", 4)
STRETCH = orientation.Classifier(80, 160, "stretch", 4)
RNG = np.random.default_rng(5)


def crop(height, width):
    return RNG.integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_a_repository_without_a_classifier_has_none():
    assert orientation.read_classifier({"rec_height": "48"}) is None


def test_the_classifier_is_what_build_wrote():
    parameters = {"cls_height": "80", "cls_width": "160", "cls_batch_size": "4"}
    assert orientation.read_classifier(parameters | {"cls_resize": "stretch"}) == STRETCH
    with pytest.raises(ValueError, match="cls_resize is 'crop'; allowed: pad, stretch"):
        orientation.read_classifier(parameters | {"cls_resize": "crop"})


@pytest.mark.parametrize("count", [0, 1, 4, 9])
def test_every_crop_is_asked_about_once_in_order(count):
    plan = orientation.plan_classifier(count, PAD)
    assert [index for batch in plan for index in batch.indices] == list(range(count))
    assert all(1 <= len(batch.indices) <= 4 for batch in plan)


def paddleocr(image, height=48, width=192):
    """PaddleOCR 2.x, TextClassifier.resize_norm_img, before the normalisation."""
    resized_width = min(width, int(np.ceil(height * image.shape[1] / float(image.shape[0]))))
    padded = np.zeros((height, width, 3), np.uint8)
    padded[:, :resized_width] = cv2.resize(image, (resized_width, height))
    return padded, resized_width


@pytest.mark.parametrize("size", [(48, 192), (30, 61), (20, 900), (200, 3)])
def test_padded_crops_are_those_of_paddleocr(size):
    image = crop(*size)
    (batch,) = orientation.plan_classifier(1, PAD)
    fed = orientation.fill_classifier([image], batch, PAD)
    expected, width = paddleocr(image)
    assert fed["WIDTHS"].tolist() == [[width]]
    assert np.array_equal(fed["CROPS"][0], expected)


def test_stretched_crops_fill_the_input():
    image = crop(30, 400)
    (batch,) = orientation.plan_classifier(1, STRETCH)
    fed = orientation.fill_classifier([image], batch, STRETCH)
    assert set(fed) == {"CROPS"}
    assert np.array_equal(fed["CROPS"][0], cv2.resize(image, (160, 80)))


def test_only_what_is_surely_upside_down_is_turned():
    crops = [crop(10, 30) for _ in range(4)]
    classes = np.array([[1], [1], [0], [1]], np.int32)
    sure = np.array([[0.95], [0.9], [0.99], [1.0]], np.float32)
    turned, which = orientation.turn_upright(crops, classes, sure, 0.9)
    assert which.tolist() == [True, False, False, True]
    assert np.array_equal(turned[0], cv2.rotate(crops[0], cv2.ROTATE_180))
    assert turned[1] is crops[1]  # 0.9 is not above 0.9
    assert turned[2] is crops[2]
    assert np.array_equal(turned[3], cv2.rotate(crops[3], cv2.ROTATE_180))
