"""CTC greedy decoding and the dictionary."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppocr_pipeline import ctc
from ppocr_pipeline.pipeline import Pipeline
from ppocr_pipeline.recognition import RecognitionPlan


@given(st.lists(st.lists(st.integers(0, 3), min_size=7, max_size=7), min_size=1, max_size=9))
def test_a_row_decodes_the_same_alone_and_in_any_batch(rows):
    indices = np.array(rows, np.int32)
    probabilities = np.random.default_rng(0).random(indices.shape, np.float32)
    texts, scores = ctc.ctc_decode(indices, probabilities, ["a", "b", "c"])
    for row in range(len(rows)):
        alone = ctc.ctc_decode(indices[row : row + 1], probabilities[row : row + 1], "abc")
        assert (texts[row], scores[row]) == (alone[0][0], alone[1][0])
        assert 0 <= scores[row] <= 1


def test_a_dictionary_that_does_not_fit_names_both_numbers(tmp_path):
    path = tmp_path / "dictionary.txt"
    path.write_text("a\nb\n \n", encoding="utf-8")
    assert ctc.load_dictionary(path, 4) == ["a", "b", " "]
    with pytest.raises(ValueError, match="with the blank 4 classes, but the recogniser has 5"):
        ctc.load_dictionary(path, 5)


@pytest.mark.parametrize(
    ("padding", "texts", "sure"),
    [("crop", ["a a", ""], [True, False]), ("paddle", [" a a ", "  "], [True, True])],
)
def test_spaces_around_a_text_are_none_of_it(padding, texts, sure):
    """The white beside a check box is read as a space; PaddleOCR answers it."""
    rows = iter([[2, 0, 1, 2, 1, 2], [2, 0, 2, 0, 0, 0]])

    def rec(feeds):
        count = len(feeds["CROPS"])
        steps = np.array([next(rows) for _ in range(count)], np.int32)
        return [steps, np.full(steps.shape, 0.9, np.float32)]

    boxes = np.array([[[x, 2], [x + 90, 2], [x + 90, 22], [x, 22]] for x in (2, 102)], np.float32)
    reader = Pipeline({"rec": rec}, RecognitionPlan(48, (320,), 1), ["a", " "])
    page = reader.recognize(np.zeros((30, 200, 3), np.uint8), boxes, {"rec_padding": padding})
    assert page.texts == texts
    assert (page.scores > 0.5).tolist() == sure
