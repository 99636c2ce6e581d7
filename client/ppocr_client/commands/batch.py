"""The verb `batch`: an archive into one row an input, on Ray."""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from ppocr_client.client import DEFAULT_URL
from ppocr_client.commands.argument_types import above_zero, whole
from ppocr_client.commands.arguments import say
from ppocr_client.commands.progress import Progress, describe
from ppocr_client.documents.documents import STDIN, InputError, parse_pages
from ppocr_client.errors import MissingExtra
from ppocr_client.options import given_options

if TYPE_CHECKING:
    from ppocr_client.batch.cluster import Run
    from ppocr_client.batch.parts import Part
    from ppocr_client.batch.reader import Job
    from ppocr_client.batch.rows import Done

INTERRUPTED = 130
LISTED = 100  # failures that are told, not only counted
LARGEST_PART = 500  # documents; what is lost when a machine is, and kept in memory until written
PARTS_AN_ACTOR = 4  # at least, where there are so many inputs: they end at about the same time
PERIOD = 0.5  # seconds between two looks at how far the actors are
LOG_PERIOD = 60.0  # the same where nobody watches


@dataclass
class Outcome:
    """What became of all inputs, those that were read before included."""

    inputs: int
    before: int
    ok: int = 0
    failed: int = 0
    seconds: float = 0.0
    failures: list[Done] = field(default_factory=list)
    stopped: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """As plain values that JSON can hold."""
        failures = [failure._asdict() for failure in self.failures]
        return {**vars(self), "seconds": round(self.seconds, 3), "failures": failures}


def add_arguments(verb: argparse.ArgumentParser) -> None:
    """What to read, what to write, and where it is done."""
    group = verb.add_argument_group("what to read")
    group.add_argument(
        "inputs",
        nargs="*",
        metavar="INPUT",
        help="a folder with all below it, a quoted pattern, a file; on this machine or in a "
        "bucket: s3://, gs:// or any other address that fsspec knows",
    )
    group.add_argument(
        "--manifest", metavar="FILE", help="a list of files, one a line; - for standard input"
    )
    group.add_argument("--limit", type=whole, metavar="N", help="read no more than N inputs now")
    group.add_argument("--pages", metavar="1-3,7,9-", help="pages of PDF and TIFF files")
    group.add_argument(
        "--dpi",
        type=above_zero,
        default=200.0,
        metavar="N",
        help="pixels to the inch of PDF pages (default: %(default)g)",
    )
    group.add_argument(
        "--storage",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="what buckets are opened with, such as endpoint_url=https://minio.example; "
        "credentials are better left to the environment",
    )
    group = verb.add_argument_group("what to write")
    group.add_argument(
        "--out", required=True, metavar="FOLDER", help="a folder, or an address in a bucket"
    )
    group.add_argument("--format", choices=("parquet", "jsonl"), default="parquet")
    group.add_argument(
        "--resume", action="store_true", help="leave out the inputs that have a row in --out"
    )
    group.add_argument(
        "--part-size",
        type=whole,
        metavar="N",
        help=f"inputs in one file (default: {LARGEST_PART}, or fewer in small archives)",
    )
    group.add_argument("--json", action="store_true", help="print a summary as one JSON object")
    group = verb.add_argument_group("how it is done")
    group.add_argument(
        "--ray-address",
        default="local",
        metavar="ADDRESS",
        help="local starts a Ray on this machine; auto or HOST:PORT is a cluster's "
        "(default: %(default)s)",
    )
    group.add_argument(
        "--actors",
        type=whole,
        metavar="N",
        help="processes that read, each on a processor of the cluster (default: one for each, but "
        "no more than --concurrency)",
    )
    group.add_argument(
        "--concurrency",
        type=whole,
        default=8,
        metavar="N",
        help="requests at one server at the same time, of all actors together "
        "(default: %(default)s)",
    )
    group.add_argument(
        "--retries",
        type=whole,
        default=5,
        metavar="N",
        help="how often a page is sent again when a server fails (default: %(default)s)",
    )
    group.add_argument(
        "--patience",
        type=above_zero,
        default=300.0,
        metavar="S",
        help="give up when no server has been ready for so long (default: %(default)g)",
    )


def run(args: argparse.Namespace) -> int:
    """Read everything; 0 if all of it was read, 1 if some was not.

    Raises:
        InputError: If the command line asks for what cannot be done; nothing was read.
    """
    try:
        from ppocr_client.batch import files, parts
    except ImportError as error:
        raise InputError(str(MissingExtra("archives", str(error.name), "batch"))) from error
    storage = _storage(args.storage)
    out = files.check_output(args.out)
    names = files.find_files(args.inputs, storage) + _manifest(args.manifest)
    names = list(dict.fromkeys(names))
    if not names:
        raise InputError("nothing to read; name an INPUT, or a --manifest")
    before = parts.look_into(out, args.format, storage)
    if before.next and not args.resume:
        raise InputError(f"{args.out} holds parts of an earlier run; --resume goes on from them")
    known = {done.path for done in before.done}
    waiting = [name for name in names if name not in known][: args.limit]
    mine = set(names)
    failed = [done for done in before.done if done.error is not None and done.path in mine]
    outcome = Outcome(len(names), before=len(mine & known))
    outcome.ok, outcome.failed = outcome.before - len(failed), len(failed)
    outcome.failures += failed[:LISTED]
    if outcome.before:
        say(f"{outcome.before} of {len(names)} were read before")
    code = _read(args, outcome, _Plan(waiting, out, storage, before.next)) if waiting else 0
    return code or _report(args, outcome)


@dataclass(frozen=True)
class _Plan:
    """What is left to read, where it is written, and the number of the first part."""

    paths: Sequence[str]
    out: str
    storage: dict[str, Any]
    start: int

    def parts(self, args: argparse.Namespace, actors: int) -> list[Part]:
        from ppocr_client.batch.parts import cut

        fair = math.ceil(len(self.paths) / (PARTS_AN_ACTOR * actors))
        return cut(
            self.paths, args.part_size or min(LARGEST_PART, fair), self.out, args.format, self.start
        )

    def job(self, args: argparse.Namespace, actors: int) -> Job:
        from ppocr_client.batch.reader import Job

        return Job(
            urls=tuple(dict.fromkeys(args.url or [DEFAULT_URL])),
            model=args.model,
            concurrency=args.concurrency // actors,
            retries=args.retries,
            timeout=args.timeout,
            patience=args.patience,
            form=args.format,
            options=given_options(vars(args)),
            ranges=parse_pages(args.pages) if args.pages else None,
            dpi=args.dpi,
            token=args.token,
            tls=args.tls,
            storage=self.storage,
        )


def _read(args: argparse.Namespace, outcome: Outcome, plan: _Plan) -> int:
    """Read what is left; the exit code if it was interrupted, else 0."""
    if args.actors is not None and args.actors > args.concurrency:
        raise InputError(
            f"--actors {args.actors} is more than --concurrency {args.concurrency}: each actor "
            "needs a request of its own at every server"
        )
    from ppocr_client.batch import cluster

    start = time.monotonic()
    try:
        with cluster.connected(args.ray_address, args.actors):
            actors = args.actors or min(cluster.processors(), args.concurrency)
            run = cluster.Run(plan.job(args, actors), plan.parts(args, actors), actors)
            with _shown(run, len(plan.paths)):
                for summary in run.summaries():
                    if summary.stopped is not None:
                        outcome.stopped = summary.stopped
                        break
                    outcome.ok += summary.ok
                    outcome.failed += summary.failed
                    outcome.failures += summary.failures
    except ConnectionError as error:
        raise InputError(str(error)) from error
    except KeyboardInterrupt:
        say("interrupted; --resume goes on from here")
        return INTERRUPTED
    outcome.seconds = time.monotonic() - start
    del outcome.failures[LISTED:]
    return 0


def _report(args: argparse.Namespace, outcome: Outcome) -> int:
    """Say what became of the inputs; 0 if all that was tried was read, else 1."""
    for failure in outcome.failures:
        say(f"{failure.path}: {failure.error}")
    if outcome.failed > len(outcome.failures):
        say(f"and {outcome.failed - len(outcome.failures)} more, whose rows say status failed")
    if outcome.failed:
        say(f"{outcome.failed} of {outcome.inputs} failed")
    if outcome.stopped is not None:
        say(f"{outcome.stopped}; --resume goes on from here")
    if args.json:
        sys.stdout.write(json.dumps(outcome.to_dict(), ensure_ascii=False) + "\n")
    return 1 if outcome.failed or outcome.stopped is not None else 0


@contextlib.contextmanager
def _shown(run: Run, total: int) -> Iterator[None]:
    """Show how far the actors are, as long as this lasts."""
    stream: TextIO = sys.stderr
    watched = stream.isatty()
    progress, stop, start = (
        Progress(total, stream, shown=watched),
        threading.Event(),
        time.monotonic(),
    )

    def look() -> None:
        while not stop.wait(PERIOD if watched else LOG_PERIOD):
            done, failed = run.tally()
            if watched:
                progress.show(done, failed)
            else:
                say(describe(done, total, failed, time.monotonic() - start))

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        progress.clear()


def _manifest(name: str | None) -> list[str]:
    from ppocr_client.batch.files import names_in

    if name is None:
        return []
    if name == STDIN:
        return names_in(sys.stdin)
    try:
        with Path(name).open(encoding="utf-8") as file:
            return names_in(file)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the list {name}: {error}") from error


def _storage(words: Sequence[str]) -> dict[str, Any]:
    """The values of KEY=VALUE words: JSON's numbers and truths where they are some, else text."""
    values: dict[str, Any] = {}
    for word in words:
        key, given, value = word.partition("=")
        if not given or not key:
            raise InputError(f"--storage {word!r}: write KEY=VALUE")
        try:
            values[key] = json.loads(value)
        except ValueError:
            values[key] = value
    return values
