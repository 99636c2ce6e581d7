"""Run the gateway on a listening socket until it is told to stop."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable

from ppocr_server.gateway.app import build_app
from ppocr_server.gateway.reader import Reader
from ppocr_server.gateway.settings import GatewaySettings
from ppocr_server.paddle_serving.endpoint import run_loop
from ppocr_server.paddle_serving.http.server import HttpEndpoint


def run_gateway(
    settings: GatewaySettings, listener: socket.socket, started: Callable[[], None]
) -> None:
    """Answer until SIGINT, SIGTERM or SIGHUP; only in the main thread.

    Args:
        settings: how to answer.
        listener: bound; its clients are answered from the call of `started` on.
        started: called once.
    """

    async def main() -> None:
        reader = Reader(settings)
        endpoint = HttpEndpoint(build_app(settings, reader), listener, settings.grace, settings.tls)

        def stop() -> None:
            endpoint.should_exit = True

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, stop)
        started()
        try:
            await endpoint.run_until_exit()
        finally:
            await reader.close()

    run_loop(main())
