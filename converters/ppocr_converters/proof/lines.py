"""The proof that a set of compiled models reads as the models they were made from.

The same pictures are read by the served step code around both sets of networks. Float32 must give
the same boxes and texts; a lower precision may differ in as many as its tolerance says.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import cycle

import numpy as np

from ppocr_converters.proof.differences import Comparison, Difference, compare_lines
from ppocr_converters.proof.pictures import Picture
from ppocr_converters.proof.tolerance import Tolerance
from ppocr_pipeline.pipeline import Line

logger = logging.getLogger(__name__)

#: The lines of a picture (uint8 [H, W, 3], BGR) with some options, see `Pipeline.read`.
Read = Callable[[np.ndarray, Mapping[str, str]], list[Line]]
PADDINGS = ("crop", "paddle")


@dataclass(frozen=True)
class ReadingProof:
    """What was read, and how far it differs.

    Attributes:
        lines: expected on all pictures with text.
        characters: in all of these lines.
        other_boxes: boxes on them that are missing, too many, moved or in another order.
        other_texts: lines in both readings whose text differs in more than spaces.
        other_spaces: lines in both readings whose text differs in spaces alone.
        max_score_difference: of a line's score, where the text is the same.
        max_box_score_difference: of a box's score.
        textless: pictures without text among them, counted in nothing above but `pictures`.
        expected_false_boxes: that the source models find on those.
        false_boxes: that the compiled models find on those.
        problems: every bound that is not kept, a sentence each.
        of_boxes: whether one of them is of boxes, which no recogniser has a part in.
    """

    pictures: int
    lines: int
    characters: int
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


#: A difference, and where: the picture's name and the padding of its lines.
Found = tuple[str, Difference]


def compare_readings(
    source: Read, compiled: Read, pictures: Iterable[Picture], tolerance: Tolerance
) -> ReadingProof:
    """Read pictures with both sets of networks.

    The ways of padding lines take turns: the networks are the same, the shapes are not. A picture
    has no text if that is known of it, or if the source models read none. Of the false boxes on it
    only the number counts: a trifle moves them, and nobody reads them.
    """
    found: list[Found] = []
    results: list[Comparison] = []
    false_boxes: list[tuple[int, int]] = []
    characters = 0
    for picture, padding in zip(pictures, cycle(PADDINGS), strict=False):
        expected, got = (
            read(picture.pixels, {"rec_padding": padding}) for read in (source, compiled)
        )
        if not picture.has_text or not expected:
            false_boxes.append((len(expected), len(got)))
            continue
        result = compare_lines(expected, got, overlap=tolerance.overlap, score=tolerance.score)
        results.append(result)
        characters += sum(len(line.text) for line in expected)
        found += [(f"{picture.name}, {padding}", one) for one in result.differences]
        logger.info("read %s, %d lines", picture.name, len(expected))
    return _proof(results, false_boxes, characters, tolerance, found)


def _proof(
    results: list[Comparison],
    false_boxes: list[tuple[int, int]],
    characters: int,
    tolerance: Tolerance,
    found: list[Found],
) -> ReadingProof:
    count = Counter(difference.what for _, difference in found)
    spaces = sum(_by_spaces_alone(difference) for _, difference in found)
    proof = ReadingProof(
        pictures=len(results) + len(false_boxes),
        lines=sum(result.lines for result in results),
        characters=characters,
        other_boxes=count["missing"] + count["extra"] + count["moved"] + count["order"],
        other_texts=count["text"] - spaces,
        other_spaces=spaces,
        max_score_difference=max((result.score for result in results), default=0.0),
        max_box_score_difference=max((result.box_score for result in results), default=0.0),
        textless=len(false_boxes),
        expected_false_boxes=sum(expected for expected, _ in false_boxes),
        false_boxes=sum(got for _, got in false_boxes),
        tolerance=tolerance,
        differences=[f"{where}: {difference}" for where, difference in found],
        problems=[],
        of_boxes=False,
    )
    of_boxes, of_lines = _problems(proof, sum(result.paired for result in results))
    return replace(proof, problems=of_boxes + of_lines, of_boxes=bool(of_boxes))


def _problems(proof: ReadingProof, paired: int) -> tuple[list[str], list[str]]:
    """The bounds that a proof breaks: of boxes, and of so many lines in both readings."""
    bounds = proof.tolerance
    of_boxes = _too_many("boxes", proof.other_boxes, proof.lines, bounds.other_boxes)
    allowed = proof.expected_false_boxes + bounds.false_boxes
    if proof.false_boxes > allowed:
        of_boxes.append(
            f"{proof.false_boxes} boxes are found on {proof.textless} picture(s) without text; "
            f"allowed are {allowed:g}: {bounds.false_boxes:g} more than the source finds "
            f"(false_boxes)"
        )
    of_lines = _too_many("texts", proof.other_texts, paired, bounds.other_texts)
    of_lines += _too_many("spaces", proof.other_spaces, paired, bounds.other_spaces)
    score = max(proof.max_score_difference, proof.max_box_score_difference)
    if not score <= bounds.score:
        of_lines.append(f"scores differ by up to {score:.2g}, the bound is {bounds.score:g}")
    return of_boxes, of_lines


def _too_many(what: str, number: int, of: int, bound: float) -> list[str]:
    if number <= bound * of:
        return []
    return [f"{number} of {of} {what} differ; allowed are {bound:.1%} (other_{what})"]


def _by_spaces_alone(difference: Difference) -> bool:
    """Whether two texts differ, but not without their spaces."""
    if difference.what != "text" or difference.expected is None or difference.found is None:
        return False
    a, b = (line.text.replace(" ", "") for line in (difference.expected, difference.found))
    return a == b
