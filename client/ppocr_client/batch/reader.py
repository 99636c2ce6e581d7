"""What an actor does: it reads the documents of a part, several at a time, and writes its file."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ppocr_client.aio import AsyncOcrClient
from ppocr_client.batch.endpoints import Endpoints, NoServer
from ppocr_client.batch.files import Options, read_file, write_file
from ppocr_client.batch.parts import Part
from ppocr_client.batch.rows import TABLES, Done, Row
from ppocr_client.documents.documents import InputError, Ranges, pages_in, wanted_pages
from ppocr_client.errors import MissingExtra, OcrError
from ppocr_client.options import ReadOptions
from ppocr_client.results import OcrResult
from ppocr_client.transport.base import Tls

LISTED = 100  # failures of a part that are told, not only counted


@dataclass(frozen=True)
class Job:
    """How an archive is read; the same for all parts, and sent to every actor.

    Attributes:
        urls: The servers.
        model: The pipeline's name on them.
        concurrency: Requests that an actor may have at one server at the same time.
        retries: How often a request is sent again.
        timeout: Seconds for each request.
        patience: Seconds without any ready server after which to give up.
        form: "parquet" or "jsonl".
        options: Of each request.
        ranges: Which pages of a document; see `parse_pages`.
        dpi: Pixels to the inch for the pages of PDF files.
        token: Sent with each request.
        tls: Certificates, where the usual ones are not meant.
        storage: What buckets are opened with.
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


class Summary(NamedTuple):
    """What became of a part: how many were read, how many failed, and the first of those.

    `stopped` says why it was given up, and not written.
    """

    part: str
    ok: int = 0
    failed: int = 0
    failures: Sequence[Done] = ()
    stopped: str | None = None


class PartReader:
    """Reads part after part through connections that stay open; belongs to one event loop."""

    def __init__(self, job: Job, count: Callable[[bool], None]) -> None:
        """Prepare; `start` connects.

        Args:
            job: How to read.
            count: Told of every document whether it failed, as soon as it is finished.
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
        # Pictures are in memory only while they have room: a page that is sent, a file that is
        # open. One more of each than fits the servers keeps them from waiting.
        self._room = len(job.urls) * job.concurrency + 1
        self._pages, self._files = asyncio.Semaphore(self._room), asyncio.Semaphore(self._room)

    async def start(self) -> None:
        """Greet the servers."""
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(self._room))
        await self._servers.start()

    async def read(self, part: Part) -> Summary:
        """Read all documents of a part and write its file, a row for each in their order."""
        tasks = [asyncio.create_task(self._row(path)) for path in part.paths]
        try:
            rows = await asyncio.gather(*tasks)
        except (NoServer, InputError) as error:
            return Summary(part.name, stopped=str(error))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        data = TABLES[self._job.form].write(rows)
        try:
            await asyncio.to_thread(write_file, part.name, data, self._job.storage)
        except OSError as error:
            return Summary(part.name, stopped=f"cannot write {part.name}: {error}")
        failures = [Done(row.path, row.error) for row in rows if row.error is not None]
        return Summary(part.name, len(rows) - len(failures), len(failures), failures[:LISTED])

    async def close(self) -> None:
        """Close all connections."""
        await self._servers.close()

    async def _row(self, path: str) -> Row:
        async with self._files:
            start = time.perf_counter()
            try:
                read = await self._document(path)
            except (OcrError, MissingExtra, OSError) as error:
                reason = str(error) or type(error).__name__
                row = Row(path, "failed", reason, None, None, None, time.perf_counter() - start)
            else:
                text = "\f".join(result.text for _, result, _ in read)
                pages = [{"page": number, **result.to_dict()} for number, result, _ in read]
                versions = sorted({version for *_, version in read if version})
                version = ",".join(versions) or None
                row = Row(path, "ok", None, text, pages, version, time.perf_counter() - start)
        self._count(row.error is not None)
        return row

    async def _document(self, path: str) -> list[tuple[int, OcrResult, str | None]]:
        """Number, result and model version of each page.

        Raises:
            OcrError: If one of its pages cannot be read; it says which.
        """
        data = await asyncio.to_thread(read_file, path, self._job.storage)
        if not data:
            raise OcrError(f"{path} is empty")
        count, load = await asyncio.to_thread(pages_in, data, self._job.dpi)
        numbers = wanted_pages(count, self._job.ranges)
        if not numbers:
            raise OcrError(f"it has {count} pages, and none of those asked for")
        pages = [asyncio.create_task(self._page(load, number)) for number in numbers]
        try:
            await asyncio.wait(pages, return_when=asyncio.FIRST_EXCEPTION)
            for number, page in zip(numbers, pages, strict=True):
                if page.done() and isinstance(page.exception(), OcrError) and count > 1:
                    raise OcrError(f"page {number}: {page.exception()}")
            return [await page for page in pages]
        finally:
            for page in pages:
                page.cancel()
            await asyncio.gather(*pages, return_exceptions=True)

    async def _page(self, load: Callable[[int], bytes], number: int) -> Any:
        async with self._pages:
            picture = await asyncio.to_thread(load, number - 1)
            result, version = await self._servers.read(picture, self._job.options)
        return number, result, version
