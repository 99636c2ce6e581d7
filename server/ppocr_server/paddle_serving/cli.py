"""`ppocr-serve endpoint`: Paddle Serving's HTTP and gRPC endpoints in front of a running Triton."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import fields
from logging.handlers import RotatingFileHandler
from pathlib import Path

from ppocr_client.commands.argument_types import HelpFormatter, whole
from ppocr_server.access import add_arguments, tls_of, token_of
from ppocr_server.arguments import LOG_FOLDER, port_or_none
from ppocr_server.errors import ServerError
from ppocr_server.event_loop import run_loop
from ppocr_server.paddle_serving import backend, service
from ppocr_server.paddle_serving.endpoint import serve_endpoint
from ppocr_server.paddle_serving.protocol import ANSWERS
from ppocr_server.paddle_serving.settings import (
    EndpointSettings,
    add_upstream_arguments,
    upstream_given,
)

LOG_BYTES, LOG_BACKUPS = 512_000_000, 20
LOG_LINE = "%(levelname)s %(asctime)s [%(name)s] %(message)s"
# The settings that have no option of their name.
OTHERS = ("options", "token", "tls", "upstream")
DEFAULTS = {
    field.name: field.default for field in fields(EndpointSettings) if field.name not in OTHERS
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the endpoints until Ctrl-C; returns 0, or 1 where they could not run."""
    options = _parser().parse_args(arguments)

    def announce(ports: Mapping[str, int]) -> None:
        if options.json:
            print(json.dumps(dict(ports)), flush=True)
            return
        if "http" in ports:
            path = f"{options.name}/prediction"
            scheme = "http" if options.tls_cert is None else "https"
            print(f"HTTP  POST {scheme}://{options.host}:{ports['http']}/{path}", flush=True)
        if "rpc" in ports:
            print(f"gRPC  {options.host}:{ports['rpc']} PipelineService.inference", flush=True)

    async def serve() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await serve_endpoint(settings, triton, stop=stop, started=announce, grace=options.grace)

    triton = options.triton.partition("://")[2] or options.triton
    try:
        settings = _settings(options)
        write_logs(Path(options.log_folder) if options.log_folder else None)
        run_loop(serve())
    except ServerError as error:
        print(f"ppocr-serve endpoint: {error}", file=sys.stderr)
        return 1
    return 0


def write_logs(folder: Path | None) -> None:
    """Send the log to `folder`/pipeline.log, the file of Paddle Serving, or to standard error."""
    handler: logging.Handler = logging.StreamHandler()
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / "pipeline.log"
        handler = RotatingFileHandler(file, "a", LOG_BYTES, LOG_BACKUPS, "utf-8", delay=True)
    handler.setFormatter(logging.Formatter(LOG_LINE))
    for name in (service.__name__, backend.__name__, "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        logger.propagate = False


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ppocr-serve endpoint",
        description="Answer the HTTP and gRPC clients of Paddle Serving from a running Triton.",
        formatter_class=HelpFormatter,
    )
    add = parser.add_argument
    add(
        "--triton",
        type=_address,
        default="grpc://127.0.0.1:8001",
        metavar="URL",
        help="Triton's gRPC endpoint, grpcs:// where it is encrypted",
    )
    add("--name", help="the service's name, as in POST /NAME/prediction")
    add("--model", help="Triton's name of the pipeline")
    add("--answer", choices=tuple(ANSWERS), help="key and form of an answer")
    add("--host", help="address to listen on; the default is all of them")
    add("--http-port", type=port_or_none, metavar="PORT", help="0 a free one, none for none")
    add("--rpc-port", type=port_or_none, metavar="PORT", help="0 a free one, none for none")
    add("--worker-num", type=whole, metavar="N", help="requests in progress")
    add("--max-waiting", type=int, metavar="N", help="requests that may wait")
    add("--retry", type=whole, metavar="N", help="tries of a request; 1 is no retry")
    add("--timeout-ms", type=int, metavar="MS", help="from request to answer; -1 none")
    add("--max-message-bytes", type=whole, metavar="N", help="longest request")
    add("--max-picture-bytes", type=whole, metavar="N", help="longest picture")
    add("--tracer-interval-s", type=int, help="without effect: see pipeline.log and /metrics")
    parser.set_defaults(**DEFAULTS)
    add(
        "--option",
        action="append",
        type=_option,
        metavar="NAME=VALUE",
        help="parameter sent to Triton with every request, instead of those that make it read "
        "like Paddle Serving",
    )
    add("--log-folder", default=LOG_FOLDER, metavar="DIR", help="empty: log to standard error")
    add("--grace", type=float, default=30.0, metavar="S", help="time to finish when stopped")
    add("--json", action="store_true", help="print the ports as one line of JSON when listening")
    add_arguments(parser.add_argument_group("who may ask (SECURITY.md says more)"))
    add_upstream_arguments(
        parser.add_argument_group("what Triton asks for, with --triton grpcs://HOST:PORT")
    )
    return parser


def _settings(options: argparse.Namespace) -> EndpointSettings:
    values = {name: getattr(options, name) for name in DEFAULTS}
    if options.option is not None:
        values["options"] = dict(options.option)
    return EndpointSettings(
        **values,
        token=token_of(options),
        tls=tls_of(options),
        upstream=upstream_given(options, options.triton),
    )


def _address(word: str) -> str:
    scheme, separator, _ = word.partition("://")
    if separator and scheme not in ("grpc", "grpcs"):
        raise argparse.ArgumentTypeError(f"{word!r} is neither grpc:// nor grpcs://HOST:PORT")
    return word


def _option(word: str) -> tuple[str, str]:
    name, equals, value = word.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{word!r} is not NAME=VALUE")
    return name, value
