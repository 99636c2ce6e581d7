import numpy as np
import pytest

from ppocr_converters.pictures import render_texts
from ppocr_converters.pictures.render import (
    encode_page,
    render_dense_page,
    render_page,
    render_pages,
)
from ppocr_converters.pictures.render_canvas import Page


def same(one, other):
    return (
        one.name == other.name
        and np.array_equal(one.image, other.image)
        and [line.text for line in one.lines] == [line.text for line in other.lines]
        and all(np.array_equal(a.box, b.box) for a, b in zip(one.lines, other.lines, strict=True))
    )


def check_boxes(page):
    """Every box is clockwise from top-left, in the picture, and holds ink that others do not."""
    height, width = page.image.shape[:2]
    taken = np.zeros((height, width), bool)
    for line in page.lines:
        assert line.box.dtype == np.float32
        assert line.box.shape == (4, 2)
        assert (line.box >= 0).all()
        assert (line.box < [width, height]).all()
        (x0, y0), (x1, y1), (x2, y2), (x3, y3) = line.box.tolist()
        area = (x0 * y1 - x1 * y0) + (x1 * y2 - x2 * y1) + (x2 * y3 - x3 * y2) + (x3 * y0 - x0 * y3)
        assert area > 0, "clockwise where y points down"
        assert min(x1, x2) > max(x0, x3)
        (left, top), (right, bottom) = (
            line.box.min(axis=0).astype(int),
            line.box.max(axis=0).astype(int),
        )
        inside = page.image[top : bottom + 1, left : right + 1]
        assert int(inside.max()) - int(inside.min()) > 60, line.text
        if y0 == y1:
            assert not taken[top : bottom + 1, left : right + 1].any(), line.text
            taken[top : bottom + 1, left : right + 1] = True


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
    texts = [*render_texts.CHINESE, *render_texts.ENGLISH]
    texts += [line.text for page in render_pages(0, 8) for line in page.lines]
    assert set("".join(texts)) <= known | {" "}
