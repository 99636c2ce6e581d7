"""`ppocr-serve gateway`: plain HTTP in front of a running Triton."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection

from ppocr_client.commands.argument_types import HelpFormatter
from ppocr_client.transport.base import parse_url
from ppocr_server.access import add_arguments, tls_of, token_of
from ppocr_server.arguments import GATEWAY_PORT, add_gateway_arguments
from ppocr_server.errors import ServerError
from ppocr_server.event_loop import run_loop
from ppocr_server.gateway.app import build_app
from ppocr_server.gateway.reader import Reader
from ppocr_server.gateway.settings import GatewaySettings, settings_of
from ppocr_server.paddle_serving.backend import TritonBackend
from ppocr_server.paddle_serving.http import HttpEndpoint, http_app
from ppocr_server.paddle_serving.service import PipelineService
from ppocr_server.paddle_serving.settings import add_upstream_arguments, upstream_given
from ppocr_server.page.app import page
from ppocr_server.tritonserver.ports import listening, reachable


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the gateway until Ctrl-C; returns 0, or 1 where it could not run."""
    options = _parser().parse_args(arguments)
    try:
        url = _grpc(options.url)
        settings = settings_of(
            options,
            url=url,
            host=options.host,
            model=options.model,
            token=token_of(options),
            tls=tls_of(options),
            upstream=upstream_given(options, url),
        )
        listener = listening(options.host, "gateway", options.port, "--port")
        scheme = "http" if settings.tls is None else "https"
        own = f"{scheme}://{reachable(options.host)}:{listener.getsockname()[1]}"
        said = json.dumps({"gateway": own}) if options.json else f"gateway  {own}"
        run_gateway(settings, listener, lambda: print(said, flush=True))
    except ServerError as error:
        print(f"ppocr-serve gateway: {error}", file=sys.stderr)
        return 1
    return 0


def beside(listener: int, connection: int) -> int:
    """Run as the process of `process.py`, with the sockets that have these numbers."""
    with Connection(connection) as starter, socket.socket(fileno=listener) as opened:
        try:
            settings = starter.recv()
            run_gateway(settings, opened, lambda: starter.send(None), connection)
        except EOFError:  # ppocr-serve has ended
            return 0
        except ServerError as error:
            print(f"ppocr-serve gateway: {error}", file=sys.stderr)
            return 1
    return 0


def run_gateway(
    settings: GatewaySettings,
    listener: socket.socket,
    started: Callable[[], None],
    watched: int | None = None,
) -> None:
    """Answer until SIGINT, SIGTERM or SIGHUP; only in the main thread.

    Clients of the bound `listener` are answered from the call of `started` on. The gateway also
    ends when the file descriptor `watched` can be read or is closed.
    """

    async def main() -> None:
        reader = Reader(settings)
        backend = TritonBackend(settings.url.partition("://")[2], settings.old)
        # It asks for the token and refuses long bodies by Paddle Serving's rules.
        old = http_app(PipelineService(settings.old, backend.read))
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


def _grpc(url: str) -> str:
    """The whole address of Triton; a ServerError if it is none, or not of gRPC."""
    if "://" in url and not url.lower().startswith(("grpc://", "grpcs://")):
        raise ServerError(
            f"--url {url!r} is not gRPC; allowed: grpc://HOST:PORT, grpcs://HOST:PORT"
        )
    try:
        return str(parse_url(url))
    except ValueError as error:
        raise ServerError(f"--{error}") from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ppocr-serve gateway",
        description="Plain HTTP in front of a running Triton: POST /read, and what other clients "
        "of OCR services send.",
        formatter_class=HelpFormatter,
    )
    add = parser.add_argument
    url_help = "Triton's gRPC endpoint, grpcs:// where it is encrypted"
    add("--url", default="grpc://127.0.0.1:8001", help=url_help)
    add("--model", default="ocr", help="Triton's name of the pipeline")
    add("--host", default="127.0.0.1", help="address to listen on; 0.0.0.0 for all")
    add("--port", type=int, default=GATEWAY_PORT, help="0 picks a free one")
    add("--grace", type=float, default=30.0, metavar="S", help="time to finish when stopped")
    add("--json", action="store_true", help="print the address as one line of JSON when listening")
    add_gateway_arguments(parser.add_argument_group("limits"))
    add_arguments(parser.add_argument_group("who may ask (SECURITY.md says more)"))
    group = parser.add_argument_group("what Triton asks for, with --url grpcs://HOST:PORT")
    add_upstream_arguments(group)
    return parser


if __name__ == "__main__":
    sys.exit(beside(*map(int, sys.argv[1:])))
