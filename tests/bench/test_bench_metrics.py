"""What the accuracy figures are made of."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppocr_bench import pictures
from ppocr_bench.pictures import read_labels
from ppocr_bench.record import BenchError
from ppocr_bench.scoring import (
    compare,
    edit_distance,
    fold,
    order_error,
    percent,
    word_overlap,
)
from ppocr_converters.pictures.render_canvas import Truth
from ppocr_converters.pictures.render_layouts import LAYOUTS
from ppocr_pipeline.pipeline import Line

words = st.text("ab ，", max_size=8)


def line(text: str, left: float, top: float, right: float, bottom: float) -> Line:
    corners = [[left, top], [right, top], [right, bottom], [left, bottom]]
    return Line(text, 0.9, np.array(corners, np.float32), 0.9)


def test_edit_distance_of_known_words():
    assert edit_distance("kitten", "sitting") == 3
    assert edit_distance("", "abc") == edit_distance("abc", "") == 3
    assert edit_distance("每斤6.8元", "每斤6,8元") == 1


@given(words, words, words)
def test_edit_distance_is_a_distance(a, b, c):
    assert (edit_distance(a, b) == 0) == (a == b)
    assert edit_distance(a, b) == edit_distance(b, a)
    assert abs(len(a) - len(b)) <= edit_distance(a, b) <= max(len(a), len(b))
    assert edit_distance(a, c) <= edit_distance(a, b) + edit_distance(b, c)


def test_folding_takes_spaces_and_width_away():
    assert fold("Ｔｅｌ： 020 ") == fold("Tel:020")
    assert fold("一二") != fold("一三")


def test_a_page_read_right_has_no_errors():
    lines = [line("one line", 0, 0, 100, 20), line("another", 0, 40, 100, 60)]
    counts = compare(lines, lines[::-1])
    right = {"precision": 100, "recall": 100, "hmean": 100, "end_to_end": 100}
    right |= {"cer": 0, "exact": 100}
    right |= {"folded_cer": 0, "folded_exact": 100}
    assert percent(counts) == {f"{name}_percent": value for name, value in right.items()}


def test_end_to_end_is_of_boxes_with_the_right_text():
    truth = [line("one line", 0, 0, 100, 20), line("two", 0, 40, 100, 60)]
    found = [line("oneline", 0, 0, 100, 20), line("tw0", 0, 40, 100, 60)]
    assert percent(compare(truth, found))["end_to_end_percent"] == 50
    found.append(line("x", 500, 500, 600, 520))  # what is read beside the lines counts
    assert percent(compare(truth, found))["end_to_end_percent"] == pytest.approx(40)


def test_words_that_are_not_found_count_as_nothing():
    first, second, left = (
        Truth("", line("", *box).box) for box in ((0, 0, 40, 20), (60, 0, 100, 20), (0, 0, 20, 20))
    )
    whole = Truth("one two", line("", 0, 0, 100, 20).box, (first, second))
    half = Truth("one", first.box, (left,))
    assert word_overlap([whole], [whole]) == pytest.approx(1)
    assert word_overlap([whole], [half]) == pytest.approx(0.25)
    assert word_overlap([whole], [line("one two", 0, 0, 100, 20)]) is None  # it tells no words


def test_pieces_of_a_line_are_one_text_but_not_one_box():
    pieces = [line("line", 60, 0, 100, 20), line("one", 0, 0, 40, 20)]
    counts = compare([line("one line", 0, 0, 100, 20)], pieces)
    assert (counts["matched_boxes"], counts["found_boxes"]) == (0, 2)
    assert (counts["errors"], counts["exact"]) == (1, 0)  # the space between them
    assert (counts["folded_errors"], counts["folded_exact"]) == (0, 1)


def test_pieces_of_a_tall_line_are_joined_downwards():
    pieces = [line("下", 2, 60, 18, 98), line("上", 0, 2, 20, 40)]
    counts = compare([line("上下", 0, 0, 20, 100)], pieces)
    assert counts["errors"] == 0


def test_missing_and_additional_lines_are_errors():
    truth = [line("abc", 0, 0, 100, 20), line("defg", 0, 40, 100, 60)]
    counts = compare(truth, [line("abd", 0, 0, 100, 20), line("xy", 300, 300, 400, 320)])
    assert counts["errors"] == 1 + 4 + 2
    assert (counts["characters"], counts["exact"], counts["matched_boxes"]) == (7, 0, 1)
    assert not any(compare([], []).values())
    assert compare([], truth)["errors"] == 7


def test_counts_add_up():
    lines = [line("ab", 0, 0, 100, 20)]
    right, wrong = compare(lines, lines), compare(lines, [])
    assert percent(right + wrong)["cer_percent"] == pytest.approx(50)
    assert percent(right + wrong)["recall_percent"] == pytest.approx(50)


def test_wrong_truths_are_explained(tmp_path):
    with pytest.raises(BenchError, match="cannot read"):
        read_labels(tmp_path)
    for text in ("[", '["a.jpg"]', '{"a.jpg": [{"text": "a"}]}', '{"a": [{"text": "", "box": 1}]}'):
        (tmp_path / "truth.json").write_text(text)
        with pytest.raises(BenchError, match="wanted is, for each picture's name"):
            read_labels(tmp_path)
    (tmp_path / "truth.json").write_text('{"a.jpg": []}')
    with pytest.raises(BenchError, match=r"cannot read .*a\.jpg"):
        read_labels(tmp_path)


def test_the_order_error_is_the_share_of_pairs_in_the_wrong_order():
    truth = np.array([line("", 0, 40 * i, 100, 40 * i + 20).box for i in range(4)])
    assert order_error(truth, truth) == 0
    assert order_error(truth, truth[::-1]) == 1
    pieces = np.array([truth[0], truth[0], truth[2], truth[1], truth[3] + 500])  # the last on none
    assert order_error(truth, pieces) == pytest.approx(1 / 5)
    assert order_error(truth, truth[:0]) == 0


def test_layouts_are_straight_skewed_and_in_perspective(monkeypatch):
    known = {name: LAYOUTS[name] for name in ("poem", "two_columns")}
    monkeypatch.setattr(pictures, "LAYOUTS", known)
    monkeypatch.setattr(pictures, "SKEWS", (0, 3))
    found = pictures.layouts(1)
    assert [one.kind for one in found] == ["layout poem"] * 3 + ["layout two_columns"] * 2
    assert len({one.name for one in found}) == 5
    assert all(one.truth for one in found)
    assert pictures.layouts(0) == []
