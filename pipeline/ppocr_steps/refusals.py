"""A request that cannot be answered gets its reason; the others in the same call are served."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from typing import Any

import triton_python_backend_utils as pb_utils

from ppocr_pipeline.header import PictureRefused
from ppocr_steps.counters import Counters
from ppocr_steps.metrics import OPTION, REJECTED

#: Of the messages of refusals so many are logged in a second, the others are counted.
LOGGED_PER_SECOND = 10


class StepError(Exception):
    """A request that is answered with an error of a code of its own, a `TritonError` constant."""

    def __init__(self, reason: str, code: int) -> None:
        super().__init__(reason)
        self.code = code


def expect_waiting(request: Any) -> None:
    """Raise a StepError, CANCELLED, when nobody waits for the answer to a request any more."""
    if request.is_cancelled():
        raise StepError("given up by the client", pb_utils.TritonError.CANCELLED)


class Refusals:
    """Answers with errors: counted by reason, logged with their request's id."""

    def __init__(
        self, counters: Counters | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Begin.

        Args:
            counters: with REJECTED among them; refusals are not counted where left out.
            clock: seconds.
        """
        self._counters, self._clock = counters, clock
        self._second, self._logged, self._left_out = 0.0, 0, 0

    def answer(self, request: Any, error: Exception) -> Any:
        """The answer to a request whose work has raised an error.

        A ValueError is INVALID_ARGUMENT and counted, a StepError has its own code. Anything else is
        a fault of the step: INTERNAL, logged with its traceback.
        """
        if isinstance(error, StepError):
            self._log(request, str(error))
            return _error(str(error), error.code)
        if isinstance(error, ValueError):
            if self._counters is not None:
                reason = error.reason if isinstance(error, PictureRefused) else OPTION
                self._counters.add(REJECTED, 1, reason)
            self._log(request, str(error))
            return _error(str(error), pb_utils.TritonError.INVALID_ARG)
        self._log(request, "".join(traceback.format_exception(error)), fault=True)
        reason = f"the step failed: {type(error).__name__}: {error}"
        return _error(reason, pb_utils.TritonError.INTERNAL)

    def _log(self, request: Any, text: str, *, fault: bool = False) -> None:
        """Log a message unless there have been too many within a second."""
        now = self._clock()
        if now - self._second >= 1:
            self._second, self._logged = now, 0
        if self._logged == LOGGED_PER_SECOND:
            self._left_out += 1
            return
        self._logged += 1
        more = f" ({self._left_out} messages were left out before)" if self._left_out else ""
        self._left_out = 0
        # The logger is not there yet while Triton imports this module.
        write = pb_utils.Logger.log_error if fault else pb_utils.Logger.log_info
        write(f"[request id: {request.request_id() or '<id_unknown>'}] {text}{more}")


def _error(reason: str, code: int) -> Any:
    return pb_utils.InferenceResponse(error=pb_utils.TritonError(reason, code))
