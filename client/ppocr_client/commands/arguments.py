"""What the commands share: arguments, what is made of them, messages and progress."""

from __future__ import annotations

import argparse
import os
import sys
import threading
import time
from pathlib import Path
from typing import NoReturn, TextIO

from ppocr_client.client import OcrClient
from ppocr_client.commands.argument_types import SWITCH, above_zero, switch, whole
from ppocr_client.documents.pages import parse_pages
from ppocr_client.documents.reading import ReadSettings
from ppocr_client.exports.writers import FORMATS
from ppocr_client.options import OPTIONS, given_options
from ppocr_client.transport.base import DEFAULT_URL
from ppocr_pipeline.options import Choice, Switch

INTERRUPTED = 130  # the exit code of a command that Ctrl-C ended, as in a shell
PERIOD = 0.2  # seconds between two updates of the progress on a terminal


class Parser(argparse.ArgumentParser):
    """Says what is wrong with a command line without its usage, which has too many lines."""

    @property
    def options(self) -> list[str]:
        """The names of its options."""
        return list(self._option_string_actions)

    def error(self, message: str) -> NoReturn:
        """Exit with code 2."""
        self.exit(2, f"{self.prog}: error: {message}; see `{self.prog} --help`\n")


def add_pages(group: argparse._ArgumentGroup, *, concurrency: int) -> None:
    """Add `--pages`, `--dpi` and `--concurrency` with its default."""
    group.add_argument("--pages", metavar="1-3,7,9-", help="pages of PDF and TIFF files")
    text = "pixels per inch: of PDF pages that are read, of pictures in PDF files that are written"
    group.add_argument("--dpi", type=above_zero, default=200, metavar="N", help=text)
    text = "pages in flight at the same time, at each server"
    group.add_argument("--concurrency", type=whole, default=concurrency, metavar="N", help=text)


def add_format(group: argparse._ArgumentGroup) -> None:
    """Add `--format` of a file for each document, and `--font` of its drawing."""
    formats = "; ".join(f"{name}: {form.help}" for name, form in FORMATS.items())
    group.add_argument("--format", choices=FORMATS, default="lines", help=formats)
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
        text = "wait up to S seconds for the server to be ready"
        group.add_argument("--wait", type=above_zero, metavar="S", help=text)
    group.add_argument("--model", default="ocr", help="the pipeline's name on the server")
    text = "seconds for each page, retries included"
    group.add_argument("--timeout", type=above_zero, default=60, metavar="S", help=text)
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


class Progress:
    """Counts documents, in several threads; shows rate, time left and failures."""

    def __init__(
        self, total: int, stream: TextIO, *, shown: bool, logged: float = float("inf")
    ) -> None:
        """Begin: `shown` is for a terminal, else a line is written every `logged` seconds."""
        self._total, self._stream, self._shown = total, stream, shown
        self._period = PERIOD if shown else logged
        self._done = self._failed = 0
        self._start = time.monotonic()
        self._written = 0.0 if shown else self._start
        self._lock = threading.Lock()

    def count(self, failed: bool) -> None:
        """Count one more finished document."""
        with self._lock:
            self._done, self._failed = self._done + 1, self._failed + failed
            now = time.monotonic()
            last = self._shown and self._done == self._total
            if last or now - self._written > self._period:
                self._written = now
                line = describe(self._done, self._total, self._failed, now - self._start)
                self._stream.write(f"\r\x1b[K{line}" if self._shown else f"ppocr-client: {line}\n")
                self._stream.flush()

    def clear(self) -> None:
        """Erase the line, before something else is written."""
        if self._shown:
            self._stream.write("\r\x1b[K")
            self._stream.flush()


def describe(done: int, total: int, failed: int, seconds: float) -> str:
    """The line: "12/100 · 3.4/s · 0:26 left · 1 failed"."""
    rate = done / max(seconds, 1e-9)
    left = round((total - done) / rate) if done else 0
    minutes, rest = divmod(left, 60)
    hours, minutes = divmod(minutes, 60)
    clock = f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
    parts = [f"{done}/{total}", f"{rate:.1f}/s", f"{clock} left"]
    return " · ".join([*parts, f"{failed} failed"] if failed else parts)
