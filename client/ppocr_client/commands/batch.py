"""The command `batch`: an archive into one row for each input."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ppocr_client.batch import LISTED
from ppocr_client.commands import arguments
from ppocr_client.commands.argument_types import above_zero, whole
from ppocr_client.commands.arguments import INTERRUPTED, log, log_failure, token_of
from ppocr_client.commands.progress import Progress
from ppocr_client.documents.inputs import STDIN, InputError
from ppocr_client.documents.pages import parse_pages
from ppocr_client.errors import MissingExtra
from ppocr_client.options import given_options
from ppocr_client.transport.base import DEFAULT_URL

if TYPE_CHECKING:
    from ppocr_client.batch.job import Job
    from ppocr_client.batch.rows import RowStatus

HELP = "read archives of millions of files through one or many servers"
DESCRIPTION = (
    "Read whole archives, from folders or buckets, through one or many servers: exactly one row "
    "for each input, in files that appear completely or not at all. The exit code is 1 if any "
    "input failed, or none could be read."
)
PART_SIZE = 200  # inputs; their results are kept in memory until written, and are lost by Ctrl-C
LOG_PERIOD = 60.0  # seconds between two messages of progress if standard error is not a terminal


@dataclass
class Outcome:
    """The counts of all inputs, those of earlier runs included."""

    inputs: int
    before: int
    ok: int = 0
    failed: int = 0
    seconds: float = 0.0
    failures: list[RowStatus] = field(default_factory=list)
    stopped: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """As plain values that JSON can hold."""
        failures = [failure._asdict() for failure in self.failures]
        return {**vars(self), "seconds": round(self.seconds, 3), "failures": failures}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    group = parser.add_argument_group("what to read")
    text = (
        "a folder with all below it, a quoted pattern, a file; on this machine or in a bucket: "
        "s3://, gs:// or any other address that fsspec knows"
    )
    group.add_argument("inputs", nargs="*", metavar="INPUT", help=text)
    text = "a list of files, one a line; - for standard input"
    group.add_argument("--manifest", metavar="FILE", help=text)
    group.add_argument("--limit", type=whole, metavar="N", help="read no more than N inputs now")
    arguments.add_pages(group)
    text = (
        "an argument of the buckets' filesystem, such as endpoint_url=https://minio.example; keep "
        "credentials in the environment"
    )
    group.add_argument("--storage", action="append", default=[], metavar="KEY=VALUE", help=text)
    group = parser.add_argument_group("what to write")
    text = "a folder, or an address in a bucket"
    group.add_argument("--out", required=True, metavar="FOLDER", help=text)
    text = "the format of the parts"
    group.add_argument("--format", choices=("parquet", "jsonl"), default="parquet", help=text)
    text = "skip the inputs that have a row in --out"
    group.add_argument("--resume", action="store_true", help=text)
    text = "inputs in one file"
    group.add_argument("--part-size", type=whole, default=PART_SIZE, metavar="N", help=text)
    group.add_argument("--json", action="store_true", help="print a summary as one JSON object")
    _add_execution(parser.add_argument_group("how it is done"))
    arguments.add_connection(parser, several=True)
    arguments.add_options(parser)


def _add_execution(group: argparse._ArgumentGroup) -> None:
    text = "requests in flight at one server"
    group.add_argument("--concurrency", type=whole, default=8, metavar="N", help=text)
    text = "how often a page is sent again when a server fails"
    group.add_argument("--retries", type=whole, default=5, metavar="N", help=text)
    text = "give up when no server has been ready for S seconds"
    group.add_argument("--patience", type=above_zero, default=300, metavar="S", help=text)


def run(args: argparse.Namespace) -> int:
    """Read everything; 0 if all of it was read, 1 if some was not.

    Raises:
        InputError: If the command line asks for what cannot be done; nothing was read.
    """
    try:
        from ppocr_client.batch import files, parts
    except ImportError as error:
        raise InputError(str(MissingExtra("archives", str(error.name), "batch"))) from error
    args.storage = _storage(args.storage)
    args.out = files.check_output(args.out)
    names = files.find_files(args.inputs, args.storage) + _manifest(args.manifest)
    names = list(dict.fromkeys(names))
    if not names:
        raise InputError("nothing to read; name an INPUT, or a --manifest")
    existing = parts.scan_output(args.out, args.format, args.storage)
    if existing.next and not args.resume:
        raise InputError(f"{args.out} holds parts of an earlier run; --resume goes on from them")
    known = {row.path: row for row in existing.rows}
    failed = [known[name] for name in names if name in known and known[name].error is not None]
    waiting = [name for name in names if name not in known]
    outcome = Outcome(len(names), before=len(names) - len(waiting))
    outcome.ok, outcome.failed = outcome.before - len(failed), len(failed)
    outcome.failures += failed
    if outcome.before:
        log(f"{outcome.before} of {len(names)} were read before")
    if waiting and not _read(args, outcome, waiting[: args.limit], existing.next):
        return INTERRUPTED
    return _report(args, outcome)


def _read(args: argparse.Namespace, outcome: Outcome, paths: Sequence[str], first: int) -> bool:
    """Read the inputs into parts numbered from `first`; False if it was interrupted."""
    from ppocr_client.batch.parts import split_parts
    from ppocr_client.batch.reader import PartReader

    start = time.monotonic()
    parts = split_parts(paths, args.part_size, args.out, args.format, first)
    progress = Progress(len(paths), sys.stderr, shown=sys.stderr.isatty(), logged=LOG_PERIOD)
    try:
        with PartReader(_job(args), progress.count) as reader:
            for summary in reader.read(parts):
                if summary.stopped is not None:
                    outcome.stopped = summary.stopped
                    break
                outcome.ok += summary.ok
                outcome.failed += summary.failed
                outcome.failures += summary.failures
    except KeyboardInterrupt:
        progress.clear()
        log("interrupted; --resume goes on from here")
        return False
    progress.clear()
    outcome.seconds = time.monotonic() - start
    return True


def _job(args: argparse.Namespace) -> Job:
    from ppocr_client.batch.job import Job

    return Job(
        urls=tuple(dict.fromkeys(args.url or [DEFAULT_URL])),
        model=args.model,
        concurrency=args.concurrency,
        retries=args.retries,
        timeout=args.timeout,
        patience=args.patience,
        form=args.format,
        options=given_options(vars(args)),
        ranges=parse_pages(args.pages) if args.pages else None,
        dpi=args.dpi,
        token=token_of(args),
        tls=args.tls,
        storage=args.storage,
    )


def _report(args: argparse.Namespace, outcome: Outcome) -> int:
    """Report the outcome; 0 if everything was read, else 1."""
    del outcome.failures[LISTED:]
    for failure in outcome.failures:
        log_failure(failure.path, failure.error or "")
    if outcome.failed > len(outcome.failures):
        log(f"and {outcome.failed - len(outcome.failures)} more, whose rows say status failed")
    if outcome.failed:
        log(f"{outcome.failed} of {outcome.inputs} failed")
    log(f"{outcome.ok} of {outcome.inputs} were read into {args.out}")
    if outcome.stopped is not None:
        log(f"{outcome.stopped}; --resume goes on from here")
    if args.json:
        sys.stdout.write(json.dumps(outcome.to_dict(), ensure_ascii=False) + "\n")
    return 1 if outcome.failed or outcome.stopped is not None else 0


def _manifest(name: str | None) -> list[str]:
    from ppocr_client.batch.files import names_in

    if name is None:
        return []
    if name == STDIN:
        return names_in(sys.stdin)
    try:
        with Path(name).open(encoding="utf-8") as file:
            return names_in(file)
    except OSError as error:
        raise InputError(f"cannot read the list {name}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"the list {name} is not UTF-8 text: {error}") from error


def _storage(words: Sequence[str]) -> dict[str, Any]:
    """The values of KEY=VALUE words: JSON numbers and booleans as such, anything else as text."""
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
