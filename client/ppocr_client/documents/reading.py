"""Read many documents through one client, a few pages at a time, and return whole documents."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ppocr_client.client import OcrClient
from ppocr_client.documents.inputs import Document
from ppocr_client.documents.pages import Page, Ranges, pages_of
from ppocr_client.errors import MissingExtra, OcrError, ServerBusy, ServerUnavailable, needs
from ppocr_client.options import ReadOptions
from ppocr_client.results import OcrResult
from ppocr_client.transport.batching import map_in_threads

JPEG_QUALITY = 90


class ReadSettings(NamedTuple):
    """How documents are read."""

    options: ReadOptions
    concurrency: int  # pages in flight
    dpi: float  # of the pages of PDF files
    ranges: Ranges | None  # the wanted pages
    keep: bool  # whether the results come with their pictures


class PageResult(NamedTuple):
    """A page's result, empty if it failed with `error`."""

    number: int
    result: OcrResult
    picture: bytes | None = None  # if an output needs it
    pdf: bytes | None = None  # the whole file if it is a PDF file
    error: str | None = None
    away: bool = False  # it failed because the server was unavailable or busy


@dataclass(frozen=True)
class DocumentResult:
    """A document's pages, or why it failed."""

    document: Document
    count: int  # of its pages, of which `pages` may be a choice
    pages: Sequence[PageResult]  # the wanted ones, failed ones included; none if all failed
    error: str | None = None  # why pages failed
    away: bool = False  # a page failed because the server was unavailable or busy

    @property
    def results(self) -> list[OcrResult]:
        """The results of the pages."""
        return [page.result for page in self.pages]


def read_documents(
    client: OcrClient, documents: Iterable[Document], settings: ReadSettings
) -> Iterator[DocumentResult]:
    """Read documents in their order, pages of one and of the next at the same time.

    A document or page that fails does not stop the others.
    """

    def read(page: Page) -> tuple[Page, PageResult]:
        return page, _read_page(client, page, settings)

    results: list[PageResult] = []
    pages = (page for document in documents for page in _pages(document, settings))
    for page, result in map_in_threads(read, pages, settings.concurrency, ordered=True):
        results.append(result)
        if page.last:
            yield _document_result(page, results)
            results = []


def _pages(document: Document, settings: ReadSettings) -> list[Page]:
    """The wanted pages; of a document that cannot be opened one that fails for that reason."""
    try:
        return pages_of(document, dpi=settings.dpi, ranges=settings.ranges)
    except (OcrError, MissingExtra) as error:
        reason = error

    def fail() -> bytes:
        raise reason

    return [Page(document, 0, 0, fail, last=True)]


def _document_result(page: Page, pages: Sequence[PageResult]) -> DocumentResult:
    failed = [each for each in pages if each.error]
    errors = [f"page {p.number}: {p.error}" if page.count > 1 else str(p.error) for p in failed]
    if 0 < len(failed) < len(pages):
        errors.append(f"{len(pages) - len(failed)} of {len(pages)} pages were read")
    return DocumentResult(
        page.document,
        page.count,
        pages if len(failed) < len(pages) else [],
        "; ".join(errors) or None,
        any(each.away for each in failed),
    )


def _read_page(client: OcrClient, page: Page, settings: ReadSettings) -> PageResult:
    picture = None
    try:
        data = page.load()
        if settings.keep:
            # The rendered pages of a long PDF file, kept uncompressed, would fill the memory.
            picture = as_jpeg(data) if page.pdf else data
        result = client.read(data, **settings.options)
    except (OcrError, MissingExtra) as error:
        away = isinstance(error, ServerUnavailable | ServerBusy)
        return PageResult(page.number, OcrResult(()), picture, page.pdf, str(error), away)
    return PageResult(page.number, result, picture, page.pdf)


def as_jpeg(data: bytes) -> bytes:
    """A picture without transparency as a JPEG file."""
    with needs("pictures of PDF pages", "Pillow", "pdf"):
        from PIL import Image
    file = io.BytesIO()
    with Image.open(io.BytesIO(data)) as image:
        image.save(file, "JPEG", quality=JPEG_QUALITY)
    return file.getvalue()
