"""Which pictures are read in tiles or with a margin, and that the others are read as ever."""

import json

import numpy as np
import pytest
from paths import SAMPLES
from PIL import Image
from tiles.sheets import render_sheet

from ppocr_converters.pictures.render import render_page
from ppocr_converters.pictures.render_canvas import Canvas
from ppocr_converters.pictures.render_layouts import LAYOUTS, render_layout
from ppocr_pipeline.decode import decode_image
from ppocr_pipeline.detection import det_input, squeeze_warnings
from ppocr_pipeline.limits import Limits
from ppocr_pipeline.options import parse_options
from ppocr_pipeline.resize import det_size, parse_canvases
from ppocr_pipeline.tiles.letters import small_letters
from ppocr_pipeline.tiles.plan import GOAL, PAGE, SMALL, plan_det

LIMITS, AUTO, MAX = Limits(), parse_options({}), parse_options({"det_limit_type": "max"})
SCREENSHOT = render_sheet(1, 600, 8000, size=18, lines=200).image


def ordinary() -> list[np.ndarray]:
    """Samples, also four times as large, and rendered pages."""
    names = json.loads((SAMPLES / "truth.json").read_text("utf-8"))
    pictures = [decode_image((SAMPLES / name).read_bytes()) for name in names]
    pages = [render_page(seed).image for seed in range(3)]
    large_print = [name for name in LAYOUTS if name not in ("receipt", "table")]
    layouts = [render_layout(name, seed=1).image for name in large_print]
    grain = np.random.default_rng(1).integers(0, 256, (1500, 2000, 3), np.uint8)
    large = [np.kron(one, np.ones((4, 4, 1), np.uint8)) for one in pictures]
    return [*pictures, *pages, *layouts, *large, grain]


def test_ordinary_pictures_are_shown_as_by_the_reference():
    for pixels in ordinary():
        one, plan = det_input(pixels, AUTO, LIMITS)
        other, _ = det_input(pixels, MAX, LIMITS)
        np.testing.assert_array_equal(one, other)
        assert plan.tiles.tolist() == [[0, 0, *plan.size]]


@pytest.mark.parametrize(
    ("width", "height", "size", "lines"),
    [(1920, 1080, 14, 36), (2480, 3508, 25, 80), (3508, 4961, 25, 100), (600, 8000, 18, 200)],
)
def test_small_letters_are_shown_larger(width, height, size, lines):
    pixels = render_sheet(1, width, height, size=size, lines=lines).image
    shown, plan = det_input(pixels, AUTO, LIMITS)
    assert 1 < len(shown) == len(plan.tiles) <= LIMITS.max_det_tiles
    assert max(shown.shape[1:3]) <= 960
    assert SMALL < size * plan.size[0] / height < 2 * GOAL
    assert squeeze_warnings(pixels.shape[:2], plan) == []
    np.testing.assert_array_equal(plan.tiles, plan_det(pixels, AUTO, LIMITS).tiles)


@pytest.mark.parametrize(
    ("width", "height", "size", "times"),
    [(480, 320, 12, 1.8), (640, 480, 11, 1.64), (300, 200, 8, 2)],
)
def test_small_letters_of_small_pictures_are_shown_larger_than_they_are(width, height, size, times):
    pixels = render_sheet(1, width, height, size=size, lines=height // (2 * size)).image
    shown, plan = det_input(pixels, AUTO, LIMITS)
    assert plan.size[0] / height == pytest.approx(times, rel=0.15)
    assert plan.size[0] * plan.size[1] <= 960 * 960
    assert max(shown.shape[1:3]) <= 960
    assert squeeze_warnings(pixels.shape[:2], plan) == []
    assert plan_det(pixels, MAX, LIMITS).size[0] <= height + 16


@pytest.mark.parametrize(("width", "height"), [(900, 800), (720, 960)])
def test_a_picture_that_can_hardly_be_enlarged_is_shown_as_it_is(width, height):
    pixels = render_sheet(1, width, height, size=13, lines=height // 26).image
    assert plan_det(pixels, AUTO, LIMITS).size == plan_det(pixels, MAX, LIMITS).size


def test_two_words_on_a_button_are_enough_to_enlarge_it():
    canvas = Canvas(Image.new("RGB", (200, 90), (230, 230, 235)), full_height=True)
    canvas.write(30, 20, "Construction", 12)
    canvas.write(60, 50, "Kit 2.10", 12)
    assert plan_det(canvas.page("button.png").image, AUTO, LIMITS).size[0] > 1.5 * 90
    assert plan_det(np.full((90, 200, 3), 230, np.uint8), AUTO, LIMITS).size[0] <= 96


@pytest.mark.parametrize("size", [(48, 992), (992, 48), (120, 3600), (20, 300), (33, 32_767)])
def test_a_strip_gets_a_margin_and_keeps_its_ratio(size):
    shown, plan = det_input(np.full((*size, 3), 200, np.uint8), AUTO, LIMITS)
    assert plan.margin == 32
    assert (shown == 200).all()
    assert shown.size <= 8 * 960 * 960 * 3
    assert abs(plan.size[0] * size[1] / size[0] / plan.size[1] - 1) < 0.1
    assert (plan.tiles[:, 2:].max() <= 960) == (max(shown.shape[1:3]) <= 960)


def test_a_page_that_needs_more_tiles_is_read_as_by_the_reference_and_the_answer_says_so():
    few = Limits(max_det_tiles=2)
    plan = plan_det(SCREENSHOT, AUTO, few)
    assert len(plan.tiles) <= 2
    (warning,) = squeeze_warnings(SCREENSHOT.shape[:2], plan)
    assert "letters are too small" in warning
    assert "max_det_tiles" in warning
    assert plan_det(SCREENSHOT, AUTO, Limits(max_det_pixels=1_000_000)).too_small


@pytest.mark.parametrize("options", [{"det_limit_type": "max"}, {"reference_exact": True}])
def test_tiles_are_of_auto_alone(options):
    for pixels in (SCREENSHOT, np.zeros((48, 992, 3), np.uint8)):
        plan = plan_det(pixels, parse_options(options), LIMITS)
        size = det_size(pixels.shape[0], pixels.shape[1], 960, "max")
        assert plan.tiles.tolist() == [[0, 0, *size]]


def test_tiles_lie_on_canvases():
    shown, plan = det_input(SCREENSHOT, AUTO, LIMITS, parse_canvases("640x640,960x960"))
    assert shown.shape[1:3] == (960, 960)
    assert len(shown) == len(plan.tiles) > 1


def test_letters_are_measured_and_grain_has_none():
    for size in (10, 16, 24):
        pixels = render_sheet(size, 1500, 1500, size=size, lines=40).image
        for turned in (pixels, np.rot90(pixels), 255 - pixels):
            height = small_letters(np.ascontiguousarray(turned), 30, PAGE)
            assert height is not None
            assert 0.7 * size <= height <= 1.1 * size
    assert small_letters(np.zeros((2000, 2000, 3), np.uint8), 30, PAGE) is None
    noise = np.random.default_rng(0).integers(0, 256, (1000, 1000, 3), np.uint8)
    assert small_letters(noise, 30, PAGE) is None
