"""Lines wider than the recogniser is fed: shown to it in overlapping parts, answered as one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from ppocr_pipeline.ctc import BLANK

OVERLAP = 256  # columns that neighbours share: some five Chinese characters


def part_width(width: int, buckets: Sequence[int]) -> int:
    """The bucket whose parts cover a line in as few parts as the widest one does.

    Args:
        width: of the line at the recogniser's height, pixels.
        buckets: widths in pixels, increasing.
    """
    count = math.ceil((width - OVERLAP) / max(1, buckets[-1] - OVERLAP))
    enough = math.ceil((width + (count - 1) * OVERLAP) / count)
    return next(bucket for bucket in buckets if bucket >= min(enough, buckets[-1]))


def part_starts(width: int, part: int) -> list[int]:
    """The columns at which the parts of a line begin.

    Args:
        width: of the line, columns.
        part: width of each part; 0 leaves the line whole.
    """
    return [*range(0, width - OVERLAP, part - OVERLAP)] if part else [0]


def cut_parts(feeds: Mapping[str, np.ndarray], part: int) -> list[Mapping[str, np.ndarray]]:
    """The parts of a line, each as the recogniser is fed.

    Args:
        feeds: CROPS uint8 [1, H, W, 3] and WIDTHS int32 [1, 1], of one line.
        part: width of each part; 0 leaves the line whole.

    Returns:
        Feeds of the same names, CROPS [1, H, part, 3].
    """
    if not part:
        return [feeds]
    crops, widths = feeds["CROPS"], feeds["WIDTHS"]
    starts = part_starts(crops.shape[2], part)
    room = np.zeros((*crops.shape[:2], starts[-1] + part - crops.shape[2], 3), np.uint8)
    padded = np.concatenate([crops, room], axis=2)
    return [
        {
            "CROPS": np.ascontiguousarray(padded[:, :, start : start + part]),
            "WIDTHS": np.clip(widths - start, 1, part).astype(np.int32),
        }
        for start in starts
    ]


def join_parts(
    answers: Sequence[Sequence[np.ndarray]], width: int, part: int
) -> Sequence[np.ndarray]:
    """The answer of a line from those of its parts, as if the recogniser had seen the whole.

    Each part counts up to the widest gap between characters in the middle of what it shares with
    the next, so that no character is cut or doubled.

    Args:
        answers: INDICES int32 [1, T] and PROBABILITIES float32 [1, T] of each part.
        width: of the line, columns.
        part: of each part.

    Returns:
        INDICES and PROBABILITIES of the line, [1, T * width / part].
    """
    if not part:
        return answers[0]
    steps = answers[0][0].shape[1]
    joined = [np.asarray(one) for one in answers[0]]
    for start, following in zip(part_starts(width, part)[1:], answers[1:], strict=True):
        begin = round(start * steps / part)
        cut = _gap(joined[0][0, begin:], following[0][0, : joined[0].shape[1] - begin])
        joined = [
            np.concatenate([one[:, : begin + cut], other[:, cut:]], axis=1)
            for one, other in zip(joined, following, strict=True)
        ]
    return [one[:, : math.ceil(width * steps / part)] for one in joined]


def _gap(left: np.ndarray, right: np.ndarray) -> int:
    """The step in the middle half of an overlap that is farthest from any character of both."""
    middle = np.arange(len(left) // 4, len(left) - len(left) // 4)
    letters = np.flatnonzero((left != BLANK) | (right != BLANK))
    if not len(letters):
        return int(len(left) // 2)
    away = np.abs(middle[:, None] - letters).min(axis=1)
    # Of gaps of one width the one nearest to the middle.
    return int(middle[np.lexsort((np.abs(middle - len(left) / 2), -away))[0]])
