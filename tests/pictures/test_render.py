import cv2
import numpy as np
import pytest

from ppocr_converters.pictures.render import (
    CHINESE,
    ENGLISH,
    encode_page,
    render_dense_page,
    render_page,
)
from ppocr_converters.pictures.render_canvas import WORD, Page, corners
from ppocr_converters.pictures.render_evaluation import KINDS, SENTENCES, evaluation_pages


def same(one, other):
    return (
        one.name == other.name
        and np.array_equal(one.image, other.image)
        and [line.text for line in one.lines] == [line.text for line in other.lines]
        and all(np.array_equal(a.box, b.box) for a, b in zip(one.lines, other.lines, strict=True))
    )


def check_boxes(page):
    """Every box is upright, clockwise from top-left, in the picture, and its ink is its own."""
    height, width = page.image.shape[:2]
    taken = np.zeros((height, width), bool)
    for line in page.lines:
        assert line.box.dtype == np.float32
        assert line.box.shape == (4, 2)
        assert (line.box >= 0).all()
        assert (line.box < [width, height]).all()
        assert np.array_equal(line.box, corners(*line.box[0], *line.box[2]))
        (left, top), (right, bottom) = line.box[0].astype(int), line.box[2].astype(int)
        assert left < right
        assert top < bottom
        place = np.s_[top : bottom + 1, left : right + 1]
        assert int(page.image[place].max()) - int(page.image[place].min()) > 60, line.text
        assert not taken[place].any(), line.text
        taken[place] = True


@pytest.mark.parametrize("seed", range(3))
def test_a_page_is_what_its_seed_says(seed):
    page = render_page(seed)
    assert same(page, render_page(seed))
    assert not same(page, render_page(seed + 1))
    assert page.image.dtype == np.uint8
    assert page.image.flags["C_CONTIGUOUS"]
    assert page.image.shape[1:] == (960, 3)
    assert len(page.lines) == 20
    assert all(line.text == line.text.strip() != "" for line in page.lines)
    check_boxes(page)


@pytest.mark.parametrize("lines", [0, 1, 90])
def test_a_page_has_as_many_lines_as_asked(lines):
    page = render_page(3, lines, width=640)
    assert len(page.lines) == lines
    check_boxes(page)


@pytest.mark.parametrize("lines", [1, 1000])
def test_a_dense_page_has_them_all(lines):
    page = render_dense_page(1, lines)
    assert len(page.lines) == lines
    check_boxes(page)


@pytest.mark.parametrize("arguments", [{"lines": -1}, {"width": 100}])
def test_impossible_pages_are_refused(arguments):
    with pytest.raises(ValueError, match="cannot render"):
        render_page(1, **arguments)
    with pytest.raises(ValueError, match="cannot render"):
        render_dense_page(1, 0)


def test_pages_are_stored_as_their_name_says():
    page = render_page(1, 1)
    assert encode_page(page).startswith(b"\x89PNG")
    with pytest.raises(ValueError, match=r"ends in '\.gif'"):
        encode_page(Page("a.gif", page.image, ()))


def test_only_letters_of_the_dictionary_are_written(repository):
    known = set((repository / "recognize" / "1" / "dictionary.txt").read_text("utf-8").split("\n"))
    texts = [*CHINESE, *ENGLISH]
    texts += [line.text for page in map(render_page, range(8)) for line in page.lines]
    assert set("".join(texts)) <= known | {" "}


@pytest.fixture(scope="module")
def pages():
    return list(evaluation_pages(limit=1))


def inside(box, outer):
    return all(cv2.pointPolygonTest(outer, tuple(map(float, one)), True) > -1.5 for one in box)


def test_there_are_ten_languages_and_about_ninety_pictures():
    assert len(SENTENCES) == 10
    assert all(len(texts) >= 12 for texts in SENTENCES.values())
    drawn = [language for rows in KINDS.values() for _, some in rows for language in some]
    assert 80 <= len(drawn) <= 120
    assert set(drawn) == set(SENTENCES)


def test_every_kind_is_drawn_with_sound_truth(pages):
    assert [kind for kind, _ in pages] == list(KINDS)
    for kind, page in pages:
        high, wide = page.image.shape[:2]
        assert page.lines, kind
        for line in page.lines:
            assert line.box.dtype == np.float32
            assert np.all((line.box >= -1) & (line.box <= [wide + 1, high + 1])), line
            left, top = np.maximum(line.box.min(axis=0), 0).astype(int)
            right, bottom = line.box.max(axis=0).astype(int)
            ink = page.image[top:bottom, left:right]
            assert int(ink.max()) - int(ink.min()) > 30, (kind, line.text)
            assert "".join(word.text for word in line.words) == line.text.replace(" ", "")
            # A letter may begin a little left of its pen's place, or end right of it.
            middles = [word.box.mean(axis=0) for word in line.words]
            assert inside(middles, line.box), (kind, line.text)


def test_words_are_the_characters_of_chinese_and_the_words_of_others():
    found = WORD.findall("编号XH-2309，共 two 元です")
    assert found == ["编", "号", "XH-2309", "，", "共", "two", "元", "で", "す"]


def test_words_lie_on_their_ink():
    ((_, page),) = evaluation_pages(["plain"], 1)
    blank = page.image.max(axis=(0, 1)).astype(int)
    for line in page.lines:
        for word in line.words:
            (left, top), (right, bottom) = word.box[0].astype(int), word.box[2].astype(int)
            pixels = page.image[top:bottom, left : right + 1].astype(int)
            columns = np.flatnonzero((np.abs(pixels - blank) > 60).any(axis=(0, 2)))
            if word.text[0].isalnum():  # full-width punctuation is half empty
                assert columns[0] <= 0.2 * (bottom - top)
            if word.text[-1].isalnum():
                assert columns[-1] >= right - left - 0.2 * (bottom - top)


def test_the_same_arguments_give_the_same_pictures(pages):
    kinds = ["noise", "skew"]
    again = dict(evaluation_pages(kinds, 1))
    for kind in kinds:
        assert same(dict(pages)[kind], again[kind])
        ((_, other),) = evaluation_pages([kind], 1, seed=1)
        assert [line.text for line in other.lines] != [line.text for line in again[kind].lines]


def test_a_turned_page_begins_each_box_at_the_corner_of_the_line(pages):
    turned = dict(pages)["turned"]
    for line in turned.lines:
        along, down = line.box[1] - line.box[0], line.box[3] - line.box[0]
        assert along[1] > 5 * abs(along[0])  # a quarter turn clockwise: text runs downwards
        assert down[0] < 0
