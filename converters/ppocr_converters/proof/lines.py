"""Readings compared line by line, and the proof that compiled models read as their sources.

Lines are paired by where they are, so one missing line is one difference and not a shift of all.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Literal

import cv2
import numpy as np

from ppocr_converters.proof.networks import Floats
from ppocr_converters.proof.pictures import Picture
from ppocr_converters.proof.tolerance import Tolerance
from ppocr_pipeline.pipeline import Line

logger = logging.getLogger(__name__)

#: The lines of a picture (uint8 [H, W, 3], BGR) with some options, see `Pipeline.read`.
Read = Callable[[np.ndarray, Mapping[str, str]], list[Line]]
PADDINGS = ("crop", "paddle")
#: Boxes that overlap by less are of different lines.
SAME_LINE = 0.5


@dataclass(frozen=True)
class Difference:
    """One difference of a line.

    Attributes:
        number: of the line, from 1, where it was expected; of an extra line where it was found.
        sentence: that tells it to people.
    """

    what: Literal["missing", "extra", "moved", "order", "text", "spaces", "score"]
    number: int
    sentence: str


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
    """Every difference of two readings of one picture, both in reading order.

    Boxes are the same from `overlap` on; 1 demands the same corners. `score` bounds a score's
    difference.
    """
    pairs = pair_lines(expected, found)
    partner, last = dict(pairs), -1
    differences = []
    for i, a in enumerate(expected):
        number = i + 1
        if i not in partner:
            sentence = f"line {number} {a.text!r} is missing at {a.box.tolist()}"
            differences.append(Difference("missing", number, sentence))
            continue
        differences += _of_pair(number, a, found[partner[i]], overlap, score)
        if partner[i] < last:
            sentence = f"line {number} {a.text!r} comes in another place"
            differences.append(Difference("order", number, sentence))
        last = partner[i]
    for j in sorted(set(range(len(found))) - set(partner.values())):
        sentence = f"line {j + 1} {found[j].text!r} is one too many at {found[j].box.tolist()}"
        differences.append(Difference("extra", j + 1, sentence))
    both = [(expected[i], found[j]) for i, j in pairs]
    return Comparison(
        lines=len(expected),
        paired=len(pairs),
        differences=sorted(differences, key=lambda difference: difference.number),
        score=max((abs(a.score - b.score) for a, b in both if a.text == b.text), default=0.0),
        box_score=max((abs(a.box_score - b.box_score) for a, b in both), default=0.0),
    )


def _of_pair(number: int, a: Line, b: Line, overlap: float, score: float) -> Iterator[Difference]:
    if not np.array_equal(a.box, b.box) and (overlap == 1 or box_overlap(a.box, b.box) < overlap):
        sentence = f"box {number}: {b.box.tolist()} in place of {a.box.tolist()}"
        yield Difference("moved", number, sentence)
    if a.text != b.text:
        same_letters = a.text.replace(" ", "") == b.text.replace(" ", "")
        sentence = f"line {number}: {b.text!r} in place of {a.text!r}"
        yield Difference("spaces" if same_letters else "text", number, sentence)
    elif max(abs(a.score - b.score), abs(a.box_score - b.box_score)) > score:
        sentence = (
            f"line {number} {a.text!r}: score {b.score:.4f} ({b.box_score:.4f} of the box) in "
            f"place of {a.score:.4f} ({a.box_score:.4f})"
        )
        yield Difference("score", number, sentence)


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
        if (a.box.min(0) <= b.box.max(0)).all() and (b.box.min(0) <= a.box.max(0)).all()
    ]
    pairs: dict[int, int] = {}
    for shared, i, j in sorted(overlaps, key=lambda row: (-row[0], abs(row[1] - row[2]))):
        if shared >= SAME_LINE and i not in pairs and j not in pairs.values():
            pairs[i] = j
    return sorted(pairs.items())


def box_overlap(a: Floats, b: Floats) -> float:
    """The area that two convex quadrilaterals have in common by the area of both together."""
    if np.array_equal(a, b):
        return 1.0
    shared, _ = cv2.intersectConvexConvex(a.astype(np.float32), b.astype(np.float32))
    whole = cv2.contourArea(a.astype(np.float32)) + cv2.contourArea(b.astype(np.float32)) - shared
    return float(shared / whole) if whole > 0 else 0.0


@dataclass(frozen=True)
class ReadingProof:
    """What was read, and how far it differs.

    Attributes:
        lines: expected on all pictures with text.
        other_boxes: boxes on them that are missing, too many, moved or in another order.
        other_texts: lines in both readings whose text differs in more than spaces.
        other_spaces: lines in both readings whose text differs in spaces alone.
        max_score_difference: of a line's score, where the text is the same.
        textless: pictures without text among them, counted in nothing above but `pictures`.
        expected_false_boxes: that the source models find on those.
        false_boxes: that the compiled models find on those.
        problems: every bound that is not kept, a sentence each.
        of_boxes: whether one of them is of boxes, which no recogniser has a part in.
    """

    pictures: int
    lines: int
    other_boxes: int
    other_texts: int
    other_spaces: int
    max_score_difference: float
    max_box_score_difference: float
    textless: int
    expected_false_boxes: int
    false_boxes: int
    tolerance: Tolerance
    differences: list[str]
    problems: list[str]
    of_boxes: bool


def compare_readings(
    source: Read, compiled: Read, pictures: Iterable[Picture], tolerance: Tolerance
) -> ReadingProof:
    """Read pictures with both sets of networks.

    The ways of padding lines take turns: the networks are the same, the shapes are not. A picture
    has no text if that is known of it, or if the source models read none. Of the false boxes on it
    only the number counts: a trifle moves them, and nobody reads them.
    """
    results: list[Comparison] = []
    found: list[tuple[str, Difference]] = []
    false_boxes: list[tuple[int, int]] = []
    for picture, padding in zip(pictures, cycle(PADDINGS), strict=False):
        expected, got = (
            read(picture.pixels, {"rec_padding": padding}) for read in (source, compiled)
        )
        if not picture.has_text or not expected:
            false_boxes.append((len(expected), len(got)))
            continue
        result = compare_lines(expected, got, overlap=tolerance.overlap, score=tolerance.score)
        results.append(result)
        found += [(f"{picture.name}, {padding}", one) for one in result.differences]
        logger.info("read %s, %d lines", picture.name, len(expected))
    return _judged(results, found, false_boxes, tolerance)


def _judged(
    results: list[Comparison],
    found: list[tuple[str, Difference]],
    false_boxes: list[tuple[int, int]],
    tolerance: Tolerance,
) -> ReadingProof:
    count = Counter(difference.what for _, difference in found)
    other_boxes = count["missing"] + count["extra"] + count["moved"] + count["order"]
    lines, paired = sum(one.lines for one in results), sum(one.paired for one in results)
    score = max((one.score for one in results), default=0.0)
    box_score = max((one.box_score for one in results), default=0.0)
    expected_false, false = sum(a for a, _ in false_boxes), sum(b for _, b in false_boxes)
    of_boxes = _too_many("boxes", other_boxes, lines, tolerance.other_boxes)
    if false > (allowed := expected_false + tolerance.false_boxes):
        of_boxes.append(
            f"{false} boxes are found on {len(false_boxes)} picture(s) without text; allowed are "
            f"{allowed:g}: {tolerance.false_boxes:g} more than the source finds (false_boxes)"
        )
    of_lines = _too_many("texts", count["text"], paired, tolerance.other_texts)
    of_lines += _too_many("spaces", count["spaces"], paired, tolerance.other_spaces)
    if not (largest := max(score, box_score)) <= tolerance.score:
        of_lines.append(f"scores differ by up to {largest:.2g}, the bound is {tolerance.score:g}")
    return ReadingProof(
        pictures=len(results) + len(false_boxes),
        lines=lines,
        other_boxes=other_boxes,
        other_texts=count["text"],
        other_spaces=count["spaces"],
        max_score_difference=score,
        max_box_score_difference=box_score,
        textless=len(false_boxes),
        expected_false_boxes=expected_false,
        false_boxes=false,
        tolerance=tolerance,
        differences=[f"{where}: {one.sentence}" for where, one in found],
        problems=of_boxes + of_lines,
        of_boxes=bool(of_boxes),
    )


def _too_many(what: str, number: int, of: int, bound: float) -> list[str]:
    if number <= bound * of:
        return []
    return [f"{number} of {of} {what} differ; allowed are {bound:.1%} (other_{what})"]
