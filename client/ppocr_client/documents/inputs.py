"""The documents that a command line names: files, folders, patterns, addresses, standard input."""

from __future__ import annotations

import glob
import sys
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ppocr_client.documents.pictures import read_image
from ppocr_client.errors import ImageError

# What is taken from a folder; a file that is named itself may have any suffix.
SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".pdf"}
STDIN = "-"
HEAD = 1024  # bytes within which a PDF file's signature stands
MAX_DOWNLOAD = 256 * 2**20
WEB = ("http://", "https://")


class InputError(ValueError):
    """The command line asks for something that cannot be done; nothing was read."""


@dataclass(frozen=True)
class Document:
    """One input.

    Attributes:
        source: A path, an address, or "-" for standard input.
        name: The name of its output: a file's name, with its path below a given folder.
    """

    source: str
    name: str


def find_documents(words: Iterable[str], *, recursive: bool) -> list[Document]:
    """The documents that words name, each once, those of a folder or pattern in sorted order.

    A file that does not exist is a document too: reading it fails, and the others are read.

    Raises:
        InputError: If a folder or a pattern holds nothing to read.
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


def read_head(document: Document, timeout: float) -> bytes:
    """The first bytes of a file; all bytes of standard input and of an address.

    Raises:
        ImageError: If it cannot be read within `timeout` seconds.
    """
    if document.source == STDIN:
        return read_image(sys.stdin.buffer)
    if document.source.startswith(WEB):
        return _download(document.source, timeout)
    try:
        with Path(document.source).open("rb") as file:
            return file.read(HEAD)
    except OSError as error:
        raise ImageError(f"cannot read {document.source}: {error.strerror}") from error


def read_all(document: Document, head: bytes) -> bytes:
    """All bytes of a document whose `read_head` is given."""
    if document.source == STDIN or document.source.startswith(WEB):
        return head
    return read_image(document.source)


def _documents_of(word: str, recursive: bool) -> Iterator[Document]:
    if word == STDIN:
        yield Document(word, "stdin")
    elif word.startswith(WEB):
        parts = urlsplit(word)
        yield Document(word, unquote(parts.path).rstrip("/").rpartition("/")[2] or parts.netloc)
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


def _download(url: str, timeout: float) -> bytes:
    request = urllib.request.Request(url, headers={"User-Agent": "ppocr-client"})
    try:
        # Only http(s) addresses come here, and urllib follows no redirect to a file.
        with urllib.request.urlopen(request, timeout=timeout) as answer:  # nosec B310
            data: bytes = answer.read(MAX_DOWNLOAD + 1)
    except OSError as error:
        reason = error.reason if type(error) is urllib.error.URLError else error
        raise ImageError(f"cannot fetch {url}: {reason}") from error
    if len(data) > MAX_DOWNLOAD:
        raise ImageError(f"{url} is larger than {MAX_DOWNLOAD} bytes")
    return data
