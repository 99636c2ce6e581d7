"""Requests, answers and error numbers, independent of HTTP and gRPC."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

# A key that asks for timings and names no picture.
PROFILE_KEY = "pipeline.profile"
ONE_PICTURE = '{"key": ["image"], "value": ["<base64 of the image file>"]}'
SERVICE_NAME_ERROR = "Failed to inference: Service name error."


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
