"""Text lines cut out of the picture and straightened, as PaddleOCR cuts them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np

from ppocr_pipeline.limits import Limits, exceeded

TALL = 1.5  # height over width from which a crop is vertical text and is turned
#: By quarter turns counterclockwise.
TURNS = {1: cv2.ROTATE_90_COUNTERCLOCKWISE, 2: cv2.ROTATE_180, 3: cv2.ROTATE_90_CLOCKWISE}
MARGINS = (0.15, 0.05)  # shares of the height of a line: before and after it, above and below
MAX_SIDE = 32_767  # what OpenCV's warp can address


def crop_line(
    pixels: np.ndarray,
    box: np.ndarray,
    reference: str = "paddleocr",
    size: tuple[int, int] | None = None,
) -> np.ndarray:
    """Warp one quadrilateral to a rectangle; a tall one is turned 90 degrees counterclockwise.

    Args:
        pixels: uint8 [H, W, 3].
        box: float32 [4, 2], pixels, clockwise from top-left.
        reference: "paddleocr" interpolates cubically and takes the longer of opposite sides;
            the others linearly, the upper and the left side, and they repeat the edge of the
            box's bounding rectangle where the box leaves it.
        size: height and width of the box, where `box_sizes` has been asked for many at once.

    Returns:
        uint8 [h, w, 3].

    Raises:
        ValueError: see `box_sizes`.
    """
    height, width = size or box_sizes(box[None], reference)[0]
    if (part := upright_part(pixels, box, height, width)) is not None:
        return turned(part, height / width >= TALL)
    if reference != "paddleocr":
        pixels, box = inside_bounds(pixels, box)
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    warp = cv2.getPerspectiveTransform(box, corners)
    flags = cv2.INTER_CUBIC if reference == "paddleocr" else cv2.INTER_LINEAR
    crop = cv2.warpPerspective(
        pixels, warp, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE
    )
    return turned(crop, height / width >= TALL)


def turned(crop: np.ndarray, turns: int) -> np.ndarray:
    """A crop turned by so many quarter turns counterclockwise, uint8 [h, w, 3]."""
    # Not np.rot90: OpenCV would copy its view, slowly, whenever it is given it.
    return cv2.rotate(crop, TURNS[turns % 4]) if turns % 4 else crop


def with_margin(boxes: np.ndarray, options: Mapping[str, Any]) -> np.ndarray:
    """What is cut out for boxes: a little more than the detector found.

    Its boxes cut a comma at the end of a line, and marks over and under letters.

    Args:
        boxes: float32 [N, 4, 2], pixels, clockwise from top-left.
        options: all of them, see `parse_options`; with `rec_padding: paddle` there is no margin.

    Returns:
        float32 [N, 4, 2], grown by whole pixels.
    """
    if options["rec_padding"] == "paddle":
        return boxes
    sides = np.linalg.norm(boxes[:, [1, 3]] - boxes[:, :1], axis=2)
    shares = np.where(sides[:, :1] >= sides[:, 1:], MARGINS, MARGINS[::-1])
    room = (MAX_SIDE - sides) // 2
    margins = np.round(shares * sides.min(axis=1, keepdims=True))
    return widened(boxes, np.clip(margins, 0, np.maximum(room, 0)))


def widened(boxes: np.ndarray, margins: np.ndarray) -> np.ndarray:
    """Boxes with a margin.

    Args:
        boxes: float32 [N, 4, 2], pixels, clockwise from top-left.
        margins: [N, 2], pixels: before and after, above and below each box.

    Returns:
        float32 [N, 4, 2].
    """
    sides = boxes[:, [1, 3]] - boxes[:, :1]
    lengths = np.linalg.norm(sides, axis=2)
    outwards = sides * (margins / np.maximum(lengths, 1))[..., None]
    right, down = outwards[:, 0], outwards[:, 1]
    steps = np.stack([-right - down, right - down, right + down, down - right], axis=1)
    return (boxes + steps).astype(np.float32)


def upright_part(pixels: np.ndarray, box: np.ndarray, height: int, width: int) -> np.ndarray | None:
    """The pixels of a box that stands upright in the picture, None for any other box.

    Such a box is only moved by its warp, and by whole pixels: the pixels stay as they are.

    Args:
        pixels: uint8 [H, W, 3].
        box: float32 [4, 2].
        height: of the box, whole pixels.
        width: of the box, whole pixels.

    Returns:
        uint8 [height, width, 3], a view of `pixels`.
    """
    left, top = box[0].tolist()
    right, bottom = left + width, top + height
    if box.tolist() != [[left, top], [right, top], [right, bottom], [left, bottom]]:
        return None
    inside = left >= 0 and right <= pixels.shape[1] and top >= 0 and bottom <= pixels.shape[0]
    if not (inside and left.is_integer() and top.is_integer()):
        return None
    return pixels[int(top) : int(bottom), int(left) : int(right)]


def inside_bounds(pixels: np.ndarray, box: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The part of the picture in the box's bounding rectangle, and the box within it."""
    size = pixels.shape[1::-1]
    low = np.clip(box.min(axis=0).astype(int), 0, np.array(size) - 1)
    high = np.maximum(np.clip(box.max(axis=0).astype(int), 0, size), low + 1)
    part = pixels[low[1] : high[1], low[0] : high[0]]
    return np.ascontiguousarray(part), (box - low).astype(np.float32)


def box_sizes(boxes: np.ndarray, reference: str) -> list[tuple[int, int]]:
    """Height and width of every box, whole pixels.

    Args:
        boxes: float32 [N, 4, 2], pixels, clockwise from top-left.
        reference: see `crop_line`.

    Raises:
        ValueError: a box has no area to read, or does not fit what can be warped.
    """
    with np.errstate(over="ignore"):  # infinite, and refused below
        sides = np.linalg.norm(boxes - boxes[:, [1, 2, 3, 0]], axis=2)
    top, right, bottom, left = sides.T
    widths, heights = top, left
    if reference == "paddleocr":
        widths, heights = np.maximum(top, bottom), np.maximum(left, right)
    fits = (np.minimum(widths, heights) >= 1) & (np.maximum(widths, heights) < MAX_SIDE + 1)
    if not fits.all():
        wrong = int(np.argmin(fits))
        raise ValueError(
            f"a box of BOXES is {widths[wrong]:.0f}x{heights[wrong]:.0f} (width x height): "
            f"{boxes[wrong].tolist()}; allowed: sides from 1 to {MAX_SIDE} pixels"
        )
    return list(zip(heights.astype(int).tolist(), widths.astype(int).tolist(), strict=True))


def crop_size(size: tuple[int, int]) -> tuple[int, int]:
    """Height and width of the crop of a box of a size: a tall one is turned."""
    height, width = size
    return (width, height) if height / width >= TALL else size


def check_crops(sizes: Sequence[tuple[int, int]], limits: Limits) -> None:
    """Raise a ValueError when the crops of one picture hold too many pixels.

    Args:
        sizes: height and width of each, pixels.
        limits: of all of them.
    """
    pixels = sum(height * width for height, width in sizes)
    if pixels > limits.max_crop_pixels:
        what = f"the {len(sizes)} boxes of BOXES hold {pixels} pixels"
        raise ValueError(exceeded(what, "max_crop_pixels", limits.max_crop_pixels))


def check_boxes(boxes: np.ndarray, limits: Limits) -> None:
    """Raise a ValueError when there are too many boxes, or one that is not in finite numbers.

    Args:
        boxes: float32 [N, 4, 2].
        limits: their number.
    """
    if len(boxes) > limits.max_lines:
        what = f"BOXES holds {len(boxes)} boxes"
        raise ValueError(exceeded(what, "max_lines", limits.max_lines))
    if not np.isfinite(boxes).all():
        raise ValueError("BOXES holds a coordinate that is not a finite number of pixels")


def whole_picture(pixels: np.ndarray) -> np.ndarray:
    """The one box that is the whole picture: float32 [1, 4, 2]."""
    height, width = pixels.shape[:2]
    return np.array([[[0, 0], [width, 0], [width, height], [0, height]]], np.float32)
