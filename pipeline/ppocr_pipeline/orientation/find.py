"""The angle of a page, found by asking the direction classifier for a few of its long lines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import TYPE_CHECKING

import numpy as np

from ppocr_pipeline.calls import Calls
from ppocr_pipeline.crop import turned
from ppocr_pipeline.orientation.angle import (
    columns_side_by_side,
    count_cjk,
    is_vertical,
    main_direction,
    seem_laid_down,
)
from ppocr_pipeline.orientation.classifier import Classifier, classify, window

if TYPE_CHECKING:
    from ppocr_pipeline.recognition import Lines

SAMPLE = 5  # lines that are asked first
STRETCH, ENOUGH = 8, 5  # letters of a line, so many of them CJK, that tell whether it is a column
LINES = 3  # the longest ones, whose strokes are looked at, if they have
LETTERS = 20  # or more
DOUBTFUL = 0.85  # a score below which a line may lie upside down on its page
TEXT = 0.6  # lines of a lower mean score are icons or pictures: they do not turn a page

#: Reads crops, uint8 [h, w, 3] each.
Read = Callable[[Sequence[np.ndarray]], "Calls[Lines]"]
Crop = Callable[[int], np.ndarray]


@dataclass(frozen=True)
class Found:
    """What is known of a page before it is read.

    Attributes:
        angle: by which it is turned clockwise.
        votes: int64 [N], of each line as it was cut out: 1 upright, -1 upside down, 0 not asked or
            not sure.
        sample: indices of lines that were read to find it.
        turn: by how many quarter turns their crops were turned for that.
        lines: what was read in them, None where none were.
    """

    angle: int = 0
    votes: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    sample: Sequence[int] = ()
    turn: int = 0
    lines: Lines | None = None

    def read_at(self, turns: np.ndarray) -> dict[int, tuple[Lines, int]]:
        """The lines of the sample whose crops are read at these turns: where they are."""
        if self.lines is None:
            return {}
        places = {index: (self.lines, place) for place, index in enumerate(self.sample)}
        return {index: at for index, at in places.items() if turns[index] == self.turn}


def find_angle(
    crop: Crop,
    sizes: Sequence[tuple[int, int]],
    classifier: Classifier,
    thresh: float,
    read: Read,
) -> Calls[Found]:
    """Find by how much a page is turned.

    The longest lines are asked first. Unless most of them agree, all are asked. A page that seems
    to be turned is read at these lines before it is taken for one.

    Args:
        crop: cuts out a line as on an upright page.
        sizes: height and width of each box, pixels, one or more.
        classifier: its sizes.
        thresh: probability above which a line is surely upright or upside down.
        read: reads crops.
    """
    votes = np.zeros(len(sizes), np.int64)
    lines, sideways = main_direction(sizes)
    sample = lines[:SAMPLE]

    def ask(indices: np.ndarray) -> Calls[None]:
        crops = [window(crop(index)) for index in indices.tolist()]
        upside_down, sure = yield from classify(crops, classifier)
        votes[indices] = np.where(sure > thresh, np.where(upside_down, -1, 1), 0)

    yield from ask(sample)
    if 2 * abs(votes.sum()) <= len(sample) < len(sizes):
        yield from ask(np.setdiff1d(np.arange(len(sizes)), sample))
    upside_down = bool(votes[lines].sum() < 0)
    if not (sideways or upside_down):
        return Found(0, votes)
    upside_down, seen = yield from _better_way(crop, sample, upside_down, read)
    if seen.scores.mean() < TEXT:
        return Found(0, votes)
    angle = 90 * sideways + 180 * upside_down
    if angle:
        crops = [turned(crop(index), 2 * upside_down) for index in sample.tolist()]
        if (yield from _vertical_writing(crops, seen.texts, read)):
            angle -= 90
    return Found(angle, votes, sample.tolist(), 2 * upside_down, seen)


def _better_way(
    crop: Crop, sample: np.ndarray, upside_down: bool, read: Read
) -> Calls[tuple[bool, Lines]]:
    """Whether lines are upside down, and what they say; what reads well is not read both ways."""
    indices = sample.tolist()
    lines = yield from read([turned(crop(index), 2 * upside_down) for index in indices])
    if lines.scores.mean() >= DOUBTFUL:
        return upside_down, lines
    others = yield from read([turned(crop(index), 2 * (not upside_down)) for index in indices])
    if others.scores.mean() > lines.scores.mean():
        return not upside_down, others
    return upside_down, lines


def lie_as_columns(
    crop: Crop, sizes: Sequence[tuple[int, int]], texts: Sequence[str], read: Read
) -> Calls[bool]:
    """Whether the lines of a page that seems upright are columns that lie with their tops left.

    Args:
        crop: cuts out a line as on an upright page.
        sizes: height and width of each box, pixels, one or more.
        texts: that were read in them.
        read: reads crops.
    """
    longest, tall = main_direction(sizes)
    sample = [index for index in longest[:LINES].tolist() if count_cjk(texts[index])]
    seen = [texts[index] for index in sample]
    if tall or sum(map(len, seen)) < LETTERS:
        return False
    crops = [crop(index) for index in sample]
    return seem_laid_down(crops) and (yield from _vertical_writing(crops, seen, read))


def _vertical_writing(crops: Sequence[np.ndarray], texts: Sequence[str], read: Read) -> Calls[bool]:
    """Whether lines that lie on their side are columns of vertical writing.

    The stretch with the most CJK letters is read again, or all lines where none has enough.
    """
    stretches = [
        (count_cjk(text[start : start + STRETCH]), place, start)
        for place, text in enumerate(texts)
        for start in range(max(1, len(text) - STRETCH + 1))
    ]
    count, place, start = max(stretches, default=(0, 0, 0), key=itemgetter(0))
    if not count:
        return False
    if count >= ENOUGH:
        text, crop = texts[place], crops[place]
        stop = min(start + STRETCH, len(text))
        left, right = (crop.shape[1] * at // len(text) for at in (start, stop))
        crops, texts = [crop[:, left:right]], [text[start:stop]]
    columns = [
        columns_side_by_side(crop, max(1, len(text)))
        for crop, text in zip(crops, texts, strict=True)
    ]
    return is_vertical(texts, (yield from read(columns)).texts)
