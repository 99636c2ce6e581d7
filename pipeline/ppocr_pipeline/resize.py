"""The picture as the detector sees it: sides limited, both multiples of 32, perhaps on a canvas."""

from __future__ import annotations

import re
from collections.abc import Sequence

import cv2
import numpy as np

from ppocr_pipeline.limits import Limits, exceeded

STRIDE = 32  # the detector halves its input five times
#: Height and width, pixels.
Canvas = tuple[int, int]
#: The value of `det_canvases` that leaves every picture at its own size.
NONE = "none"
LONG_STRIDE = 128  # of `long`


def pad_tiny(pixels: np.ndarray) -> np.ndarray:
    """Pad a picture of less than 64 pixels in height plus width to at least 32 on each side.

    Zeros are added at the bottom and on the right, as PaddleOCR does before it resizes.

    Args:
        pixels: uint8 [H, W, 3].
    """
    height, width = pixels.shape[:2]
    if height + width >= 2 * STRIDE:
        return pixels
    bottom, right = max(0, STRIDE - height), max(0, STRIDE - width)
    return cv2.copyMakeBorder(pixels, 0, bottom, 0, right, cv2.BORDER_CONSTANT, value=(0, 0, 0))


def nearest(length: int) -> int:
    """The multiple of 32 nearest to a length, at least 32, as PaddleOCR rounds."""
    return max(round(length / STRIDE) * STRIDE, STRIDE)


def one_less(length: int) -> int:
    """A multiple of 32 as it is, else the last but one below it, as Paddle Serving rounds."""
    if length % STRIDE == 0 and length > 0:
        return length
    return max((length // STRIDE - 1) * STRIDE, STRIDE)


def next_stride(length: int) -> int:
    """The next multiple of 32 from a length on."""
    return -(-length // STRIDE) * STRIDE


def next_long(length: int) -> int:
    """The next multiple of 128 from a length on, as PaddleOCR's `resize_long` rounds."""
    return max(-(-length // LONG_STRIDE), 1) * LONG_STRIDE


ROUNDING = {"paddleocr": nearest, "paddle_serving": one_less, "paddleocr_pdserving": nearest}


def det_size(
    height: int,
    width: int,
    limit_side_len: int,
    limit_type: str,
    reference: str = "paddleocr",
    max_pixels: int = Limits.max_det_pixels,
) -> tuple[int, int]:
    """Height and width of the detector's input for a picture.

    Args:
        height: pixels, at least 1.
        width: pixels, at least 1.
        limit_side_len: the longer side is brought down to it (`max`, and `auto` but for what
            `plan_det` reads in tiles), or the shorter one is brought up to it (`min`); a picture
            already within the limit keeps its scale. `long` brings the longer side down or up to
            it.
        limit_type: "auto", "max", "min" or "long".
        reference: whose rounding to multiples of 32 is used, a key of ROUNDING; `long` has its own.
        max_pixels: of the detector's input, height times width.

    Raises:
        ValueError: the input would have more pixels, as `min` can make it of a thin picture.
    """
    side = min(height, width) if limit_type == "min" else max(height, width)
    outside = {"min": side < limit_side_len, "long": True}.get(limit_type, side > limit_side_len)
    ratio = limit_side_len / side if outside else 1.0
    rounded = next_long if limit_type == "long" else ROUNDING[reference]
    resized = rounded(int(height * ratio)), rounded(int(width * ratio))
    if (pixels := resized[0] * resized[1]) > max_pixels:
        what = f"IMAGE is {width}x{height} (width x height) and would be read at "
        what += f"{resized[1]}x{resized[0]}, {pixels} pixels"
        raise ValueError(exceeded(what, "max_det_pixels", max_pixels))
    return resized


def parse_canvases(text: str) -> tuple[Canvas, ...]:
    """Canvases from `det_canvases`: heights x widths, as in "640x640,736x960", or "none".

    Returns:
        Those of the smallest area first, none for "none".

    Raises:
        ValueError: not of that form, or a side is no multiple of 32.
    """
    if text == NONE:
        return ()
    parts = [re.fullmatch(r"(\d{2,4})x(\d{2,4})", part) for part in text.split(",")]
    sizes = [(int(part[1]), int(part[2])) for part in parts if part]
    if len(sizes) < len(parts) or any(side % STRIDE or not side for one in sizes for side in one):
        raise ValueError(
            f"det_canvases is {text!r}; allowed: {NONE}, or sizes as HEIGHTxWIDTH, parted by "
            f"commas, whose sides are multiples of {STRIDE} pixels, such as 640x640,736x960"
        )
    return tuple(sorted(set(sizes), key=lambda size: (size[0] * size[1], size)))


def place(pixels: np.ndarray, canvases: Sequence[Canvas]) -> np.ndarray:
    """Put a picture top-left on the smallest canvas that holds it; its edges are repeated.

    Args:
        pixels: uint8 [h, w, 3].
        canvases: the smallest area first.

    Returns:
        uint8 [H, W, 3]; the picture itself where no canvas holds it.
    """
    height, width = pixels.shape[:2]
    for high, wide in canvases:
        if (high, wide) == (height, width):
            return pixels
        if high >= height and wide >= width:
            below, right = high - height, wide - width
            return cv2.copyMakeBorder(pixels, 0, below, 0, right, cv2.BORDER_REPLICATE)
    return pixels
