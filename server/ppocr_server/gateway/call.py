"""What is known of the request in progress: its id and its deadline."""

from __future__ import annotations

import time
from contextvars import ContextVar
from dataclasses import dataclass

from ppocr_client.errors import DeadlineExceeded


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
