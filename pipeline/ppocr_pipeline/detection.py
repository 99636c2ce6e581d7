"""Boxes are found: what the detector is shown of a picture, and what its answer means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ppocr_pipeline.db import decode_boxes
from ppocr_pipeline.limits import Limits
from ppocr_pipeline.order import reading_order
from ppocr_pipeline.resize import Canvas, det_size, own_part, place, resize_for_det

# From these factors on an answer says that the picture was squeezed. A page of 200 dpi stays below.
SQUEEZED, DISTORTED = 2.5, 1.4


def det_input(
    pixels: np.ndarray,
    options: Mapping[str, Any],
    limits: Limits,
    canvases: Sequence[Canvas] = (),
) -> np.ndarray:
    """The detector's input for one picture.

    Args:
        pixels: uint8 [H, W, 3], BGR, upright, see `pad_tiny`.
        options: all of them, see `parse_options`.
        limits: of a request.
        canvases: that the picture is placed on, see `place`.

    Returns:
        uint8 [1, h, w, 3], h and w multiples of 32.

    Raises:
        ValueError: it would be larger than the limits.
    """
    resized = resize_for_det(
        pixels,
        options["det_limit_side_len"],
        options["det_limit_type"],
        options["reference"],
        limits.max_det_pixels,
    )
    return place(resized, canvases)[None]


def squeeze_warnings(size: Sequence[int], options: Mapping[str, Any], limits: Limits) -> list[str]:
    """What is likely to be missed of a picture because of the size at which it is read.

    Args:
        size: height and width of the picture, pixels.
        options: all of them, see `parse_options`.
        limits: of a request.
    """
    height, width = size
    det_height, det_width = det_size(
        height,
        width,
        options["det_limit_side_len"],
        options["det_limit_type"],
        options["reference"],
        limits.max_det_pixels,
    )
    down, across = height / det_height, width / det_width
    what = f"the picture of {width}x{height} (width x height) was read at {det_width}x{det_height}"
    warnings = []
    if (factor := max(down, across)) > SQUEEZED:
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


def find_boxes(
    probability: np.ndarray,
    height: int,
    width: int,
    options: Mapping[str, Any],
    limits: Limits,
    canvases: Sequence[Canvas] = (),
) -> tuple[np.ndarray, np.ndarray]:
    """The text boxes of one picture, in reading order.

    Args:
        probability: float32 [h, w], the detector's map, 0 to 1.
        height: of the picture, pixels.
        width: of the picture, pixels.
        options: all of them, see `parse_options`.
        limits: of a request.
        canvases: that the map may be of; without, all of it is the picture.

    Returns:
        boxes float32 [N, 4, 2], pixels of the picture, clockwise from top-left, and their scores
        float32 [N].

    Raises:
        ValueError: see `decode_boxes` and `own_part`.
    """
    if canvases:
        side, kind = options["det_limit_side_len"], options["det_limit_type"]
        own = det_size(height, width, side, kind, options["reference"], limits.max_det_pixels)
        probability = own_part(probability, *own)
    boxes, scores = decode_boxes(
        probability,
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
        exact=options["reference_exact"],
    )
    order = reading_order(boxes, options)
    return boxes[order], scores[order]
