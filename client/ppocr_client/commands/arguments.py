"""Arguments that several commands share, and what is made of their values."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import NoReturn

from ppocr_client.client import OcrClient
from ppocr_client.commands.argument_types import SWITCH, above_zero, switch, whole
from ppocr_client.documents.pages import parse_pages
from ppocr_client.documents.reading import ReadSettings
from ppocr_client.exports.writers import FORMATS
from ppocr_client.options import OPTIONS, Option, given_options
from ppocr_client.transport.base import DEFAULT_URL
from ppocr_pipeline.options import Choice, Switch

INTERRUPTED = 130  # the exit code of a command that Ctrl-C ended, as in a shell


class Parser(argparse.ArgumentParser):
    """Says what is wrong with a command line without its usage, which has too many lines."""

    @property
    def options(self) -> list[str]:
        """The names of its options."""
        return list(self._option_string_actions)

    def error(self, message: str) -> NoReturn:
        """Exit with code 2."""
        self.exit(2, f"{self.prog}: error: {message}; see `{self.prog} --help`\n")


def add_pages(group: argparse._ArgumentGroup) -> None:
    """Add `--pages` and `--dpi`."""
    group.add_argument("--pages", metavar="1-3,7,9-", help="pages of PDF and TIFF files")
    text = "pixels per inch: of PDF pages that are read, of pictures in PDF files that are written"
    group.add_argument("--dpi", type=above_zero, default=200, metavar="N", help=text)


def add_concurrency(group: argparse._ArgumentGroup) -> None:
    """Add `--concurrency` of one server."""
    text = "pages in flight at the same time"
    group.add_argument("--concurrency", type=whole, default=4, metavar="N", help=text)


def add_format(group: argparse._ArgumentGroup) -> None:
    """Add `--format` of a file for each document."""
    formats = "; ".join(f"{name}: {form.help}" for name, form in FORMATS.items())
    group.add_argument("--format", choices=FORMATS, default="lines", help=formats)


def add_font(group: argparse._ArgumentGroup) -> None:
    """Add `--font`."""
    group.add_argument("--font", type=Path, metavar="FILE", help="the font to draw with")


def add_connection(parser: argparse.ArgumentParser, *, several: bool = False) -> None:
    """Add a group for one server, or for several."""
    group = parser.add_argument_group("the servers" if several else "the server")
    address = "grpc://HOST:PORT, http://HOST:PORT, or encrypted grpcs://, https://"
    if several:
        text = f"{address}; may be given several times (default: {DEFAULT_URL})"
        group.add_argument("--url", action="append", help=text)
    else:
        group.add_argument("--url", default=DEFAULT_URL, help=address)
    group.add_argument("--model", default="ocr", help="the pipeline's name on the server")
    text = "seconds for each page, retries included"
    group.add_argument("--timeout", type=above_zero, default=60, metavar="S", help=text)
    if not several:
        text = "wait up to S seconds for the server to be ready"
        group.add_argument("--wait", type=above_zero, metavar="S", help=text)
    group.add_argument(
        "--token",
        help="sent as 'Authorization: Bearer TOKEN'; other users of this machine can see it here, "
        "but not in the environment variable PPOCR_TOKEN, which is used if --token is not given",
    )
    group.add_argument("--ca", metavar="PEM", help="certificate authorities to trust")
    group.add_argument("--certificate", metavar="PEM", help="this client's own certificate")
    group.add_argument("--key", metavar="PEM", help="the private key of --certificate")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the pipeline's options."""
    group = parser.add_argument_group("options of the pipeline (the server has their defaults)")
    for name, option in OPTIONS.items():
        add_option(group, name, option)


def add_option(group: argparse._ArgumentGroup, name: str, option: Option) -> None:
    """Add `--name` for one of the pipeline's options."""
    flag = "--" + name.replace("_", "-")
    if isinstance(option.rule, Switch):
        words = "|".join(SWITCH)
        group.add_argument(flag, type=switch, metavar=words, help=f"{option.help}: {words}")
    elif isinstance(option.rule, Choice):
        group.add_argument(flag, choices=option.rule.words, help=option.help)
    else:
        text = f"{option.help}: {option.rule.allowed}"
        group.add_argument(flag, type=option.type, metavar="N", help=text)


def token_of(args: argparse.Namespace) -> str | None:
    """The token of `--token`, or else of the environment; never shown as a default in the help."""
    token: str | None = args.token
    return token if token is not None else os.environ.get("PPOCR_TOKEN")


def client_of(args: argparse.Namespace) -> OcrClient:
    """A client of the server that the arguments name."""
    return OcrClient(
        args.url, model=args.model, timeout=args.timeout, token=token_of(args), tls=args.tls
    )


def read_settings(args: argparse.Namespace) -> ReadSettings:
    """How documents are to be read."""
    return ReadSettings(
        options=given_options(vars(args)),
        concurrency=args.concurrency,
        dpi=args.dpi,
        ranges=parse_pages(args.pages) if args.pages else None,
        keep=args.format == "pdf" or args.draw is not None,
    )


def log_failure(source: str, reason: str) -> None:
    """Log why an input failed, behind its name unless the reason names it."""
    log(reason if source in reason else f"{source}: {reason}")


def log(text: str) -> None:
    """Write a message to standard error, apart from the results."""
    sys.stderr.write(f"ppocr-client: {text}\n")
    sys.stderr.flush()
