"""Which crops are read together, and how wide each is padded.

What a recogniser reads depends on the padding to the right of the text. Both plans below are a
function of one picture's crops alone, so the text never depends on other requests.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from ppocr_pipeline.limits import Limits, exceeded
from ppocr_pipeline.long_lines import OVERLAP, part_width
from ppocr_pipeline.resize import next_stride

PADDLE_GROUP = 6  # rec_batch_num
PADDLE_MIN_WIDTH = 320  # rec_image_shape
DISTORTED = 1.4  # from this factor on characters of a squeezed line are lost
PDSERVING_HEIGHT = 48  # that the 320 of deploy/pdserving belong to, whatever the model's height


@dataclass(frozen=True)
class Batch:
    """Crops read in one call.

    Attributes:
        indices: which ones.
        width: that all of them are padded to, pixels.
        part: of a single crop that is wider than the recogniser is fed: the width of the parts in
            which it is read, see `cut_parts`; 0 for all others.
    """

    indices: tuple[int, ...]
    width: int
    part: int = 0


def parse_buckets(text: str) -> list[int]:
    """Widths in pixels from `rec_buckets`: "320,640,960", or in steps "96-640/32,704-3200/64".

    Raises:
        ValueError: not of that form, not increasing, or beyond the widest crop.
    """
    widths: list[int] = []
    try:
        for part in text.split(","):
            first, _, stepped = part.partition("-")
            last, _, step = stepped.partition("/") if stepped else (first, "", "1")
            if int(last) > Limits.max_rec_width:
                raise ValueError
            widths += range(int(first), int(last) + 1, int(step))
    except ValueError:
        widths = []
    if not widths or widths[0] < 1 or widths != sorted(set(widths)):
        raise ValueError(
            f"rec_buckets is {text!r}; allowed: increasing widths of 1 to {Limits.max_rec_width} "
            f"pixels, parted by commas, single or as first-last/step, such as 96-640/32,704-3200/64"
        )
    return widths


def plan_by_bucket(
    sizes: Sequence[tuple[int, int]],
    height: int,
    buckets: Sequence[int],
    batch_size: int,
    max_width: int = Limits.max_rec_width,
    columns: int = Limits.max_rec_columns,
) -> list[Batch]:
    """Pad every crop to the first bucket that holds it at the model's height.

    Args:
        sizes: height and width of each crop, pixels.
        height: the model's input height, pixels.
        buckets: widths in pixels, increasing; a crop wider than the last is squeezed into it, and
            read in parts where characters would be lost by that.
        batch_size: crops in one batch, at the most.
        max_width: pixels; a crop that would be wider is squeezed into it.
        columns: of a batch of several crops, at the most.

    Returns:
        Batches, the widest first: the longest work starts first.
    """
    members: dict[int, list[int]] = defaultdict(list)
    long = []
    for index, size in enumerate(sizes):
        width = natural_width(size, height)
        if width > DISTORTED * buckets[-1] and buckets[-1] >= 2 * OVERLAP:
            width = min(next_stride(width), max_width)  # whole time steps
            long.append(Batch((index,), width, part_width(width, buckets)))
            continue
        members[buckets[min(bisect_left(buckets, width), len(buckets) - 1)]].append(index)
    return long + [
        Batch(tuple(members[bucket][start : start + rows]), bucket)
        for bucket in sorted(members, reverse=True)
        for rows in [max(1, min(batch_size, columns // bucket))]
        for start in range(0, len(members[bucket]), rows)
    ]


def plan_like_paddle(
    sizes: Sequence[tuple[int, int]], height: int, max_width: int = Limits.max_rec_width
) -> list[Batch]:
    """Group crops as PaddleOCR's TextRecognizer does.

    Crops are sorted by aspect ratio, taken six at a time, and padded to the group's widest, at
    least 320 pixels.

    Args:
        sizes: height and width of each crop, pixels.
        height: the model's input height, pixels.
        max_width: pixels; a crop that would be wider is squeezed into it.
    """
    ratios = [width / float(height) for height, width in sizes]
    # The very sort of PaddleOCR: equal ratios at a group's edge must fall the same way.
    order = np.argsort(np.array(ratios)).tolist()
    groups = [order[start : start + PADDLE_GROUP] for start in range(0, len(order), PADDLE_GROUP)]
    return [
        Batch(
            tuple(group),
            min(
                int(height * max(PADDLE_MIN_WIDTH / height, *(ratios[index] for index in group))),
                max_width,
            ),
        )
        for group in groups
    ]


def plan_like_paddle_serving(
    sizes: Sequence[tuple[int, int]],
    height: int,
    batch_size: int,
    max_width: int = Limits.max_rec_width,
) -> list[Batch]:
    """Pad every crop to the widest of the picture, as Paddle Serving's RecOp does.

    Args:
        sizes: height and width of each crop, pixels.
        height: the model's input height, pixels.
        batch_size: crops in one batch, at the most.
        max_width: pixels; a crop that would be wider is squeezed into it.
    """
    if not sizes:
        return []
    widest = max(1, int(height * max(width / float(height) for height, width in sizes)))
    widest = min(widest, max_width)
    return [
        Batch(tuple(range(start, min(start + batch_size, len(sizes)))), widest)
        for start in range(0, len(sizes), batch_size)
    ]


def plan_like_pdserving(
    sizes: Sequence[tuple[int, int]], height: int, max_width: int = Limits.max_rec_width
) -> list[Batch]:
    """Group crops as the RecOp of PaddleOCR's deploy/pdserving does.

    Crops are taken six at a time in the order given, and padded to the widest so far, those of the
    groups before included, at least 320 of 48 pixels.

    Args:
        sizes: height and width of each crop, pixels.
        height: the model's input height, pixels.
        max_width: pixels; a crop that would be wider is squeezed into it.
    """
    batches, widest = [], PADDLE_MIN_WIDTH / PDSERVING_HEIGHT
    for start in range(0, len(sizes), PADDLE_GROUP):
        group = range(start, min(start + PADDLE_GROUP, len(sizes)))
        widest = max(widest, *(sizes[index][1] / float(sizes[index][0]) for index in group))
        batches.append(Batch(tuple(group), min(int(height * widest), max_width)))
    return batches


def check_columns(batches: Sequence[Batch], limits: Limits) -> None:
    """Raise a ValueError when the padded crops of one picture are too wide in all."""
    columns = sum(len(batch.indices) * batch.width for batch in batches)
    if columns > limits.max_rec_columns:
        crops = sum(len(batch.indices) for batch in batches)
        what = f"the {crops} lines would be read as {columns} columns of pixels"
        raise ValueError(exceeded(what, "max_rec_columns", limits.max_rec_columns))


def natural_width(size: tuple[int, int], height: int) -> int:
    """The width of a crop scaled to the model's height, rounded up, at least 1 pixel."""
    crop_height, crop_width = size
    return max(1, math.ceil(height * (crop_width / float(crop_height))))


def fill_batch(
    crops: Sequence[np.ndarray] | Mapping[int, np.ndarray], batch: Batch, height: int
) -> tuple[np.ndarray, np.ndarray]:
    """Resize the crops of a batch into the recogniser's input.

    Args:
        crops: uint8 [h, w, 3] each, by index.
        batch: which of them, and the padded width W.
        height: the model's input height H, pixels.

    Returns:
        CROPS uint8 [N, H, W, 3] and WIDTHS int32 [N, 1], the columns of each that are text; the
        model itself treats the rest as PaddleOCR's padding.
    """
    rows = np.zeros((len(batch.indices), height, batch.width, 3), np.uint8)
    widths = np.empty((len(batch.indices), 1), np.int32)
    for row, index in enumerate(batch.indices):
        crop = crops[index]
        crop_height, crop_width = crop.shape[:2]
        width = min(natural_width((crop_height, crop_width), height), batch.width)
        rows[row, :, :width] = cv2.resize(crop, (width, height), interpolation=cv2.INTER_LINEAR)
        widths[row] = width
    return rows, widths
