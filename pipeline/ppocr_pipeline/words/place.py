"""The boxes of words: cut at the recogniser's time steps, fitted to the ink, laid on the picture.

A step sees the crop around its own middle, so a character stands near the step that it was read
at. Two characters are parted halfway between their steps, moved to the nearest white.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from ppocr_pipeline.ctc import kept_steps
from ppocr_pipeline.words.ink import MARGIN, Ink
from ppocr_pipeline.words.split import split_words

REACH = 0.15  # of the crop's height, in which white is looked for


class Word(NamedTuple):
    """One word of a line.

    Attributes:
        text: as it was read.
        score: the mean probability of its characters, 0 to 1.
        box: float32 [4, 2], clockwise from where the word begins; its first side runs in the
            direction of reading.
    """

    text: str
    score: float
    box: np.ndarray


def crop_words(
    classes: np.ndarray,
    probabilities: np.ndarray,
    characters: Sequence[str],
    width: int,
    ink: Ink,
) -> list[Word]:
    """The words of one crop; their boxes in shares of its width and height.

    Args:
        classes: int32 [T], the best class of each step.
        probabilities: float32 [T], its probability.
        characters: of class 1, 2, ...
        width: columns that the steps share: the padded width of the crop.
        ink: of the crop's own columns.
    """
    steps = np.flatnonzero(kept_steps(classes[None])[0])
    read = [characters[index - 1] for index in classes[steps].tolist()]
    middles = np.minimum((steps + 0.5) * (width / max(1, len(classes))), len(ink.contrast))
    edges = _edges(middles, ink.contrast, REACH * ink.height)
    return [
        Word(
            "".join(read[start:stop]),
            float(probabilities[steps[start:stop]].mean()),
            _box(*_fitted(edges[start], edges[stop], ink.inked), ink),
        )
        for start, stop in split_words(read)
    ]


def _edges(middles: np.ndarray, contrast: np.ndarray, reach: float) -> list[float]:
    """Where characters are parted: int columns, one more than there are characters."""
    inner = []
    for before, after in itertools.pairwise(middles.tolist()):
        halfway = (before + after) / 2
        start = int(max(before, halfway - reach))
        near = contrast[start : int(min(after, halfway + reach)) + 1]
        white = np.flatnonzero(near == near.min(initial=0xFF)) + start
        inner.append(white[np.abs(white + 0.5 - halfway).argmin()] + 0.5 if len(white) else halfway)
    return [0.0, *map(float, inner), float(len(contrast))]


def _fitted(left: float, right: float, inked: np.ndarray) -> tuple[float, float]:
    """The ink between two edges with a margin; all of it where there is none."""
    first = int(left)
    columns = np.flatnonzero(inked[first : int(np.ceil(right))]) + first
    if len(columns):
        left = max(left, columns[0] - MARGIN)
        right = min(right, columns[-1] + 1 + MARGIN)
    return left, right


def _box(left: float, right: float, ink: Ink) -> np.ndarray:
    columns = len(ink.contrast)
    left = min(left, columns - 1)
    right = max(right, left + 1)  # also of a character that was read in the padding
    corners = [[left, ink.top], [right, ink.top], [right, ink.bottom], [left, ink.bottom]]
    return np.array(corners, np.float32) / np.array([columns, ink.height], np.float32)


def lay_words(words: Sequence[Word], box: np.ndarray, turns: int) -> list[Word]:
    """Words of a crop where they stand in the picture.

    Args:
        words: of `crop_words`.
        box: float32 [4, 2], pixels, that the crop was cut out at, clockwise from top-left.
        turns: by how many quarter turns counterclockwise the crop was turned before it was read.
    """
    if not words:
        return []
    crop = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
    lay = cv2.getPerspectiveTransform(crop, np.roll(box, -turns, axis=0))
    boxes = cv2.perspectiveTransform(np.stack([word.box for word in words]).reshape(-1, 1, 2), lay)
    inside = np.clip(boxes.reshape(-1, 4, 2), box.min(axis=0), box.max(axis=0))
    return [word._replace(box=placed) for word, placed in zip(words, inside, strict=True)]


def lay_lines(
    lines: Sequence[Sequence[Word]], boxes: np.ndarray, turns: np.ndarray
) -> list[list[Word]]:
    """The words of every line where they stand in the picture, see `lay_words`."""
    return [
        lay_words(words, box, turn)
        for words, box, turn in zip(lines, boxes, turns.tolist(), strict=True)
    ]
