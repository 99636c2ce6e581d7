"""Run the gateway on a listening socket until it is told to stop."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable

from ppocr_server.event_loop import run_loop
from ppocr_server.gateway.app import build_app
from ppocr_server.gateway.reader import Reader
from ppocr_server.gateway.settings import GatewaySettings
from ppocr_server.paddle_serving.backend import TritonBackend
from ppocr_server.paddle_serving.http.app import http_app
from ppocr_server.paddle_serving.http.server import HttpEndpoint
from ppocr_server.paddle_serving.service import PipelineService
from ppocr_server.page.app import page


def run_gateway(
    settings: GatewaySettings,
    listener: socket.socket,
    started: Callable[[], None],
    watched: int | None = None,
) -> None:
    """Answer until SIGINT, SIGTERM or SIGHUP; only in the main thread.

    Args:
        settings: how to answer.
        listener: bound; its clients are answered from the call of `started` on.
        started: called once.
        watched: a file descriptor; the gateway ends when it can be read or is closed.
    """

    async def main() -> None:
        reader = Reader(settings)
        backend = TritonBackend(settings.url.partition("://")[2], settings.old)
        # It asks for the token and refuses long bodies by Paddle Serving's rules.
        old = http_app(PipelineService(settings.old, backend.read), lambda: True)
        app = build_app(settings, reader, old, shown)
        endpoint = HttpEndpoint(app, listener, settings.grace, settings.tls)

        loop = asyncio.get_running_loop()

        def starter_ended(closed: int) -> None:
            loop.remove_reader(closed)  # or it is called without end: it can be read from now on
            endpoint.stop()

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, endpoint.stop)
        if watched is not None:
            loop.add_reader(watched, starter_ended, watched)
        started()
        try:
            await endpoint.run_until_exit()
        finally:
            await reader.close()
            await backend.close()

    with page(settings) as shown:
        run_loop(main())
