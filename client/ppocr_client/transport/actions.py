"""The steps that a plan asks for, and whoever runs it takes."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, NamedTuple, TypeVar

from ppocr_client.transport.base import Request


class Send(NamedTuple):
    """Send a request; the step's answer is the server's, or an OcrError is thrown in."""

    request: Request
    timeout: float


class Pause(NamedTuple):
    """Wait."""

    seconds: float


class Do(NamedTuple):
    """Call a function that takes a while but needs no server; its answer is the step's."""

    function: Callable[[], Any]


Step = Send | Pause | Do
T = TypeVar("T")
Plan = Generator[Step, Any, T]
