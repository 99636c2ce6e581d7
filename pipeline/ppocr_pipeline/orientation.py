"""Crops that lie upside down: shown to the direction classifier `cls`, and turned.

Every crop is brought to the classifier's size on its own, so whether it is turned, and with it its
text, depends on that crop alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from ppocr_pipeline.batches import Batch, fill_batch

UPSIDE_DOWN = 1  # the class of PaddleOCR's label "180"
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


def turn_upright(
    crops: Sequence[np.ndarray], classes: np.ndarray, probabilities: np.ndarray, thresh: float
) -> tuple[list[np.ndarray], np.ndarray]:
    """Turn by 180 degrees the crops that are surely upside down, as PaddleOCR does.

    Args:
        crops: uint8 [h, w, 3] each.
        classes: int32 [N, 1], of each crop.
        probabilities: float32 [N, 1], of that class.
        thresh: a crop is turned when its probability is above this.

    Returns:
        The crops, and bool [N], which of them were turned.
    """
    turned = ((classes == UPSIDE_DOWN) & (probabilities > thresh))[:, 0]
    return [
        np.ascontiguousarray(crop[::-1, ::-1]) if turn else crop
        for crop, turn in zip(crops, turned, strict=True)
    ], turned
