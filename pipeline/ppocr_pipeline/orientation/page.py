"""The lines of a page that may be turned: read upright, answered where they lie in the picture."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any

import numpy as np

from ppocr_pipeline.batches import Batch
from ppocr_pipeline.calls import Calls
from ppocr_pipeline.crop import TALL, box_sizes, crop_line, turned, with_margin
from ppocr_pipeline.limits import Limits
from ppocr_pipeline.order import reading_order
from ppocr_pipeline.order.slope import upright_points
from ppocr_pipeline.orientation.angle import quarter_turns, tall_on_page, turn_boxes
from ppocr_pipeline.orientation.classifier import Classifier, classify, page_angle, window
from ppocr_pipeline.orientation.find import (
    DOUBTFUL,
    SAMPLE,
    Crop,
    Found,
    Read,
    find_angle,
    lie_as_columns,
)
from ppocr_pipeline.recognition import Lines, RecognitionPlan, read_crops
from ppocr_pipeline.words.place import Word, lay_lines

# What is known of a crop, after it was turned on by so many quarter turns.
SIGNS = np.array([1, 0, -1, 0])
COLUMNS_LAID_DOWN = 270  # the angle of a page whose columns are read as lines


@dataclass(frozen=True)
class Page:
    """The lines of one picture.

    Attributes:
        places: int64 [N], which of the boxes given each line is.
        boxes: float32 [N, 4, 2], pixels of the picture, clockwise from the top left of each text.
        texts: of each.
        scores: float32 [N], of each text.
        words: of each, in the order of reading; none unless `return_words` asks for them.
        angle: by which the page is turned clockwise, degrees: 0, 90, 180 or 270.
        batches: in which the boxes given were read.
    """

    places: np.ndarray
    boxes: np.ndarray
    texts: list[str]
    scores: np.ndarray
    words: list[list[Word]]
    angle: int
    batches: list[Batch]


def read_page(
    pixels: np.ndarray,
    boxes: np.ndarray,
    batches: list[Batch],
    plan: RecognitionPlan,
    options: Mapping[str, Any],
    limits: Limits,
    characters: Sequence[str],
) -> Calls[Page]:
    """Read the boxes of one picture.

    Args:
        pixels: uint8 [H, W, 3], BGR.
        boxes: float32 [N, 4, 2], pixels, clockwise from the top left of the picture.
        batches: of these boxes, see `RecognitionPlan.batches`.
        plan: that made the batches.
        options: all of them, see `parse_options`.
        limits: of a request.
        characters: of class 1, 2, ... of the recogniser.

    Raises:
        ValueError: a network answered with a class that has no character, or the boxes of a
            turned page would cost too much.
    """
    reference, classifier = options["reference"], plan.classifier
    cut_out = with_margin(boxes, options)
    sizes = box_sizes(cut_out, reference)
    turns, flipped = np.zeros(len(boxes), np.int64), np.zeros(len(boxes), bool)

    @lru_cache(SAMPLE)  # the lines that are asked first are read first as well
    def cut(index: int) -> np.ndarray:
        return crop_line(pixels, cut_out[index], reference, sizes[index])

    def crop(index: int) -> np.ndarray:
        return turned(cut(index), int(turns[index]))

    def read(crops: Sequence[np.ndarray], *, words: bool = False) -> Calls[Lines]:
        of_crops = [(one.shape[0], one.shape[1]) for one in crops]
        grouped = plan.group(of_crops, options, limits.max_rec_width)
        return read_crops(
            *(crops.__getitem__, len(crops), grouped, plan, characters), words=words, spaces=cropped
        )

    words, cropped = options["return_words"], options["rec_padding"] == "crop"
    tall = np.array([height >= TALL * width for height, width in sizes], int)
    again = partial(read, words=words)
    found, asked = Found(), classifier if len(boxes) else None
    by_lines = asked is not None and options["orientation"] == "lines"
    if asked is not None and by_lines:
        found = yield from find_angle(crop, sizes, asked, options["cls_thresh"], again)
        turns = quarter_turns(sizes, found.angle)
        votes = found.votes * SIGNS[turns]
    elif len(boxes) and options["orientation"] == "page" and plan.page_orientation_size:
        found = Found((yield from page_angle(pixels, plan.page_orientation_size)))
        turns = quarter_turns(sizes, found.angle)
    angle = found.angle
    if (turns % 2).any():
        batches = plan.batches(boxes, options, limits, angle)
    if asked is not None and options["use_angle_cls"]:
        upside_down, sure = yield from classify([*map(crop, range(len(boxes)))], asked)
        turns = turns + np.where(upside_down & (sure > options["cls_thresh"]), 2, 0)
    # Only there is the width at which a line is read a matter of that line alone.
    known = found.read_at(turns) if cropped else {}
    missing = _without(batches, known)
    lines = yield from read_crops(
        *(crop, len(boxes), missing, plan, characters), words=words, spaces=cropped
    )
    for index, (others, place) in known.items():
        lines.put(index, others, place)
    if asked is not None and by_lines:
        if not angle and (yield from lie_as_columns(crop, sizes, lines.texts, again)):
            angle = COLUMNS_LAID_DOWN
            turns = quarter_turns(sizes, angle)
            votes = found.votes * SIGNS[turns]
            yield from _put_again(crop, np.flatnonzero(turns), again, lines)
        flipped = yield from _read_again(crop, asked, votes, again, lines)
    if cropped:
        lines.spell(~tall_on_page(sizes, angle))
        lines.trim()
    laid = lay_lines(lines.words, boxes, tall + turns + 2 * flipped, cut_out)
    places, begun = _placed(boxes, sizes, angle, flipped, options)
    return Page(
        places,
        begun,
        [lines.texts[place] for place in places],
        lines.scores[places],
        [laid[place] for place in places],
        angle,
        batches,
    )


def _put_again(crop: Crop, indices: np.ndarray, read: Read, lines: Lines) -> Calls[None]:
    """Read lines again, as their crops are now."""
    if len(indices):
        others = yield from read([*map(crop, indices.tolist())])
        for place, index in enumerate(indices.tolist()):
            lines.put(index, others, place)


def _without(batches: Sequence[Batch], known: Container[int]) -> list[Batch]:
    """The batches without the lines that are known."""
    kept = (
        replace(batch, indices=tuple(index for index in batch.indices if index not in known))
        for batch in batches
    )
    return [batch for batch in kept if batch.indices]


def _placed(
    boxes: np.ndarray,
    sizes: Sequence[tuple[int, int]],
    angle: int,
    flipped: np.ndarray,
    options: Mapping[str, Any],
) -> tuple[np.ndarray, np.ndarray]:
    """Which line comes at each place, and their boxes, each from the top left of its text.

    Boxes in the reading order of the picture as it lies come in that of the page. Any other order
    is that of whoever sent them.
    """
    places = np.arange(len(boxes))
    if angle and np.array_equal(reading_order(boxes, options), places):
        upright = turn_boxes(boxes, sizes, angle, np.zeros(len(boxes), bool))
        places = reading_order(upright_points(upright, angle), options)
    return places, turn_boxes(boxes, sizes, angle, flipped)[places]


def _read_again(
    crop: Crop,
    classifier: Classifier,
    votes: np.ndarray,
    read: Read,
    lines: Lines,
) -> Calls[np.ndarray]:
    """Read lines that may lie upside down on their page the other way round; the better counts.

    These are lines that the classifier has found upside down. Of lines with a low score it is
    asked now.

    Args:
        crop: cuts out a line as it was read.
        classifier: its sizes.
        votes: int64 [N], 1 for a line that is upright as it was read, -1 upside down, 0 unknown.
        read: reads crops.
        lines: all of them as they were read, changed in place.

    Returns:
        bool [N], the lines that lie upside down.
    """
    doubtful = np.flatnonzero((lines.scores < DOUBTFUL) & (votes == 0))
    if len(doubtful):
        upside_down, _ = yield from classify([window(crop(i)) for i in doubtful], classifier)
        votes[doubtful] = np.where(upside_down, -1, 1)
    flipped = votes < 0
    if not flipped.any():
        return flipped
    again = np.flatnonzero(flipped)
    others = yield from read([turned(crop(index), 2) for index in again])
    flipped[again] = others.scores > lines.scores[again]
    for place, index in enumerate(again.tolist()):
        if flipped[index]:
            lines.put(index, others, place)
    return flipped
