"""The angle of a page: what it does to crops, to boxes and to their order.

An angle is that by which the page is turned clockwise in the picture: 0, 90, 180 or 270 degrees.
A crop is cut as on an upright page, tall ones turned by 90 degrees counterclockwise; on a turned
page it is turned on, by quarter turns counterclockwise.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import cv2
import numpy as np

from ppocr_pipeline.crop import TALL, turned

# Where the scripts that are written vertically begin, and forms that do not tell.
FIRST_OF_CJK, FULL_WIDTH_FORMS = "\u2e80", "\uff00"
VERTICAL = 0.4  # share of the characters that column and crop have in common, at least
UPRIGHT = 1.05  # so many edges across to one up and down: CJK letters have more, if they stand


def main_direction(sizes: Sequence[tuple[int, int]]) -> tuple[np.ndarray, bool]:
    """The lines of the direction in which most of a page's text runs, and whether they are tall.

    Args:
        sizes: height and width of each box, pixels, one or more.

    Returns:
        int64 [at least 1], their indices, the longest first, and whether they are tall.
    """
    heights, widths = np.array(sizes, np.int64).T
    tall, wide = heights >= TALL * widths, widths >= TALL * heights
    sideways = bool(heights[tall].sum() > widths[wide].sum())
    longest = np.argsort(-np.maximum(heights, widths), kind="stable")
    return longest[tall[longest] == sideways], sideways


def quarter_turns(sizes: Sequence[tuple[int, int]], angle: int) -> np.ndarray:
    """By how many quarter turns counterclockwise the crop of each box is turned on, int64 [N].

    Args:
        sizes: height and width of each box, pixels.
        angle: of the page.
    """
    heights, widths = np.array(sizes, np.int64).reshape(-1, 2).T
    turns = np.zeros(len(heights), np.int64)
    if angle % 180:
        # A wide box is tall on the upright page, and turned once more.
        turns[heights < TALL * widths] = 1
        turns[widths >= TALL * heights] = 2
    return (turns + angle // 180 * 2) % 4


def tall_on_page(sizes: Sequence[tuple[int, int]], angle: int) -> np.ndarray:
    """Which boxes are tall when the page is turned upright, bool [N]; see `quarter_turns`."""
    heights, widths = np.array(sizes, np.int64).reshape(-1, 2).T
    return widths >= TALL * heights if angle % 180 else heights >= TALL * widths


def turn_boxes(
    boxes: np.ndarray, sizes: Sequence[tuple[int, int]], angle: int, flipped: np.ndarray
) -> np.ndarray:
    """Boxes whose first corner is the top left of their text, clockwise from there.

    Args:
        boxes: float32 [N, 4, 2], pixels, clockwise from the top left of the picture.
        sizes: height and width of each, pixels.
        angle: of the page.
        flipped: bool [N], lines that lie upside down on the upright page.
    """
    steps = angle // 90 + np.where(flipped, np.where(tall_on_page(sizes, angle), 3, 2), 0)
    return boxes[np.arange(len(boxes))[:, None], (np.arange(4) + steps[:, None]) % 4]


def columns_side_by_side(crop: np.ndarray, letters: int) -> np.ndarray:
    """A column of vertical writing as a line: its letters cut apart and put side by side.

    Args:
        crop: uint8 [h, w, 3], the column turned by 90 degrees counterclockwise.
        letters: into how many equal parts it is cut, if it has so many columns of pixels.
    """
    parts = min(letters, crop.shape[1])
    edges = np.linspace(0, crop.shape[1], parts + 1).round().astype(int)
    width = int(np.diff(edges).min())
    column = turned(crop, 3)
    return np.concatenate([column[start : start + width] for start in edges[:-1]], axis=1)


def count_cjk(text: str) -> int:
    """How many letters of a text are of the scripts that are written vertically."""
    return sum(FIRST_OF_CJK <= letter < FULL_WIDTH_FORMS for letter in text)


def seem_laid_down(crops: Sequence[np.ndarray]) -> bool:
    """Whether strokes run rather up and down than across, as in columns that lie on their side.

    Recognisers read letters whose tops are to the left as well as upright ones.

    Args:
        crops: uint8 [h, w, 3], lines of CJK letters.
    """
    up_and_down = across = 0
    for crop in crops:
        if min(crop.shape[:2]) < 2:
            continue
        grey = cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY)
        across += int(cv2.absdiff(grey[1:], grey[:-1]).sum())
        up_and_down += int(cv2.absdiff(grey[:, 1:], grey[:, :-1]).sum())
    return across < UPRIGHT * up_and_down


def is_vertical(lines: Sequence[str], columns: Sequence[str]) -> bool:
    """Whether lines that lie on their side are columns of vertical writing.

    Only then they give the same when they are read letter by letter. Latin letters do not count:
    vertical writing is CJK.

    Args:
        lines: read as lines that lie on their side.
        columns: the same, their letters put side by side.
    """
    shared = Counter[str]()
    for line, column in zip(lines, columns, strict=True):
        shared += Counter(line) & Counter(column)
    same = sum(count for letter, count in shared.items() if count_cjk(letter))
    return same > 0 and same >= VERTICAL * sum(map(len, lines))
