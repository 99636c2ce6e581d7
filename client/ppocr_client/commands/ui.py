"""The command `serve-ui`, which has moved: the gateway shows the web page."""

from __future__ import annotations

import argparse

from ppocr_client.commands.arguments import add_connection, add_dpi, add_font
from ppocr_client.documents.inputs import InputError

HELP = "moved to `ppocr-serve gateway`"
DESCRIPTION = "The web page is the gateway's: `ppocr-serve gateway --url grpc://HOST:PORT`."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of before, so that each of its old commands is told."""
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on")
    parser.add_argument("--port", type=int, default=8080, metavar="N", help="0: any free port")
    add_dpi(parser)
    add_font(parser)
    add_connection(parser)


def run(args: argparse.Namespace) -> int:
    """Name the command that shows the page.

    Raises:
        InputError: Always.
    """
    raise InputError(
        f"the web page has moved; run `ppocr-serve gateway --url {args.url} --host {args.host} "
        f"--port {args.port}` (pip install 'ppocr-triton[endpoint]'), and open its address"
    )
