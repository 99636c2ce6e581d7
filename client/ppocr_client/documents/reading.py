"""Read many documents through one client, a few pages at a time, and return whole documents."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ppocr_client.client import OcrClient
from ppocr_client.documents.inputs import Document
from ppocr_client.documents.pages import Page, Ranges, pages_of
from ppocr_client.errors import MissingExtra, OcrError, ServerBusy, ServerUnavailable, needs
from ppocr_client.options import ReadOptions
from ppocr_client.results import OcrResult
from ppocr_client.transport.batching import map_in_threads

JPEG_QUALITY = 90


@dataclass(frozen=True)
class ReadSettings:
    """How documents are read.

    Attributes:
        options: Of each request.
        concurrency: The number of pages in flight.
        dpi: Pixels per inch for the pages of PDF files.
        ranges: The wanted pages of a document; see `parse_pages`.
        keep: Whether the results come with their pictures.
    """

    options: ReadOptions = field(default_factory=lambda: ReadOptions())
    concurrency: int = 4
    dpi: float = 200
    ranges: Ranges | None = None
    keep: bool = False


class PageResult(NamedTuple):
    """A page's result, empty if it failed with `error`.

    `picture` is kept if an output needs it; `pdf` is the whole file if it is a PDF file; `away`
    says whether it failed because the server was unavailable or busy.
    """

    number: int
    result: OcrResult
    picture: bytes | None = None
    pdf: bytes | None = None
    error: str | None = None
    away: bool = False


@dataclass(frozen=True)
class DocumentResult:
    """A document's pages, or why it failed.

    Attributes:
        document: The document.
        count: How many pages it has; `pages` may be a choice of them.
        pages: The wanted pages, failed ones included; none if all failed.
        error: Why pages failed; None if all were read.
        away: Whether a page failed because the server was unavailable or busy.
    """

    document: Document
    count: int
    pages: Sequence[PageResult]
    error: str | None = None
    away: bool = False

    @property
    def results(self) -> list[OcrResult]:
        """The results of the pages."""
        return [page.result for page in self.pages]


class _Task(NamedTuple):
    """A page to read, or the reason why its document has none."""

    document: Document
    page: Page | None
    last: bool
    error: str | None = None


def read_documents(
    client: OcrClient, documents: Iterable[Document], settings: ReadSettings
) -> Iterator[DocumentResult]:
    """Read documents in their order, pages of one and of the next at the same time.

    A document or page that fails does not stop the others.
    """

    def read(task: _Task) -> tuple[_Task, PageResult | None]:
        return task, _read_page(client, task.page, settings) if task.page else None

    pages: list[PageResult] = []
    tasks = _tasks(documents, settings)
    for task, page in map_in_threads(read, tasks, settings.concurrency, ordered=True):
        pages += [page] if page else []
        if task.last:
            yield _document_result(task, pages)
            pages = []


def _document_result(task: _Task, pages: Sequence[PageResult]) -> DocumentResult:
    if task.page is None:
        return DocumentResult(task.document, 0, [], task.error)
    several = task.page.count > 1
    failed = [page for page in pages if page.error]
    errors = [f"page {page.number}: {page.error}" if several else page.error for page in failed]
    if 0 < len(failed) < len(pages):
        errors.append(f"{len(pages) - len(failed)} of {len(pages)} pages were read")
    return DocumentResult(
        task.document,
        task.page.count,
        pages if len(failed) < len(pages) else [],
        "; ".join(filter(None, errors)) or None,
        any(page.away for page in failed),
    )


def _tasks(documents: Iterable[Document], settings: ReadSettings) -> Iterator[_Task]:
    for document in documents:
        try:
            found = pages_of(document, dpi=settings.dpi, ranges=settings.ranges)
        except (OcrError, MissingExtra) as error:
            yield _Task(document, None, last=True, error=str(error))
            continue
        for page in found:
            yield _Task(document, page, last=page is found[-1])


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
