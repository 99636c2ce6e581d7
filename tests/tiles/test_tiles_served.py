"""Strips, tall screenshots and small print are read whole by the real server."""

from collections.abc import Iterator

import numpy as np
import pytest
from tiles.sheets import render_sheet

from ppocr_client import OcrClient
from ppocr_converters.pictures.render_canvas import Page

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def client(server) -> Iterator[OcrClient]:
    with OcrClient(server.grpc_url) as opened:
        yield opened


def tight(page: Page) -> np.ndarray:
    """The ink of a sheet with one line, without a margin."""
    ink = np.argwhere(page.image.min(axis=2) < 128)
    (top, left), (bottom, right) = ink.min(axis=0), ink.max(axis=0) + 1
    return page.image[top:bottom, left:right]


def whole(page: Page) -> np.ndarray:
    """The sheet as it is."""
    return page.image


STRIP = render_sheet(1, 992, 48, size=32, lines=1)
LINE = render_sheet(2, 3600, 120, size=46, lines=1)
LONG = render_sheet(5, 7200, 60, size=44, lines=1)  # 6,000 columns or more of the recogniser's


@pytest.mark.parametrize(
    ("page", "pixels"),
    [(one, cut(one)) for one in (STRIP, LINE, LONG) for cut in (whole, tight)],
    ids=["strip", "tight strip", "line", "tight line", "long line", "tight long line"],
)
def test_a_single_line_is_read_whole(client, page, pixels):
    result = client.read(pixels, colour="BGR")
    assert [squeezed(line.text) for line in result.lines] == [squeezed(page.lines[0].text)]
    assert result.warnings == ()


def test_words_of_a_long_line_lie_where_they_are_written(client):
    (line,) = client.read(LONG.image, colour="BGR", return_words=True).lines
    assert squeezed("".join(word.text for word in line.words)) == squeezed(line.text)
    lefts = [word.box[0][0] for word in line.words]
    assert lefts == sorted(lefts)
    assert lefts[0] < 50
    assert lefts[-1] > 7000


@pytest.mark.parametrize(
    ("sheet", "lines"),
    [
        (render_sheet(3, 600, 8000, size=18, lines=200), 200),
        (render_sheet(4, 3508, 4961, size=25, lines=60), 60),
    ],
    ids=["screenshot", "a3"],
)
def test_every_line_is_read_once_and_in_order(client, sheet, lines):
    result = client.read(sheet.image, colour="BGR")
    found, written = ([squeezed(line.text) for line in p.lines] for p in (result, sheet))
    assert len(found) == lines
    assert sum(a == b for a, b in zip(found, written, strict=True)) >= 0.98 * lines
    assert result.warnings == ()


def squeezed(text: str) -> str:
    """A text without spaces, which PP-OCRv4 leaves out, and case, which it guesses for C and O."""
    return text.replace(" ", "").casefold()
