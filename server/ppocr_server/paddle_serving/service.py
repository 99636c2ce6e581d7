"""The service behind both endpoints: check, wait for a turn, read, log."""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

from ppocr_server.paddle_serving.picture import picture_of
from ppocr_server.paddle_serving.protocol import Answer, ErrNo, PipelineError
from ppocr_server.paddle_serving.settings import EndpointSettings

LOG = logging.getLogger(__name__)
CANCELLED = "cancelled"

Read = Callable[[bytes, str], Awaitable[str]]


def _one_line(text: str) -> str:
    """Text for the log: no part of a request may look like another line."""
    return text if text.isprintable() else text.encode("unicode_escape").decode("ascii")


class PipelineService:
    """Answers calls one by one; never raises for a bad request.

    Attributes:
        settings: as given.
        running: how many requests are in progress now, at most `worker_num`.
        waiting: how many wait for one of them to end, in order.
        ready: whether Triton can answer; told by GET /health/ready.
        closed: set when the service stops; new requests are then answered 3001.
    """

    def __init__(self, settings: EndpointSettings, read: Read) -> None:
        """Describe a service.

        Args:
            settings: the service's name, its bounds and its deadline.
            read: takes an encoded picture and a request id, returns the result's text.
        """
        self.settings = settings
        self.running = self.waiting = 0
        self.ready, self.closed = True, False
        self._free = asyncio.Semaphore(settings.worker_num)
        self._read = read
        self._numbers = itertools.count(1)

    async def answer(self, call: Any) -> Answer:
        """Answer a `Request`; cancelling this frees its turn and cancels its request at Triton."""
        # For the log and Triton's traces: the client's own id if it has one.
        request_id = str(call.logid or next(self._numbers))
        began = time.perf_counter()
        outcome: int | str = CANCELLED
        reason = ""
        try:
            value = await self._within_deadline(call, request_id)
            answer = Answer(key=(self.settings.answer,), value=(value,))
            outcome = answer.err_no
        except PipelineError as error:
            outcome, reason = int(error.err_no), str(error)
            answer = Answer(err_no=outcome, err_msg=reason)
        finally:
            LOG.log(
                logging.INFO if outcome == ErrNo.OK else logging.WARNING,
                "logid=%s clientip=%r %s err_no=%s %.1f ms %s",
                request_id,
                call.clientip,
                _one_line(f"{call.name}/{call.method}"),
                outcome,
                (time.perf_counter() - began) * 1e3,
                _one_line(reason),
            )
        return answer

    async def _within_deadline(self, call: Any, request_id: str) -> str:
        limit = self.settings.timeout_ms
        try:
            return await asyncio.wait_for(
                self._result(call, request_id), limit / 1e3 if limit >= 0 else None
            )
        except asyncio.TimeoutError:
            raise PipelineError(
                ErrNo.TIMEOUT, f"no result within {limit} ms (timeout); try again later"
            ) from None

    async def _result(self, call: Any, request_id: str) -> str:
        if self.closed:
            raise PipelineError(ErrNo.CLOSED, "the service is stopping; try another server")
        if call.name not in ("", self.settings.name):
            raise PipelineError(ErrNo.NO_SERVICE, "Failed to inference: Service name error.")
        picture = picture_of(call, self.settings.max_picture_bytes)
        if self._free.locked() and self.waiting >= self.settings.max_waiting:
            raise PipelineError(
                ErrNo.TIMEOUT,
                f"the service is busy: {self.running} requests are in progress (worker_num) and "
                f"{self.waiting} are waiting; try again later",
            )
        self.waiting += 1
        try:
            await self._free.acquire()
        finally:
            self.waiting -= 1
        self.running += 1
        try:
            return await self._read(picture, request_id)
        finally:
            self.running -= 1
            self._free.release()
