"""What is known of the request in progress: its id and its deadline."""

from __future__ import annotations

import time
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from ppocr_client.errors import DeadlineExceeded
from ppocr_server.gateway.failures import Failure

LONGEST_TIMEOUT = 86_400.0  # seconds


@dataclass(frozen=True)
class Call:
    """The request in progress.

    Attributes:
        request_id: in the header X-Request-Id of the answer, and in Triton's log and traces.
        deadline: by the monotonic clock; None for none.
    """

    request_id: str = ""
    deadline: float | None = None

    def seconds_left(self, at_most: float) -> float:
        """Seconds until the deadline, or `at_most`.

        Raises:
            DeadlineExceeded: it has passed.
        """
        left = at_most if self.deadline is None else self.deadline - time.monotonic()
        if left <= 0:
            raise DeadlineExceeded("the request's timeout has passed; allow more seconds")
        return min(left, at_most)


NONE = Call()
#: Set for each request by the middleware; tasks that are started by a request inherit it.
CALL: ContextVar[Call] = ContextVar("call", default=NONE)


def deadline_after(seconds: Any) -> float:
    """When a request must be answered that may take so many seconds, by the monotonic clock.

    Raises:
        Failure: they are no number, not above 0, or too many.
    """
    try:
        number = float(seconds)
    except (TypeError, ValueError):
        number = 0.0
    if not 0 < number <= LONGEST_TIMEOUT:
        raise Failure(
            400,
            "invalid_option",
            f"timeout is {seconds!r:.40}; allowed: seconds above 0, to {LONGEST_TIMEOUT:g}",
        )
    return time.monotonic() + number
