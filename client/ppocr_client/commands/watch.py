"""The verb `watch`: documents are read as they arrive in a folder."""

from __future__ import annotations

import argparse
import contextlib
import itertools
import random
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping

from ppocr_client.client import OcrClient
from ppocr_client.commands.arguments import client_of, order_of, say
from ppocr_client.commands.read import write
from ppocr_client.documents.arrivals import Arrivals, State, state_of
from ppocr_client.documents.documents import SUFFIXES, Document, InputError, folder_documents
from ppocr_client.documents.reading import read_documents
from ppocr_client.errors import MissingExtra, OcrError
from ppocr_client.exports.writers import FORMATS, is_done, target
from ppocr_client.transport.protocol import backoff

# Some network folders tell nobody of changes, so the folder is looked through anyway.
LOOK_PERIOD = 15.0  # seconds


def run(args: argparse.Namespace) -> int:
    """Read what arrives until Ctrl-C, or with --once what is there; 0 if all of it was read.

    Raises:
        InputError: If the command line asks for what cannot be done; nothing was read.
    """
    _check(args)
    arrivals = Arrivals(args.settle)
    with _interrupted() as interrupted, client_of(args) as client:
        try:
            if args.wait is not None:
                client.wait_ready(args.wait)
            _watch(client, arrivals, args, interrupted)
        except KeyboardInterrupt:
            pass  # the way to end it
        except OcrError as error:  # the server refuses everybody, such as a wrong token
            say(str(error))
            return 1
        except FileNotFoundError as error:
            say(f"{args.folder} is gone: {error}")
            return 1
        return _report(arrivals)


@contextlib.contextmanager
def _interrupted() -> Iterator[threading.Event]:
    """Set at Ctrl-C, beside the one KeyboardInterrupt, which a library in mid-call may swallow."""
    event = threading.Event()

    def interrupt(*_: object) -> None:
        if not event.is_set():  # the end is not interrupted again
            event.set()
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, interrupt)
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
    suffix = FORMATS[args.format].suffix

    def done(document: Document) -> bool:
        return is_done(target(args.out, document, suffix, several=True), document)

    for _ in _occasions(arrivals, args, interrupted):
        arrivals.look(_found(args), done, time.monotonic())
        if not _read(client, arrivals, args):
            _wait_for(client, interrupted)
        if args.once and not arrivals.waiting():
            return


def _occasions(
    arrivals: Arrivals, args: argparse.Namespace, interrupted: threading.Event
) -> Iterator[None]:
    """Whenever the folder is to be looked through, until Ctrl-C."""
    try:
        import watchfiles
    except ImportError:
        raise InputError(str(MissingExtra("watched folders", "watchfiles", "watch"))) from None
    looked = float("-inf")
    step = int(1000 * args.settle / 2)
    for changes in watchfiles.watch(
        args.folder,
        watch_filter=None,
        recursive=args.recursive,
        debounce=max(50, step),
        rust_timeout=max(50, step),
        yield_on_timeout=True,
        stop_event=interrupted,
    ):
        if changes or arrivals.waiting() or time.monotonic() - looked >= LOOK_PERIOD:
            yield
            looked = time.monotonic()


def _found(args: argparse.Namespace) -> dict[Document, State]:
    documents = folder_documents(args.folder, recursive=args.recursive)
    states = {document: state_of(document) for document in documents}
    return {document: state for document, state in states.items() if state is not None}


def _read(client: OcrClient, arrivals: Arrivals, args: argparse.Namespace) -> bool:
    """Read what is complete; False if the server is away, and the rest is still to be read."""
    ready: Mapping[Document, State] = arrivals.ready(time.monotonic())
    for read in read_documents(client, ready, order_of(args)):
        if read.error and (read.away or not client.server_ready()):
            return False
        document, state = read.document, ready[read.document]
        if state_of(document) != state:
            continue  # it was written to again, or taken away, while it was read
        reason = read.error or write(read, args, several=True)
        arrivals.finish(document, state, reason)
        if reason:
            say(f"{document.source}: {reason}")
        else:
            path = target(args.out, document, FORMATS[args.format].suffix, several=True)
            sys.stdout.write(f"{path}\n")
            sys.stdout.flush()
    return True


def _wait_for(client: OcrClient, interrupted: threading.Event) -> None:
    say(f"{client.url} is away or busy; going on as soon as it is back")
    for attempt in itertools.count():
        time.sleep(backoff(attempt, random.random()))  # nosec B311 # not for secrets
        if interrupted.is_set() or client.server_ready():
            return


def _report(arrivals: Arrivals) -> int:
    """The counts, and once more what failed."""
    waiting = arrivals.waiting()
    for document, reason in arrivals.failures.items():
        if document not in waiting:
            say(f"{document.source}: {reason}")
    failed = len(arrivals.failures.keys() - waiting.keys())
    say(f"{arrivals.read} read, {failed} failed, {len(waiting)} not read yet")
    return 1 if failed or waiting else 0
