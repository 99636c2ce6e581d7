"""Client-side load balancing over several servers.

A request goes to the server with the most free slots. A server that fails is ejected: its requests
go to the others, and it is used again once it reports that it is ready.
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
    """No server is left, or none has been ready for `patience` seconds."""


@dataclass(eq=False)
class Endpoint:
    """One server.

    Attributes:
        client: Its client, without retries of its own.
        slots: How many more requests it may get now.
        ejected: Whether it gets none, because a request failed.
        failures: Failures since its last answer.
        version: The version of its pipeline, once it is known.
    """

    client: AsyncOcrClient
    slots: int
    ejected: bool = False
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
        """Prepare; `start` connects.

        Args:
            clients: One for each server, with `retries=0`.
            model: The name of the pipeline on the servers.
            concurrency: The largest number of requests in flight at each server.
            retries: How often a request is sent again.
            patience: Seconds without any ready server after which to give up.
        """
        self._all = [Endpoint(client, concurrency) for client in clients]
        self._model, self._retries, self._patience = model, retries, patience
        self._changed = asyncio.Condition()
        self._probes: set[asyncio.Task[None]] = set()
        self._deadline = 0.0  # when to give up, while none is ready
        self._reason = ""

    async def start(self) -> None:
        """Ask every server for the version of its model; those that do not answer are ejected."""
        await asyncio.gather(*map(self._ask_version, self._all))

    async def read(self, picture: bytes, options: ReadOptions) -> tuple[OcrResult, str | None]:
        """A picture's result, and the version of the model that read it.

        Raises:
            OcrError: If it cannot be read, or failed after `retries` retries.
            NoServer: If no server is left.
        """
        for attempt in range(self._retries + 1):
            endpoint = await self._acquire()
            try:
                result = await endpoint.client.read(picture, **options)
            except InvalidRequest:
                raise  # the picture is bad: every server refuses it
            except OcrError as error:
                self._eject(endpoint, error)
                if attempt == self._retries:
                    raise
            else:
                endpoint.failures = 0
                return result, endpoint.version
            finally:
                endpoint.slots += 1
                await self._notify()
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def close(self) -> None:
        """Close all connections."""
        for task in self._probes:
            task.cancel()
        await asyncio.gather(*self._probes, return_exceptions=True)
        await asyncio.gather(*(endpoint.client.close() for endpoint in self._all))

    async def _acquire(self) -> Endpoint:
        """A slot of a server, once there is a free one."""
        async with self._changed:
            while True:
                ready = [endpoint for endpoint in self._all if not endpoint.ejected]
                chosen = max(ready, key=lambda endpoint: endpoint.slots, default=None)
                if chosen is not None and chosen.slots > 0:
                    chosen.slots -= 1
                    return chosen
                await self._wait(none_ready=not ready)

    async def _wait(self, *, none_ready: bool) -> None:
        """Wait for a change; if no server is ready, until the deadline at most."""
        left = self._deadline - time.monotonic() if none_ready else None
        if none_ready and not self._probes:
            raise NoServer(f"no server is left: {self._reason}")
        try:
            await asyncio.wait_for(self._changed.wait(), left)
        except asyncio.TimeoutError:
            raise NoServer(
                f"no server was ready for {self._patience:g} s: {self._reason}"
            ) from None

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    def _eject(self, endpoint: Endpoint, error: OcrError) -> None:
        self._reason = error.reason
        if endpoint.ejected:
            return  # several requests failed together
        endpoint.ejected = True
        if all(other.ejected for other in self._all):
            self._deadline = time.monotonic() + self._patience
        if isinstance(error, AccessDenied):
            return  # waiting does not change the credentials
        task = asyncio.create_task(self._probe(endpoint))
        self._probes.add(task)
        task.add_done_callback(self._probes.discard)

    async def _probe(self, endpoint: Endpoint) -> None:
        """Use a server again once it is ready; ask with exponential backoff.

        The backoff starts over only after the server has answered a request.
        """
        ready = False
        while not ready:
            await asyncio.sleep(backoff(endpoint.failures, random.random()))  # nosec B311
            endpoint.failures += 1
            try:
                ready = await endpoint.client.server_ready(timeout=PROBE_SECONDS)
            except OcrError as error:
                self._reason = error.reason
        endpoint.ejected = False
        if endpoint.version is None:
            await self._ask_version(endpoint)
        await self._notify()

    async def _ask_version(self, endpoint: Endpoint) -> None:
        try:
            info = await endpoint.client.server_info()
        except InvalidRequest:
            return  # a proxy that forwards inference requests alone
        except OcrError as error:
            self._eject(endpoint, error)
            return
        endpoint.version = ",".join(info.models.get(self._model, ())) or None
