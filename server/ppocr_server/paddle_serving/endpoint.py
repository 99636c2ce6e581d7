"""Both endpoints and their health, in one event loop."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from typing import Any

from ppocr_server.event_loop import run_loop
from ppocr_server.paddle_serving.backend import TritonBackend
from ppocr_server.paddle_serving.http.app import http_app
from ppocr_server.paddle_serving.http.server import HttpEndpoint
from ppocr_server.paddle_serving.rpc import RpcEndpoint
from ppocr_server.paddle_serving.service import PipelineService
from ppocr_server.paddle_serving.settings import EndpointSettings
from ppocr_server.tritonserver.ports import choose_ports, listening

WATCH_SECONDS = 1.0

# Called with the port of each endpoint that is open, by "http" and "rpc".
Started = Callable[[Mapping[str, int]], None]


def run_endpoint(settings: EndpointSettings, triton: str, started: Started, grace: float) -> None:
    """Run `serve_endpoint` until SIGINT, SIGTERM or SIGHUP; only in the main thread.

    Raises:
        ServerError: see `serve_endpoint`.
    """

    async def main() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await serve_endpoint(settings, triton, stop=stop, started=started, grace=grace)

    run_loop(main())


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
    wanted = {"http": settings.http_port, "rpc": settings.rpc_port}
    ports = choose_ports(settings.host, {k: v for k, v in wanted.items() if v is not None})
    backend = TritonBackend(triton, settings)
    service = PipelineService(settings, backend.read)
    health = Health(backend.ready)
    ends: list[asyncio.Future[Any]] = [asyncio.ensure_future(stop.wait())]
    async with contextlib.AsyncExitStack() as at_end:
        at_end.push_async_callback(backend.close)
        if "rpc" in ports:
            rpc = RpcEndpoint(service, settings.host, ports["rpc"])
            await rpc.start()
            at_end.push_async_callback(rpc.stop, grace)
            health.on_change = rpc.set_ready
        if "http" in ports:
            app = http_app(service, lambda: health.ready)
            listener = listening(settings.host, "http", ports["http"], "--http-port")
            http = HttpEndpoint(app, listener, grace, settings.tls)
            ends.append(asyncio.ensure_future(http.run_until_exit()))
            at_end.push_async_callback(_exited, http, ends[-1])
        ends.append(at_end.enter_context(background(health.watch())))
        started(ports)
        done, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        service.closed, health.ready = True, False
        for task in done:
            task.result()  # raises what ended it


class Health:
    """Whether Triton can answer, asked every second."""

    def __init__(self, ask: Callable[[], Awaitable[bool]]) -> None:
        self.ready = False
        self.on_change: Callable[[bool], Awaitable[None]] | None = None
        self._ask = ask

    async def watch(self) -> None:
        """Ask until cancelled, and report every change."""
        while True:
            ready = await self._ask()
            if ready != self.ready and self.on_change is not None:
                await self.on_change(ready)
            self.ready = ready
            await asyncio.sleep(WATCH_SECONDS)


@contextlib.contextmanager
def background(work: Coroutine[Any, Any, Any]) -> Iterator[asyncio.Future[Any]]:
    """A task that is cancelled at the end."""
    task = asyncio.ensure_future(work)
    try:
        yield task
    finally:
        task.cancel()


async def _exited(http: HttpEndpoint, running: asyncio.Future[Any]) -> None:
    http.stop()
    await running
