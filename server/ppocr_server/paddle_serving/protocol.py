"""Answers, their error numbers and the texts of results, independent of HTTP and gRPC."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

# A key that asks for timings and names no picture.
PROFILE_KEY = "pipeline.profile"
ONE_PICTURE = '{"key": ["image"], "value": ["<base64 of the image file>"]}'
# The answer to clients without the token, over HTTP and gRPC.
TOKEN_WANTED = (  # nosec B105 # no token
    "this service wants a token: send the header 'Authorization: Bearer TOKEN'"
)


class ErrNo(IntEnum):
    """The error numbers of Paddle Serving that can occur here."""

    OK = 0
    CLOSED = 3001
    NO_SERVICE = 3002
    TIMEOUT = 6000
    RPC_PACKAGE = 8000
    INFERENCE = 9000
    UNKNOWN = 10000


class PipelineError(Exception):
    """A request that is answered with an error number and a reason."""

    def __init__(self, err_no: ErrNo, reason: str) -> None:
        super().__init__(reason)
        self.err_no = err_no


@dataclass(frozen=True)
class Answer:
    """An answer: either an error, or exactly one value, the text of the result.

    The fields are those of the protobuf message Response and of the JSON answer, in their order.
    """

    err_no: int = ErrNo.OK
    err_msg: str = ""
    key: tuple[str, ...] = ()
    value: tuple[str, ...] = ()


def too_long_for_a_picture(size: int, max_picture_bytes: int) -> Answer:
    """The answer to a request that is larger than a request with an allowed picture."""
    return Answer(
        err_no=ErrNo.UNKNOWN,
        err_msg=f"the request has {size} bytes, more than a picture of at most "
        f"{max_picture_bytes} bytes takes; send a smaller one",
    )


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


# By the key under which an answer has it: the tensors that it is made of, and how they are written.
# `res` is that of PaddleOCR's deploy/pdserving up to 2.4 and of its web_service_rec.py, `dt_boxes`
# that of its web_service_det.py.
ANSWERS: Mapping[str, tuple[tuple[str, ...], Callable[..., str]]] = {
    "result": (("TEXTS", "SCORES", "BOXES"), result_text),
    "res": (("TEXTS",), repr),
    "dt_boxes": (("BOXES",), boxes_text),
}
