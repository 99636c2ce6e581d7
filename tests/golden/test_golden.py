"""The steps answer what PaddleOCR 2.10.0's own functions answered when record.py asked them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ppocr_pipeline import batches, crop, ctc, db, resize
from ppocr_pipeline.order.rows import row_order

HERE = Path(__file__).parent

DB_CASES = json.loads((HERE / "db.json").read_text())


Arrays = dict[str, np.ndarray]


def arrays_of(name: str) -> Arrays:
    with np.load(HERE / name) as file:
        return dict(file)


@pytest.fixture(scope="module")
def db_arrays() -> Arrays:
    return arrays_of("db.npz")


@pytest.mark.parametrize("case", DB_CASES, ids=[case["case"] for case in DB_CASES])
def test_boxes_of_maps(db_arrays, case):
    probability = db_arrays[f"{case['map']}/map"].astype(np.float32) / 255
    boxes, scores = db.decode_boxes(probability, case["height"], case["width"], **case["options"])
    assert boxes.dtype == scores.dtype == np.float32
    assert np.array_equal(boxes, db_arrays[f"{case['case']}/boxes"])
    np.testing.assert_allclose(scores, db_arrays[f"{case['case']}/scores"], rtol=0, atol=1e-6)


def test_the_recorded_maps_are_worth_their_place(db_arrays):
    counts = {case["case"]: len(db_arrays[f"{case['case']}/boxes"]) for case in DB_CASES}
    assert [counts[f"{name}/default"] for name in ("empty", "full", "one_pixel")] == [0, 1, 0]
    assert counts["many/default"] == 1000  # of 1120: max_candidates
    assert counts["receipt_en/default"] > 10
    assert counts["random_0/default"] != counts["random_0/low"]


@pytest.mark.parametrize("name", ["one", "random", "ties", "close", "same", "lines"])
def test_reading_order(name):
    arrays = arrays_of("order.npz")
    boxes = arrays[f"{name}/boxes"].astype(np.float32)
    assert np.array_equal(boxes[row_order(boxes)], arrays[f"{name}/sorted"])


def test_crops():
    arrays = arrays_of("crop.npz")
    for index, box in enumerate(arrays["boxes"]):
        cut, recorded = crop.crop_line(arrays["picture"], box), arrays[f"crop_{index:02d}"]
        assert cut.shape == recorded.shape, f"crop {index}"
        assert np.array_equal(cut, recorded), f"crop {index}"


def test_ctc_texts():
    characters, *recorded = json.loads((HERE / "ctc.json").read_text(encoding="utf-8"))
    steps = arrays_of("ctc.npz")
    texts, scores = ctc.ctc_decode(steps["indices"], steps["probabilities"], characters)
    assert texts == [text for text, _ in recorded]
    assert "" in texts
    assert any(" " in text for text in texts)
    np.testing.assert_allclose(scores, [score for _, score in recorded], rtol=0, atol=1e-7)


def test_detector_input_sizes():
    for height, width, limit, kind, *recorded in json.loads((HERE / "resize.json").read_text()):
        pixels = resize.pad_tiny(np.zeros((height, width, 3), np.uint8))
        found = resize.det_size(pixels.shape[0], pixels.shape[1], limit, kind)
        assert list(found) == recorded, (height, width, limit, kind)


def test_groups_of_paddle_padding():
    """PaddleOCR sorts by `np.argsort`, which leaves equal ratios in an order of the processor's.

    Crops of one size are therefore taken for the same; what each is padded to is compared exactly.
    """
    for sizes, recorded in json.loads((HERE / "batches.json").read_text()):
        plan = batches.plan_like_paddle(sizes, 48)
        crops = [np.zeros((*size, 3), np.uint8) for size in sizes]
        filled = [batches.fill_batch(crops, batch, 48) for batch in plan]
        found = [
            [list(batch.indices), rows.shape[2], widths.ravel().tolist()]
            for batch, (rows, widths) in zip(plan, filled, strict=True)
        ]
        assert _by_size(found, sizes) == _by_size(recorded, sizes)


def _by_size(groups: list[Any], sizes: list[list[int]]) -> list[Any]:
    """Padded width of each group, and aspect ratio and width of each of its crops, in order."""
    return [
        [width, [(sizes[i][1] / sizes[i][0], own) for i, own in zip(indices, widths, strict=True)]]
        for indices, width, widths in groups
    ]
