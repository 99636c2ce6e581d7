"""The result as old clients parse it: a Python literal in a string."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def result_text(texts: Sequence[str], scores: np.ndarray, boxes: np.ndarray) -> str:
    """Write lines as `[[('text', 0.98196536), [[295.0, 298.0], …]], …]`; no lines are `[]`.

    It is a valid Python literal for any text. A score has the digits that tell one float32 from
    the next, as numpy prints it.

    Args:
        texts: N texts.
        scores: float32 [N].
        boxes: float32 [N, 4, 2], x and y of each corner in pixels.
    """
    lines = zip(texts, scores.astype(np.float32), boxes.tolist(), strict=True)
    return f"[{', '.join(f'[({text!r}, {score!s}), {box!r}]' for text, score, box in lines)}]"
