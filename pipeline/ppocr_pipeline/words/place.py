"""The boxes of words: cut at the recogniser's time steps, and laid on the picture.

A step sees the crop around its own middle, so a character stands near the step that it was read
at. Two characters are parted halfway between their steps, or at the white nearest to that.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from ppocr_pipeline.ctc import kept_steps
from ppocr_pipeline.words.split import split_words

REACH = 0.35  # of the way between two characters, to either side of halfway, in which white counts
EDGE = 0.1  # of a crop's height, above and below: lines around may reach into it there


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


def column_contrast(crop: np.ndarray) -> np.ndarray:
    """How much the pixels of each column differ: least between characters, on any ground.

    Args:
        crop: uint8 [h, w, 3], neither of them 0.

    Returns:
        uint8 [w].
    """
    edge = int(EDGE * len(crop))
    middle = crop[edge : len(crop) - edge]
    # Not cv2.reduce: it takes ten times as long.
    contrast: np.ndarray = (middle.max(axis=0) - middle.min(axis=0)).max(axis=1)
    return contrast


def crop_words(
    classes: np.ndarray,
    probabilities: np.ndarray,
    characters: Sequence[str],
    width: int,
    contrast: np.ndarray,
) -> list[Word]:
    """The words of one crop; their boxes in shares of its width and height.

    Args:
        classes: int32 [T], the best class of each step.
        probabilities: float32 [T], its probability.
        characters: of class 1, 2, ...
        width: columns that the steps share: the padded width of the crop.
        contrast: uint8 [w], of the crop's own columns.
    """
    steps = np.flatnonzero(kept_steps(classes[None])[0])
    read = [characters[index - 1] for index in classes[steps].tolist()]
    middles = (steps + 0.5) * (width / max(1, len(classes)))
    edges = _edges(middles.tolist(), contrast)
    words = []
    for start, stop in split_words(read):
        left = min(edges[start], len(contrast) - 1)
        right = max(edges[stop], left + 1)  # also of a character that was read in the padding
        box = np.array([[left, 0], [right, 0], [right, 1], [left, 1]], np.float32)
        box[:, 0] /= len(contrast)
        score = float(probabilities[steps[start:stop]].mean())
        words.append(Word("".join(read[start:stop]), score, box))
    return words


def spell_words(words: Sequence[Word], text: str) -> list[Word]:
    """Words with the letters of their line's text, in which only spaces differ in number."""
    letters = iter("".join(text.split()))
    spelled = ("".join(itertools.islice(letters, len(word.text))) for word in words)
    return [word._replace(text=text) for word, text in zip(words, spelled, strict=True)]


def _edges(middles: Sequence[float], contrast: np.ndarray) -> list[float]:
    """Where characters are parted, in columns: one more than there are characters."""
    edges = [0.0]
    for before, after in itertools.pairwise(middles):
        halfway, reach = (before + after) / 2, REACH * (after - before)
        start = int(halfway - reach)
        near = contrast[start : int(halfway + reach) + 1]
        if len(near):
            white = np.flatnonzero(near == near.min()) + start + 0.5
            halfway = float(white[np.abs(white - halfway).argmin()])
        edges.append(min(halfway, len(contrast)))
    return [*edges, float(len(contrast))]


def lay_words(
    words: Sequence[Word], box: np.ndarray, turns: int, cut_out: np.ndarray | None = None
) -> list[Word]:
    """Words of a crop where they stand in the picture.

    Args:
        words: of `crop_words`.
        box: float32 [4, 2], pixels, clockwise from top-left.
        turns: by how many quarter turns counterclockwise the crop was turned before it was read.
        cut_out: float32 [4, 2], what was cut out for the box, see `with_margin`; the box itself
            without it.
    """
    if not words:
        return []
    begun = np.roll(box, -turns, axis=0)
    length, cut = (
        float(np.linalg.norm(corners[1] - corners[0]))
        for corners in (begun, begun if cut_out is None else np.roll(cut_out, -turns, axis=0))
    )
    grown = cut / length if length else 1.0  # a triangle has a side without length
    shares = np.stack([word.box for word in words]).reshape(-1, 1, 2)
    shares[..., 0] = np.clip((shares[..., 0] - 0.5) * grown + 0.5, 0, 1)
    crop = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
    boxes = cv2.perspectiveTransform(shares, cv2.getPerspectiveTransform(crop, begun))
    inside = np.clip(boxes.reshape(-1, 4, 2), box.min(axis=0), box.max(axis=0))
    return [word._replace(box=placed) for word, placed in zip(words, inside, strict=True)]


def lay_lines(
    lines: Sequence[Sequence[Word]], boxes: np.ndarray, turns: np.ndarray, cut_out: np.ndarray
) -> list[list[Word]]:
    """The words of every line where they stand in the picture, see `lay_words`."""
    return [
        lay_words(words, box, turn, cut)
        for words, box, turn, cut in zip(lines, boxes, turns.tolist(), cut_out, strict=True)
    ]
