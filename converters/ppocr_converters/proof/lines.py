"""The proof that a set of compiled models reads as the models they were made from.

The same pictures are read by the served step code around both sets of networks. Float32 must give
the same boxes and texts; a lower precision may differ in as many as its tolerance says.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import cycle

from ppocr_converters.proof.differences import Comparison, Difference, compare_lines
from ppocr_converters.proof.networks import Bytes
from ppocr_converters.proof.tolerance import Tolerance
from ppocr_pipeline.pipeline import Pipeline

PADDINGS = ("crop", "paddle")


@dataclass(frozen=True)
class ReadingProof:
    """What was read, and how far it differs.

    Attributes:
        pictures: how many.
        lines: expected in all pictures.
        characters: in all of these lines.
        other_boxes: boxes that are missing, too many, moved or in another order.
        other_texts: lines in both readings whose text differs in more than spaces.
        other_spaces: lines in both readings whose text differs in spaces alone.
        max_score_difference: of a line's score, where the text is the same.
        max_box_score_difference: of a box's score.
        tolerance: the bounds.
        differences: every one, a sentence each.
        problems: every bound that is not kept, a sentence each.
    """

    pictures: int
    lines: int
    characters: int
    other_boxes: int
    other_texts: int
    other_spaces: int
    max_score_difference: float
    max_box_score_difference: float
    tolerance: Tolerance
    differences: list[str]
    problems: list[str]


@dataclass(frozen=True)
class Found:
    """A difference, and where: the picture's name, its pixels and the padding of its lines."""

    picture: str
    pixels: Bytes
    padding: str
    difference: Difference

    def __str__(self) -> str:
        return f"{self.picture}, {self.padding}: {self.difference}"


def compare_readings(
    source: Pipeline,
    compiled: Pipeline,
    pictures: Iterable[tuple[str, Bytes]],
    tolerance: Tolerance,
) -> tuple[ReadingProof, list[Found]]:
    """Read pictures with both sets of networks.

    The ways of padding lines take turns: the networks are the same, the shapes are not.

    Args:
        source: around the networks that the models were made from.
        compiled: around the compiled models.
        pictures: name and pixels (uint8 [H, W, 3], BGR) of each.
        tolerance: the bounds.

    Returns:
        The figures, and every difference with its picture.
    """
    found: list[Found] = []
    results: list[Comparison] = []
    characters = 0
    for (name, pixels), padding in zip(pictures, cycle(PADDINGS), strict=False):
        options = {"rec_padding": padding, "drop_score": 0}
        expected = source.read(pixels, options)
        result = compare_lines(
            expected,
            compiled.read(pixels, options),
            overlap=tolerance.overlap,
            score=tolerance.score,
        )
        results.append(result)
        characters += sum(len(line.text) for line in expected)
        found += [Found(name, pixels, padding, one) for one in result.differences]
    return _proof(results, characters, tolerance, found), found


def _proof(
    results: list[Comparison], characters: int, tolerance: Tolerance, found: list[Found]
) -> ReadingProof:
    count = Counter(one.difference.what for one in found)
    lines, paired = sum(r.lines for r in results), sum(r.paired for r in results)
    spaces = sum(_by_spaces_alone(one.difference) for one in found)
    texts = count["text"] - spaces
    boxes = count["missing"] + count["extra"] + count["moved"] + count["order"]
    score = max((result.score for result in results), default=0.0)
    box_score = max((result.box_score for result in results), default=0.0)
    problems = []
    for what, number, of, bound in (
        ("boxes", boxes, lines, tolerance.other_boxes),
        ("texts", texts, paired, tolerance.other_texts),
        ("spaces", spaces, paired, tolerance.other_spaces),
    ):
        if number > bound * of:
            problems.append(
                f"{number} of {of} {what} differ; allowed are {bound:.1%} (other_{what})"
            )
    if not max(score, box_score) <= tolerance.score:
        problems.append(
            f"scores differ by up to {max(score, box_score):.2g}, the bound is {tolerance.score:g}"
        )
    return ReadingProof(
        pictures=len(results),
        lines=lines,
        characters=characters,
        other_boxes=boxes,
        other_texts=texts,
        other_spaces=spaces,
        max_score_difference=score,
        max_box_score_difference=box_score,
        tolerance=tolerance,
        differences=[str(one) for one in found],
        problems=problems,
    )


def _by_spaces_alone(difference: Difference) -> bool:
    """Whether two texts differ, but not without their spaces."""
    if difference.what != "text" or difference.expected is None or difference.found is None:
        return False
    a, b = (line.text.replace(" ", "") for line in (difference.expected, difference.found))
    return a == b
