"""The documents that a command line names: files, folders, patterns, standard input."""

from __future__ import annotations

import glob
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ppocr_client.documents.pictures import read_image
from ppocr_client.errors import ImageError

# What is taken from a folder; a file that is named itself may have any suffix.
SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".pdf"}
STDIN = "-"
HEAD = 1024  # bytes within which a PDF file's signature stands
WEB = ("http://", "https://")


class InputError(ValueError):
    """The command line asks for something that cannot be done; nothing was read."""


@dataclass(frozen=True)
class Document:
    """One input."""

    source: str  # a path, or "-" for standard input
    name: str  # of its output: a file's name, with its path below a given folder


def find_documents(words: Iterable[str], *, recursive: bool) -> list[Document]:
    """The documents that words name, each once, those of a folder or pattern in sorted order.

    A file that does not exist is a document too: reading it fails, and the others are read. An
    InputError says that a folder or a pattern holds nothing to read, or that a word is an address.
    """
    found: dict[str, Document] = {}
    for word in words:
        for document in _documents_of(word, recursive):
            found.setdefault(document.source, document)
    return list(found.values())


def folder_documents(folder: Path, *, recursive: bool) -> list[Document]:
    """The documents that a folder holds now, in sorted order; possibly none."""
    paths = folder.rglob("*") if recursive else folder.iterdir()
    files = sorted(p for p in paths if p.suffix.lower() in SUFFIXES and p.is_file())
    return [Document(str(path), path.relative_to(folder).as_posix()) for path in files]


def read_head(document: Document) -> bytes:
    """The first bytes of a file, all of standard input; an ImageError if it cannot be read."""
    if document.source == STDIN:
        return read_image(sys.stdin.buffer)
    try:
        with Path(document.source).open("rb") as file:
            return file.read(HEAD)
    except OSError as error:
        raise ImageError(f"cannot read {document.source}: {error.strerror}") from error


def read_all(document: Document, head: bytes) -> bytes:
    """All bytes of a document whose `read_head` is given."""
    return head if document.source == STDIN else read_image(document.source)


def _documents_of(word: str, recursive: bool) -> Iterator[Document]:
    if word == STDIN:
        yield Document(word, "stdin")
    elif word.startswith(WEB):
        raise InputError(f"{word} is an address: curl -sf '{word}' | ppocr-client read - reads it")
    elif Path(word).is_dir():
        found = folder_documents(Path(word), recursive=recursive)
        if not found:
            hint = "" if recursive else "; --recursive looks into its folders too"
            raise InputError(f"{word} holds no {', '.join(sorted(SUFFIXES))} files{hint}")
        yield from found
    elif not Path(word).exists() and glob.has_magic(word):
        # Path.glob works below one folder only; a pattern may begin anywhere.
        matches = map(Path, sorted(glob.glob(word, recursive=True)))  # noqa: PTH207
        files = [path for path in matches if path.is_file()]
        if not files:
            raise InputError(f"no file matches {word!r}")
        for path in files:
            yield Document(str(path), path.name)
    else:
        yield Document(word, Path(word).name)
