"""Read the documents of a part, several at a time, and write its file: the work of an actor."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import NamedTuple

from ppocr_client.aio import AsyncOcrClient
from ppocr_client.batch import LISTED
from ppocr_client.batch.endpoints import Endpoints, NoServer
from ppocr_client.batch.files import Options, read_file, write_file
from ppocr_client.batch.parts import Part
from ppocr_client.batch.rows import TABLES, Row, RowStatus
from ppocr_client.documents.inputs import InputError
from ppocr_client.documents.pages import Ranges, pages_in, wanted_pages
from ppocr_client.errors import MissingExtra, OcrError
from ppocr_client.options import ReadOptions
from ppocr_client.results import OcrResult
from ppocr_client.transport.base import Tls


@dataclass(frozen=True)
class Job:
    """How an archive is read; the same for all parts, and sent to every actor.

    Attributes:
        urls: The servers.
        model: The pipeline's name on them.
        concurrency: The largest number of requests of an actor in flight at one server.
        retries: How often a request is sent again.
        timeout: Seconds for each request.
        patience: Seconds without any ready server after which to give up.
        form: "parquet" or "jsonl".
        options: Of each request.
        ranges: The wanted pages of a document; see `parse_pages`.
        dpi: Pixels per inch for the pages of PDF files.
        token: Sent with each request.
        tls: Certificates, if the system's own are not to be used.
        storage: The arguments of the buckets' filesystems.
    """

    urls: tuple[str, ...]
    model: str = "ocr"
    concurrency: int = 4
    retries: int = 5
    timeout: float = 60
    patience: float = 300
    form: str = "parquet"
    options: ReadOptions = field(default_factory=lambda: ReadOptions())
    ranges: Ranges | None = None
    dpi: float = 200
    token: str | None = None
    tls: Tls | None = None
    storage: Options = field(default_factory=dict)


class PartSummary(NamedTuple):
    """The result of a part: how many inputs were read, how many failed, and the first failures.

    `stopped` says why it was not written.
    """

    part: str
    ok: int = 0
    failed: int = 0
    failures: Sequence[RowStatus] = ()
    stopped: str | None = None


class PartReader:
    """Reads part after part through connections that stay open; belongs to one event loop."""

    def __init__(self, job: Job, count: Callable[[bool], None]) -> None:
        """Prepare; `start` connects.

        Args:
            job: How to read.
            count: Called with whether a document failed, as soon as it is finished.
        """
        self._job, self._count = job, count
        clients = [
            AsyncOcrClient(
                url,
                model=job.model,
                timeout=job.timeout,
                retries=0,
                token=job.token,
                tls=job.tls,
            )
            for url in job.urls
        ]
        self._servers = Endpoints(
            clients,
            model=job.model,
            concurrency=job.concurrency,
            retries=job.retries,
            patience=job.patience,
        )
        # These bound the memory: pages in flight and open files. One more of each than the servers
        # take keeps the servers busy.
        self._slots = len(job.urls) * job.concurrency + 1
        self._pages, self._files = asyncio.Semaphore(self._slots), asyncio.Semaphore(self._slots)

    async def start(self) -> None:
        """Connect to the servers."""
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(self._slots))
        await self._servers.start()

    async def read(self, part: Part) -> PartSummary:
        """Read all documents of a part and write its file, a row for each in their order."""
        tasks = [asyncio.create_task(self._row(path)) for path in part.paths]
        try:
            rows = await asyncio.gather(*tasks)
        except (NoServer, InputError) as error:
            return PartSummary(part.name, stopped=str(error))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        data = TABLES[self._job.form].write(rows)
        try:
            await asyncio.to_thread(write_file, part.name, data, self._job.storage)
        except OSError as error:
            return PartSummary(part.name, stopped=f"cannot write {part.name}: {error}")
        failures = [RowStatus(row.path, row.error) for row in rows if row.error is not None]
        return PartSummary(part.name, len(rows) - len(failures), len(failures), failures[:LISTED])

    async def close(self) -> None:
        """Close all connections."""
        await self._servers.close()

    async def _row(self, path: str) -> Row:
        async with self._files:
            start = time.perf_counter()
            try:
                pages = await self._document(path)
            except (OcrError, MissingExtra, OSError) as error:
                reason = str(error) or type(error).__name__
                row = Row(path, "failed", reason, None, None, None, time.perf_counter() - start)
            else:
                row = _row_of(path, pages, time.perf_counter() - start)
        self._count(row.error is not None)
        return row

    async def _document(self, path: str) -> list[_Page]:
        """The pages of a document, failed ones included.

        Raises:
            OcrError: If it cannot be opened, or has none of the wanted pages.
        """
        data = await asyncio.to_thread(read_file, path, self._job.storage)
        if not data:
            raise OcrError(f"{path} is empty")
        count, load = await asyncio.to_thread(pages_in, data, self._job.dpi)
        numbers = wanted_pages(count, self._job.ranges)
        pages = [asyncio.create_task(self._page(load, number, count)) for number in numbers]
        try:
            return await asyncio.gather(*pages)
        finally:
            for page in pages:
                page.cancel()
            await asyncio.gather(*pages, return_exceptions=True)

    async def _page(self, load: Callable[[int], bytes], number: int, count: int) -> _Page:
        async with self._pages:
            try:
                picture = await asyncio.to_thread(load, number - 1)
                result, version = await self._servers.read(picture, self._job.options)
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
