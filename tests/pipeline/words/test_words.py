"""Words of a line: which characters they hold, and where they stand."""

import cv2
import numpy as np
import pytest
from cases import cases
from hypothesis import given
from hypothesis import strategies as st

from ppocr_pipeline.crop import whole_picture
from ppocr_pipeline.pipeline import Pipeline
from ppocr_pipeline.recognition import RecognitionPlan
from ppocr_pipeline.words.place import Word, column_contrast, crop_words, lay_words
from ppocr_pipeline.words.plain import plain_forms
from ppocr_pipeline.words.spaces import put_spaces
from ppocr_pipeline.words.split import split_words

CASES = cases(__file__)


def words_of(text: str) -> list[str]:
    return [text[start:stop] for start, stop in split_words(text)]


@pytest.mark.parametrize(("text", "words"), CASES["words"])
def test_words_are_parted_at_spaces_and_at_every_character_of_chinese(text, words):
    assert words_of(text) == words


@given(st.text())
def test_joined_words_are_the_line_without_spaces(text):
    assert "".join(words_of(text)) == "".join(text.split())


def drawn(columns: list[tuple[int, int]], width: int, ground: int = 255) -> np.ndarray:
    """A crop of 48 rows whose rows 10 to 38 are black between these columns."""
    crop = np.full((48, width, 3), ground, np.uint8)
    for start, stop in columns:
        crop[10:38, start:stop] = 0
    return crop


def read(steps: dict[int, int], crop: np.ndarray, width: int) -> list[Word]:
    """Words of a crop in which class c was read at step t, `steps[t] = c`, of 8 columns each."""
    classes = np.zeros(width // 8, np.int32)
    classes[[*steps]] = [*steps.values()]
    sure = np.linspace(0.5, 1, len(classes), dtype=np.float32)
    return crop_words(classes, sure, ["a", "b", " ", "中"], width, column_contrast(crop))


def test_words_are_parted_at_the_white_between_them():
    crop = drawn([(8, 28), (33, 50), (90, 118)], 128)
    first, second = read({1: 1, 4: 2, 8: 3, 12: 1}, crop, 160)
    assert (first.text, second.text) == ("ab", "a")
    # Halfway between "b" and the space is column 52, halfway to the next letter 84.
    assert first.box * (128, 48) == pytest.approx(
        np.array([[0, 0], [51.5, 0], [51.5, 48], [0, 48]])
    )
    assert (second.box[:2, 0] * 128).tolist() == [83.5, 128]
    assert first.score == pytest.approx(np.linspace(0.5, 1, 20)[[1, 4]].mean())


def test_a_character_that_reaches_beyond_halfway_is_not_cut():
    first, second = read({2: 4, 5: 4}, drawn([(4, 38), (42, 70)], 76), 80)
    # Halfway is column 32, in the first character; the white begins at column 38.
    assert first.box[1, 0] * 76 == second.box[0, 0] * 76 == pytest.approx(38.5)


def test_without_white_they_are_parted_halfway():
    first, second = read({2: 4, 6: 4}, drawn([(0, 80)], 80), 80)
    assert first.box[1, 0] == second.box[0, 0] == pytest.approx((2.5 + 6.5) / 2 * 8 / 80, abs=0.01)


def test_a_character_read_in_the_padding_stays_in_the_crop():
    words = read({2: 1, 3: 3, 18: 2}, drawn([(4, 30)], 40), 160)
    for word in words:
        assert (word.box >= 0).all()
        assert (word.box <= 1).all()
        assert cv2.contourArea(word.box) > 0


QUARTER = Word("a", 1.0, np.array([[0, 0], [0.25, 0], [0.25, 1], [0, 1]], np.float32))
BOX = np.array([[10, 20], [50, 20], [50, 30], [10, 30]], np.float32)


@pytest.mark.parametrize(("turns", "box"), CASES["turned"])
def test_a_word_begins_where_its_turned_crop_was_read_from(turns, box):
    (laid,) = lay_words([QUARTER], BOX, turns)
    assert np.allclose(laid.box, box, atol=1e-4)
    # The corners of the crop itself, turned as many times, lie the same way.
    marks = np.rot90(np.array([[0, 1], [3, 2]]), turns)
    assert marks[0, 0] == [0, 1, 2, 3][turns]


def test_a_word_of_a_box_in_perspective_lies_where_the_crop_shows_it():
    box = np.array([[10, 10], [90, 20], [90, 40], [10, 60]], np.float32)
    (laid,) = lay_words([QUARTER], box, 0)
    size = np.array([[0, 0], [80, 0], [80, 40], [0, 40]], np.float32)
    back = cv2.perspectiveTransform(laid.box[None], cv2.getPerspectiveTransform(box, size))[0]
    assert np.allclose(back, QUARTER.box * (80, 40), atol=1e-3)


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_a_word_of_a_crop_with_a_margin_lies_in_the_box(turns):
    grown = np.array([[0, 15], [60, 15], [60, 35], [0, 35]], np.float32)  # by a share of each side
    edges = Word("a", 1.0, np.array([[0, 0], [0.5, 0], [0.5, 1], [0, 1]], np.float32))
    (laid,) = lay_words([edges], BOX, turns, grown)
    (half,) = lay_words([edges], BOX, turns)
    assert np.allclose(laid.box, half.box, atol=1e-4)


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_a_word_of_a_triangle_lies_in_it(turns):
    triangle = np.array([[10, 20], [10, 20], [50, 60], [10, 60]], np.float32)
    (laid,) = lay_words([QUARTER], triangle, turns, triangle)
    assert ((laid.box >= (10, 20)) & (laid.box <= (50, 60))).all()


@pytest.mark.parametrize("value", [0, 128, 255])
def test_a_crop_without_ink_has_words_all_the_same(value):
    crop = np.full((48, 64, 3), value, np.uint8)
    (word,) = read({2: 1, 4: 2}, crop, 64)
    assert word.box.tolist() == [[0, 0], [1, 0], [1, 1], [0, 1]]


@pytest.mark.parametrize(
    ("text", "starts", "spaced"),  # where the 24 columns of each character begin
    [
        ("在年8中", (4, 32, 70, 107), "在年 8 中"),
        ("在年8中", (4, 32, 65, 98), "在年8中"),  # white of less than a fifth of the height
        ("abcd在9", (4, 42, 70, 98, 126, 164), "abcd在 9"),  # only beside Chinese
        ("在年文日2月", (4, 32, 60, 88, 126, 164), "在年文日2月"),  # narrow in their squares
        ("在年文1文", (4, 32, 60, 88, 126), "在年文1文"),
        ("在年8中文", (4, 42, 80, 118, 156), "在年8中文"),  # all of them spaced out
        ("Tel24", (4, 32, 60, 94, 122), "Tel 24"),
        ("Tel24", (4, 34, 64, 97, 127), "Tel24"),  # not clearly wider than the other gaps
        ("No.24", (4, 32, 60, 96, 124), "No. 24"),
        ("ab cdef", (4, 32, 54, 70, 98, 136, 164), "ab cd ef"),  # as wide as the space read
        ("abcdef", (4, 32, 60, 88, 126, 154), "abcdef"),
        ("(年)8(文)中", (4, 32, 60, 88, 132, 160, 188, 232), "(年)8（文）中"),
        ("（年)8文", (4, 32, 60, 88, 116), "（年）8文"),  # one of two is full-width
        ("年： 8", (4, 32, 54, 80), "年：8"),  # the white is the colon's own
        ("年： 8", (4, 32, 64, 90), "年： 8"),
        ("(8　年", (4, 32, 60, 84), "(8　年"),  # the space as it was read
        ("f(x)", (4, 52, 80, 108), "f(x)"),  # no space was read, and the brackets are plain
        ("在年8 ", (4, 32, 70, 98), "在年 8"),
    ],
)
def test_spaces_and_brackets_are_seen_in_the_white_beside_characters(text, starts, spaced):
    ink = [start for start, one in zip(starts, text, strict=True) if not one.isspace()]
    crop = drawn([(start, start + 24) for start in ink], starts[-1] + 28)
    characters = sorted(set(text))
    classes = np.zeros(starts[-1] // 2 * 2 + 28, np.int32)
    classes[[start + 12 for start in starts]] = [characters.index(one) + 1 for one in text]
    contrast = column_contrast(crop)
    assert put_spaces(text, classes, characters, 1 / 48, contrast, 48) == spaced
    squeezed = classes.reshape(-1, 2).max(axis=1)
    assert put_spaces(text, squeezed, characters, 1 / 48, contrast, 48) == spaced


def test_a_line_read_as_a_space_alone_is_let_be():
    contrast = column_contrast(drawn([(4, 28), (60, 84), (120, 144)], 150))
    assert put_spaces(" ", np.eye(1, 75, 20, np.int32)[0], [" "], 1 / 48, contrast, 48) == " "


@given(st.text(" (（)年8a：", max_size=9), st.lists(st.integers(0, 255), min_size=40, max_size=40))
def test_any_text_keeps_its_letters_whatever_its_crop_shows(text, contrast):
    classes = np.zeros(40, np.int32)
    classes[2 : 2 + 4 * len(text) : 4] = range(1, len(text) + 1)
    seen = put_spaces(text, classes, text, 1 / 8, np.repeat(np.uint8(contrast), 8), 48)
    plain = str.maketrans("（）", "()")
    assert seen.translate(plain).replace(" ", "") == text.translate(plain).replace(" ", "")


@pytest.mark.parametrize(
    ("quarters", "padding", "digit", "text"),
    [
        (0, "crop", "8", "年 8"),
        (0, "paddle", "8", "年8"),
        (3, "crop", "8", "年8"),  # 3: the line is vertical
        (0, "crop", "８", "年８"),
        (3, "crop", "８", "年8"),
        (3, "paddle", "８", "年８"),
    ],
)
def test_outside_the_references_lines_that_run_across_have_spaces_and_vertical_ones_plain_digits(
    quarters, padding, digit, text
):
    classes = np.zeros((1, 40), np.int32)
    classes[0, [3, 7]] = 1, 2
    answer = [classes, np.ones(classes.shape, np.float32)]
    reader = Pipeline({"rec": lambda _: answer}, RecognitionPlan(48, (320,), 1), ["年", digit])
    picture = np.rot90(drawn([(10, 34), (50, 74)], 84), quarters).copy()
    boxes = whole_picture(picture)
    assert reader.recognize(picture, boxes, {"rec_padding": padding}).texts == [text]
    faint = np.full_like(picture, 9)
    assert reader.recognize(faint, boxes, {"rec_padding": padding}).texts == [text.replace(" ", "")]


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("電話：０１２０－８２０－５", "電話：0120-820-5"),
        ("ＸＨ－2309，１０：4", "XH-2309，10:4"),
        ("第－章：４", "第－章：4"),  # marks beside Chinese stay
    ],
)
def test_letters_and_digits_of_vertical_text_are_plain(text, plain):
    assert plain_forms(text) == plain


def test_words_are_spelled_with_the_brackets_of_their_line():
    classes = np.zeros((1, 40), np.int32)
    classes[0, [3, 10]] = 1, 2
    answer = [classes, np.ones(classes.shape, np.float32)]
    reader = Pipeline({"rec": lambda _: answer}, RecognitionPlan(48, (320,), 1), ["年", "("])
    picture = drawn([(10, 34), (72, 90)], 100)
    page = reader.recognize(picture, whole_picture(picture), {"return_words": True})
    assert page.texts == ["年（"]
    assert "".join(word.text for word in page.words[0]) == "年（"


def test_a_vertical_line_among_lines_that_run_across_is_given_no_spaces():
    classes = np.zeros((1, 40), np.int32)
    classes[0, [3, 7]] = 1, 2
    answer = [classes, np.ones(classes.shape, np.float32)]
    reader = Pipeline({"rec": lambda _: answer}, RecognitionPlan(48, (320,), 1), ["年", "8"])
    line = drawn([(10, 34), (50, 74)], 84)
    picture = np.full((48 * 2 + 84, 84, 3), 255, np.uint8)
    picture[:48], picture[48:96], picture[96:, :48] = line, line, np.rot90(line, -1)
    corners = [(0, 0, 84, 48), (0, 48, 84, 96), (0, 96, 48, 180)]
    boxes = np.array([[[a, b], [c, b], [c, d], [a, d]] for a, b, c, d in corners], np.float32)
    assert reader.recognize(picture, boxes, {}).texts == ["年 8", "年 8", "年8"]
