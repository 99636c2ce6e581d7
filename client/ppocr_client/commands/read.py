"""The verb `read`: many documents to standard output or into files."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from ppocr_client.client import OcrClient
from ppocr_client.commands.arguments import client_of, order_of, say
from ppocr_client.commands.progress import Progress
from ppocr_client.documents.documents import Document, InputError, find_documents
from ppocr_client.documents.reading import read_documents
from ppocr_client.errors import ImageError, MissingExtra, OcrError
from ppocr_client.exports.draw import DrawError, draw_result
from ppocr_client.exports.writers import FORMATS, ReadDocument, is_done, target, write_whole

INTERRUPTED = 130  # what a shell says of a command that Ctrl-C ended


def run(args: argparse.Namespace) -> int:
    """Read everything; 0 if all of it was read, 1 if some was not.

    Raises:
        InputError: If the command line asks for what cannot be done; nothing was read.
    """
    documents = find_documents(args.inputs, recursive=args.recursive)
    _check(args, documents)
    several = len(documents) > 1
    waiting = [document for document in documents if not _finished(args, document, several)]
    if len(waiting) < len(documents):
        say(f"{len(documents) - len(waiting)} of {len(documents)} were read before")
    with client_of(args) as client:
        try:
            if args.wait is not None:
                client.wait_ready(args.wait)
        except OcrError as error:
            say(str(error))
            return 1
        return _read_all(client, waiting, args, several)


def _read_all(
    client: OcrClient,
    documents: Sequence[Document],
    args: argparse.Namespace,
    several: bool,
) -> int:
    failures: list[tuple[str, str]] = []
    shown = sys.stderr.isatty() and several and (args.out is not None or not sys.stdout.isatty())
    progress = Progress(len(documents), sys.stderr, shown=shown)
    try:
        for read in read_documents(client, documents, order_of(args)):
            reason = read.error or write(read, args, several)
            if reason:
                failures.append((read.document.source, reason))
                if args.out is None and args.format == "jsonl":
                    _print(json.dumps({"image": read.document.source, "error": reason}) + "\n")
            progress.count(failed=bool(reason))
    except KeyboardInterrupt:
        progress.clear()
        again = "; --resume goes on from here" if args.out is not None else ""
        say(f"interrupted{again}")
        return INTERRUPTED
    progress.clear()
    for source, reason in failures:
        say(f"{source}: {reason}")
    if failures and several:
        say(f"{len(failures)} of {len(documents)} failed")
    return 1 if failures else 0


def _check(args: argparse.Namespace, documents: Sequence[Document]) -> None:
    """What can be known to fail before anything is read."""
    several = len(documents) > 1
    if args.resume and args.out is None:
        raise InputError("--resume goes by the files that were written; say --out FOLDER")
    if args.out is None and several and not FORMATS[args.format].many:
        raise InputError(f"--format {args.format} of {len(documents)} inputs needs --out FOLDER")
    for option, base in (("--out", args.out), ("--draw", args.draw)):
        if base is None or not several:
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
                    f"{option} cannot keep inputs of the same name apart: {other.source} and "
                    f"{document.source}; read them one by one, or name the folder above both"
                )


def _finished(args: argparse.Namespace, document: Document, several: bool) -> bool:
    if not args.resume:
        return False
    return is_done(
        target(args.out, document, FORMATS[args.format].suffix, several=several), document
    )


def write(read: ReadDocument, args: argparse.Namespace, several: bool) -> str | None:
    """Write all that is wanted of a document, or say why it cannot be.

    What --resume goes by is written last.
    """
    chosen = FORMATS[args.format]
    try:
        if args.draw is not None:
            _draw(read, args, several)
        content = chosen.write(read, args.dpi)
        if args.out is not None:
            path = target(args.out, read.document, chosen.suffix, several=several)
            write_whole(path, content)
        elif args.format in ("lines", "text") and several:
            _print(f"== {read.document.source}\n{content}")  # type: ignore[str-bytes-safe]
        else:
            _print(content)
    except (ImageError, MissingExtra, DrawError) as error:
        return str(error)
    except BrokenPipeError:
        raise
    except OSError as error:
        return f"cannot write: {error}"
    return None


def _draw(read: ReadDocument, args: argparse.Namespace, several: bool) -> None:
    """A drawing of each page; those of several pages are numbered."""
    for page in read.pages:
        number = f"-{page.number}" if read.count > 1 else ""
        path = target(args.draw, read.document, f"{number}.png", several=several)
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
