"""DB post-processing: a probability map becomes boxes with scores.

"Real-time Scene Text Detection with Differentiable Binarization" (Liao et al., AAAI 2020), with
the contour handling of PaddleOCR's DBPostProcess and the box filter of its TextDetector, which
this file reproduces to the pixel, rounding included.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor, isfinite
from operator import itemgetter

import cv2
import numpy as np
import pyclipper

from ppocr_pipeline.crop import widened
from ppocr_pipeline.limits import Limits, exceeded

MIN_SIZE = 3  # pixels of the map: a shorter side is noise
# Pixels of the picture: a box must be longer than this on both sides.
MIN_SIDE = {"paddleocr": 3, "paddle_serving": 10, "paddleocr_pdserving": 10}
MAX_PICTURE_SIDE = 65_535  # the most that max_image_side can be set to


def decode_boxes(
    probability: np.ndarray,
    height: int,
    width: int,
    thresh: float = 0.3,
    box_thresh: float = 0.6,
    unclip_ratio: float = 1.5,
    score_mode: str = "fast",
    use_dilation: bool = False,
    max_candidates: int = Limits.max_lines,
    reference: str = "paddleocr",
    max_pixels: int = Limits.max_det_pixels,
    *,
    unclip_mode: str = "area",
    largest: bool = False,
    exact: bool = False,
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
        max_candidates: contours looked at, at the most: the first ones.
        reference: whose rounding and filter of boxes is used, a key of MIN_SIDE.
        max_pixels: of the map.
        unclip_mode: boxes grow by `grow` ("area") or by `grow_by_shape` ("shape").
        largest: of too many contours the largest count, not the first. A blank tile has thousands
            of specks with PP-OCRv6.
        exact: corners begin where the reference's begin, see `place_in_picture`.

    Returns:
        boxes float32 [N, 4, 2], whole pixels of the picture, clockwise from top-left, and scores
        float32 [N], in the order in which the contours were found.

    Raises:
        ValueError: an empty map, a larger one, or one with a value that is no number, or a side of
            the picture that no picture has.
    """
    check_map(probability, height, width, max_pixels)
    bitmap = (probability > thresh).view(np.uint8)
    if use_dilation:
        bitmap = cv2.dilate(bitmap, np.ones((2, 2), np.uint8))
    contours, _ = cv2.findContours(bitmap, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    if largest and len(contours) > max_candidates:
        contours = sorted(contours, key=cv2.contourArea, reverse=True)
    found, scores = [], []
    for contour in contours[:max_candidates]:
        box, side = mini_box(contour)
        if side < MIN_SIZE:
            continue
        score = mean_probability(
            probability, box if score_mode == "fast" else contour[:, 0].tolist()
        )
        if score >= box_thresh:
            found.append(box)
            scores.append(score)
    boxes = np.array(found, np.float32).reshape(-1, 4, 2)
    grown, kept = (grow if unclip_mode == "area" else grow_by_shape)(boxes, unclip_ratio)
    placed, long_enough = place_in_picture(
        grown, probability.shape, height, width, reference, exact=exact
    )
    return placed, np.array(scores, np.float32)[kept][long_enough]


def check_map(probability: np.ndarray, height: int, width: int, max_pixels: int) -> None:
    """Raise a ValueError where there is nothing to decode, or too much: see `decode_boxes`."""
    if not (1 <= height <= MAX_PICTURE_SIDE and 1 <= width <= MAX_PICTURE_SIDE):
        raise ValueError(
            f"IMAGE_SIZE is {height}, {width} (height, width); "
            f"allowed: sides from 1 to {MAX_PICTURE_SIDE}"
        )
    what = f"PROBABILITY is {probability.shape[1]}x{probability.shape[0]} (width x height)"
    if probability.size == 0:
        raise ValueError(f"{what}; allowed: at least 1 pixel")
    if probability.size > max_pixels:
        what += f", {probability.size} pixels"
        raise ValueError(exceeded(what, "max_det_pixels", max_pixels))
    low, high = float(probability.min()), float(probability.max())  # NaN where one value is
    if not (isfinite(low) and isfinite(high)):
        raise ValueError(f"PROBABILITY goes from {low} to {high}; allowed: finite values, 0 to 1")


def mini_box(points: np.ndarray) -> tuple[list[list[float]], float]:
    """The smallest rotated rectangle around points, and its shorter side.

    Args:
        points: int32 or float32 [M, 1, 2] or [M, 2].

    Returns:
        Four corners, x and y: the upper and lower of the two leftmost first and last, those of the
        two rightmost between them.
    """
    rectangle = cv2.minAreaRect(points)
    return left_to_right(cv2.boxPoints(rectangle).tolist()), min(rectangle[1])


def left_to_right(corners: list[list[float]]) -> list[list[float]]:
    """Order four corners: upper left, upper right, lower right, lower left.

    Left are the two of smaller x.
    """
    by_x = sorted(corners, key=itemgetter(0))
    (upper_left, lower_left) = sorted(by_x[:2], key=itemgetter(1))
    (upper_right, lower_right) = sorted(by_x[2:], key=itemgetter(1))
    return [upper_left, upper_right, lower_right, lower_left]


def mean_probability(probability: np.ndarray, outline: Sequence[Sequence[float]]) -> float:
    """The mean of the map inside an outline, computed on the outline's bounding box only.

    Args:
        probability: float32 [h, w].
        outline: [M, 2], x and y in pixels of the map.
    """
    h, w = probability.shape
    xs, ys = zip(*outline, strict=True)
    xmin, xmax = min(max(floor(min(xs)), 0), w - 1), min(max(ceil(max(xs)), 0), w - 1)
    ymin, ymax = min(max(floor(min(ys)), 0), h - 1), min(max(ceil(max(ys)), 0), h - 1)
    mask = np.zeros((ymax - ymin + 1, xmax - xmin + 1), np.uint8)
    inside = [(int(x - xmin), int(y - ymin)) for x, y in zip(xs, ys, strict=True)]
    cv2.fillPoly(mask, [np.array(inside, np.int32)], 1)
    return cv2.mean(probability[ymin : ymax + 1, xmin : xmax + 1], mask)[0]


def grow(boxes: np.ndarray, unclip_ratio: float) -> tuple[np.ndarray, list[int]]:
    """Grow boxes by area x ratio / perimeter with round corners (Vatti clipping).

    Args:
        boxes: float32 [N, 4, 2].
        unclip_ratio: positive.

    Returns:
        float32 [M, 4, 2], the smallest rectangles around the grown shapes, and the M indices of
        their boxes: one that does not grow to a single polygon, or stays too small, is left out.
    """
    corners = boxes.astype(np.float64)
    following = np.roll(corners, -1, axis=1)
    cross = corners[..., 0] * following[..., 1] - following[..., 0] * corners[..., 1]
    area = np.abs(cross.sum(axis=1)) / 2
    sides = following - corners
    perimeter = np.hypot(sides[..., 0], sides[..., 1]).sum(axis=1)
    rectangles, kept = [], []
    for index, distance in enumerate((area * unclip_ratio / perimeter).tolist()):
        offset = pyclipper.PyclipperOffset()
        offset.AddPath(boxes[index], pyclipper.JT_ROUND, pyclipper.ET_CLOSEDPOLYGON)
        grown = offset.Execute(distance)
        if len(grown) != 1:
            continue
        rectangle, side = mini_box(np.array(grown[0], np.int32))
        if side >= MIN_SIZE + 2:
            rectangles.append(rectangle)
            kept.append(index)
    return np.array(rectangles, np.float32).reshape(-1, 4, 2), kept


def grow_by_shape(boxes: np.ndarray, unclip_ratio: float) -> tuple[np.ndarray, np.ndarray]:
    """Grow boxes by as much as the detector was trained to shrink them.

    Training shrinks a text in proportion to its own area over its perimeter (section 3.4 of the
    paper). `grow` takes those of the shrunk box. Of a long line that differs by a factor alone, but
    a short text comes out up to twice as large as it is. Here a long line grows as far as in
    `grow`, and from that follows how far every other box was shrunk.

    Args:
        boxes: float32 [N, 4, 2], corners in the middles of pixels.
        unclip_ratio: positive.

    Returns:
        float32 [M, 4, 2], corners between pixels, and the M indices of their boxes, see `grow`.
    """
    width, height = np.linalg.norm(boxes[:, [1, 3]] - boxes[:, :1], axis=2).T + 1
    half, area = width + height, unclip_ratio * width * height
    distance = 0.5 + area / (half + np.sqrt(half**2 + 4 * (2 + unclip_ratio) * area))
    grown = widened(boxes + np.float32(0.5), np.stack([distance, distance], axis=1))
    kept = np.flatnonzero(np.minimum(width, height) - 1 + 2 * distance >= MIN_SIZE + 2)
    return grown[kept], kept


def place_in_picture(
    boxes: np.ndarray,
    map_shape: tuple[int, ...],
    height: int,
    width: int,
    reference: str,
    *,
    exact: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Scale boxes from the map to the picture, in whole pixels inside it.

    PaddleOCR scales, then rounds. Paddle Serving rounds in the map, scales, then cuts off the
    fraction. Its corners of a column that leans begin at the wrong one: it is then read sideways.

    Args:
        boxes: float32 [N, 4, 2], pixels of the map.
        map_shape: height and width of the map.
        height: of the picture, pixels.
        width: of the picture, pixels.
        reference: a key of MIN_SIDE.
        exact: corners in Paddle Serving's order with its reference, see `left_to_right`.

    Returns:
        float32 [M, 4, 2] clockwise from top-left, and bool [N], whether the sides of a box are
        long enough for text.
    """
    size = np.array([width, height], np.float32)
    map_size = np.array(map_shape[1::-1], np.float32)
    if reference == "paddleocr":
        scaled = np.clip(np.round(boxes / map_size * size), 0, size)
        corners = clockwise(scaled.astype(np.int32))
    else:
        rounded = np.clip(np.round(boxes), 0, map_size).astype(np.float64)
        cut_off = (rounded / (map_size / size.astype(np.float64))).astype(np.int32)
        corners = clockwise(cut_off)
        if exact:
            corners = np.array([left_to_right(box) for box in cut_off.tolist()], np.int32)
    corners = np.clip(corners.reshape(-1, 4, 2), 0, [width - 1, height - 1]).astype(np.float32)
    sides = np.linalg.norm(corners[:, :1] - corners[:, [1, 3]], axis=2).astype(np.int32)
    long_enough = sides.min(axis=1, initial=np.iinfo(np.int32).max) > MIN_SIDE[reference]
    return corners[long_enough], long_enough


def clockwise(boxes: np.ndarray) -> np.ndarray:
    """Order the four corners of every box clockwise from top-left.

    Top-left has the smallest x + y, bottom-right the largest; of the other two, top-right has
    the smaller y - x.

    Args:
        boxes: int32 [N, 4, 2].
    """
    rows = np.arange(len(boxes))
    total = boxes.sum(axis=2)
    first, third = total.argmin(axis=1), total.argmax(axis=1)
    difference = (boxes[..., 1] - boxes[..., 0]).astype(np.float64)
    difference[rows, first] = difference[rows, third] = np.inf
    second = difference.argmin(axis=1)
    difference[rows, first] = difference[rows, third] = -np.inf
    fourth = difference.argmax(axis=1)
    return boxes[rows[:, None], np.stack([first, second, third, fourth], axis=1)]
