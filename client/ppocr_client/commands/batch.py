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

from ppocr_client.commands import arguments
from ppocr_client.commands.argument_types import above_zero, whole
from ppocr_client.commands.arguments import INTERRUPTED, Progress, log, log_failure, token_of
from ppocr_client.documents.inputs import STDIN, InputError
from ppocr_client.documents.pages import parse_pages
from ppocr_client.errors import MissingExtra
from ppocr_client.options import given_options
from ppocr_client.transport.base import DEFAULT_URL

if TYPE_CHECKING:
    from ppocr_client.batch.parts import RowStatus

HELP = "read archives of millions of files through one or many servers"
DESCRIPTION = (
    "Read whole archives, from folders or buckets, through one or many servers: exactly one row "
    "for each input, in files that appear completely or not at all. The exit code is 1 if any "
    "input failed, or none could be read."
)
PART_SIZE = 200  # inputs; their results are kept in memory until written, and are lost by Ctrl-C
LISTED = 100  # failures that are listed, not only counted
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

    def add(self, rows: Sequence[RowStatus]) -> None:
        """Count inputs, and keep the first failures."""
        failures = [row for row in rows if row.error is not None]
        self.ok += len(rows) - len(failures)
        self.failed += len(failures)
        self.failures = (self.failures + failures)[:LISTED]

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
    arguments.add_pages(group, concurrency=8)
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
    group = parser.add_argument_group("how it is done")
    text = "how often a page is sent again when a server fails"
    group.add_argument("--retries", type=whole, default=5, metavar="N", help=text)
    text = "give up when no server has been ready for S seconds"
    group.add_argument("--patience", type=above_zero, default=300, metavar="S", help=text)
    arguments.add_connection(parser, several=True)
    arguments.add_options(parser)


def run(args: argparse.Namespace) -> int:
    """Read everything; 0 if all of it was read, 1 if some was not."""
    try:
        from ppocr_client.batch import files, parts
    except ImportError as error:
        raise InputError(str(MissingExtra("archives", str(error.name), "batch"))) from error
    args.storage = _storage(args.storage)
    args.out = files.check_output(args.out)
    listed = files.names_in(_manifest(args.manifest))
    names = list(dict.fromkeys(files.find_files(args.inputs, args.storage) + listed))
    if not names:
        raise InputError("nothing to read; name an INPUT, or a --manifest")
    rows, first = parts.scan_output(args.out, args.format, args.storage)
    if first and not args.resume:
        raise InputError(f"{args.out} holds parts of an earlier run; --resume goes on from them")
    known = {row.path: row for row in rows}
    waiting = [name for name in names if name not in known]
    outcome = Outcome(len(names), before=len(names) - len(waiting))
    outcome.add([known[name] for name in names if name in known])
    if outcome.before:
        log(f"{outcome.before} of {len(names)} were read before")
    if waiting and not _read(args, outcome, waiting[: args.limit], first):
        return INTERRUPTED
    return _report(args, outcome)


def _read(args: argparse.Namespace, outcome: Outcome, paths: Sequence[str], first: int) -> bool:
    """Read the inputs into parts numbered from `first`; False if it was interrupted."""
    from ppocr_client.batch.endpoints import Job, Stopped
    from ppocr_client.batch.parts import split_parts
    from ppocr_client.batch.reader import PartReader

    job = Job(
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
    start = time.monotonic()
    parts = split_parts(paths, args.part_size, args.out, args.format, first)
    progress = Progress(len(paths), sys.stderr, shown=sys.stderr.isatty(), logged=LOG_PERIOD)
    try:
        with PartReader(job, progress.count) as reader:
            for rows in reader.read(parts):
                outcome.add(rows)
    except (Stopped, InputError) as error:
        outcome.stopped = str(error)
    except KeyboardInterrupt:
        progress.clear()
        log("interrupted; --resume goes on from here")
        return False
    progress.clear()
    outcome.seconds = time.monotonic() - start
    return True


def _report(args: argparse.Namespace, outcome: Outcome) -> int:
    """Report the outcome; 0 if everything was read, else 1."""
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
    """The lines of a list."""
    if name is None:
        return []
    if name == STDIN:
        return list(sys.stdin)
    try:
        return Path(name).read_text(encoding="utf-8").split("\n")
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
