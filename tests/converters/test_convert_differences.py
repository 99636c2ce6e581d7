"""Readings compared line by line, and how far a precision may be from its source."""

import numpy as np
import pytest

from ppocr_converters.errors import ConvertError
from ppocr_converters.proof.lines import Read, box_overlap, compare_lines, compare_readings
from ppocr_converters.proof.networks import Floats
from ppocr_converters.proof.pictures import Picture
from ppocr_converters.proof.tolerance import loosest, precisions, tolerance_of
from ppocr_pipeline.pipeline import Line


def box(left: float, top: float, width: float = 100, height: float = 20) -> Floats:
    right, bottom = left + width, top + height
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32)


def line(text: str, left: float, top: float, score: float = 0.9) -> Line:
    return Line(text, score, box(left, top), 0.8)


LINES = [line("one", 0, 0), line("two", 0, 30), line("three", 0, 60)]


def test_equal_readings_do_not_differ():
    result = compare_lines(LINES, LINES)
    assert (result.lines, result.paired, result.differences) == (3, 3, [])


def test_one_missing_line_is_one_difference():
    (missing,) = compare_lines(LINES, LINES[1:]).differences
    assert (missing.what, missing.number) == ("missing", 1)
    assert missing.sentence.startswith("line 1 'one' is missing at [[0.0, 0.0]")
    (extra,) = compare_lines(LINES[1:], LINES).differences
    assert (extra.what, extra.number) == ("extra", 1)
    assert extra.sentence.startswith("line 1 'one' is one too many at [[0.0, 0.0]")


def test_a_moved_box_and_another_text_are_named():
    other = [LINES[0], line("two", 1, 30), line("tree", 0, 60)]
    moved, text = compare_lines(LINES, other).differences
    assert moved.sentence.startswith("box 2: [[1.0, 30.0]")
    assert text.sentence == "line 3: 'tree' in place of 'three'"
    # Where a box may move a little, that is no difference.
    (text,) = compare_lines(LINES, other, overlap=0.9).differences
    assert text.what == "text"


def test_another_order_is_a_difference():
    assert {d.what for d in compare_lines(LINES, LINES[::-1]).differences} == {"order"}


def test_a_score_beyond_the_bound_is_a_difference():
    other = [line("one", 0, 0, score=0.7), *LINES[1:]]
    result = compare_lines(LINES, other, score=0.1)
    assert [d.what for d in result.differences] == ["score"]
    assert result.score == pytest.approx(0.2)
    assert compare_lines(LINES, other, score=0.3).differences == []


@pytest.mark.parametrize(
    ("other", "shared"), [(box(0, 0), 1), (box(50, 0), 1 / 3), (box(200, 0), 0), (box(0, 0, 0), 0)]
)
def test_overlap_is_intersection_over_union(other, shared):
    assert box_overlap(box(0, 0), other) == pytest.approx(shared)


def test_bounds_are_data_and_can_be_replaced():
    assert list(precisions()) == ["fp32", "fp16", "bf16", "int8", "canvas"]
    assert tolerance_of("fp32").other_texts == 0
    changed = tolerance_of("int8", ["other_texts=0.5", "overlap=0.7"])
    assert (changed.other_texts, changed.overlap) == (0.5, 0.7)
    assert changed.score == tolerance_of("int8").score


@pytest.mark.parametrize("text", ["texts=0.1", "score", "score=high", "score=2", "score=nan"])
def test_a_bound_that_is_none_is_refused(text):
    with pytest.raises(ConvertError, match="tolerance "):
        tolerance_of("fp16", [text])


def test_an_unknown_precision_names_those_there_are():
    with pytest.raises(ConvertError, match="'int4'; there are fp32, fp16, bf16, int8"):
        tolerance_of("int4")


def test_a_set_is_bound_by_its_loosest_model():
    loose = loosest([tolerance_of("fp32"), tolerance_of("int8")])
    assert loose == tolerance_of("int8")
    assert loosest([tolerance_of("fp32")]) == tolerance_of("fp32")


def reads(*readings: list[Line]) -> Read:
    """Reads the lines given for each picture, in turn."""
    left = iter(readings)
    return lambda pixels, options: next(left)


PAPER = np.full((90, 120, 3), 255, np.uint8)


@pytest.mark.parametrize(
    ("extra", "precision", "holds"),
    [(0, "fp32", True), (1, "fp32", False), (2, "bf16", True), (3, "bf16", False)],
)
def test_false_boxes_of_a_textless_picture_are_bounded_by_their_number(extra, precision, holds):
    pictures = [Picture("lines.png", PAPER), Picture("landscape.jpg", PAPER, has_text=False)]
    elsewhere = [line("~", 5 * n, 70) for n in range(1 + extra)]
    source, compiled = reads(LINES, [line("-", 0, 0)]), reads(LINES, elsewhere)
    proof = compare_readings(source, compiled, pictures, tolerance_of(precision))
    assert (proof.lines, proof.textless, proof.differences) == (3, 1, [])
    assert (proof.expected_false_boxes, proof.false_boxes) == (1, 1 + extra)
    assert (proof.problems == []) == holds
    if not holds:
        assert "boxes are found on 1 picture(s) without text" in proof.problems[0]


def test_a_picture_on_which_the_source_reads_nothing_has_no_text():
    one = compare_readings(
        reads([]), reads([line("~", 0, 0)]), [Picture("x", PAPER)], tolerance_of("fp32")
    )
    assert (one.lines, one.other_boxes, one.false_boxes, len(one.problems)) == (0, 0, 1, 1)
