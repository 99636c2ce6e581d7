"""Two readings of one picture compared: which boxes and texts differ, line by line.

Lines are paired by where they are, so one missing line is one difference and not a shift of all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ppocr_converters.proof.networks import Floats
from ppocr_pipeline.pipeline import Line

#: Boxes that overlap by less are of different lines.
SAME_LINE = 0.5
What = Literal["missing", "extra", "moved", "order", "text", "score"]


@dataclass(frozen=True)
class Difference:
    """One difference.

    Attributes:
        what: a line is "missing" or "extra"; its box "moved"; it comes in another "order"; its
            "text" or its "score" is another one.
        number: of the line, from 1, where it was expected; of the extra line where it was found.
        expected: the line of the first reading, None where it is extra.
        found: the line of the second reading, None where it is missing.
        overlap: of both boxes, 0 to 1.
    """

    what: What
    number: int
    expected: Line | None
    found: Line | None
    overlap: float = 0.0

    def __str__(self) -> str:
        a, b = self.expected, self.found
        if b is None and a is not None:
            return f"line {self.number} {a.text!r} is missing at {a.box.tolist()}"
        if a is None and b is not None:
            return f"line {self.number} {b.text!r} is one too many at {b.box.tolist()}"
        assert a is not None
        assert b is not None
        return {
            "moved": f"box {self.number}: {b.box.tolist()} in place of {a.box.tolist()}",
            "text": f"line {self.number}: {b.text!r} in place of {a.text!r}",
            "order": f"line {self.number} {a.text!r} comes in another place",
            "score": f"line {self.number} {a.text!r}: score {b.score:.4f} ({b.box_score:.4f} of "
            f"the box) in place of {a.score:.4f} ({a.box_score:.4f})",
        }[self.what]


@dataclass(frozen=True)
class Comparison:
    """Two readings of one picture.

    Attributes:
        lines: expected.
        paired: in both readings.
        score: the largest difference of a score of lines with the same text.
        box_score: the largest difference of a box's score.
    """

    lines: int
    paired: int
    differences: list[Difference]
    score: float
    box_score: float


def compare_lines(
    expected: Sequence[Line], found: Sequence[Line], *, overlap: float = 1, score: float = 1e-3
) -> Comparison:
    """Every difference of two readings of one picture.

    Args:
        expected: one reading, in reading order.
        found: the other.
        overlap: from which on two boxes are the same; 1 demands the same corners.
        score: the bound of a score's difference.
    """
    pairs = pair_lines(expected, found)
    differences = [
        difference
        for index, (a, b) in enumerate(pairs)
        for difference in _of_pair(index, pairs, expected[a], found[b], overlap, score)
    ]
    left = set(range(len(expected))) - {a for a, _ in pairs}
    differences += [Difference("missing", i + 1, expected[i], None) for i in sorted(left)]
    more = set(range(len(found))) - {b for _, b in pairs}
    differences += [Difference("extra", i + 1, None, found[i]) for i in sorted(more)]
    both = [(expected[a], found[b]) for a, b in pairs]
    return Comparison(
        lines=len(expected),
        paired=len(pairs),
        differences=sorted(differences, key=lambda difference: difference.number),
        score=max((abs(a.score - b.score) for a, b in both if a.text == b.text), default=0.0),
        box_score=max((abs(a.box_score - b.box_score) for a, b in both), default=0.0),
    )


def _of_pair(
    index: int, pairs: list[tuple[int, int]], a: Line, b: Line, overlap: float, score: float
) -> list[Difference]:
    shared = box_overlap(a.box, b.box)
    whats: list[What] = []
    if not np.array_equal(a.box, b.box) and (overlap == 1 or shared < overlap):
        whats.append("moved")
    if index and pairs[index][1] < pairs[index - 1][1]:
        whats.append("order")
    if a.text != b.text:
        whats.append("text")
    elif max(abs(a.score - b.score), abs(a.box_score - b.box_score)) > score:
        whats.append("score")
    return [Difference(what, pairs[index][0] + 1, a, b, shared) for what in whats]


def pair_lines(expected: Sequence[Line], found: Sequence[Line]) -> list[tuple[int, int]]:
    """Pair the lines whose boxes overlap most: indices, in the order in which they are expected."""
    if len(expected) == len(found) and all(
        np.array_equal(a.box, b.box) for a, b in zip(expected, found, strict=True)
    ):
        return [(index, index) for index in range(len(expected))]
    overlaps = [
        (box_overlap(a.box, b.box), i, j)
        for i, a in enumerate(expected)
        for j, b in enumerate(found)
        if _near(a.box, b.box)
    ]
    pairs: dict[int, int] = {}
    for shared, i, j in sorted(overlaps, key=lambda row: (-row[0], abs(row[1] - row[2]))):
        if shared >= SAME_LINE and i not in pairs and j not in pairs.values():
            pairs[i] = j
    return sorted(pairs.items())


def box_overlap(a: Floats, b: Floats) -> float:
    """The area that two convex quadrilaterals have in common by the area of both together."""
    import cv2

    if np.array_equal(a, b):
        return 1.0
    shared, _ = cv2.intersectConvexConvex(a.astype(np.float32), b.astype(np.float32))
    whole = cv2.contourArea(a.astype(np.float32)) + cv2.contourArea(b.astype(np.float32)) - shared
    return float(shared / whole) if whole > 0 else 0.0


def _near(a: Floats, b: Floats) -> bool:
    return bool((a.min(0) <= b.max(0)).all() and (b.min(0) <= a.max(0)).all())
