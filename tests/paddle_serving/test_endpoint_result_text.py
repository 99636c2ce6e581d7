"""The result's text is a Python literal, whatever was read."""

import ast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppocr_server.paddle_serving.backend import text_of, texts_of
from ppocr_server.paddle_serving.protocol import PipelineError
from ppocr_server.paddle_serving.result_text import ANSWERS, boxes_text, result_text

BOX = np.array([[[295, 298], [10.5, 2], [3, 4], [5, 6]]], np.float32)


def test_a_line_reads_as_paddle_serving_writes_it():
    text = result_text(["text"], np.array([0.98196536], np.float32), BOX)
    assert text == (
        "[[('text', 0.98196536), [[295.0, 298.0], [10.5, 2.0], [3.0, 4.0], [5.0, 6.0]]]]"
    )


def test_texts_alone_are_a_list_of_them():
    assert ANSWERS["res"].text(["it's", "中"]) == "[\"it's\", '中']"
    assert ANSWERS["res"].text([]) == "[]"


def test_boxes_alone_are_written_as_numpy_prints_them():
    assert boxes_text(BOX) == str(BOX)
    assert boxes_text(BOX[:0]) == "[]"
    assert "..." not in boxes_text(np.repeat(BOX, 200, 0))


def test_a_model_without_warnings_is_read_and_one_without_texts_named():
    answer = {"TEXTS": np.array([b"a"], np.object_)}
    assert text_of(answer, ANSWERS["res"], "old") == "['a']"
    assert texts_of(answer, "WARNINGS") == []
    with pytest.raises(PipelineError, match="the model 'old' has no output SCORES, BOXES, only"):
        text_of(answer, ANSWERS["result"], "old")


@pytest.mark.parametrize(
    "text",
    ["it's", 'say "x"', 'it\'s "both"', "C:\\new\\table", "\\", "中文\u2028\x00\n", "", "'''"],
)
def test_any_text_is_a_valid_literal(text):
    parsed = ast.literal_eval(result_text([text], np.array([1e-7], np.float32), BOX))
    assert parsed == [[(text, 1e-7), BOX[0].tolist()]]


@given(st.lists(st.tuples(st.text(), st.floats(0, 1, width=32)), max_size=5))
def test_texts_and_scores_come_back(lines):
    scores = np.array([score for _, score in lines], np.float32)
    boxes = np.repeat(BOX, len(lines), 0)
    parsed = ast.literal_eval(result_text([text for text, _ in lines], scores, boxes))
    assert [line[0][0] for line in parsed] == [text for text, _ in lines]
    assert np.array([line[0][1] for line in parsed], np.float32).tolist() == scores.tolist()
