"""Crops that may lie upside down are shown to the direction classifier `cls`.

Every crop is brought to the classifier's size on its own, so what it is taken for depends on that
crop alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from ppocr_pipeline.batches import Batch, fill_batch
from ppocr_pipeline.calls import Call, Calls

UPSIDE_DOWN = 1  # the class of PaddleOCR's label "180"
WINDOW = 6  # times its height that the classifier is shown of a long crop
RESIZES = ("pad", "stretch")


@dataclass(frozen=True)
class Classifier:
    """What the classifier takes.

    Attributes:
        height: of its input, pixels.
        width: of its input, pixels.
        resize: "pad" keeps the ratio of a crop and pads it on the right (48x192, PaddleOCR's
            TextClassifier); "stretch" does not (80x160, its text line orientation module).
        batch_size: crops in one call, at the most.
    """

    height: int
    width: int
    resize: str
    batch_size: int


def read_classifier(parameters: Mapping[str, str]) -> Classifier | None:
    """The classifier that the repository was built with, None without one.

    Raises:
        ValueError: the parameters are not those that `ppocr-convert build` writes.
    """
    if "cls_height" not in parameters:
        return None
    height, width = int(parameters["cls_height"]), int(parameters["cls_width"])
    resize, batch_size = parameters["cls_resize"], int(parameters["cls_batch_size"])
    if resize not in RESIZES:
        raise ValueError(f"cls_resize is {resize!r}; allowed: {', '.join(RESIZES)}")
    return Classifier(height, width, resize, batch_size)


def plan_classifier(count: int, classifier: Classifier) -> list[Batch]:
    """Batches of crops in the order in which they come: all have the same size."""
    step = classifier.batch_size
    return [
        Batch(tuple(range(start, min(start + step, count))), classifier.width)
        for start in range(0, count, step)
    ]


def fill_classifier(
    crops: Sequence[np.ndarray], batch: Batch, classifier: Classifier
) -> dict[str, np.ndarray]:
    """Resize the crops of a batch into the classifier's input.

    Args:
        crops: uint8 [h, w, 3] each.
        batch: which of them.
        classifier: its size and resizing.

    Returns:
        CROPS uint8 [N, height, width, 3], and WIDTHS int32 [N, 1] where the ratio is kept.
    """
    if classifier.resize == "pad":
        rows, widths = fill_batch(crops, batch, classifier.height)
        return {"CROPS": rows, "WIDTHS": widths}
    size = (classifier.width, classifier.height)
    resized = [cv2.resize(crops[i], size, interpolation=cv2.INTER_LINEAR) for i in batch.indices]
    return {"CROPS": np.stack(resized)}


def classify(
    crops: Sequence[np.ndarray], classifier: Classifier
) -> Calls[tuple[np.ndarray, np.ndarray]]:
    """Show crops to the classifier.

    Args:
        crops: uint8 [h, w, 3] each, one or more.
        classifier: its sizes.

    Returns:
        bool [N], whether each is taken to be upside down, and float32 [N], how probable that is.
    """
    answers = yield (
        Call("cls", fill_classifier(crops, batch, classifier))
        for batch in plan_classifier(len(crops), classifier)
    )
    classes, probabilities = (np.concatenate(parts)[:, 0] for parts in zip(*answers, strict=True))
    return classes == UPSIDE_DOWN, probabilities


def page_angle(pixels: np.ndarray, size: int) -> Calls[int]:
    """Show a whole page to the page orientation network, in PaddleX's size.

    Args:
        pixels: uint8 [H, W, 3], BGR.
        size: of the network's input, pixels: the middle of a page whose shorter side is 8/7 of it.

    Returns:
        By how many degrees the page is turned clockwise.
    """
    height, width = pixels.shape[:2]
    side = min(height, width)
    left, top = (width - side) // 2, (height - side) // 2
    square = np.ascontiguousarray(pixels[top : top + side, left : left + side])
    shown, edge = size * 8 // 7, size // 14
    resized = cv2.resize(square, (shown, shown), interpolation=cv2.INTER_LINEAR)
    middle = resized[edge : edge + size, edge : edge + size]
    ((indices, _),) = yield [Call("page_orientation", {"CROPS": middle[None]})]
    return 90 * int(indices[0, 0])


def window(crop: np.ndarray) -> np.ndarray:
    """The middle of a long crop: a whole one would be squeezed beyond recognition.

    Args:
        crop: uint8 [h, w, 3].
    """
    width = WINDOW * crop.shape[0]
    start = max(0, crop.shape[1] - width) // 2
    return crop[:, start : start + width]
