"""The order in which lines are answered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ppocr_pipeline.order.page import page_order
from ppocr_pipeline.order.rows import row_order


def reading_order(boxes: np.ndarray, options: Mapping[str, Any]) -> np.ndarray:
    """Order boxes as the options say.

    Args:
        boxes: float32 [N, 4, 2], pixels, clockwise from top-left.
        options: all of them, see `parse_options`.

    Returns:
        int64 [N], the index into `boxes` at each place.
    """
    if options["reading_order"] == "page":
        return page_order(boxes)
    return row_order(boxes, options["reference"])
