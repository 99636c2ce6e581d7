"""Where a crop shows ink: where its pixels differ, whatever their colour and ground."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

INKED = 0.2  # share of the usual contrast of text from which a column or a row is ink
USUAL = 0.9  # quantile that is the contrast of text
EDGE = 0.1  # of the height, above and below: lines around may reach into a crop there
MARGIN = 1  # pixels left around the ink


class Ink(NamedTuple):
    """The ink of a crop.

    Attributes:
        contrast: uint8 [w], the largest difference within each column.
        inked: bool [w], the columns that show ink.
        height: of the crop, pixels.
        top: of the ink with a margin, pixels.
        bottom: of the ink with a margin, pixels.
    """

    contrast: np.ndarray
    inked: np.ndarray
    height: int
    top: int
    bottom: int


def find_ink(crop: np.ndarray) -> Ink:
    """Find the ink of a crop; one whose ground is as lively as its text is ink all over.

    Args:
        crop: uint8 [h, w, 3], neither of them 0.
    """
    height = len(crop)
    edge = int(EDGE * height)
    contrast = _contrast(crop[edge : height - edge], 0)
    rows = np.flatnonzero(_inked(_contrast(crop, 1)))
    top, bottom = max(0, int(rows[0]) - MARGIN), min(height, int(rows[-1]) + 1 + MARGIN)
    return Ink(contrast, _inked(contrast), height, top, bottom)


def _contrast(crop: np.ndarray, axis: int) -> np.ndarray:
    """The largest difference within each column (axis 0) or row (axis 1), uint8."""
    high, low = (cv2.reduce(crop, axis, kind) for kind in (cv2.REDUCE_MAX, cv2.REDUCE_MIN))
    return cv2.subtract(high, low).max(axis=2).ravel()


def _inked(contrast: np.ndarray) -> np.ndarray:
    return contrast >= INKED * np.quantile(contrast, USUAL)
