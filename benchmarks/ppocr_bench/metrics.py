"""How well boxes and texts agree with what is known to be on a picture."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np

SAME_BOX = 0.5  # intersection over union from which two boxes are the same
INSIDE = 0.5  # share of a found box from which it lies on a true line


@dataclass(frozen=True)
class Counts:
    """Sums over pictures, from which the rates come; Counts add up.

    Attributes:
        truth_boxes: lines that are there.
        found_boxes: lines that were found.
        matched_boxes: pairs of both at IoU >= 0.5.
        characters: of the true texts.
        errors: edits from the true texts to those read, with every text read elsewhere.
        exact: true lines read without an error.
        folded_characters, folded_errors, folded_exact: the same without spaces and with
            full-width forms taken as the plain ones.
    """

    truth_boxes: int = 0
    found_boxes: int = 0
    matched_boxes: int = 0
    characters: int = 0
    errors: int = 0
    exact: int = 0
    folded_characters: int = 0
    folded_errors: int = 0
    folded_exact: int = 0

    def __add__(self, other: Counts) -> Counts:
        """The counts of both sets of pictures together."""
        return Counts(
            *(a + b for a, b in zip(vars(self).values(), vars(other).values(), strict=True))
        )

    def percent(self) -> dict[str, float]:
        """Precision, recall and hmean of the boxes, and the rates of errors and exact lines."""
        precision = self.matched_boxes / max(1, self.found_boxes)
        recall = self.matched_boxes / max(1, self.truth_boxes)
        rates = {
            "precision": precision,
            "recall": recall,
            "hmean": 2 * precision * recall / max(1e-9, precision + recall),
            "cer": self.errors / max(1, self.characters),
            "exact": self.exact / max(1, self.truth_boxes),
            "folded_cer": self.folded_errors / max(1, self.folded_characters),
            "folded_exact": self.folded_exact / max(1, self.truth_boxes),
        }
        return {f"{name}_percent": 100 * rate for name, rate in rates.items()}


class Read(Protocol):
    """A line; its box is float32 [4, 2], pixels, clockwise from top-left."""

    @property
    def text(self) -> str: ...  # noqa: D102
    @property
    def box(self) -> np.ndarray: ...  # noqa: D102


def compare(truth: Sequence[Read], lines: Sequence[Read]) -> Counts:
    """Compare what was read on one picture with what is there.

    A line that was found in pieces is read as the pieces in order, so that the texts are judged
    as texts and the boxes as boxes.
    """
    truth_boxes, boxes = [one.box for one in truth], [one.box for one in lines]
    truth_texts, texts = [one.text for one in truth], [one.text for one in lines]
    overlap = intersections(truth_boxes, boxes)
    read, elsewhere = assign(truth_boxes, boxes, texts, overlap)
    pairs = list(zip(truth_texts, read, strict=True)) + [("", text) for text in elsewhere]
    folded = [(fold(expected), fold(found)) for expected, found in pairs]
    there = slice(len(truth))
    return Counts(
        truth_boxes=len(truth_boxes),
        found_boxes=len(boxes),
        matched_boxes=matches(truth_boxes, boxes, overlap),
        characters=sum(len(expected) for expected, _ in pairs),
        errors=sum(edit_distance(*pair) for pair in pairs),
        exact=sum(expected == found for expected, found in pairs[there]),
        folded_characters=sum(len(expected) for expected, _ in folded),
        folded_errors=sum(edit_distance(*pair) for pair in folded),
        folded_exact=sum(expected == found for expected, found in folded[there]),
    )


def fold(text: str) -> str:
    """Text without spaces, full-width letters and punctuation as the plain ones (NFKC)."""
    return "".join(unicodedata.normalize("NFKC", text).split())


def edit_distance(a: str, b: str) -> int:
    """Insertions, deletions and substitutions from one text to the other (Levenshtein)."""
    if len(a) < len(b):
        a, b = b, a
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        diagonal, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (x != y))
    return row[-1]


def intersections(truth: Sequence[np.ndarray], found: Sequence[np.ndarray]) -> np.ndarray:
    """float64 [len(truth), len(found)]: the area that each pair of convex boxes shares."""
    shared = np.zeros((len(truth), len(found)))
    for i, a in enumerate(truth):
        for j, b in enumerate(found):
            if (a.max(axis=0) > b.min(axis=0)).all() and (b.max(axis=0) > a.min(axis=0)).all():
                shared[i, j] = cv2.intersectConvexConvex(np.float32(a), np.float32(b))[0]
    return shared


def areas(boxes: Sequence[np.ndarray]) -> np.ndarray:
    """float64 [N]: the area of each box in pixels."""
    return np.array([cv2.contourArea(np.float32(box)) for box in boxes], np.float64)


def inside(box: np.ndarray, regions: Sequence[np.ndarray]) -> bool:
    """Whether a box, float32 [4, 2], lies on one of the regions, by the rule for true lines."""
    shared = intersections(regions, [box])
    return bool(len(regions)) and float(shared.max()) >= INSIDE * float(areas([box])[0])


def matches(truth: Sequence[np.ndarray], found: Sequence[np.ndarray], overlap: np.ndarray) -> int:
    """How many pairs are the same box; each box is in one pair at the most, best pairs first."""
    union = areas(truth)[:, None] + areas(found)[None] - overlap
    iou = overlap / np.maximum(union, 1e-9)
    count = 0
    while iou.size and iou.max() >= SAME_BOX:
        row, column = np.unravel_index(iou.argmax(), iou.shape)
        iou[row], iou[:, column] = 0, 0
        count += 1
    return count


def assign(
    truth: Sequence[np.ndarray],
    found: Sequence[np.ndarray],
    texts: Sequence[str],
    overlap: np.ndarray,
) -> tuple[list[str], list[str]]:
    """The text read on each true line, and the texts that lie on none."""
    pieces: list[list[tuple[float, str]]] = [[] for _ in truth]
    elsewhere = []
    size = areas(found)
    for column, text in enumerate(texts):
        row = int(overlap[:, column].argmax()) if len(truth) else 0
        if not len(truth) or overlap[row, column] < INSIDE * size[column]:
            elsewhere.append(text)
            continue
        box = truth[row]
        along = max(box[1] - box[0], box[3] - box[0], key=lambda side: float(np.hypot(*side)))
        pieces[row].append((float(found[column].mean(axis=0) @ along), text))
    return ["".join(text for _, text in sorted(line)) for line in pieces], elsewhere
