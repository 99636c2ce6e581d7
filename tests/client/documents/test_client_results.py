import json

import numpy as np
import pytest
from cases import cases
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ppocr_client import Line, OcrResult, Word
from ppocr_client.errors import ServerError
from ppocr_client.results import result_of_tensors

FINITE = st.floats(-1e6, 1e6, width=32)
SCORE = st.floats(0, 1, width=32)


def tensors(texts, scores, boxes, box_scores):
    return {
        "TEXTS": np.array([text.encode() for text in texts], np.object_),
        "SCORES": np.array(scores, np.float32),
        "BOXES": np.array(boxes, np.float32).reshape(-1, 4, 2),
        "BOX_SCORES": np.array(box_scores, np.float32),
    }


@st.composite
def answers(draw):
    count = draw(st.integers(0, 4))
    return tensors(
        draw(st.lists(st.text(), min_size=count, max_size=count)),
        draw(st.lists(SCORE, min_size=count, max_size=count)),
        draw(arrays(np.float32, (count, 4, 2), elements=FINITE)),
        draw(st.lists(SCORE, min_size=count, max_size=count)),
    )


@given(answers())
def test_a_result_is_the_tensors_and_survives_json(answer):
    result = result_of_tensors(answer)
    assert [line.text.encode() for line in result.lines] == answer["TEXTS"].tolist()
    assert np.array_equal(
        np.array([line.score for line in result.lines], np.float32), answer["SCORES"]
    )
    boxes = np.array([line.box for line in result.lines], np.float32).reshape(-1, 4, 2)
    assert np.array_equal(boxes, answer["BOXES"])
    again = OcrResult.from_dict(json.loads(result.to_json()))
    assert again == result
    assert hash(again) == hash(result)


def with_words(**others):
    """An answer of two lines, the second with the words "b" and "中"."""
    of_words = {
        "WORDS": np.array([b"a", b"b", "中".encode()], np.object_),
        "WORD_SCORES": np.array([0.5, 0.25, 1], np.float32),
        "WORD_BOXES": np.arange(24, dtype=np.float32).reshape(3, 4, 2),
        "WORD_LINES": np.array([0, 1, 1], np.int32),
    }
    return tensors(["a", "b中"], [1, 1], np.zeros((2, 4, 2)), [1, 1]) | of_words | others


def test_words_belong_to_their_lines_and_survive_json():
    result = result_of_tensors(with_words(), words=True)
    assert [[word.text for word in line.words] for line in result.lines] == [["a"], ["b", "中"]]
    assert [word.score for word in result.words] == [0.5, 0.25, 1]
    assert result.words[2].box.tolist() == [[16, 17], [18, 19], [20, 21], [22, 23]]
    again = OcrResult.from_dict(json.loads(result.to_json()))
    assert again == result
    assert again.words == result.words
    without = tuple(Line(line.text, line.score, line.box, line.box_score) for line in result.lines)
    assert OcrResult(without) != result


def test_a_server_without_words_is_told_from_a_page_without_words():
    answer = tensors(["a"], [1], np.zeros((1, 4, 2)), [1])
    assert result_of_tensors(answer).words == ()
    with pytest.raises(ServerError, match="no WORDS; build the server's repository again"):
        result_of_tensors(answer, words=True)
    assert result_of_tensors(answer | {"WORDS": np.empty(0, np.object_)}, words=True).words == ()


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"WORD_LINES": np.array([0, 1, 2], np.int32)}, "WORD_LINES are 0 to 2, of 2 lines"),
        ({"WORD_LINES": np.array([0, -1, 1], np.int32)}, "WORD_LINES are -1 to 1"),
        ({"WORD_SCORES": np.ones(2, np.float32)}, "differ in length: 3 WORDS, 2 WORD_SCORES, 3"),
        ({"WORD_BOXES": np.zeros((4, 4, 2), np.float32)}, "3 WORD_SCORES, 4 WORD_BOXES"),
    ],
)
def test_words_that_do_not_fit_their_lines_are_refused(wrong, why):
    with pytest.raises(ServerError, match=why):
        result_of_tensors(with_words(**wrong))


def test_results_of_older_versions_are_read_and_of_newer_ones_refused():
    result = result_of_tensors(with_words())
    values = result.to_dict()
    assert values.pop("schema") == 1
    assert OcrResult.from_dict(values) == result
    with pytest.raises(ValueError, match="has schema 2; allowed: 1, or none"):
        OcrResult.from_dict({**values, "schema": 2})


@pytest.mark.parametrize(("text", "words", "pieces"), cases(__file__)["pieces"])
def test_the_pieces_of_a_line_begin_with_its_words(text, words, pieces):
    box = np.zeros((4, 2), np.float32)
    line = Line(text, 1, box, 1, tuple(Word(word, 1, box) for word in words))
    assert line.pieces == pieces


def test_numbers_keep_their_few_digits():
    box = [[0, 0.1], [9, 0], [9, 5], [0, 5]]
    (line,) = result_of_tensors(tensors(["茶"], [0.98196536], [box], [0.7])).lines
    assert (line.score, line.box_score) == (0.98196536, 0.7)
    assert line.to_dict()["box"] == box
    assert OcrResult((line,)).to_json() == (
        '{"schema": 1, "lines": [{"text": "茶", "score": 0.98196536, '
        '"box": [[0.0, 0.1], [9.0, 0.0], [9.0, 5.0], [0.0, 5.0]], "box_score": 0.7}]}'
    )


@pytest.mark.parametrize("angle", [None, 0, 270])
def test_the_angle_is_the_servers_and_0_without_one(angle):
    answer = tensors(["茶"], [0.9], [[[0, 0], [9, 0], [9, 5], [0, 5]]], [0.7])
    if angle is not None:
        answer["ANGLE"] = np.array([angle], np.int32)
    result = result_of_tensors(answer)
    assert result.angle == (angle or 0)
    assert OcrResult.from_dict(json.loads(result.to_json())) == result
    assert result.to_dict().get("angle", 0) == result.angle


def test_a_line_cannot_be_changed_by_accident():
    source = np.zeros((4, 2), np.float32)
    line = Line("a", 0.5, source, 0.5)
    assert line != Line("a", 0.5, source + 1, 0.5)
    assert line != "a"
    source[0] = 7
    assert not line.box.any()
    with pytest.raises(ValueError, match="read-only"):
        line.box[0] = 1
    with pytest.raises(ValueError, match=r"\(4, 2\), not \(3, 2\)"):
        Line("a", 0.5, np.zeros((3, 2), np.float32), 0.5)


def test_repr_and_text_are_for_people():
    lines = tuple(
        Line(text, 0.98765, np.arange(8, dtype=np.float32).reshape(4, 2), 0.5)
        for text in "甲乙丙丁"
    )
    assert repr(lines[0]) == "Line('甲', score=0.988, box=0,1 2,3 4,5 6,7)"
    assert repr(OcrResult(lines)) == "OcrResult(4 lines: '甲', '乙', '丙', …)"
    assert repr(OcrResult(lines[:1])) == "OcrResult(1 line: '甲')"
    assert repr(OcrResult(())) == "OcrResult(0 lines)"
    assert OcrResult(lines).text == "甲\n乙\n丙\n丁"


def test_an_answer_of_another_model_is_refused():
    answer = tensors(["a"], [1], np.zeros((1, 4, 2)), [1])
    with pytest.raises(ServerError, match="lacks TEXTS, SCORES"):
        result_of_tensors({"BOXES": answer["BOXES"], "BOX_SCORES": answer["BOX_SCORES"]})
    with pytest.raises(ServerError, match="1 TEXTS, 2 SCORES, 1 BOXES, 1 BOX_SCORES"):
        result_of_tensors(answer | {"SCORES": np.ones(2, np.float32)})
