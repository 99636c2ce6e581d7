"""The pages of a document: of PDF and TIFF files, or a picture as the only one."""

from __future__ import annotations

import functools
import io
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass

from ppocr_client.documents.inputs import HEAD, Document, read_all, read_head
from ppocr_client.documents.pictures import encode_pillow, encode_pixels, tiff_pictures
from ppocr_client.errors import ImageError, needs

PDF = b"%PDF-"
PAGES = re.compile(r"(\d+)?(-)?(\d+)?")
LOCK = threading.Lock()  # PDFium is not thread-safe: all calls hold it
POINTS = 72  # per inch
MAX_PIXELS = 100_000_000  # the server's own limit

Ranges = list[tuple[int, int | None]]  # first and last page, None for the document's last


@dataclass(frozen=True)
class Page:
    """A page of a document, counted from 1; `load` returns its encoded picture.

    `load` raises an ImageError if there is none. `last` of the wanted pages; `pdf` is the whole
    file if it is a PDF file.
    """

    document: Document
    number: int
    count: int
    load: Callable[[], bytes]
    last: bool
    pdf: bytes | None = None


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
            raise ValueError(
                f"pages is {text!r}; allowed: numbers from 1 and ranges, as in 1-3,7,9-"
            )
        ranges.append((low, high))
    return ranges


def wanted_pages(count: int, ranges: Ranges | None, name: str = "it") -> list[int]:
    """Those of `count` pages, from 1, that are in the ranges; an ImageError if there are none."""
    wanted = [
        number
        for number in range(1, count + 1)
        if ranges is None or any(low <= number <= (high or count) for low, high in ranges)
    ]
    if not wanted:
        pages = "1 page" if count == 1 else f"{count} pages"
        raise ImageError(f"{name} has {pages}, none of those asked for; choose from 1 to {count}")
    return wanted


def pages_of(document: Document, *, dpi: float, ranges: Ranges | None) -> list[Page]:
    """The wanted pages of a document; a picture has one, and is read only when it is loaded.

    `dpi` and errors are those of `pages_in`; `ranges` None stands for all pages.

    Raises:
        ImageError: If it cannot be read, or has none of the wanted pages.
    """
    head = read_head(document)
    pdf = None
    if PDF in head or head[:2] in (b"II", b"MM"):
        whole = read_all(document, head)
        count, load = pages_in(whole, dpi)
        pdf = whole if PDF in head else None
    else:
        count, load = 1, lambda index: read_all(document, head)
    wanted = wanted_pages(count, ranges, document.source)
    return [
        Page(
            document, number, count, functools.partial(load, number - 1), number == wanted[-1], pdf
        )
        for number in wanted
    ]


def pages_in(data: bytes, dpi: float) -> tuple[int, Callable[[int], bytes]]:
    """The number of pages in a whole file, and a function that loads each, counted from 0.

    `dpi` are the pixels per inch for the pages of a PDF file.

    Raises:
        ImageError: If it cannot be opened; the function raises it too.
        MissingExtra: If a package is missing that opens such a file.
    """
    if PDF in data[:HEAD]:
        return _pdf_pages(data, dpi)
    if (count := tiff_pictures(data)) > 1:
        return count, functools.partial(_tiff_page, data)
    return 1, lambda index: data


def _tiff_page(data: bytes, index: int) -> bytes:
    with needs("TIFF files of several pages", "Pillow", "draw"):
        from PIL import Image
    try:
        with Image.open(io.BytesIO(data), formats=["TIFF"]) as file:
            file.seek(index)
            return encode_pillow(file)
    except (OSError, EOFError, SyntaxError, Image.DecompressionBombError) as error:
        raise ImageError(f"cannot read page {index + 1}: {error}") from error


def _pdf_pages(data: bytes, dpi: float) -> tuple[int, Callable[[int], bytes]]:
    with needs("PDF files", "pypdfium2", "pdf"):
        import pypdfium2

    def render(index: int) -> bytes:
        with LOCK:
            try:
                page = document[index]
                width, height = (side * dpi / POINTS for side in page.get_size())
                if width * height > MAX_PIXELS:
                    raise ImageError(
                        f"page {index + 1} has {width:.0f} x {height:.0f} pixels at {dpi:g} dpi; "
                        f"allowed: {MAX_PIXELS}; choose fewer dpi"
                    )
                bitmap = page.render(scale=dpi / POINTS)
                pixels = bitmap.to_numpy()[..., :3].copy()
                bitmap.close()
                page.close()
            except pypdfium2.PdfiumError as error:
                raise ImageError(f"cannot draw page {index + 1}: {error}") from error
        return encode_pixels(pixels, "BGR")

    with LOCK:
        try:
            document = pypdfium2.PdfDocument(data)
        except pypdfium2.PdfiumError as error:
            if error.err_code == pypdfium2.raw.FPDF_ERR_PASSWORD:
                raise ImageError(
                    "the PDF file needs a password; decrypt it first: "
                    "qpdf --decrypt --password=… FILE NEW"
                ) from None
            reason = str(error).rstrip(".")
            advice = "send the whole file, or save it anew with a PDF viewer"
            raise ImageError(f"cannot open the PDF file: {reason}; {advice}") from error
        return len(document), render
