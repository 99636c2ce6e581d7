"""Boxes are found: what the detector is shown of a picture, and what its answer means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ppocr_pipeline.batches import DISTORTED
from ppocr_pipeline.db import decode_boxes
from ppocr_pipeline.limits import Limits, exceeded
from ppocr_pipeline.order import reading_order
from ppocr_pipeline.resize import Canvas
from ppocr_pipeline.tiles.grid import join_maps
from ppocr_pipeline.tiles.plan import DetPlan, plan_det, show
from ppocr_pipeline.words.gaps import part_at_gaps

# From this factor on an answer says that the picture was squeezed. A page of 200 dpi stays below.
SQUEEZED = 2.5


def det_input(
    pixels: np.ndarray,
    options: Mapping[str, Any],
    limits: Limits,
    canvases: Sequence[Canvas] = (),
) -> tuple[np.ndarray, DetPlan]:
    """The detector's input for one picture.

    Args:
        pixels: uint8 [H, W, 3], BGR, upright, see `pad_tiny`.
        options: all of them, see `parse_options`.
        limits: of a request.
        canvases: that the picture, or each of its tiles, is placed on, see `place`.

    Returns:
        uint8 [N, h, w, 3], h and w multiples of 32, N the number of tiles; and what it shows.

    Raises:
        ValueError: it would be larger than the limits.
    """
    plan = plan_det(pixels, options, limits)
    return show(pixels, plan, canvases), plan


def squeeze_warnings(size: Sequence[int], plan: DetPlan) -> list[str]:
    """What is likely to be missed of a picture because of the size at which it is read.

    Args:
        size: height and width of the picture, pixels.
        plan: how the detector is shown it.
    """
    (height, width), (det_height, det_width) = size, plan.size
    down, across = height / det_height, width / det_width
    what = f"the picture of {width}x{height} (width x height) was read at {det_width}x{det_height}"
    warnings = []
    if plan.too_small:
        warnings.append(
            f"{what}, at which its letters are too small, and it would take more tiles than "
            "max_det_tiles to read it larger; text is likely to be missing: send the picture in "
            "parts"
        )
    elif (factor := max(down, across)) > SQUEEZED:
        warnings.append(
            f"{what}, squeezed {factor:.1f} times (said from {SQUEEZED} on); small text may "
            "be missing: raise det_limit_side_len, or send the picture in parts"
        )
    if (factor := max(down / across, across / down)) > DISTORTED:
        warnings.append(
            f"{what}, one side squeezed {factor:.1f} times as much as the other (said from "
            f"{DISTORTED} on); text may be missing: give the picture a margin, or read a single "
            "line with the model recognize"
        )
    return warnings


def check_tiles(
    maps: np.ndarray, tiles: np.ndarray, max_pixels: int = Limits.max_det_pixels
) -> None:
    """Raise a ValueError unless tiles are of the maps and make a picture within the limit.

    Args:
        maps: float32 [N, h, w].
        tiles: int32 [N, 4], see `join_maps`.
        max_pixels: of the joined map.
    """
    starts, sizes = tiles[:, :2].astype(np.int64), tiles[:, 2:]
    fits = len(tiles) == len(maps) > 0
    if fits:
        margin, ends = -starts.min(), starts.max(axis=0) + sizes[0]
        like = (sizes == sizes[0]).all() and (sizes > 0).all()
        of_maps = (sizes[0] <= maps.shape[1:]).all()
        fits = bool(like and of_maps and (ends > margin).all())
    if fits and (ends + margin).prod() > max_pixels:
        what = f"PROBABILITY is {ends[1]}x{ends[0]} (width x height), {ends.prod()} pixels"
        raise ValueError(exceeded(what, "max_det_pixels", max_pixels))
    if not fits:
        raise ValueError(
            f"DET_TILES is {tiles.tolist()} for PROBABILITY of shape {list(maps.shape)}; allowed: "
            "top, left, height and width of every map, as det_preprocess answers them"
        )


def find_boxes(
    maps: np.ndarray,
    tiles: np.ndarray,
    height: int,
    width: int,
    options: Mapping[str, Any],
    limits: Limits,
    pixels: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """The text boxes of one picture, in reading order.

    Args:
        maps: float32 [N, h, w], the detector's maps, 0 to 1.
        tiles: int32 [N, 4], what of the picture each of them is of, see `join_maps`.
        height: of the picture, pixels.
        width: of the picture, pixels.
        options: all of them, see `parse_options`.
        limits: of a request.
        pixels: uint8 [height, width, 3], the picture; without it no box is parted at its gaps.

    Returns:
        boxes float32 [N, 4, 2], pixels of the picture, clockwise from top-left, and their scores
        float32 [N].

    Raises:
        ValueError: see `decode_boxes` and `check_tiles`.
    """
    check_tiles(maps, tiles, limits.max_det_pixels)
    boxes, scores = decode_boxes(
        join_maps(maps, tiles),
        height,
        width,
        thresh=options["det_db_thresh"],
        box_thresh=options["det_db_box_thresh"],
        unclip_ratio=options["det_db_unclip_ratio"],
        score_mode=options["det_db_score_mode"],
        use_dilation=options["use_dilation"],
        max_candidates=limits.max_lines,
        reference=options["reference"],
        max_pixels=limits.max_det_pixels,
        unclip_mode=options["det_db_unclip_mode"],
        largest=len(tiles) > 1,
        exact=options["reference_exact"],
    )
    if pixels is not None and options["det_split_gap"]:
        gap, reference = options["det_split_gap"], options["reference"]
        parts, of = part_at_gaps(pixels, boxes, gap, reference)
        if len(parts) <= limits.max_lines:
            boxes, scores = parts, scores[of]
    order = reading_order(boxes, options)
    return boxes[order], scores[order]
