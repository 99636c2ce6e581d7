"""The command `read`: many documents to standard output or into files."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from ppocr_client.client import OcrClient
from ppocr_client.commands import arguments
from ppocr_client.commands.arguments import (
    INTERRUPTED,
    Progress,
    client_of,
    log,
    log_failure,
    read_settings,
)
from ppocr_client.documents.inputs import Document, InputError, find_documents
from ppocr_client.documents.reading import DocumentResult, read_documents
from ppocr_client.errors import ImageError, MissingExtra
from ppocr_client.exports.draw import DrawError, draw_result
from ppocr_client.exports.writers import FORMATS, is_current, output_path, write_atomically

HELP = "read pictures and PDF files"
DESCRIPTION = (
    "Read pictures and PDF files to standard output, or each into a file of its own. The exit code "
    "is 1 if any of them failed; they are listed at the end."
)
PARTIAL = ".partial"  # the suffix of a file that lacks the pages that failed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    group = parser.add_argument_group("what to read")
    text = "a file, a folder, a quoted pattern, or - for standard input"
    group.add_argument("inputs", nargs="+", metavar="INPUT", help=text)
    group.add_argument("--recursive", action="store_true", help="read the folders of folders too")
    arguments.add_pages(group, concurrency=4)
    group = parser.add_argument_group("what to write")
    arguments.add_format(group)
    text = "the same as --format jsonl"
    group.add_argument("--json", action="store_const", const="jsonl", dest="format", help=text)
    text = "a file, or for several inputs a folder"
    group.add_argument("--out", type=Path, metavar="PATH", help=text)
    text = "skip inputs whose output is in --out and not older than the input"
    group.add_argument("--resume", action="store_true", help=text)
    text = "draw boxes and texts into this PNG file, or for several inputs into this folder"
    group.add_argument("--draw", type=Path, metavar="PATH", help=text)
    arguments.add_connection(parser)
    arguments.add_options(parser)


def run(args: argparse.Namespace) -> int:
    """Read everything; 0 if all of it was read, 1 if some was not."""
    documents = find_documents(args.inputs, recursive=args.recursive)
    args.several = len(documents) > 1
    _check(args, documents)
    waiting = [
        document
        for document in documents
        if not (args.resume and is_current(result_path(args, document), document))
    ]
    if len(waiting) < len(documents):
        log(f"{len(documents) - len(waiting)} of {len(documents)} were read before")
    with client_of(args) as client:
        if args.wait is not None:
            client.wait_ready(args.wait)
        return _read_all(client, waiting, args)


def _read_all(client: OcrClient, documents: Sequence[Document], args: argparse.Namespace) -> int:
    failures: list[tuple[str, str]] = []
    on_terminal = sys.stderr.isatty() and (args.out is not None or not sys.stdout.isatty())
    progress = Progress(len(documents), sys.stderr, shown=on_terminal and args.several)
    try:
        for read in read_documents(client, documents, read_settings(args)):
            progress.clear()
            for page in read.pages:
                number = f"page {page.number}: " if read.count > 1 else ""
                for warning in page.result.warnings:
                    log(f"{read.document.source}: {number}{warning}")
            reason = write(read, args)
            if reason:
                failures.append((read.document.source, reason))
            progress.count(bool(reason))
    except KeyboardInterrupt:
        progress.clear()
        again = "; --resume goes on from here" if args.out is not None else ""
        log(f"interrupted{again}")
        return INTERRUPTED
    progress.clear()
    for source, reason in failures:
        log_failure(source, reason)
    if failures and args.several:
        log(f"{len(failures)} of {len(documents)} failed")
    return 1 if failures else 0


def _check(args: argparse.Namespace, documents: Sequence[Document]) -> None:
    """Refuse what is known to fail before anything is read."""
    if args.resume and args.out is None:
        raise InputError("--resume needs the files of an earlier run; give --out FOLDER")
    if args.out is None and args.several and not FORMATS[args.format].many:
        raise InputError(f"--format {args.format} of {len(documents)} inputs needs --out FOLDER")
    for option, base in (("--out", args.out), ("--draw", args.draw)):
        if base is None or not args.several:
            continue
        if base.suffix and not base.is_dir():
            raise InputError(
                f"{option} {base} is one file for {len(documents)} inputs; name a folder"
            )
        names: dict[str, Document] = {}
        for document in documents:
            other = names.setdefault(document.name, document)
            if other is not document:
                raise InputError(
                    f"{option} would write inputs of the same name to one file: {other.source} and "
                    f"{document.source}; read them one by one, or name the folder above both"
                )


def result_path(args: argparse.Namespace, document: Document) -> Path:
    """The file of `--out` for a document."""
    return output_path(args.out, document, FORMATS[args.format].suffix, several=args.several)


def write(read: DocumentResult, args: argparse.Namespace) -> str | None:
    """Write a document's outputs; why it failed, or why they cannot be written, else None."""
    reason = read.error
    if read.pages:
        try:
            return _write_outputs(read, args)
        except (ImageError, MissingExtra, DrawError) as error:
            reason = str(error)
        except BrokenPipeError:
            raise
        except OSError as error:
            reason = f"cannot write: {error}"
    if args.out is None and args.format == "jsonl":
        _print(json.dumps({"image": read.document.source, "error": reason}) + "\n")
    return reason


def _write_outputs(read: DocumentResult, args: argparse.Namespace) -> str | None:
    """Write the pages that were read; why the others failed.

    If some failed, the file gets another suffix, so that `--resume` reads the document again.
    """
    if args.draw is not None:
        _draw(read, args)
    content = FORMATS[args.format].write(read, args.dpi)
    if args.out is None:
        if args.format in ("lines", "text") and args.several:
            _print(f"== {read.document.source}\n")
        _print(content)
        return read.error
    path = result_path(args, read.document)
    partial = path.with_name(path.name + PARTIAL)
    if read.error:
        write_atomically(partial, content)
        return f"{read.error}; they are in {partial}"
    write_atomically(path, content)  # last, since --resume looks for it
    partial.unlink(missing_ok=True)
    return None


def _draw(read: DocumentResult, args: argparse.Namespace) -> None:
    """Draw each page that was read; the drawings of several pages are numbered."""
    for page in read.pages:
        if page.error:
            continue
        number = f"-{page.number}" if read.count > 1 else ""
        path = output_path(args.draw, read.document, f"{number}.png", several=args.several)
        if number and path == args.draw:
            path = path.with_name(f"{path.stem}{number}{path.suffix}")
        path.parent.mkdir(parents=True, exist_ok=True)
        draw_result(page.picture or b"", page.result, font=args.font).save(path)


def _print(content: str | bytes) -> None:
    if isinstance(content, str):
        sys.stdout.write(content)
    else:
        sys.stdout.buffer.write(content)
    sys.stdout.flush()
