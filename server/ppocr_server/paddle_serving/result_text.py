"""The result as old clients parse it: a Python literal in a string."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

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


def boxes_text(boxes: np.ndarray) -> str:
    """Write boxes as numpy prints an array, `[[[295. 298.] …]]`; no boxes are `[]`.

    The old service left out the middle of more than 1000 numbers; here all of them are written.

    Args:
        boxes: float32 [N, 4, 2], x and y of each corner in pixels.
    """
    return np.array2string(boxes, threshold=sys.maxsize) if len(boxes) else "[]"


@dataclass(frozen=True)
class AnswerForm:
    """A form of an answer: the tensors that it is made of, and how they are written."""

    outputs: tuple[str, ...]
    text: Callable[..., str]


#: By the key under which an answer has it. `res` is that of PaddleOCR's deploy/pdserving up to 2.4
#: and of its web_service_rec.py, `dt_boxes` that of its web_service_det.py.
ANSWERS: Mapping[str, AnswerForm] = {
    "result": AnswerForm(("TEXTS", "SCORES", "BOXES"), result_text),
    "res": AnswerForm(("TEXTS",), repr),
    "dt_boxes": AnswerForm(("BOXES",), boxes_text),
}
