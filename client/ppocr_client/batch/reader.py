"""Read the documents of parts, several at a time, and write their files."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

from ppocr_client.batch.endpoints import Endpoints, Job, Stopped
from ppocr_client.batch.files import read_file, write_file
from ppocr_client.batch.parts import Part, Row, RowStatus, write_rows
from ppocr_client.documents.pages import pages_in, wanted_pages
from ppocr_client.errors import MissingExtra, OcrError
from ppocr_client.results import OcrResult

if TYPE_CHECKING:
    from typing_extensions import Self

PARTS_AT_A_TIME = 2  # so that the servers stay busy while the last documents of one are read


class PartReader:
    """Reads parts through connections that stay open, several documents and pages at a time."""

    def __init__(self, job: Job, count: Callable[[bool], None]) -> None:
        """Prepare; the `with` block connects, and ends what is under way.

        `count` is called with whether a document failed, once it is finished, in any thread.
        """
        self._job, self._count = job, count
        self._servers = Endpoints(job)
        # These bound the memory: open files and pages in flight. One more of each than the servers
        # take keeps the servers busy.
        slots = len(job.urls) * job.concurrency + 1
        self._documents = ThreadPoolExecutor(slots, thread_name_prefix="ppocr-document")
        self._pages = ThreadPoolExecutor(slots, thread_name_prefix="ppocr-page")

    def __enter__(self) -> Self:
        self._servers.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._servers.close()  # what waits for a server ends
        self._pages.shutdown(cancel_futures=True)  # what waits for a page ends
        self._documents.shutdown(cancel_futures=True)

    def read(self, parts: Iterable[Part]) -> Iterator[list[RowStatus]]:
        """Read each part and write its file, a row for each document in their order.

        The next part begins before the last documents of one are finished. Stopped says why a part
        cannot be read or written; an InputError, which package is missing for its addresses.
        """
        begun: deque[tuple[Part, list[Future[Row]]]] = deque()
        for part in parts:
            begun.append((part, [self._documents.submit(self._row, path) for path in part.paths]))
            if len(begun) == PARTS_AT_A_TIME:
                yield self._finish(*begun.popleft())
        while begun:
            yield self._finish(*begun.popleft())

    def _finish(self, part: Part, futures: Sequence[Future[Row]]) -> list[RowStatus]:
        rows = [future.result() for future in futures]
        try:
            write_file(part.name, write_rows(rows, self._job.form), self._job.storage)
        except OSError as error:
            raise Stopped(f"cannot write {part.name}: {error}") from error
        return [RowStatus(row.path, row.error) for row in rows]

    def _row(self, path: str) -> Row:
        start = time.perf_counter()
        try:
            pages = self._document(path)
        except (OcrError, MissingExtra, OSError) as error:
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            pages = [_Page(0, error=reason)]
        row = _row_of(path, pages, time.perf_counter() - start)
        self._count(row.error is not None)
        return row

    def _document(self, path: str) -> list[_Page]:
        """The pages of a document, failed ones included; an OcrError if there are none."""
        data = read_file(path, self._job.storage)
        if not data:
            raise OcrError(f"{path} is empty")
        count, load = pages_in(data, self._job.dpi)
        numbers = wanted_pages(count, self._job.ranges)
        pages = [self._pages.submit(self._page, load, number, count) for number in numbers]
        return [page.result() for page in pages]

    def _page(self, load: Callable[[int], bytes], number: int, count: int) -> _Page:
        try:
            result, version = self._servers.read(load(number - 1))
        except OcrError as error:
            return _Page(number, error=f"page {number}: {error}" if count > 1 else str(error))
        return _Page(number, result, version)


class _Page(NamedTuple):
    """A page's result and the version of its model, or why it failed."""

    number: int
    result: OcrResult | None = None
    version: str | None = None
    error: str | None = None


def _row_of(path: str, pages: Sequence[_Page], seconds: float) -> Row:
    """The row of a document; one with failed pages has failed, and keeps those that were read."""
    read = {page.number: page.result for page in pages if page.result is not None}
    error = "; ".join(page.error for page in pages if page.error) or None
    if not read:
        return Row(path, "failed", error, None, None, None, seconds)
    text = "\f".join(result.text for result in read.values())
    values = [{"page": number, **result.to_dict()} for number, result in read.items()]
    version = ",".join(sorted({page.version for page in pages if page.version})) or None
    return Row(path, "failed" if error else "ok", error, text, values, version, seconds)
