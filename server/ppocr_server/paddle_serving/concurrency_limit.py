"""A limit of the requests in progress; the next ones wait in order, up to a second limit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ppocr_server.paddle_serving.protocol import ErrNo, PipelineError


class ConcurrencyLimit:
    """Admits `workers` requests at a time.

    Attributes:
        workers: how many may be in progress.
        max_waiting: how many may wait for one of them to end.
        running: how many are in progress now.
        waiting: how many are waiting now.
    """

    def __init__(self, workers: int, max_waiting: int) -> None:
        self.workers, self.max_waiting = workers, max_waiting
        self.running = self.waiting = 0
        self._free = asyncio.Semaphore(workers)

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Wait for a slot and hold it while the block runs.

        Raises:
            PipelineError: 6000 if too many are waiting already.
        """
        if self._free.locked() and self.waiting >= self.max_waiting:
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
            yield
        finally:
            self.running -= 1
            self._free.release()
