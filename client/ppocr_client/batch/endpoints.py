"""Several servers that are asked as one.

A request goes to the server with the most room. One that fails is put aside; its requests go to
the others, and it comes back when it says that it is ready.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass

from ppocr_client.aio import AsyncOcrClient
from ppocr_client.errors import AccessDenied, InvalidRequest, OcrError
from ppocr_client.options import ReadOptions
from ppocr_client.results import OcrResult
from ppocr_client.transport.protocol import backoff

PROBE_SECONDS = 5.0


class NoServer(Exception):
    """No server is left, or none has been ready for so long that going on makes no sense."""


@dataclass(eq=False)
class Endpoint:
    """One server.

    Attributes:
        client: The way to it; sends nothing twice by itself.
        room: How many more requests it may get now.
        aside: Whether it gets none, because one of them failed.
        failures: How many failed one after the other.
        version: That of its pipeline, once it has said so.
    """

    client: AsyncOcrClient
    room: int
    aside: bool = False
    failures: int = 0
    version: str | None = None


class Endpoints:
    """All servers; belongs to one event loop."""

    def __init__(
        self,
        clients: Sequence[AsyncOcrClient],
        *,
        model: str,
        concurrency: int,
        retries: int,
        patience: float,
    ) -> None:
        """Nothing is sent yet.

        Args:
            clients: One for each server, with `retries=0`.
            model: The name of the pipeline on the servers.
            concurrency: How many requests each server may have at the same time.
            retries: How often a request is sent again.
            patience: After how many seconds without any ready server to give up.
        """
        self._all = [Endpoint(client, concurrency) for client in clients]
        self._model, self._retries, self._patience = model, retries, patience
        self._changed = asyncio.Condition()
        self._reviving: set[asyncio.Task[None]] = set()
        self._deadline = 0.0  # while none is ready: when to give up
        self._reason = ""

    async def start(self) -> None:
        """Ask every server for the version of its model; those that do not answer are put aside."""
        await asyncio.gather(*map(self._greet, self._all))

    async def read(self, picture: bytes, options: ReadOptions) -> tuple[OcrResult, str | None]:
        """What is in a picture, and the version of the model that read it.

        Raises:
            OcrError: If it cannot be read, or failed on the servers once and `retries` times more.
            NoServer: If there is no server to send it to.
        """
        for attempt in range(self._retries + 1):
            endpoint = await self._take()
            try:
                result = await endpoint.client.read(picture, **options)
            except InvalidRequest:
                raise  # the picture's fault: no server will answer otherwise
            except OcrError as error:
                self._put_aside(endpoint, error)
                if attempt == self._retries:
                    raise
            else:
                endpoint.failures = 0
                return result, endpoint.version
            finally:
                endpoint.room += 1
                await self._tell()
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def close(self) -> None:
        """Close all connections."""
        for task in self._reviving:
            task.cancel()
        await asyncio.gather(*self._reviving, return_exceptions=True)
        await asyncio.gather(*(endpoint.client.close() for endpoint in self._all))

    async def _take(self) -> Endpoint:
        """Room on a server, once there is some."""
        async with self._changed:
            while True:
                ready = [endpoint for endpoint in self._all if not endpoint.aside]
                chosen = max(ready, key=lambda endpoint: endpoint.room, default=None)
                if chosen is not None and chosen.room > 0:
                    chosen.room -= 1
                    return chosen
                await self._wait(alone=not ready)

    async def _wait(self, *, alone: bool) -> None:
        """Wait until something changes; where no server is ready, only as long as makes sense."""
        left = self._deadline - time.monotonic() if alone else None
        if alone and not self._reviving:
            raise NoServer(f"no server is left: {self._reason}")
        try:
            await asyncio.wait_for(self._changed.wait(), left)
        except asyncio.TimeoutError:
            raise NoServer(
                f"no server was ready for {self._patience:g} s: {self._reason}"
            ) from None

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    def _put_aside(self, endpoint: Endpoint, error: OcrError) -> None:
        self._reason = error.reason
        if endpoint.aside:
            return  # several of its requests failed together
        endpoint.aside = True
        if all(other.aside for other in self._all):
            self._deadline = time.monotonic() + self._patience
        if isinstance(error, AccessDenied):
            return  # waiting is of no use
        task = asyncio.create_task(self._revive(endpoint))
        self._reviving.add(task)
        task.add_done_callback(self._reviving.discard)

    async def _revive(self, endpoint: Endpoint) -> None:
        """Let a server get requests again once it says that it is ready, with ever longer pauses.

        It begins anew, at the shortest pause, only after it has answered a request.
        """
        ready = False
        while not ready:
            await asyncio.sleep(backoff(endpoint.failures, random.random()))  # nosec B311
            endpoint.failures += 1
            try:
                ready = await endpoint.client.server_ready(timeout=PROBE_SECONDS)
            except OcrError as error:
                self._reason = error.reason
        endpoint.aside = False
        if endpoint.version is None:
            await self._greet(endpoint)
        await self._tell()

    async def _greet(self, endpoint: Endpoint) -> None:
        try:
            info = await endpoint.client.server_info()
        except InvalidRequest:
            return  # a proxy that lets requests through, but no questions
        except OcrError as error:
            self._put_aside(endpoint, error)
            return
        endpoint.version = ",".join(info.models.get(self._model, ())) or None
