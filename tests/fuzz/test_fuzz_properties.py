"""What holds for pictures, boxes and lines of any shape."""

import math
from pathlib import Path
from tempfile import NamedTemporaryFile

import cv2
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from ppocr_pipeline import batches, crop, ctc, db, detection, limits, options, resize
from ppocr_pipeline.order.rows import row_order

LIMITS = limits.Limits()
REFERENCES = st.sampled_from(["paddleocr", "paddle_serving"])
SIZES = st.lists(st.tuples(st.integers(1, 3000), st.integers(1, 3000)), max_size=40)
HEIGHTS = st.sampled_from([32, 48])
SEEDS = st.integers(0, 2**32 - 1)


def quads(low: float, high: float) -> st.SearchStrategy[np.ndarray]:
    """One to eight boxes of any four corners."""
    shape = st.tuples(st.integers(1, 8), st.just(4), st.just(2))
    return arrays.arrays(np.float32, shape, elements=st.floats(low, high, width=32))


@given(
    st.integers(1, 65_535),
    st.integers(1, 65_535),
    st.integers(32, 4096),
    st.sampled_from(["max", "min"]),
    REFERENCES,
)
def test_the_detectors_sides_are_multiples_of_32_or_the_picture_is_refused(
    height, width, side, kind, reference
):
    try:
        sides = resize.det_size(height, width, side, kind, reference)
    except ValueError as error:
        assert "allowed: max_det_pixels" in str(error)  # noqa: PT017
        return
    assert all(length >= 32 and length % 32 == 0 for length in sides)
    assert math.prod(sides) <= LIMITS.max_det_pixels
    if kind == "max":
        assert max(sides) <= max(32, side + 16)
    elif reference == "paddleocr":
        assert min(sides) >= min(side, min(height, width), 32) - 16


@given(st.integers(1, 300), st.integers(1, 300), st.integers(32, 400), REFERENCES)
def test_a_resized_picture_keeps_its_colour(height, width, side, reference):
    pixels = resize.pad_tiny(np.full((height, width, 3), 200, np.uint8))
    assert pixels[:height, :width].min() == 200
    chosen = {"det_limit_side_len": side, "det_limit_type": "max", "reference": reference}
    resized = detection.det_input(pixels, options.parse_options(chosen), LIMITS)[0][0]
    padded_height, padded_width = pixels.shape[:2]
    expected = resize.det_size(padded_height, padded_width, side, "max", reference)
    assert resized.shape[:2] == expected
    if pixels.shape == (height, width, 3):
        assert (resized == 200).all()


@given(quads(0, 960), st.floats(0.1, 10))
def test_a_grown_box_holds_the_box(boxes, ratio):
    hulls = np.array([db.mini_box(box)[0] for box in boxes], np.float32)
    hulls = hulls[[db.mini_box(box)[1] >= db.MIN_SIZE for box in boxes]]
    grown, kept = db.grow(hulls, ratio)
    assert kept == sorted(set(kept))
    assert set(kept) <= set(range(len(hulls)))
    assert np.isfinite(grown).all()
    for rectangle, index in zip(grown, kept, strict=True):
        for corner in hulls[index]:
            # Paths of the clipper are whole pixels, of which two may be cut off.
            assert inside(rectangle, corner) >= -2.5


def inside(quad: np.ndarray, point: np.ndarray) -> float:
    """How far inside a clockwise rectangle a point lies, in pixels; outside is negative."""
    sides = np.roll(quad, -1, axis=0) - quad
    away = point - quad
    cross = sides[:, 0] * away[:, 1] - sides[:, 1] * away[:, 0]
    return float((cross / np.maximum(np.hypot(*sides.T), 1e-6)).min())


@given(quads(-50, 2000), st.integers(1, 4000), st.integers(1, 4000), REFERENCES)
def test_placed_boxes_are_whole_pixels_of_the_picture(boxes, height, width, reference):
    placed, long_enough = db.place_in_picture(boxes, (960, 960), height, width, reference)
    assert len(placed) == long_enough.sum()
    assert ((placed >= 0) & (placed <= [width - 1, height - 1])).all()
    assert (placed == placed.round()).all()


@given(st.sets(st.tuples(st.integers(0, 500), st.integers(0, 500)), max_size=30), SEEDS)
def test_reading_order_is_of_the_boxes_not_of_their_places(corners, seed):
    size = np.array([[0, 0], [50, 0], [50, 20], [0, 20]])
    boxes = np.array([size + corner for corner in sorted(corners)], np.float32).reshape(-1, 4, 2)
    shuffled = np.random.default_rng(seed).permutation(boxes)
    for reference in ("paddleocr", "paddle_serving"):
        expected = boxes[row_order(boxes, reference)]
        assert np.array_equal(shuffled[row_order(shuffled, reference)], expected)


@given(quads(-100, 400), REFERENCES)
def test_any_box_is_cut_to_its_size_or_refused(boxes, reference):
    pixels = np.full((120, 200, 3), 90, np.uint8)
    for box in boxes:
        try:
            ((height, width),) = crop.box_sizes(box[None], reference)
            cut = crop.crop_line(pixels, box, reference)
        except ValueError as error:
            assert "allowed: sides from 1 to 32767" in str(error)  # noqa: PT017
            continue
        assert cut.dtype == np.uint8
        assert cut.shape == (*crop.crop_size((height, width)), 3)


@given(SIZES, HEIGHTS, st.integers(1, 9), st.sampled_from(["96-640/32,704-3200/64", "320", "1,2"]))
def test_every_crop_is_in_exactly_one_batch(sizes, height, batch_size, buckets):
    widths = batches.parse_buckets(buckets)
    for plan in (
        batches.plan_by_bucket(sizes, height, widths, batch_size),
        batches.plan_like_paddle(sizes, height),
        batches.plan_like_paddle_serving(sizes, height, batch_size),
    ):
        assert sorted(i for batch in plan for i in batch.indices) == list(range(len(sizes)))
        assert all(1 <= len(batch.indices) <= max(batch_size, 6) for batch in plan)
        assert all(1 <= batch.width <= LIMITS.max_rec_width for batch in plan)


@given(
    st.lists(st.tuples(st.integers(1, 200), st.integers(1, 400)), min_size=1, max_size=6),
    HEIGHTS,
    st.integers(1, 700),
)
def test_a_batch_holds_each_crop_up_to_its_width_and_zeros_behind(sizes, height, width):
    crops = [np.full((*size, 3), 50 + at, np.uint8) for at, size in enumerate(sizes)]
    batch = batches.Batch(tuple(reversed(range(len(crops)))), width)
    rows, widths = batches.fill_batch(crops, batch, height)
    assert rows.shape == (len(crops), height, width, 3)
    for row, text, index in zip(rows, widths[:, 0], batch.indices, strict=True):
        assert 1 <= text <= width
        assert (row[:, :text] == 50 + index).all()
        assert not row[:, text:].any()


def clouds(seed: int) -> np.ndarray:
    """A map of many shapes of every outline, from 0 to 1."""
    noise = cv2.GaussianBlur(np.random.default_rng(seed).random((64, 96), np.float32), (0, 0), 2)
    return (noise - noise.min()) / np.ptp(noise)


SHAPES = st.tuples(st.integers(0, 96), st.integers(0, 96))
VALUES = (st.just(0.0), st.floats(0, 1, width=32), st.floats(width=32))
MAPS = st.one_of(
    *[arrays.arrays(np.float32, SHAPES, elements=values) for values in VALUES], SEEDS.map(clouds)
)
BLOBS = st.lists(st.tuples(*[st.integers(0, 99)] * 4, st.integers(0, 255)), max_size=12)
SIDES = st.integers(1, 4000)
UNIT = st.integers(0, 255).map(lambda part: part / 255)
DECODING = st.fixed_dictionaries(
    {
        "thresh": UNIT,
        "box_thresh": UNIT,
        "unclip_ratio": st.floats(0.1, 10),
        "score_mode": st.sampled_from(["fast", "slow"]),
        "use_dilation": st.booleans(),
        "unclip_mode": st.sampled_from(["area", "shape"]),
        "largest": st.booleans(),
        "reference": REFERENCES,
    }
)
USUAL = {"thresh": 0.3, "box_thresh": 0.4, "unclip_ratio": 1.6}


@given(MAPS, BLOBS, SIDES, SIDES, DECODING)
@example(np.zeros((0, 32), np.float32), [], 32, 32, {**USUAL, "use_dilation": True})
@example(np.array([[1, 1, 1, np.inf]] * 32, np.float32), [], 32, 32, USUAL)
def test_any_map_becomes_boxes_of_the_picture_in_an_order_or_is_refused(
    probability, blobs, height, width, settings
):
    for x, y, across, down, angle in blobs if probability.size else []:
        corners = cv2.boxPoints(((x, y), (across, down), angle)).astype(np.int32)
        cv2.fillPoly(probability, [corners], 0.5 + angle / 512)
    try:
        boxes, scores = db.decode_boxes(probability, height, width, **settings)
    except ValueError as error:
        assert "allowed" in str(error)  # noqa: PT017
        return
    assert boxes.shape == (len(scores), 4, 2)
    assert boxes.dtype == scores.dtype == np.float32
    assert np.isfinite(scores).all()
    if ((probability >= 0) & (probability <= 1)).all():
        assert ((scores >= np.float32(settings["box_thresh"])) & (scores <= 1)).all()
    assert ((boxes >= 0) & (boxes <= [width - 1, height - 1])).all()
    assert (boxes == boxes.round()).all()
    order = row_order(boxes, settings.get("reference", "paddleocr"))
    assert sorted(order) == list(range(len(boxes)))


@given(st.sampled_from([3, 4, 2**31 - 1]), SEEDS, st.integers(0, 8), st.integers(0, 16))
def test_any_classes_become_texts_or_are_refused(highest, seed, rows, steps):
    random = np.random.default_rng(seed)
    classes = random.integers(min(0, 3 - highest), highest, (rows, steps), np.int32, endpoint=True)
    probabilities = random.random((rows, steps), np.float32)
    try:
        texts, scores = ctc.ctc_decode(classes, probabilities, ["a", "bc", " "])
    except ValueError as error:
        assert "allowed" in str(error)  # noqa: PT017
        return
    assert len(texts) == len(scores) == rows
    assert scores.dtype == np.float32
    assert ((scores >= 0) & (scores <= 1)).all()
    for text, score, row in zip(texts, scores, classes, strict=True):
        assert (score == 0) or row.any()
        # A repeat is one character, so there are never more of them than steps.
        assert len(text) <= np.count_nonzero(row) * 2


@given(st.binary(max_size=60) | st.text(max_size=30).map(str.encode), st.integers(0, 40))
@example(b"\xff\n", 2)
def test_any_dictionary_is_loaded_or_refused_by_name(data, classes):
    with NamedTemporaryFile() as file:
        Path(file.name).write_bytes(data)
        try:
            characters = ctc.load_dictionary(Path(file.name), classes)
        except ValueError as error:
            assert file.name in str(error)  # noqa: PT017
        else:
            assert len(characters) + 1 == classes


JSON = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=9))


@given(st.dictionaries(st.sampled_from([*options.OPTIONS, "det_db_tresh", ""]), JSON, max_size=4))
def test_any_parameters_are_options_in_range_or_refused_by_name(values):
    try:
        parsed = options.parse_options(values)
    except ValueError as error:
        assert any(repr(name) in str(error) or name in str(error) for name in values)  # noqa: PT017
        return
    assert list(parsed) == list(options.OPTIONS)
    assert parsed == options.parse_options(parsed)


@given(st.text(alphabet="0123456789-/,", max_size=14))
def test_any_buckets_are_increasing_widths_or_refused(text):
    try:
        widths = batches.parse_buckets(text)
    except ValueError as error:
        assert text in str(error)  # noqa: PT017
        return
    assert widths == sorted(set(widths))
    assert widths[0] >= 1
    assert widths[-1] <= LIMITS.max_rec_width


@pytest.mark.parametrize(
    ("shape", "height", "width", "refusal"),
    [
        ((0, 32), 32, 32, "PROBABILITY is 32x0"),
        ((32, 32), 0, 32, "IMAGE_SIZE is 0, 32"),
        ((32, 32), 32, -5, "IMAGE_SIZE is 32, -5"),
        ((32, 32), 2**31 - 1, 32, "IMAGE_SIZE is 2147483647, 32"),
    ],
)
def test_a_map_of_no_picture_is_refused(shape, height, width, refusal):
    with pytest.raises(ValueError, match=f"^{refusal}.*; allowed: "):
        db.decode_boxes(np.ones(shape, np.float32), height, width)


@pytest.mark.parametrize("classes", [[1, 2, 4], [1, 2, -1]])
def test_a_class_without_a_character_is_refused(classes):
    with pytest.raises(ValueError, match=r"classes from .*; allowed: 0 to 3"):
        ctc.ctc_decode(np.array([classes], np.int32), np.ones((1, 3), np.float32), "abc")
