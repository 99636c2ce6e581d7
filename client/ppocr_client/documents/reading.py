"""Many documents through one client, a few pages at a time, whole documents out."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from ppocr_client.client import OcrClient
from ppocr_client.documents.documents import Document, Page, pages_of
from ppocr_client.errors import MissingExtra, OcrError, ServerBusy, ServerUnavailable
from ppocr_client.exports.writers import ReadDocument, ReadPage
from ppocr_client.options import ReadOptions
from ppocr_client.transport.batching import run_many

JPEG_QUALITY = 90


@dataclass(frozen=True)
class Order:
    """How documents are to be read.

    Attributes:
        options: Of each request.
        concurrency: How many pages are on their way at the same time.
        dpi: Pixels to the inch for the pages of PDF files.
        ranges: Which pages of a document; see `parse_pages`.
        keep: Whether the pictures are wanted with the results.
        timeout: Seconds for an address to answer; a page has the client's own timeout.
    """

    options: ReadOptions = field(default_factory=lambda: ReadOptions())
    concurrency: int = 4
    dpi: float = 200
    ranges: list[tuple[int, int | None]] | None = None
    keep: bool = False
    timeout: float = 60


class _Piece(NamedTuple):
    """A page on its way: with its result, or with the reason why there is none."""

    document: Document
    page: Page | None
    last: bool
    read: ReadPage | None = None
    error: str | None = None
    away: bool = False


def read_documents(
    client: OcrClient, documents: Iterable[Document], order: Order
) -> Iterator[ReadDocument]:
    """Read documents in their order; one that fails says why and holds none of the others up.

    Pages of one document and of the next are read at the same time. A document one of whose pages
    fails has failed.
    """

    def one(piece: _Piece) -> _Piece:
        if piece.page is None:
            return piece
        try:
            return piece._replace(read=_read_page(client, piece.page, order))
        except (OcrError, MissingExtra) as error:
            number = f"page {piece.page.number}: " if piece.page.count > 1 else ""
            away = isinstance(error, ServerUnavailable | ServerBusy)
            return piece._replace(error=f"{number}{error}", away=away)

    pages: list[ReadPage] = []
    errors: list[str] = []
    away = False
    for piece in run_many(one, _pieces(documents, order), order.concurrency, ordered=True):
        pages += [piece.read] if piece.read else []
        errors += [piece.error] if piece.error else []
        away = away or piece.away
        if piece.last:
            count = piece.page.count if piece.page else 0
            error = "; ".join(errors) or None
            yield ReadDocument(piece.document, count, [] if errors else pages, error, away)
            pages, errors, away = [], [], False


def _pieces(documents: Iterable[Document], order: Order) -> Iterator[_Piece]:
    for document in documents:
        try:
            found = pages_of(document, dpi=order.dpi, ranges=order.ranges, timeout=order.timeout)
        except (OcrError, MissingExtra) as error:
            yield _Piece(document, None, last=True, error=str(error))
            continue
        for page in found:
            yield _Piece(document, page, last=page is found[-1])


def _read_page(client: OcrClient, page: Page, order: Order) -> ReadPage:
    data = page.load()
    result = client.read(data, **order.options)
    if not order.keep:
        return ReadPage(page.number, result, None, page.pdf)
    # The pages of a long PDF file, kept as they were drawn, would fill the memory.
    return ReadPage(page.number, result, as_jpeg(data) if page.pdf else data, page.pdf)


def as_jpeg(data: bytes) -> bytes:
    """A picture without transparency as a JPEG file."""
    try:
        from PIL import Image
    except ImportError:
        raise MissingExtra("pictures of PDF pages", "Pillow", "pdf") from None
    file = io.BytesIO()
    with Image.open(io.BytesIO(data)) as image:
        image.save(file, "JPEG", quality=JPEG_QUALITY)
    return file.getvalue()
