"""The angle of a page, found by asking the direction classifier for a few of its long lines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ppocr_pipeline.calls import Calls
from ppocr_pipeline.crop import turned
from ppocr_pipeline.orientation.angle import columns_side_by_side, is_vertical, main_direction
from ppocr_pipeline.orientation.classifier import Classifier, classify, window

if TYPE_CHECKING:
    from ppocr_pipeline.recognition import Lines

SAMPLE = 5  # lines that are asked first

#: Reads crops, uint8 [h, w, 3] each.
Read = Callable[[Sequence[np.ndarray]], "Calls[Lines]"]
Crop = Callable[[int], np.ndarray]


def find_angle(
    crop: Crop,
    sizes: Sequence[tuple[int, int]],
    classifier: Classifier,
    thresh: float,
    read: Read,
) -> Calls[tuple[int, np.ndarray]]:
    """Find by how much a page is turned.

    The longest lines are asked first. Unless most of them agree, all are asked.

    Args:
        crop: cuts out a line as on an upright page.
        sizes: height and width of each box, pixels, one or more.
        classifier: its sizes.
        thresh: probability above which a line is surely upright or upside down.
        read: reads crops.

    Returns:
        The angle, and int64 [N], what is known of each line as it was cut out: 1 upright, -1
        upside down, 0 not asked or not sure.
    """
    votes = np.zeros(len(sizes), np.int64)
    lines, sideways = main_direction(sizes)
    sample = lines[:SAMPLE]

    def ask(indices: np.ndarray) -> Calls[None]:
        crops = [window(crop(index)) for index in indices.tolist()]
        upside_down, sure = yield from classify(crops, classifier)
        votes[indices] = np.where(sure > thresh, np.where(upside_down, -1, 1), 0)

    yield from ask(sample)
    others = np.setdiff1d(np.arange(len(sizes)), sample)
    if 2 * abs(votes.sum()) <= len(sample) and len(others):
        yield from ask(others)
    upside_down = bool(votes[lines].sum() < 0)
    angle = 90 * sideways + 180 * upside_down
    if angle and (yield from _vertical_writing(crop, sample, upside_down, read)):
        angle -= 90
    return angle, votes


def _vertical_writing(crop: Crop, sample: np.ndarray, upside_down: bool, read: Read) -> Calls[bool]:
    """Whether tall lines are columns of vertical writing, not lines that lie on their side."""
    crops = [turned(crop(index), 2 * upside_down) for index in sample.tolist()]
    lines = (yield from read(crops)).texts
    columns = yield from read(
        [
            columns_side_by_side(one, max(1, len(line)))
            for one, line in zip(crops, lines, strict=True)
        ]
    )
    return is_vertical(lines, columns.texts)
