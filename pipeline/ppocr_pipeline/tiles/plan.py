"""At which size a picture is read, and whether in tiles: decided by its pixels alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np

from ppocr_pipeline.limits import Limits
from ppocr_pipeline.resize import STRIDE, Canvas, det_size, next_stride, place
from ppocr_pipeline.tiles.grid import tile_grid, tiles_along
from ppocr_pipeline.tiles.letters import small_letters

# Pixels of the detector's input. With PP-OCRv4 and PP-OCRv6 lines are missed from 6.5 on downwards,
# hardly any at 9; v4 misses text in pictures of 64 rows or columns that have no margin.
SMALL, GOAL = 6.5, 9.0
# Letters up to NEAR are found, but the boxes of small ones take in what stands beside them and cut
# their ends: they are shown at EASY where that costs no more than a square page.
NEAR, EASY = 14.0, 18.0
PAGE, WORDS = 24, 8  # letters that make tiles worth their cost, and a larger picture
LARGEST, WORTH = 2.0, 1.3  # times its size; times the size at which it would be shown otherwise
STRIP, MARGIN = 64, 32
LOOKED_FROM = 1.5  # a picture that is squeezed less has no letters that would be lost by it
SMALLEST_SIDE = 256  # of tiles: OVERLAP is spent on each
# By which a scale is lowered until the tiles are within the limits, and where that ends.
STEP, LEAST = 0.97, 0.01


@dataclass(frozen=True)
class DetPlan:
    """How the detector is shown a picture.

    Attributes:
        size: height and width of the whole picture as it is shown, pixels.
        tiles: int32 [N, 4], its parts, see `tile_grid` and `join_maps`.
        too_small: letters of the picture are too small, and it would take too many tiles to show
            them larger.
    """

    size: tuple[int, int]
    tiles: np.ndarray
    too_small: bool = False

    @property
    def margin(self) -> int:
        """Pixels of ground that are put around the picture."""
        return -int(self.tiles[:, :2].min())


def plan_det(pixels: np.ndarray, options: Mapping[str, Any], limits: Limits) -> DetPlan:
    """Choose the size at which the detector is shown a picture, and its tiles.

    Args:
        pixels: uint8 [H, W, 3].
        options: all of them, see `parse_options`; only with `det_limit_type: auto`, and without
            `reference_exact`, are there strips and tiles.
        limits: of a request.

    Raises:
        ValueError: see `det_size`.
    """
    height, width = pixels.shape[:2]
    side, kind = options["det_limit_side_len"], options["det_limit_type"]
    size = det_size(height, width, side, kind, options["reference"], limits.max_det_pixels)
    whole = DetPlan(size, np.array([(0, 0, *size)], np.int32))
    if kind != "auto" or options["reference_exact"]:
        return whole
    picture, margin = (height, width), 0
    if min(size) <= STRIP:
        margin = MARGIN
        scale = min(1.0, side / (height * width) ** 0.5)  # costs no more than a square page
        whole = _fitting(picture, scale, LEAST, side, limits, margin) or whole
    factor = max(height / whole.size[0], width / whole.size[1])
    squeezed = factor >= LOOKED_FROM
    if squeezed and (letters := small_letters(pixels, SMALL * factor, PAGE)) is not None:
        scale = min(1.0, GOAL / letters)
        larger = _fitting(picture, scale, min(scale, SMALL / letters), side, limits, margin)
        return larger or replace(whole, too_small=True)
    largest = min(LARGEST, side / (height * width) ** 0.5)
    if squeezed or margin or largest * factor < WORTH:
        return whole
    if (letters := small_letters(pixels, NEAR * factor, WORDS)) is None:
        return whole
    scale = min(largest, EASY / letters)
    larger = _fitting(picture, scale, scale, side, limits) if scale * factor >= WORTH else None
    return larger or whole


def _fitting(
    size: Sequence[int],
    scale: float,
    lowest: float,
    side: int,
    limits: Limits,
    margin: int = 0,
) -> DetPlan | None:
    """The plan at the largest scale whose tiles are within the limits, None below the lowest."""
    side = max(side // STRIDE * STRIDE, SMALLEST_SIDE)
    while scale >= lowest:
        shown = (max(1, round(size[0] * scale)), max(1, round(size[1] * scale)))
        high, wide = (length + 2 * margin for length in shown)
        count = tiles_along(high, side) * tiles_along(wide, side)
        pixels = count * next_stride(min(high, side)) * next_stride(min(wide, side))
        if count <= limits.max_det_tiles and pixels <= limits.max_det_pixels:
            tiles = tile_grid(high, wide, side)
            tiles[:, :2] -= margin
            return DetPlan(shown, tiles)
        scale *= STEP
    return None


def show(pixels: np.ndarray, plan: DetPlan, canvases: Sequence[Canvas] = ()) -> np.ndarray:
    """The detector's input: the picture at the plan's size, in the plan's tiles.

    Args:
        pixels: uint8 [H, W, 3], BGR.
        plan: of this picture.
        canvases: that each tile is placed on, see `place`.

    Returns:
        uint8 [N, h, w, 3], h and w multiples of 32.
    """
    if pixels.shape[:2] != plan.size:
        # Letters are only just large enough here: where it is made smaller, no pixel is left out.
        how = cv2.INTER_AREA if plan.margin or len(plan.tiles) > 1 else cv2.INTER_LINEAR
        resized = cv2.resize(pixels, plan.size[::-1], interpolation=how)
    else:
        resized = pixels
    if margin := plan.margin:
        ground = _ground(pixels)
        around = (margin,) * 4
        resized = cv2.copyMakeBorder(resized, *around, cv2.BORDER_CONSTANT, value=ground)
    high, wide = plan.tiles[0, 2:].tolist()
    sizes = (*canvases, (next_stride(high), next_stride(wide)))
    parts = [
        place(resized[top + margin :, left + margin :][:high, :wide], sizes)
        for top, left in plan.tiles[:, :2].tolist()
    ]
    return parts[0][None] if len(parts) == 1 else np.stack(parts)


def _ground(pixels: np.ndarray) -> list[float]:
    """The colour around the text of a picture: the median of its outermost pixels."""
    edges = (pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1])
    colour: list[float] = np.median(np.concatenate(edges), axis=0).tolist()
    return colour
