"""Results as OCRmyPDF's elements, and the skew of a page."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from ocrmypdf.hocrtransform import Baseline, BoundingBox, OcrClass, OcrElement

from ppocr_client.exports.pdf import STRAIGHT
from ppocr_client.exports.xml import bounds
from ppocr_client.lines import TALL, Line
from ppocr_client.results import OcrResult

DESCENT = 0.2  # of a line's height, below its baseline
LONG = 5  # widths of a box over its height from which it tells the page's slope


def slope_angle(boxes: npt.NDArray[np.float32]) -> float:
    """The slope of a page's lines in degrees: the median of its long boxes, weighted by length.

    Args:
        boxes: float32 [N, 4, 2], pixels, clockwise from top-left.

    Returns:
        Above 0 where lines fall to the right; 0 without long boxes.
    """
    along = (boxes[:, 1] - boxes[:, 0] + boxes[:, 2] - boxes[:, 3]) / 2
    down = boxes[:, 3] - boxes[:, 0]
    widths = np.hypot(*along.T)
    along, widths = (kept[widths >= LONG * np.hypot(*down.T)] for kept in (along, widths))
    if not len(along):
        return 0.0
    angles = np.degrees(np.arctan2(along[:, 1], along[:, 0]))
    order = np.argsort(angles)
    total = np.cumsum(widths[order])
    return float(angles[order][np.searchsorted(total, total[-1] / 2)])


def page_element(result: OcrResult, page_number: int) -> OcrElement:
    """A result as OCRmyPDF's tree of a page."""
    width, height = result.extent
    return OcrElement(
        OcrClass.PAGE,
        bbox=BoundingBox(0, 0, width, height),
        page_number=page_number,
        children=[_line_element(line) for line in result.lines if line.text],
    )


def _line_element(line: Line) -> OcrElement:
    """A line; one that is much higher than wide is read downwards."""
    upright = BoundingBox(*bounds(line))
    words = [
        OcrElement(
            OcrClass.WORD, bbox=BoundingBox(*bounds(part)), text=part.text, confidence=part.score
        )
        for part in line.parts
    ]
    top_left, top_right, _, bottom_left = line.box.astype(float)
    (across, climb), thickness = top_right - top_left, math.dist(bottom_left, top_left)
    turned = -90 * round(math.atan2(climb, across) / (math.pi / 2))  # counter-clockwise
    if turned or thickness >= TALL * across:
        angle = float(turned or -90)
        return OcrElement(OcrClass.LINE, bbox=upright, textangle=angle, children=words)
    slope, bottom = climb / across, float(bottom_left[1])
    if abs(slope) > STRAIGHT:
        slope, bottom = 0.0, float(line.box[:, 1].mean() + thickness / 2)
    # OCRmyPDF measures the baseline from the bottom left of the line's box, and takes what is above
    # for the size of the letters: the box stands where the line begins, as high as its letters.
    start = BoundingBox(upright.left, bottom - thickness, upright.right, bottom)
    baseline = Baseline(slope, -DESCENT * thickness)
    return OcrElement(OcrClass.LINE, bbox=start, baseline=baseline, children=words)
