"""DB post-processing: a probability map becomes boxes with scores.

"Real-time Scene Text Detection with Differentiable Binarization" (Liao et al., AAAI 2020), with
the contour handling of PaddleOCR's DBPostProcess and the box filter of its TextDetector, which
this file reproduces to the pixel, rounding included.
"""

from __future__ import annotations

import cv2
import numpy as np
import pyclipper

MIN_SIZE = 3  # pixels of the map: a shorter side is noise
# Pixels of the picture: a box must be longer than this on both sides.
MIN_SIDE = {"paddleocr": 3, "paddle_serving": 10}


def decode_boxes(
    probability: np.ndarray,
    height: int,
    width: int,
    thresh: float = 0.3,
    box_thresh: float = 0.6,
    unclip_ratio: float = 1.5,
    score_mode: str = "fast",
    use_dilation: bool = False,
    max_candidates: int = 1000,
    reference: str = "paddleocr",
) -> tuple[np.ndarray, np.ndarray]:
    """Find the text boxes of one picture.

    Args:
        probability: float32 [h, w], the detector's map, 0 to 1.
        height: of the picture, pixels.
        width: of the picture, pixels.
        thresh: a pixel of the map is text above it.
        box_thresh: a box is kept when the mean of its pixels is not below it.
        unclip_ratio: how far a box grows: area times ratio over perimeter.
        score_mode: the mean over the box ("fast") or over the contour ("slow").
        use_dilation: grow the binarised map by one pixel first.
        max_candidates: contours looked at, at the most.
        reference: whose rounding and filter of boxes is used, a key of MIN_SIDE.

    Returns:
        boxes float32 [N, 4, 2], whole pixels of the picture, clockwise from top-left, and scores
        float32 [N], in the order in which the contours were found.
    """
    bitmap = (probability > thresh).astype(np.uint8)
    if use_dilation:
        bitmap = cv2.dilate(bitmap, np.ones((2, 2), np.uint8))
    contours, _ = cv2.findContours(bitmap, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    boxes, scores = [], []
    for contour in contours[:max_candidates]:
        box, side = mini_box(contour)
        if side < MIN_SIZE:
            continue
        outline = box if score_mode == "fast" else contour.reshape(-1, 2)
        score = mean_probability(probability, outline)
        if score < box_thresh:
            continue
        grown = unclip(box, unclip_ratio)
        if grown is None:
            continue
        box, side = mini_box(grown)
        if side < MIN_SIZE + 2:
            continue
        placed = place_in_picture(box, probability.shape, height, width, reference)
        if placed is not None:
            boxes.append(placed)
            scores.append(score)
    return np.array(boxes, np.float32).reshape(-1, 4, 2), np.array(scores, np.float32)


def mini_box(points: np.ndarray) -> tuple[np.ndarray, float]:
    """The smallest rotated rectangle around points, and its shorter side.

    Args:
        points: int32 or float32 [M, 1, 2] or [M, 2].

    Returns:
        float32 [4, 2]: the upper and lower of the two leftmost corners first and last, those of
        the two rightmost between them.
    """
    rectangle = cv2.minAreaRect(points)
    return left_to_right(cv2.boxPoints(rectangle)), min(rectangle[1])


def left_to_right(corners: np.ndarray) -> np.ndarray:
    """Order four corners: upper left, upper right, lower right, lower left.

    Left are the two of smaller x.

    Args:
        corners: [4, 2].
    """
    by_x = sorted(corners, key=lambda corner: corner[0])
    left = sorted(by_x[:2], key=lambda corner: corner[1])
    right = sorted(by_x[2:], key=lambda corner: corner[1])
    return np.array([left[0], right[0], right[1], left[1]])


def mean_probability(probability: np.ndarray, outline: np.ndarray) -> float:
    """The mean of the map inside an outline, computed on the outline's bounding box only.

    Args:
        probability: float32 [h, w].
        outline: [M, 2], x and y in pixels of the map.
    """
    h, w = probability.shape
    low = np.floor(outline.min(axis=0)).astype(np.int32)
    high = np.ceil(outline.max(axis=0)).astype(np.int32)
    (xmin, ymin), (xmax, ymax) = np.clip([low, high], 0, [w - 1, h - 1])
    mask = np.zeros((ymax - ymin + 1, xmax - xmin + 1), np.uint8)
    inside = (outline - np.array([xmin, ymin], outline.dtype)).astype(np.int32)
    cv2.fillPoly(mask, [inside], 1)
    return cv2.mean(probability[ymin : ymax + 1, xmin : xmax + 1], mask)[0]


def unclip(box: np.ndarray, unclip_ratio: float) -> np.ndarray | None:
    """Grow a box by area x ratio / perimeter with round corners (Vatti clipping).

    Args:
        box: float32 [4, 2].
        unclip_ratio: positive.

    Returns:
        int32 [M, 1, 2], or None when the grown shape is not one polygon.
    """
    corners = box.astype(np.float64)
    following = np.roll(corners, -1, axis=0)
    area = abs(np.sum(corners[:, 0] * following[:, 1] - following[:, 0] * corners[:, 1])) / 2
    perimeter = np.sum(np.hypot(*(following - corners).T))
    offset = pyclipper.PyclipperOffset()
    offset.AddPath(box, pyclipper.JT_ROUND, pyclipper.ET_CLOSEDPOLYGON)
    grown = offset.Execute(area * unclip_ratio / perimeter)
    if len(grown) != 1:
        return None
    return np.array(grown[0], np.int32).reshape(-1, 1, 2)


def place_in_picture(
    box: np.ndarray, map_shape: tuple[int, ...], height: int, width: int, reference: str
) -> np.ndarray | None:
    """Scale a box from the map to the picture, in whole pixels inside it.

    PaddleOCR scales, then rounds. Paddle Serving rounds in the map, scales, then cuts off the
    fraction.

    Returns:
        float32 [4, 2] clockwise from top-left, or None when a side is too short for text.
    """
    size = np.array([width, height], np.float32)
    map_size = np.array(map_shape[1::-1], np.float32)
    if reference == "paddleocr":
        scaled = np.clip(np.round(box / map_size * size), 0, size)
        corners = clockwise(scaled.astype(np.int32))
    else:
        rounded = np.clip(np.round(box), 0, map_size).astype(np.float64)
        corners = left_to_right((rounded / (map_size / size.astype(np.float64))).astype(np.int32))
    corners = np.clip(corners, 0, [width - 1, height - 1]).astype(np.float32)
    horizontal = int(np.linalg.norm(corners[0] - corners[1]))
    vertical = int(np.linalg.norm(corners[0] - corners[3]))
    return corners if min(horizontal, vertical) > MIN_SIDE[reference] else None


def clockwise(corners: np.ndarray) -> np.ndarray:
    """Order four corners clockwise from top-left.

    Top-left has the smallest x + y, bottom-right the largest; of the other two, top-right has
    the smaller y - x.

    Args:
        corners: int32 [4, 2].
    """
    total = corners.sum(axis=1)
    first, third = np.argmin(total), np.argmax(total)
    others = np.delete(corners, (first, third), axis=0)
    difference = others[:, 1] - others[:, 0]
    second, fourth = others[np.argmin(difference)], others[np.argmax(difference)]
    return np.stack([corners[first], second, corners[third], fourth])
