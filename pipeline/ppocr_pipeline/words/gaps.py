"""Boxes that hold several texts are parted at the gaps between them.

Detectors join short texts that stand beside each other, such as those of a menu or a table without
lines. Between words of one text there is less room.
"""

from __future__ import annotations

from math import ceil, floor

import numpy as np

from ppocr_pipeline.crop import TALL, box_sizes, crop_line
from ppocr_pipeline.words.place import column_contrast

LINEAR = "paddle_serving"  # whose crops cost a third of PaddleOCR's; gaps are seen in either
BLANK = 0.2  # of the way from the emptiest column to the letters: more is ink
FAINT = 20  # grey levels between the emptiest column and the letters; less is no text
AROUND = 0.1  # of its height that a part reaches over its ink
# Heights: where no part is wider, letters are spaced out. One at the beginning of two is the number
# or the mark of what follows it.
LETTER = 1.2


def part_at_gaps(
    pixels: np.ndarray, boxes: np.ndarray, gap: float, reference: str
) -> tuple[np.ndarray, np.ndarray]:
    """Part boxes where nothing stands in them for so long that their text ends.

    Args:
        pixels: uint8 [H, W, 3].
        boxes: float32 [N, 4, 2], pixels, clockwise from top-left.
        gap: in heights of a box, from where texts are parted.
        reference: by which the boxes' sides are measured, see `box_sizes`.

    Returns:
        float32 [M, 4, 2], whole pixels where a box was parted, and int64 [M], of which box each is.
    """
    parts, of = [], []
    for index, (box, size) in enumerate(zip(boxes, box_sizes(boxes, reference), strict=True)):
        spans = []
        if max(size) > (gap + LETTER) * min(size):
            contrast = column_contrast(crop_line(pixels, box, LINEAR, size))
            spans = _texts(contrast, min(size), gap)
        tall = size[0] >= TALL * size[1]
        parts += [_part(box, *span, tall=tall) for span in spans] or [box]
        of += [index] * (len(spans) or 1)
    return np.array(parts, np.float32).reshape(-1, 4, 2), np.array(of, np.int64)


def ink_columns(contrast: np.ndarray) -> np.ndarray:
    """The columns of a crop in which something stands, int64; none in a faint one.

    Args:
        contrast: uint8 [w], see `column_contrast`.
    """
    low, high = int(contrast.min()), _letters(np.sort(contrast))
    if high - low < FAINT:
        return np.zeros(0, np.int64)
    return (contrast > low + BLANK * (high - low)).nonzero()[0]


def _texts(contrast: np.ndarray, height: int, gap: float) -> list[tuple[float, float]]:
    """Where the texts of a crop begin and end, in shares of its width; none if it is one text."""
    ink = ink_columns(contrast)
    wide = ink[1:] - ink[:-1] > gap * height
    if not wide.any():
        return []
    starts, stops = ink[np.append(True, wide)], ink[np.append(wide, True)] + 1
    letters = stops - starts <= LETTER * height
    if letters.all() or (len(letters) == 2 and letters[0]):
        return []
    shares = np.stack([starts - AROUND * height, stops + AROUND * height], axis=1) / len(contrast)
    return [(start, stop) for start, stop in np.clip(shares, 0, 1).tolist()]


def _letters(ordered: np.ndarray) -> float:
    """The 95th percentile of sorted columns: that of `np.percentile`, in a tenth of its time."""
    place = 0.95 * (len(ordered) - 1)
    low, high, share = int(ordered[floor(place)]), int(ordered[ceil(place)]), place % 1
    return high - (high - low) * (1 - share) if share >= 0.5 else low + (high - low) * share


def _part(box: np.ndarray, start: float, stop: float, *, tall: bool) -> np.ndarray:
    """The part of a box from one share of its length to another, whole pixels."""
    first, second, third, fourth = box
    if tall:
        left, right = fourth - first, third - second
        corners = [first + start * left, second + start * right]
        corners += [second + stop * right, first + stop * left]
    else:
        top, bottom = second - first, third - fourth
        corners = [first + start * top, first + stop * top]
        corners += [fourth + stop * bottom, fourth + start * bottom]
    return np.round(np.array(corners, np.float32))
