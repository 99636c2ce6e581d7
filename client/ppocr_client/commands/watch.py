"""The command `watch`: documents are read as they arrive in a folder."""

from __future__ import annotations

import argparse
import contextlib
import itertools
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from ppocr_client.client import OcrClient
from ppocr_client.commands import arguments
from ppocr_client.commands.argument_types import above_zero
from ppocr_client.commands.arguments import client_of, log, log_failure, read_settings
from ppocr_client.commands.read import result_path, write
from ppocr_client.documents.inputs import SUFFIXES, Document, InputError, folder_documents
from ppocr_client.documents.reading import read_documents
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

FileState = tuple[int, int, int]  # what changes when a file is written to or replaced


class Arrivals:
    """The documents of a folder as of the last update: complete, read, or failed.

    Attributes:
        read: How many were read.
    """

    def __init__(self, settle: float, was_read: Callable[[Document], bool]) -> None:
        """A file is complete after `settle` seconds without change, unless it `was_read` before."""
        self._settle, self._was_read, self.read = settle, was_read, 0
        # Its state with the time at which it was first seen so, and with why it failed.
        self._seen: dict[Document, tuple[FileState, float]] = {}
        self._finished: dict[Document, tuple[FileState, str | None]] = {}

    def update(self, found: Mapping[Document, FileState], now: float) -> None:
        """Note the folder's files at `now`."""
        before, self._seen = self._seen, {}
        for document, state in found.items():
            if document not in before and self._was_read(document):
                self._finished[document] = state, None
            known, since = before.get(document, (None, now))
            self._seen[document] = state, since if known == state else now
        for gone in self._finished.keys() - found.keys():
            del self._finished[gone]

    @property
    def waiting(self) -> dict[Document, FileState]:
        """What is to be read, complete or not."""
        done = {document: state for document, (state, _) in self._finished.items()}
        return {d: state for d, (state, _) in self._seen.items() if done.get(d) != state}

    @property
    def failures(self) -> dict[Document, str]:
        """Why documents failed that have not changed since."""
        failed = self._finished.keys() - self.waiting.keys()
        return {d: reason for d, (_, reason) in self._finished.items() if reason and d in failed}

    def complete(self, now: float) -> dict[Document, FileState]:
        """What is to be read and complete."""
        settled = now - self._settle
        return {d: state for d, state in self.waiting.items() if self._seen[d][1] <= settled}

    def finish(self, document: Document, state: FileState, error: str | None) -> None:
        """A document in this state was read, or failed; it is left alone until it changes."""
        self._finished[document] = state, error
        self.read += error is None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    group = parser.add_argument_group("what to read")
    group.add_argument("folder", type=Path, metavar="FOLDER", help="the folder to watch")
    group.add_argument("--recursive", action="store_true", help="watch its folders too")
    text = "end when all that is there has been read"
    group.add_argument("--once", action="store_true", help=text)
    text = "a file is complete when it has not changed for S seconds"
    group.add_argument("--settle", type=above_zero, default=1, metavar="S", help=text)
    arguments.add_pages(group, concurrency=4)
    group = parser.add_argument_group("what to write")
    arguments.add_format(group)
    text = "the folder for the results"
    group.add_argument("--out", type=Path, metavar="FOLDER", required=True, help=text)
    text = "draw boxes and texts into PNG files here"
    group.add_argument("--draw", type=Path, metavar="FOLDER", help=text)
    arguments.add_connection(parser)
    arguments.add_options(parser)
    parser.set_defaults(several=True)


def run(args: argparse.Namespace) -> int:
    """Read what arrives until Ctrl-C, or with --once what is there; 0 if all of it was read."""
    _check(args)
    arrivals = Arrivals(
        args.settle, lambda document: is_current(result_path(args, document), document)
    )
    with client_of(args) as client:
        if args.wait is not None:
            client.wait_ready(args.wait)
        try:
            with _interrupted() as interrupted:
                _watch(client, arrivals, args, interrupted)
        except FileNotFoundError as error:
            log(f"{args.folder} is gone: {error}")
            return 1
    failures, waiting = arrivals.failures, arrivals.waiting
    for document, reason in failures.items():
        log_failure(document.source, reason)
    log(f"{arrivals.read} read, {len(failures)} failed, {len(waiting)} not read yet")
    return 1 if failures or waiting else 0


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
        states = {document: _file_state(document) for document in documents}
        arrivals.update({d: state for d, state in states.items() if state is not None}, start)
        listing = time.monotonic() - start
        if not _read(client, arrivals, args, interrupted):
            log(f"{client.url} is away or busy; going on as soon as it is back")
            for attempt in itertools.count():
                if interrupted.wait(backoff(attempt)) or client.server_ready():
                    break
        if args.once and not arrivals.waiting:
            return
        interrupted.wait(max(args.settle / 2, QUIET * listing))


def _file_state(document: Document) -> FileState | None:
    """A file's state now; None if it is gone."""
    try:
        found = Path(document.source).stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns, found.st_ino


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
        if _file_state(document) != state:
            continue  # it was changed or removed while it was read
        reason = write(read, args)
        arrivals.finish(document, state, reason)
        if reason:
            log_failure(document.source, reason)
        else:
            sys.stdout.write(f"{result_path(args, document)}\n")
            sys.stdout.flush()
    return True
