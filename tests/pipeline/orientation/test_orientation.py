"""How crops are shown to the direction classifier, and which are turned."""

import cv2
import numpy as np
import pytest
from cases import cases

from ppocr_pipeline.options import parse_options
from ppocr_pipeline.orientation import classifier as orientation
from ppocr_pipeline.recognition import RecognitionPlan

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


def test_a_classifier_is_asked_batch_by_batch():
    asking = orientation.classify([crop(10, 30) for _ in range(5)], PAD)
    calls = list(next(asking))
    assert [(call.network, len(call.feeds["CROPS"])) for call in calls] == [("cls", 4), ("cls", 1)]
    answers = [
        (np.array([[1], [0], [1], [0]], np.int32), np.full((4, 1), 0.9, np.float32)),
        (np.array([[1]], np.int32), np.full((1, 1), 0.6, np.float32)),
    ]
    with pytest.raises(StopIteration) as done:
        asking.send(answers)
    upside_down, sure = done.value.value
    assert upside_down.tolist() == [True, False, True, False, True]
    assert sure.tolist() == pytest.approx([0.9, 0.9, 0.9, 0.9, 0.6])


@pytest.mark.parametrize(("width", "start", "stop"), [(40, 0, 40), (60, 0, 60), (101, 20, 80)])
def test_of_a_long_crop_the_middle_is_shown(width, start, stop):
    image = crop(10, width)
    assert np.array_equal(orientation.window(image), image[:, start:stop])


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
@pytest.mark.parametrize("size", [(448, 448), (320, 500), (700, 256)])
def test_the_middle_of_a_page_is_shown_as_it_lies(size, turns):
    page = cv2.GaussianBlur(crop(*size), (15, 15), 5)
    shown = []
    for pixels in (page, np.rot90(page, -turns)):
        asking = orientation.page_angle(pixels, 224)
        (call,) = next(asking)
        assert call.network == "page_orientation"
        shown.append(call.feeds["CROPS"])
        with pytest.raises(StopIteration) as done:
            asking.send([(np.array([[turns]], np.int32), np.array([[0.9]], np.float32))])
        assert done.value.value == 90 * turns
    assert shown[0].shape == (1, 224, 224, 3)
    upright = np.rot90(shown[1][0], turns).astype(int)
    assert np.abs(upright - shown[0][0]).max() <= 2
    # A side of the page that is 8 is shown to 7 of it, scaled alike in both directions.
    side = min(size)
    middle = page[(size[0] - side) // 2 :][:side, (size[1] - side) // 2 :][:, :side]
    expected = cv2.resize(middle, (256, 256))[16:240, 16:240]
    assert np.array_equal(shown[0][0], expected)


@pytest.mark.parametrize("options", [{"use_angle_cls": True}, {"orientation": "lines"}])
def test_asking_a_classifier_that_is_not_built_is_refused(options):
    plan = RecognitionPlan(48, (320,), 1)
    assert plan.options({}, {})["orientation"] == "off"
    with pytest.raises(ValueError, match=r"needs a direction classifier.* --cls NAME"):
        plan.options({}, options)


def test_asking_a_page_network_that_is_not_built_is_refused():
    options = {"orientation": "page"}
    assert RecognitionPlan(48, (320,), 1, None, 224).options({}, options)["orientation"] == "page"
    with pytest.raises(ValueError, match="--page-orientation NAME"):
        RecognitionPlan(48, (320,), 1).options({}, options)


@pytest.mark.parametrize(("base", "sent", "asked"), cases(__file__)["asked"])
def test_what_a_request_says_stands_above_the_defaults(base, sent, asked):
    found = parse_options(sent, base)
    assert [found["orientation"], found["use_angle_cls"]] == asked


def test_every_line_and_a_few_of_them_contradict_each_other():
    with pytest.raises(ValueError, match=r"use_angle_cls is true.*orientation is 'lines'.*send"):
        parse_options({"orientation": "lines", "use_angle_cls": True})
