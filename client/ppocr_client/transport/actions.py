"""What a protocol generator asks its runner to do."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, NamedTuple, TypeVar

from ppocr_client.transport.base import Operation


class Request(NamedTuple):
    """Send an operation to the server; yields its answer, or an OcrError is thrown in."""

    operation: Operation
    timeout: float


class Sleep(NamedTuple):
    """Wait."""

    seconds: float


class Call(NamedTuple):
    """Call a function that may block but needs no server, and yield its return value."""

    function: Callable[[], Any]


Action = Request | Sleep | Call
T = TypeVar("T")
Actions = Generator[Action, Any, T]
