"""Both endpoints and their health, in one event loop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from ppocr_server.paddle_serving.backend import TritonBackend
from ppocr_server.paddle_serving.http import HttpEndpoint, http_app
from ppocr_server.paddle_serving.rpc import rpc_endpoint
from ppocr_server.paddle_serving.service import PipelineService
from ppocr_server.paddle_serving.settings import EndpointSettings
from ppocr_server.tritonserver.ports import choose_ports, listening

WATCH_SECONDS = 1.0

# Called with the port of each endpoint that is open, by "http" and "rpc".
Started = Callable[[Mapping[str, int]], None]


async def serve_endpoint(
    settings: EndpointSettings,
    triton: str,
    *,
    stop: asyncio.Event,
    started: Started,
    grace: float,
) -> None:
    """Answer Paddle Serving's clients until `stop` is set.

    While Triton does not answer, health checks fail and requests are answered 9000.

    Args:
        settings: what to listen on and how to answer.
        triton: "host:port" of Triton's gRPC endpoint.
        stop: ends the service.
        started: called once the ports are open.
        grace: seconds to finish the requests in progress at the end. New ones find the ports
            closed, or are answered 3001 on a connection that is still open.

    Raises:
        PortInUseError: a port is taken.
        ServerError: a port is out of range, or the address cannot be bound.
    """
    ports = choose_ports(settings.host, settings.ports)
    backend = TritonBackend(triton, settings)
    service = PipelineService(settings, backend.read)
    service.ready = False
    on_change: Callable[[bool], Awaitable[None]] | None = None
    ends: list[asyncio.Future[Any]] = [asyncio.ensure_future(stop.wait())]

    async def watch() -> None:
        while True:
            ready = await backend.ready()
            if ready != service.ready and on_change is not None:
                await on_change(ready)
            service.ready = ready
            await asyncio.sleep(WATCH_SECONDS)

    async with contextlib.AsyncExitStack() as at_end:
        at_end.push_async_callback(backend.close)
        if "rpc" in ports:
            on_change = await at_end.enter_async_context(rpc_endpoint(service, ports["rpc"], grace))
        if "http" in ports:
            listener = listening(settings.host, "http", ports["http"], "--http-port")
            http = HttpEndpoint(http_app(service), listener, grace, settings.tls)
            ends.append(asyncio.ensure_future(http.run_until_exit()))
            at_end.push_async_callback(asyncio.gather, ends[-1])
            at_end.callback(http.stop)
        ends.append(asyncio.ensure_future(watch()))
        at_end.callback(ends[-1].cancel)
        started(ports)
        done, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        service.closed, service.ready = True, False
        for task in done:
            task.result()  # raises what ended it
