"""The command `serve-ui`: a local web page that reads pictures and PDF files."""

from __future__ import annotations

import argparse
import contextlib
import socket
import sys
import tempfile
from pathlib import Path

from ppocr_client.commands.arguments import add_connection, add_dpi, add_font, client_of
from ppocr_client.documents.inputs import InputError
from ppocr_client.errors import MissingExtra

HELP = "a local web page that reads pictures and PDF files"
DESCRIPTION = (
    "Serve a web page that reads pictures and PDF files and shows what was read where. Only this "
    "machine can open it, unless --host says otherwise."
)
HOST_NAMES = ("localhost",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on")
    parser.add_argument("--port", type=int, default=8090, metavar="N", help="0: any free port")
    add_dpi(parser)
    add_font(parser)
    add_connection(parser)


def run(args: argparse.Namespace) -> int:
    """Serve the page until Ctrl-C.

    Raises:
        InputError: If a package is missing, or the page cannot be served at this address.
    """
    try:
        import uvicorn

        from ppocr_client.ui.app import build_app
        from ppocr_client.ui.document_store import DocumentStore
    except ImportError as error:
        raise InputError(
            str(MissingExtra("the web page", str(error.name or "packages"), "ui"))
        ) from None
    with (
        _bound(args.host, args.port) as listening,
        tempfile.TemporaryDirectory(prefix="ppocr-ui-") as folder,
        client_of(args) as client,
    ):
        app = build_app(
            client,
            args.model,
            DocumentStore(Path(folder), dpi=args.dpi),
            {*HOST_NAMES, args.host.lower()},
            args.font,
        )
        config = uvicorn.Config(
            app, lifespan="off", ws="none", log_level="warning", server_header=False
        )
        host = f"[{args.host}]" if ":" in args.host else args.host
        sys.stdout.write(
            f"http://{host}:{listening.getsockname()[1]}/ reads with {client.url}; Ctrl-C ends it\n"
        )
        sys.stdout.flush()
        with contextlib.suppress(KeyboardInterrupt):  # the way to end it
            uvicorn.Server(config).run(sockets=[listening])
    return 0


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        raise InputError(
            f"cannot listen on {host}, port {port}: {error}; choose another --port"
        ) from None
