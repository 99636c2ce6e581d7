"""Who is asked about a page, and what follows, with networks that see which way a line lies.

A line of these pages is dark where it begins and bright where it ends.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from ppocr_pipeline.order.page import page_order
from ppocr_pipeline.orientation.classifier import Classifier
from ppocr_pipeline.orientation.find import DOUBTFUL, SAMPLE
from ppocr_pipeline.orientation.page import Page
from ppocr_pipeline.pipeline import Pipeline
from ppocr_pipeline.recognition import RecognitionPlan

LINES, HEIGHT, WIDTH, PITCH = 12, 24, 240, 40
PLAN = RecognitionPlan(48, (96, 320, 640), 1, Classifier(48, 192, "pad", 4), 224)
UPRIGHT, UPSIDE_DOWN = "a", "b"


def lies(crop: np.ndarray, width: int) -> bool:
    """Whether a padded crop is upside down."""
    half = width // 2
    return bool(crop[:, :half].mean() > crop[:, half:width].mean())


class Networks(dict):
    """The fakes, and how many crops each was shown."""

    def __init__(self, garbage: float, angle: int = 0, upright: float = 0.97) -> None:
        super().__init__(cls=self.cls, rec=self.rec, page_orientation=self.page)
        self.asked = Counter[str]()
        self.garbage, self.angle, self.upright = garbage, angle, upright
        self.mistaken = False  # the classifier says of every line the opposite

    def cls(self, feeds: Mapping[str, np.ndarray]) -> Sequence[np.ndarray]:
        classes, sure = self.answer("cls", feeds, 0.99, 0.99)
        return [1 - classes if self.mistaken else classes, sure]

    def rec(self, feeds: Mapping[str, np.ndarray]) -> Sequence[np.ndarray]:
        classes, sure = self.answer("rec", feeds, self.upright, self.garbage)
        return classes + 1, sure

    def page(self, feeds: Mapping[str, np.ndarray]) -> Sequence[np.ndarray]:
        self.asked["page_orientation"] += 1
        assert feeds["CROPS"].shape == (1, 224, 224, 3)
        return [np.array([[self.angle // 90]], np.int32), np.full((1, 1), 0.9, np.float32)]

    def answer(
        self, name: str, feeds: Mapping[str, np.ndarray], upright: float, other: float
    ) -> tuple[np.ndarray, np.ndarray]:
        self.asked[name] += len(feeds["CROPS"])
        rows = zip(feeds["CROPS"], feeds["WIDTHS"][:, 0].tolist(), strict=True)
        turned = np.array([[lies(crop, width)] for crop, width in rows])
        return turned.astype(np.int32), np.where(turned, other, upright).astype(np.float32)


def page(upside_down: Sequence[int], angle: int) -> tuple[np.ndarray, np.ndarray]:
    """A page turned clockwise, and its boxes in the order of the upright page."""
    size = LINES * PITCH + 16
    pixels = np.full((size, 400, 3), 255, np.uint8)
    ramp = np.linspace(0, 250, WIDTH).astype(np.uint8)
    boxes = []
    for line in range(LINES):
        top = 16 + line * PITCH
        row = ramp[::-1] if line in upside_down else ramp
        pixels[top : top + HEIGHT, 60 : 60 + WIDTH] = row[None, :, None]
        boxes.append([60, top, 60 + WIDTH, top + HEIGHT])
    left, top, right, bottom = np.array(boxes, np.float32).T
    edges = {
        0: (left, top, right, bottom),
        90: (size - bottom, left, size - top, right),
        180: (400 - right, size - bottom, 400 - left, size - top),
        270: (top, 400 - right, bottom, 400 - left),
    }[angle]
    x0, y0, x1, y1 = edges
    corners = [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]
    turned = np.ascontiguousarray(np.rot90(pixels, -angle // 90))
    return turned, np.stack([np.stack(corner, -1) for corner in corners], 1)


def read(networks: Networks, upside_down: Sequence[int], angle: int, **options: object) -> Page:
    pixels, boxes = page(upside_down, angle)
    given = page_order(boxes)  # as the detector's boxes come
    found = Pipeline(networks, PLAN, ["a", "b"]).recognize(pixels, boxes[given], options)
    # In reading order: the lines from the top of the upright page to its bottom.
    assert given[found.places].tolist() == list(range(LINES))
    return found


@pytest.mark.parametrize("angle", [0, 90, 180, 270])
def test_boxes_sent_in_an_order_of_their_own_keep_it(angle):
    pixels, boxes = page((), angle)
    given = np.random.default_rng(4).permutation(LINES)
    found = Pipeline(Networks(garbage=0.3), PLAN, ["a", "b"]).recognize(pixels, boxes[given])
    assert found.angle == angle
    assert found.places.tolist() == list(range(LINES))


@pytest.mark.parametrize("angle", [0, 90, 180, 270])
def test_a_few_lines_tell_the_angle(angle):
    networks = Networks(garbage=0.3)
    found = read(networks, (), angle)
    assert found.angle == angle
    assert set(found.texts) == {UPRIGHT}
    # The lines that were read to find the angle are not read again.
    assert networks.asked == {"cls": SAMPLE, "rec": LINES}


@pytest.mark.parametrize("angle", [0, 90, 270])
def test_what_reads_well_is_believed_before_the_classifier(angle):
    networks = Networks(garbage=0.3)
    networks.mistaken = True
    found = read(networks, (), angle)
    assert (found.angle, set(found.texts)) == (angle, {UPRIGHT})


@pytest.mark.parametrize("angle", [90, 180, 270])
def test_icons_that_no_direction_makes_text_of_do_not_turn_a_page(angle):
    networks = Networks(garbage=0.3, upright=0.55)
    pixels, boxes = page((), angle)
    found = Pipeline(networks, PLAN, ["a", "b"]).recognize(pixels, boxes, {"drop_score": 0})
    assert found.angle == 0


@pytest.mark.parametrize("angle", [0, 90, 180, 270])
@pytest.mark.parametrize("garbage", [0.3, 0.9])
def test_lines_upside_down_are_read_and_begin_at_their_own_end(angle, garbage):
    """Five of twelve: whoever is asked first, the page is what most lines say."""
    upside_down = (0, 2, 5, 7, 11)
    networks = Networks(garbage)
    found = read(networks, upside_down, angle)
    assert found.angle == angle
    asked = networks.asked["cls"]
    assert SAMPLE <= asked <= LINES
    # A line that is read with a good score is only found where all were asked.
    if garbage < DOUBTFUL or asked == LINES:
        assert set(found.texts) == {UPRIGHT}
        assert len({tuple(np.sign(box[1] - box[0])) for box in found.boxes}) == 2


@pytest.mark.parametrize("angle", [0, 90, 180, 270])
def test_a_network_that_sees_the_page_tells_the_angle(angle):
    networks = Networks(garbage=0.3, angle=angle)
    found = read(networks, (), angle, orientation="page")
    assert (found.angle, set(found.texts)) == (angle, {UPRIGHT})
    assert (networks.asked["page_orientation"], networks.asked["cls"]) == (1, 0)
    both = read(networks, (3,), angle, orientation="page", use_angle_cls=True)
    assert (both.angle, set(both.texts)) == (angle, {UPRIGHT})
    assert networks.asked["cls"] == LINES


def test_every_line_is_asked_as_by_paddleocr():
    networks = Networks(garbage=0.3)
    found = read(networks, (1, 4), 0, use_angle_cls=True)
    assert (found.angle, set(found.texts)) == (0, {UPRIGHT})
    assert networks.asked["cls"] == LINES
    assert (found.boxes[:, 1, 0] > found.boxes[:, 0, 0]).all()


def test_nobody_is_asked_when_it_is_off():
    networks = Networks(garbage=0.3)
    found = read(networks, (1, 4), 0, orientation="off")
    assert Counter(found.texts) == {UPRIGHT: LINES - 2, UPSIDE_DOWN: 2}
    assert networks.asked == {"rec": LINES}
