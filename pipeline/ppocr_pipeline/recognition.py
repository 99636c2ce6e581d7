"""Lines are read: crops are grouped, sent to the networks, and their answers decoded.

`read_lines` makes no call itself. It yields the calls and is sent their answers, so that a Triton
step can make them asynchronously and `Pipeline` one after the other, with the same code.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from ppocr_pipeline.batches import (
    Batch,
    check_columns,
    fill_batch,
    natural_width,
    parse_buckets,
    plan_by_bucket,
    plan_like_paddle,
    plan_like_paddle_serving,
    plan_like_pdserving,
)
from ppocr_pipeline.crop import box_sizes, check_boxes, check_crops, crop_line, crop_size
from ppocr_pipeline.ctc import ctc_decode
from ppocr_pipeline.detection import DISTORTED
from ppocr_pipeline.limits import Limits
from ppocr_pipeline.options import parse_options
from ppocr_pipeline.orientation import (
    Classifier,
    fill_classifier,
    plan_classifier,
    read_classifier,
    turn_upright,
)

NO_CLASSIFIER = (
    "use_angle_cls is true, but this repository was built without a direction classifier; "
    "build it with `ppocr-convert build --cls NAME`, or leave the option out"
)
#: INDICES int32 [N, T] and PROBABILITIES float32 [N, T] of one call.
Answer = Sequence[np.ndarray]
Result = TypeVar("Result")


@dataclass(frozen=True)
class Call:
    """One call of a network.

    Attributes:
        network: "rec" or "cls".
        feeds: the arrays it is given, by the name of the input.
    """

    network: str
    feeds: Mapping[str, np.ndarray]


#: Yields calls that may run at the same time, is sent their answers in the same order.
Calls = Generator[Iterable[Call], Sequence[Answer], Result]


@dataclass(frozen=True)
class RecognitionPlan:
    """How lines are read: everything that decides the shapes which the networks are fed.

    Attributes:
        height: of the recogniser's input, pixels.
        buckets: widths that crops are padded to, pixels, increasing.
        batch_size: crops in one call of the recogniser, at the most.
        classifier: of crops that are upside down, None without one.
    """

    height: int
    buckets: tuple[int, ...]
    batch_size: int
    classifier: Classifier | None = None

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, str]) -> RecognitionPlan:
        """The plan in the `parameters` of the step `recognize`, as its config.pbtxt has them.

        Raises:
            ValueError: a value is not what `ppocr-convert build` writes.
            KeyError: one is missing.
        """
        return cls(
            height=int(parameters["rec_height"]),
            buckets=tuple(parse_buckets(parameters["rec_buckets"])),
            batch_size=int(parameters["rec_batch_size"]),
            classifier=read_classifier(parameters),
        )

    def options(self, base: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
        """All options of one request.

        Args:
            base: the defaults, of which `use_angle_cls` counts where there is a classifier.
            values: as the request names them.

        Raises:
            ValueError: see `parse_options`; or `use_angle_cls` is asked for without a classifier.
        """
        if self.classifier is None:
            base = {**base, "use_angle_cls": False}
        options = parse_options(values, base)
        if options["use_angle_cls"] and self.classifier is None:
            raise ValueError(NO_CLASSIFIER)
        return options

    def batches(self, boxes: np.ndarray, options: Mapping[str, Any], limits: Limits) -> list[Batch]:
        """The batches in which boxes are read, known and held to the limits before any work.

        Args:
            boxes: float32 [N, 4, 2], pixels, clockwise from top-left.
            options: all of them, see `parse_options`.
            limits: of a request.

        Raises:
            ValueError: boxes that cannot be read, or that would cost too much.
        """
        check_boxes(boxes, limits)
        sizes = box_sizes(boxes, options["reference"])
        check_crops(sizes, limits)
        batches = self._group([crop_size(size) for size in sizes], options, limits.max_rec_width)
        check_columns(batches, limits)
        return batches

    def _group(
        self, sizes: Sequence[tuple[int, int]], options: Mapping[str, Any], max_width: int
    ) -> list[Batch]:
        if options["rec_padding"] == "crop":
            return plan_by_bucket(sizes, self.height, self.buckets, self.batch_size)
        if options["reference"] == "paddleocr":
            return plan_like_paddle(sizes, self.height, max_width)
        if options["reference"] == "paddleocr_pdserving":
            return plan_like_pdserving(sizes, self.height, max_width)
        return plan_like_paddle_serving(sizes, self.height, self.batch_size, max_width)


def line_warnings(
    boxes: np.ndarray, batches: Sequence[Batch], plan: RecognitionPlan, reference: str
) -> list[str]:
    """What is likely to be read wrongly because of the widths at which lines are read.

    Args:
        boxes: float32 [N, 4, 2].
        batches: of these boxes, see `RecognitionPlan.batches`.
        plan: that made the batches.
        reference: of the options.
    """
    sizes = [crop_size(size) for size in box_sizes(boxes, reference)]
    factors = [
        natural_width(sizes[index], plan.height) / batch.width
        for batch in batches
        for index in batch.indices
    ]
    squeezed = [factor for factor in factors if factor > DISTORTED]
    if not squeezed:
        return []
    return [
        f"{len(squeezed)} of {len(factors)} lines are too wide for the recogniser and squeezed "
        f"up to {max(squeezed):.1f} times (said from {DISTORTED} on); characters may be "
        "missing: send the picture in parts"
    ]


def read_lines(
    pixels: np.ndarray,
    boxes: np.ndarray,
    batches: Sequence[Batch],
    plan: RecognitionPlan,
    options: Mapping[str, Any],
    characters: Sequence[str],
) -> Calls[tuple[list[str], np.ndarray]]:
    """Read the boxes of one picture.

    The calls are yielded lazily: the next crops are cut out after a call has been taken.

    Args:
        pixels: uint8 [H, W, 3], BGR, upright.
        boxes: float32 [N, 4, 2].
        batches: of these boxes, see `RecognitionPlan.batches`.
        plan: that made the batches.
        options: all of them, see `parse_options`.
        characters: of class 1, 2, ... of the recogniser.

    Returns:
        The text of every box, and float32 [N], their scores.

    Raises:
        ValueError: a network answered with a class that has no character.
    """
    sizes = box_sizes(boxes, options["reference"])

    def cut_out(index: int) -> np.ndarray:
        return crop_line(pixels, boxes[index], options["reference"], sizes[index])

    crop: Callable[[int], np.ndarray] = cut_out
    if options["use_angle_cls"] and plan.classifier is not None and len(boxes):
        crops = [cut_out(index) for index in range(len(boxes))]
        crop = (yield from upright(crops, plan.classifier, options["cls_thresh"])).__getitem__

    def fill(batch: Batch) -> Call:
        crops = {index: crop(index) for index in batch.indices}
        rows, widths = fill_batch(crops, batch, plan.height)
        return Call("rec", {"CROPS": rows, "WIDTHS": widths})

    answers = yield map(fill, batches)
    texts, scores = [""] * len(boxes), np.zeros(len(boxes), np.float32)
    for batch, (indices, probabilities) in zip(batches, answers, strict=True):
        read, sure = ctc_decode(indices, probabilities, characters)
        scores[list(batch.indices)] = sure
        for index, text in zip(batch.indices, read, strict=True):
            texts[index] = text
    return texts, scores


def upright(
    crops: Sequence[np.ndarray], classifier: Classifier, thresh: float
) -> Calls[list[np.ndarray]]:
    """Show crops to the classifier, and turn those that are surely upside down.

    Args:
        crops: uint8 [h, w, 3] each, one or more.
        classifier: its sizes.
        thresh: see `turn_upright`.
    """
    answers = yield (
        Call("cls", fill_classifier(crops, batch, classifier))
        for batch in plan_classifier(len(crops), classifier)
    )
    classes, probabilities = (np.concatenate(parts) for parts in zip(*answers, strict=True))
    return turn_upright(crops, classes, probabilities, thresh)


def sure_lines(scores: np.ndarray, options: Mapping[str, Any]) -> np.ndarray:
    """The lines that are answered: int64 indices of the scores that reach `drop_score`."""
    return np.flatnonzero(scores >= options["drop_score"])
