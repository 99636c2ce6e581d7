"""The command `ppocr-client`.

Exit codes: 0 everything was read, 1 some was not, 2 the command line is wrong, 130 interrupted.
"""

from __future__ import annotations

import argparse
import difflib
import os
import sys
from collections.abc import Sequence
from importlib import metadata

from ppocr_client.client import OcrClient
from ppocr_client.commands import batch, doctor, read, watch
from ppocr_client.commands.argument_types import HelpFormatter
from ppocr_client.commands.arguments import INTERRUPTED, Parser, log
from ppocr_client.documents.inputs import InputError
from ppocr_client.documents.pages import parse_pages
from ppocr_client.errors import OcrError
from ppocr_client.options import given_options, request_parameters
from ppocr_client.transport.base import DEFAULT_URL, Tls

COMMANDS = {"read": read, "watch": watch, "batch": batch, "doctor": doctor}
#: A command of before, and what to do in its place.
MOVED = "serve-ui"
ELSEWHERE = (
    "the web page has moved; run `ppocr-serve gateway --url grpc://HOST:PORT --port 8080` "
    "(pip install 'ppocr-triton[endpoint]'), and open its address"
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = build_parser()
    if (sys.argv[1:] if argv is None else argv)[:1] == [MOVED]:
        parser.exit(2, f"{parser.prog}: error: {ELSEWHERE}\n")
    args, unknown = parser.parse_known_args(argv)
    if unknown:
        near = difflib.get_close_matches(unknown[0].partition("=")[0], args.parser.options, n=1)
        hint = f", perhaps {near[0]!r}" if near else ""
        args.parser.error(f"unknown argument {unknown[0]!r}{hint}")
    try:
        _check(args)
    except ValueError as error:
        parser.exit(2, f"{parser.prog}: error: {error}\n")
    try:
        return int(args.run(args))
    except InputError as error:
        parser.exit(2, f"{parser.prog}: error: {error}\n")
    except OcrError as error:  # the server is not ready, or refuses every request
        log(str(error))
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of the output has closed it; Python's own flush at exit must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def build_parser() -> Parser:
    """The command line."""
    parser = Parser(
        prog="ppocr-client", description="Read text from pictures with PaddleOCR on Triton."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")
    for name, module in COMMANDS.items():
        command = commands.add_parser(
            name, help=module.HELP, description=module.DESCRIPTION, formatter_class=HelpFormatter
        )
        command.set_defaults(run=module.run, parser=command)
        module.add_arguments(command)
    for one in (parser, *commands.choices.values()):
        one.add_argument(
            "--version", action="version", version=f"%(prog)s {metadata.version('ppocr-triton')}"
        )
    return parser


def _check(args: argparse.Namespace) -> None:
    """Check what argparse cannot; sets `args.tls`."""
    files = args.ca, args.certificate, args.key
    args.tls = Tls(*files) if any(files) else None
    for url in [args.url] if isinstance(args.url, str) else args.url or [DEFAULT_URL]:
        OcrClient(url, model=args.model, timeout=args.timeout, tls=args.tls).close()
    request_parameters(given_options(vars(args)))
    parse_pages(getattr(args, "pages", None) or "1")
