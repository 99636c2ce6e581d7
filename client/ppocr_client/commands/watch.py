"""The command `watch`: documents are read as they arrive in a folder."""

from __future__ import annotations

import argparse
import contextlib
import itertools
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from ppocr_client.client import OcrClient
from ppocr_client.commands import arguments
from ppocr_client.commands.argument_types import above_zero
from ppocr_client.commands.arguments import client_of, log, log_failure, read_settings
from ppocr_client.commands.read import result_path, write
from ppocr_client.documents.arrivals import Arrivals, file_state
from ppocr_client.documents.inputs import SUFFIXES, Document, InputError, folder_documents
from ppocr_client.documents.reading import read_documents
from ppocr_client.errors import OcrError
from ppocr_client.exports.writers import FORMATS, is_current
from ppocr_client.transport.base import backoff

HELP = "read pictures and PDF files as they arrive in a folder"
DESCRIPTION = (
    "Read the pictures and PDF files of a folder and those that arrive later, each into a file of "
    "its own, whose path is printed. What was read before is not read again. Ends with Ctrl-C; the "
    "exit code is 1 if something was not read."
)
# Folders are listed, since network file systems report no changes. Between two listings passes so
# many times as long as one takes: a twentieth of a processor at most.
QUIET = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    group = parser.add_argument_group("what to read")
    group.add_argument("folder", type=Path, metavar="FOLDER", help="the folder to watch")
    group.add_argument("--recursive", action="store_true", help="watch its folders too")
    text = "end when all that is there has been read"
    group.add_argument("--once", action="store_true", help=text)
    text = "a file is complete when it has not changed for S seconds"
    group.add_argument("--settle", type=above_zero, default=1, metavar="S", help=text)
    arguments.add_pages(group)
    arguments.add_concurrency(group)
    group = parser.add_argument_group("what to write")
    arguments.add_format(group)
    text = "the folder for the results"
    group.add_argument("--out", type=Path, metavar="FOLDER", required=True, help=text)
    text = "draw boxes and texts into PNG files here"
    group.add_argument("--draw", type=Path, metavar="FOLDER", help=text)
    arguments.add_font(group)
    arguments.add_connection(parser)
    arguments.add_options(parser)


def run(args: argparse.Namespace) -> int:
    """Read what arrives until Ctrl-C, or with --once what is there; 0 if all of it was read.

    Raises:
        InputError: If the command line asks for what cannot be done; nothing was read.
    """
    _check(args)

    def was_read(document: Document) -> bool:
        return is_current(result_path(args, document, several=True), document)

    arrivals = Arrivals(args.settle, was_read)
    with client_of(args) as client:
        try:
            if args.wait is not None:
                client.wait_ready(args.wait)
            with _interrupted() as interrupted:
                _watch(client, arrivals, args, interrupted)
        except OcrError as error:  # the server refuses every request, for example a wrong token
            log(str(error))
            return 1
        except FileNotFoundError as error:
            log(f"{args.folder} is gone: {error}")
            return 1
    return _report(arrivals)


@contextlib.contextmanager
def _interrupted() -> Iterator[threading.Event]:
    """An event that Ctrl-C sets; a second one ends the command at once."""
    event, before = threading.Event(), signal.getsignal(signal.SIGINT)

    def interrupt(*_: object) -> None:
        event.set()
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, interrupt)
    try:
        yield event
    finally:
        signal.signal(signal.SIGINT, before)


def _check(args: argparse.Namespace) -> None:
    if not args.folder.is_dir():
        raise InputError(f"{args.folder} is not a folder; name the one in which files arrive")
    inside = args.folder.resolve()
    written = [("--out", args.out, FORMATS[args.format].suffix), ("--draw", args.draw, ".png")]
    for option, base, suffix in written:
        if base is None:
            continue
        if base.exists() and not base.is_dir():
            raise InputError(f"{option} {base} is a file; name a folder")
        seen = base.resolve().is_relative_to(inside) if args.recursive else base.resolve() == inside
        if seen and suffix in SUFFIXES:
            raise InputError(
                f"{option} {base} is in the watched folder, where its {suffix} files would be read "
                "as well; name a folder elsewhere"
            )


def _watch(
    client: OcrClient, arrivals: Arrivals, args: argparse.Namespace, interrupted: threading.Event
) -> None:
    while not interrupted.is_set():
        start = time.monotonic()
        documents = folder_documents(args.folder, recursive=args.recursive)
        states = {document: file_state(document) for document in documents}
        arrivals.update({d: state for d, state in states.items() if state is not None}, start)
        listing = time.monotonic() - start
        if not _read(client, arrivals, args, interrupted):
            _wait_for(client, interrupted)
        if args.once and not arrivals.waiting:
            return
        interrupted.wait(max(args.settle / 2, QUIET * listing))


def _read(
    client: OcrClient, arrivals: Arrivals, args: argparse.Namespace, interrupted: threading.Event
) -> bool:
    """Read what is complete; False if the server is away, and the rest is still to be read."""
    complete = arrivals.complete(time.monotonic())
    for read in read_documents(client, complete, read_settings(args)):
        if interrupted.is_set():
            break
        if read.error and (read.away or not client.server_ready()):
            return False
        document, state = read.document, complete[read.document]
        if file_state(document) != state:
            continue  # it was changed or removed while it was read
        reason = write(read, args, several=True)
        arrivals.finish(document, state, reason)
        if reason:
            log_failure(document.source, reason)
        else:
            sys.stdout.write(f"{result_path(args, document, several=True)}\n")
            sys.stdout.flush()
    return True


def _wait_for(client: OcrClient, interrupted: threading.Event) -> None:
    log(f"{client.url} is away or busy; going on as soon as it is back")
    for attempt in itertools.count():
        if interrupted.wait(backoff(attempt)) or client.server_ready():
            return


def _report(arrivals: Arrivals) -> int:
    """Log the counts, and once more what failed."""
    failures, waiting = arrivals.failures, arrivals.waiting
    for document, reason in failures.items():
        log_failure(document.source, reason)
    log(f"{arrivals.read} read, {len(failures)} failed, {len(waiting)} not read yet")
    return 1 if failures or waiting else 0
