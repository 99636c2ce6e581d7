"""What a command line names: files, folders, patterns, addresses; and the pages in them."""

from __future__ import annotations

import functools
import glob
import io
import re
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ppocr_client.documents.image_size import tiff_pictures
from ppocr_client.documents.pdfium import PdfPages
from ppocr_client.documents.pictures import encode_pillow, read_image
from ppocr_client.errors import ImageError, MissingExtra

# What is taken from a folder; a file that is named itself may be called anything.
SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".pdf"}
STDIN = "-"
HEAD = 1024  # bytes among which a PDF file's mark stands
MAX_DOWNLOAD = 256 * 2**20
PAGES = re.compile(r"(\d+)?(-)?(\d+)?")

Ranges = list[tuple[int, int | None]]  # first and last page, None for the document's last


class InputError(ValueError):
    """The command line names something that cannot be read at all."""


@dataclass(frozen=True)
class Document:
    """One input.

    Attributes:
        source: A path, an address, or "-" for standard input.
        name: What its output is called: a file's name, with its place inside a given folder.
    """

    source: str
    name: str


@dataclass(frozen=True)
class Page:
    """A page of a document, counted from 1; `load` gives its encoded picture or an ImageError.

    A page of a PDF file, whose picture is made here, has the whole file as `pdf`.
    """

    document: Document
    number: int
    count: int
    load: Callable[[], bytes]
    pdf: bytes | None = None


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


def parse_pages(text: str) -> Ranges:
    """The ranges of "1-3,7,9-": first and last page, None for the document's last.

    Raises:
        ValueError: For anything else.
    """
    ranges: Ranges = []
    for part in text.split(","):
        match = PAGES.fullmatch(part.strip())
        first, dash, last = match.groups() if match else (None, None, None)
        low = int(first or 1)
        high = int(last) if last else None if dash else low
        if not (first or last) or low < 1 or (high is not None and high < low):
            raise ValueError(f"pages {text!r}: write e.g. 1-3,7,9-")
        ranges.append((low, high))
    return ranges


def pages_of(
    document: Document, *, dpi: float, ranges: Ranges | None, timeout: float
) -> list[Page]:
    """The pages of a document; a picture has one.

    Args:
        document: It.
        dpi: Pixels to the inch for the pages of a PDF file.
        ranges: Which pages are wanted (see `parse_pages`); None for all.
        timeout: Seconds for an address to answer.

    Raises:
        ImageError: If it cannot be read, or has none of the wanted pages.
        MissingExtra: If a package is missing that opens such a document.
    """
    data = _head(document, timeout)
    count, load, pdf = _pages(document, data, dpi)
    wanted = wanted_pages(count, ranges)
    if not wanted:
        raise ImageError(f"{document.source} has {count} pages, and none of those asked for")
    return [
        Page(document, number, count, functools.partial(load, number - 1), pdf) for number in wanted
    ]


def pages_in(data: bytes, dpi: float) -> tuple[int, Callable[[int], bytes]]:
    """How many pages a whole file has, and what gives each as a picture, counted from 0.

    Raises:
        ImageError: If it cannot be opened; so does what gives a page.
        MissingExtra: If a package is missing that opens such a file.
    """
    if b"%PDF-" in data[:HEAD]:
        pdf = PdfPages(data)
        return pdf.count, functools.partial(pdf.render, dpi=dpi)
    if (count := tiff_pictures(data)) > 1:
        return count, functools.partial(_tiff_page, data)
    return 1, lambda index: data


def wanted_pages(count: int, ranges: Ranges | None) -> list[int]:
    """Which of `count` pages, numbered from 1, are in the ranges (see `parse_pages`)."""
    return [number for number in range(1, count + 1) if _wanted(number, ranges)]


def _pages(
    document: Document, head: bytes, dpi: float
) -> tuple[int, Callable[[int], bytes], bytes | None]:
    """As `pages_in`, of a document whose beginning is known, and the file if it is a PDF file.

    A picture is read when it is used.
    """
    if b"%PDF-" in head[:HEAD]:
        whole = _whole(document, head)
        return (*pages_in(whole, dpi), whole)
    if head[:2] in (b"II", b"MM"):
        return (*pages_in(_whole(document, head), dpi), None)
    return 1, lambda index: _whole(document, head), None


def _documents_of(word: str, recursive: bool) -> Iterator[Document]:
    if word == STDIN:
        yield Document(word, "stdin")
    elif word.startswith(("http://", "https://")):
        parts = urlsplit(word)
        yield Document(word, unquote(parts.path).rstrip("/").rpartition("/")[2] or parts.netloc)
    elif Path(word).is_dir():
        yield from _in_folder(Path(word), recursive)
    elif not Path(word).exists() and glob.has_magic(word):
        # A pattern may begin anywhere; Path.glob knows only those below a folder.
        matches = map(Path, sorted(glob.glob(word, recursive=True)))  # noqa: PTH207
        files = [path for path in matches if path.is_file()]
        if not files:
            raise InputError(f"no file matches {word!r}")
        for path in files:
            yield Document(str(path), path.name)
    else:
        yield Document(word, Path(word).name)


def _in_folder(folder: Path, recursive: bool) -> list[Document]:
    found = folder_documents(folder, recursive=recursive)
    if not found:
        hint = "" if recursive else "; --recursive looks into its folders too"
        raise InputError(f"{folder} holds no {', '.join(sorted(SUFFIXES))} files{hint}")
    return found


def _wanted(number: int, ranges: Ranges | None) -> bool:
    return ranges is None or any(
        low <= number and (high is None or number <= high) for low, high in ranges
    )


def _head(document: Document, timeout: float) -> bytes:
    """The beginning of a file; all of what is not a file."""
    if document.source == STDIN:
        return read_image(sys.stdin.buffer)
    if document.source.startswith(("http://", "https://")):
        return _download(document.source, timeout)
    try:
        with Path(document.source).open("rb") as file:
            return file.read(HEAD)
    except OSError as error:
        raise ImageError(f"cannot read {document.source}: {error.strerror}") from error


def _whole(document: Document, head: bytes) -> bytes:
    """All of a document, of which `_head` is known."""
    if document.source == STDIN or document.source.startswith(("http://", "https://")):
        return head
    return read_image(document.source)


def _download(url: str, timeout: float) -> bytes:
    request = urllib.request.Request(url, headers={"User-Agent": "ppocr-client"})
    try:
        # Only http(s) comes here, and redirects lead to no file.
        with urllib.request.urlopen(request, timeout=timeout) as answer:  # nosec B310
            data: bytes = answer.read(MAX_DOWNLOAD + 1)
    except (OSError, urllib.error.URLError) as error:
        raise ImageError(f"cannot fetch {url}: {error}") from error
    if len(data) > MAX_DOWNLOAD:
        raise ImageError(f"{url} is larger than {MAX_DOWNLOAD} bytes")
    return data


def _tiff_page(data: bytes, index: int) -> bytes:
    try:
        from PIL import Image
    except ImportError:
        raise MissingExtra("TIFF files of several pages", "Pillow", "draw") from None
    try:
        with Image.open(io.BytesIO(data), formats=["TIFF"]) as file:
            file.seek(index)
            return encode_pillow(file)
    except (OSError, EOFError, SyntaxError, Image.DecompressionBombError) as error:
        raise ImageError(f"cannot read page {index + 1}: {error}") from error
