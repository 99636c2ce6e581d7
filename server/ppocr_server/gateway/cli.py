"""`ppocr-serve gateway`: plain HTTP in front of a running Triton."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from ppocr_client.commands.argument_types import HelpFormatter
from ppocr_server.access import add_arguments, tls_of, token_of
from ppocr_server.arguments import GATEWAY_PORT, add_gateway_arguments
from ppocr_server.errors import ServerError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the gateway until Ctrl-C; returns 0, or 1 where it could not run."""
    options = _parser().parse_args(arguments)
    try:
        return _run(options)
    except ServerError as error:
        print(f"ppocr-serve gateway: {error}", file=sys.stderr)
        return 1


def _run(options: argparse.Namespace) -> int:
    from ppocr_server.gateway.process import limits_of
    from ppocr_server.gateway.serve import run_gateway
    from ppocr_server.gateway.settings import GatewaySettings
    from ppocr_server.paddle_serving.upstream import upstream_given
    from ppocr_server.tritonserver.ports import listening, reachable

    url = _grpc(options.url)
    settings = GatewaySettings(
        url,
        options.host,
        options.model,
        grace=options.grace,
        token=token_of(options),
        tls=tls_of(options),
        upstream=upstream_given(options, url),
        **limits_of(options),
    )
    listener = listening(options.host, "gateway", options.port, "--port")
    scheme = "http" if settings.tls is None else "https"
    own = f"{scheme}://{reachable(options.host)}:{listener.getsockname()[1]}"

    def announce() -> None:
        print(json.dumps({"gateway": own}) if options.json else f"gateway  {own}", flush=True)

    run_gateway(settings, listener, announce)
    return 0


def _grpc(url: str) -> str:
    """The whole address of Triton; a ServerError if it is none, or not of gRPC."""
    from ppocr_client.transport.base import parse_url

    if "://" in url and not url.lower().startswith(("grpc://", "grpcs://")):
        raise ServerError(
            f"--url {url!r} is not gRPC; allowed: grpc://HOST:PORT, grpcs://HOST:PORT"
        )
    try:
        return str(parse_url(url))
    except ValueError as error:
        raise ServerError(f"--{error}") from None


def beside(arguments: Sequence[str]) -> int:
    """Run as the process of `process.py`, on the inherited socket of this number."""
    import socket
    from dataclasses import replace

    from pydantic import TypeAdapter

    from ppocr_server.access import Security
    from ppocr_server.gateway.process import READY
    from ppocr_server.gateway.serve import run_gateway
    from ppocr_server.gateway.settings import GatewaySettings
    from ppocr_server.paddle_serving.upstream import upstream_of

    line = sys.stdin.readline()
    if not line:
        return 0  # ppocr-serve has ended
    try:
        settings = TypeAdapter(GatewaySettings).validate_json(line)
        upstream = upstream_of(Security(token=settings.token, tls=settings.tls))
        with socket.socket(fileno=int(arguments[0])) as listener:
            run_gateway(
                replace(settings, upstream=upstream),
                listener,
                lambda: print(READY, flush=True),
                sys.stdin.fileno(),
            )
    except ServerError as error:
        print(f"ppocr-serve gateway: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ppocr-serve gateway",
        description="Plain HTTP in front of a running Triton: POST /read, and what other clients "
        "of OCR services send.",
        formatter_class=HelpFormatter,
    )
    add = parser.add_argument
    add(
        "--url",
        default="grpc://127.0.0.1:8001",
        help="Triton's gRPC endpoint, grpcs:// where it is encrypted",
    )
    add("--model", default="ocr", help="Triton's name of the pipeline")
    add("--host", default="127.0.0.1", help="address to listen on; 0.0.0.0 for all")
    add("--port", type=int, default=GATEWAY_PORT, help="0 picks a free one")
    add("--grace", type=float, default=30.0, metavar="S", help="time to finish when stopped")
    add("--json", action="store_true", help="print the address as one line of JSON when listening")
    add_gateway_arguments(parser.add_argument_group("limits"))
    add_arguments(parser.add_argument_group("who may ask (SECURITY.md says more)"))
    from ppocr_server.paddle_serving.upstream import add_upstream_arguments

    group = parser.add_argument_group("what Triton asks for, with --url grpcs://HOST:PORT")
    add_upstream_arguments(group)
    return parser


if __name__ == "__main__":
    sys.exit(beside(sys.argv[1:]))
