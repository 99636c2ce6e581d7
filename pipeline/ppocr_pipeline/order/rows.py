"""Reading order of the references: rows from top to bottom, each from left to right."""

from __future__ import annotations

import numpy as np

SAME_LINE = 10  # pixels between the top-left corners of two boxes on one line


def row_order(boxes: np.ndarray, reference: str = "paddleocr") -> np.ndarray:
    """Order boxes as PaddleOCR's `sorted_boxes` or Paddle Serving's `SortedBoxes` does.

    They are sorted by the top, then the left of their first corner; after that, a box moves ahead
    of its predecessors as long as it starts left of them on the same line. With Paddle Serving it
    moves by one place at the most.

    Args:
        boxes: float32 [N, 4, 2], pixels, top-left corner first.
        reference: "paddleocr"; any other orders as Paddle Serving.

    Returns:
        int64 [N], the index into `boxes` at each place.
    """
    left, top = boxes[:, 0, 0].tolist(), boxes[:, 0, 1].tolist()
    order = sorted(range(len(boxes)), key=lambda index: (top[index], left[index]))
    for start in range(1, len(order)):
        stop = 0 if reference == "paddleocr" else start - 1
        for place in range(start, stop, -1):
            before, here = order[place - 1], order[place]
            if abs(top[here] - top[before]) >= SAME_LINE or left[here] >= left[before]:
                break
            order[place - 1], order[place] = here, before
    return np.array(order, np.int64)
