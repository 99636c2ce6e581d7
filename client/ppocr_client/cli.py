"""The command `ppocr-client`.

Exit codes: 0 everything was read, 1 some was not, 2 the command line is wrong, 130 interrupted.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ppocr_client.client import DEFAULT_URL
from ppocr_client.commands import batch, doctor, read, ui, watch
from ppocr_client.commands.argument_types import SWITCH, above_zero, switch, whole
from ppocr_client.documents.documents import InputError, parse_pages
from ppocr_client.exports.writers import FORMATS
from ppocr_client.options import OPTIONS, Option, given_options, request_parameters
from ppocr_client.transport.base import Tls
from ppocr_client.transport.protocol import settings_of


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = build_parser()
    args = parser.parse_args(argv)
    try:
        _check(args)
    except (ValueError, OSError) as error:  # a certificate that cannot be read is an OSError
        parser.error(str(error))
    try:
        return int(args.run(args))
    except InputError as error:
        parser.error(str(error))
    except BrokenPipeError:
        # Whoever read the output has seen enough; Python's own flush at the end must not fail too.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _check(args: argparse.Namespace) -> None:
    """What argparse cannot know; sets `args.tls`."""
    files = args.ca, args.certificate, args.key
    args.tls = Tls(*files) if any(files) else None
    for url in [args.url] if isinstance(args.url, str) else args.url or [DEFAULT_URL]:
        settings_of(url, ("ocr", "detect", "recognize"), 1, 0, args.tls)
    if args.tls is not None:
        args.tls.context()
    if args.verb in ("read", "watch", "batch"):
        request_parameters(given_options(vars(args)))
        parse_pages(args.pages or "1")


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="ppocr-client", description="Read text from pictures with PaddleOCR on Triton."
    )
    verbs = parser.add_subparsers(required=True, metavar="VERB", dest="verb")
    for add_verb in (_add_read, _add_watch, _add_batch, _add_doctor, _add_page):
        add_verb(verbs)
    return parser


def _add_read(verbs: Any) -> None:
    parser = verbs.add_parser(
        "read",
        help="read pictures and PDF files",
        description="Read pictures and PDF files: to standard output, or each into a file of its "
        "own. The exit code is 1 if any of them failed; they are listed at the end.",
    )
    parser.set_defaults(run=read.run)
    _add_inputs(parser)
    _add_outputs(parser)
    _add_connection(parser)
    _add_options(parser)


def _add_watch(verbs: Any) -> None:
    parser = verbs.add_parser(
        "watch",
        help="read pictures and PDF files as they arrive in a folder",
        description="Read pictures and PDF files as they arrive in a folder, those that are there "
        "already first, each into a file of its own, whose path is printed. What was read before "
        "is not read again. Ends with Ctrl-C; the exit code is 1 if something was not read.",
    )
    parser.set_defaults(run=watch.run)
    _add_folder(parser)
    _add_folder_outputs(parser)
    _add_connection(parser)
    _add_options(parser)


def _add_batch(verbs: Any) -> None:
    parser = verbs.add_parser(
        "batch",
        help="read archives of millions of files on Ray, through one or many servers",
        description="Read whole archives, from folders or buckets, through one or many servers: "
        "exactly one row for each input, in files that are there as a whole or not at all. The "
        "exit code is 1 if any input failed, or none could be read.",
    )
    parser.set_defaults(run=batch.run)
    batch.add_arguments(parser)
    _add_connection(parser, several=True)
    _add_options(parser)


def _add_doctor(verbs: Any) -> None:
    parser = verbs.add_parser(
        "doctor",
        help="check a server: reachable, models ready, a test picture, time in each step",
        description="Check a server from here: is it reachable, are its models ready, does it read "
        "a test picture, and how long does each step take. The exit code is 1 if it does not.",
    )
    parser.set_defaults(run=doctor.run)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    _add_connection(parser)


def _add_page(verbs: Any) -> None:
    page = verbs.add_parser(
        "serve-ui",
        help="a local web page that reads pictures and PDF files",
        description="Serve a web page that reads pictures and PDF files and shows what was read "
        "where. It is for this machine alone, unless --host says otherwise.",
    )
    page.set_defaults(run=ui.run)
    page.add_argument("--host", default="127.0.0.1", help="listen here (default: %(default)s)")
    page.add_argument(
        "--port", type=int, default=8080, metavar="N", help="0: a free one (default: %(default)s)"
    )
    _add_dpi(page)
    _add_font(page)
    _add_connection(page)


def _add_inputs(verb: argparse.ArgumentParser) -> None:
    group = verb.add_argument_group("what to read")
    group.add_argument(
        "inputs",
        nargs="+",
        metavar="INPUT",
        help="a file, a folder, a quoted pattern, an http(s) address, or - for standard input",
    )
    group.add_argument(
        "--recursive", action="store_true", help="look into the folders of folders too"
    )
    _add_pages(group)


def _add_folder(verb: argparse.ArgumentParser) -> None:
    group = verb.add_argument_group("what to read")
    group.add_argument("folder", type=Path, metavar="FOLDER", help="where files arrive")
    group.add_argument("--recursive", action="store_true", help="look into its folders too")
    group.add_argument(
        "--once", action="store_true", help="end as soon as all that is there has been read"
    )
    group.add_argument(
        "--settle",
        type=above_zero,
        default=1.0,
        metavar="S",
        help="a file is complete when nothing wrote to it for so many seconds "
        "(default: %(default)g)",
    )
    _add_pages(group)


def _add_pages(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--pages", metavar="1-3,7,9-", help="pages of PDF and TIFF files")
    _add_dpi(group)
    group.add_argument(
        "--concurrency",
        type=whole,
        default=4,
        metavar="N",
        help="pages on their way at the same time (default: %(default)s)",
    )


def _add_dpi(group: argparse._ActionsContainer) -> None:
    group.add_argument(
        "--dpi",
        type=above_zero,
        default=200.0,
        metavar="N",
        help="pixels to the inch: of PDF pages that are read, and of pictures in PDF files that "
        "are written (default: %(default)g)",
    )


def _add_outputs(verb: argparse.ArgumentParser) -> None:
    group = verb.add_argument_group("what to write")
    _add_format(group)
    group.add_argument(
        "--json",
        action="store_const",
        const="jsonl",
        dest="format",
        help="the same as --format jsonl",
    )
    group.add_argument(
        "--out", type=Path, metavar="PATH", help="a file, or for several inputs a folder"
    )
    group.add_argument(
        "--resume",
        action="store_true",
        help="leave out what is in --out already and is not older than its input",
    )
    group.add_argument(
        "--draw",
        type=Path,
        metavar="PATH",
        help="draw boxes and texts into this PNG file, or for several inputs into this folder",
    )
    _add_font(group)


def _add_folder_outputs(verb: argparse.ArgumentParser) -> None:
    group = verb.add_argument_group("what to write")
    _add_format(group)
    group.add_argument(
        "--out", type=Path, metavar="FOLDER", required=True, help="the folder for the results"
    )
    group.add_argument(
        "--draw", type=Path, metavar="FOLDER", help="draw boxes and texts into PNG files here"
    )
    _add_font(group)


def _add_format(group: argparse._ArgumentGroup) -> None:
    formats = "; ".join(f"{name}: {form.help}" for name, form in FORMATS.items())
    group.add_argument("--format", choices=FORMATS, default="lines", help=formats)


def _add_font(group: argparse._ActionsContainer) -> None:
    group.add_argument("--font", type=Path, metavar="FILE", help="the font to draw with")


def _add_connection(verb: argparse.ArgumentParser, *, several: bool = False) -> None:
    group = verb.add_argument_group("the servers" if several else "the server")
    group.add_argument(
        "--url",
        action="append" if several else "store",
        default=None if several else DEFAULT_URL,
        help="grpc://HOST:PORT, http://HOST:PORT, or encrypted grpcs://, https:// "
        f"(default: {DEFAULT_URL}){'; may be given several times' * several}",
    )
    group.add_argument("--model", default="ocr", help="the pipeline's name on the server")
    group.add_argument(
        "--timeout", type=above_zero, default=60.0, metavar="S", help="seconds for each picture"
    )
    if not several:
        group.add_argument(
            "--wait", type=above_zero, metavar="S", help="wait so many seconds for it to be ready"
        )
    group.add_argument(
        "--token",
        default=os.environ.get("PPOCR_TOKEN"),
        help="sent as 'Authorization: Bearer TOKEN'; other users of this machine can see it here, "
        "but not in the environment as PPOCR_TOKEN",
    )
    group.add_argument("--ca", metavar="PEM", help="whose signature is trusted")
    group.add_argument("--certificate", metavar="PEM", help="this client's own certificate")
    group.add_argument("--key", metavar="PEM", help="its key")


def _add_options(verb: argparse.ArgumentParser) -> None:
    group = verb.add_argument_group("options of the pipeline (the server's defaults if not given)")
    for name, option in OPTIONS.items():
        add_option(group, name, option)


def add_option(group: argparse._ArgumentGroup, name: str, option: Option) -> None:
    """Add `--name` for one of the pipeline's options."""
    flag = "--" + name.replace("_", "-")
    text = f"{option.help}: {option.allowed}"
    if option.type is bool:
        words = "|".join(SWITCH)
        group.add_argument(flag, type=switch, metavar=words, help=f"{option.help}: {words}")
    elif option.type is str:
        group.add_argument(flag, choices=option.words, help=option.help)
    else:
        group.add_argument(flag, type=option.type, metavar="N", help=text)
