"""Read pictures, and documents page by page, with the Triton behind the gateway."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

from ppocr_client import AsyncOcrClient, OcrError, OcrResult, ServerInfo
from ppocr_client.documents.inputs import HEAD
from ppocr_client.documents.pages import PDF, Ranges, pages_in, wanted_pages
from ppocr_client.errors import DeadlineExceeded, MissingExtra
from ppocr_client.options import ReadOptions
from ppocr_client.transport.batching import map_in_tasks
from ppocr_server.gateway.failures import Failure, failure_of
from ppocr_server.gateway.settings import GatewaySettings

READY_SECONDS, INFO_SECONDS = 2.0, 60.0
PAGE_SECONDS = 60.0  # from sending a page to Triton to its answer
CONCURRENCY = 4  # pages of one request that are at Triton at a time
LONGEST_TIMEOUT = 86_400.0  # seconds
# PDFium draws one page at a time. Pages wait for it here, not in the threads of all requests.
DOCUMENTS = ThreadPoolExecutor(1, "documents")
T = TypeVar("T")


@dataclass(frozen=True)
class Call:
    """The request in progress."""

    request_id: str  # in the header X-Request-Id of the answer, and in Triton's log and traces
    deadline: float | None  # by the monotonic clock

    def seconds_left(self, at_most: float) -> float:
        """Seconds until the deadline, or `at_most`; a DeadlineExceeded if it has passed."""
        left = at_most if self.deadline is None else self.deadline - time.monotonic()
        if left <= 0:
            raise DeadlineExceeded("the request's timeout has passed; allow more seconds")
        return min(left, at_most)


#: Set for each request by the middleware; tasks that are started by a request inherit it.
CALL: ContextVar[Call] = ContextVar("call")


def deadline_after(seconds: Any) -> float:
    """When a request must be answered that may take so many seconds, by the monotonic clock."""
    try:
        number = float(seconds)
    except (TypeError, ValueError):
        number = 0.0
    if not 0 < number <= LONGEST_TIMEOUT:
        raise Failure(
            400,
            "invalid_option",
            f"timeout is {seconds!r:.40}; allowed: seconds above 0, to {LONGEST_TIMEOUT:g}",
        )
    return time.monotonic() + number


async def _in_turn(function: Callable[..., T], *arguments: Any) -> T:
    """Call a function that opens or draws a document; what is cancelled while it waits is not."""
    return await asyncio.get_running_loop().run_in_executor(DOCUMENTS, function, *arguments)


@dataclass(frozen=True)
class OpenDocument:
    """A picture, PDF or TIFF file whose pages can be read."""

    count: int  # of all its pages
    numbers: Sequence[int]  # of those to read, from 1
    load: Callable[[int], bytes]  # the encoded picture of a page, from 0; blocks
    pdf: bytes | None  # the whole file if it is a PDF file
    dpi: float  # pixels per inch of its pictures, if it is one

    async def picture(self, number: int) -> bytes:
        """The encoded picture of a page, counted from 1; an ImageError says why there is none."""
        if self.pdf is None and self.count == 1:
            return self.load(0)
        return await _in_turn(self.load, number - 1)


class ReadPage(NamedTuple):
    """A page's result, empty if it has a failure; `picture` as it was sent, where it is kept."""

    number: int
    result: OcrResult
    picture: bytes | None = None
    failure: Failure | None = None


def connection_of(settings: GatewaySettings) -> dict[str, Any]:
    """The arguments of a client of the Triton behind the gateway."""
    upstream = {"token": settings.upstream.token, "tls": settings.upstream.tls}
    return {"model": settings.model, "timeout": PAGE_SECONDS, **upstream}


class Reader:
    """Sends pages to Triton, within the deadline and under the id of the request in progress."""

    def __init__(self, settings: GatewaySettings) -> None:
        self._settings = settings
        self._served: tuple[float, ServerInfo] | None = None
        # A picture alone is refused at once when Triton is full: its client decides whether to
        # wait. Further pages of a document wait, since the pages before them would be lost.
        self._client, self._patient = (
            AsyncOcrClient(settings.url, **connection_of(settings), retries=retries)
            for retries in (0, 8)
        )

    async def open(self, data: bytes, *, dpi: float, ranges: Ranges | None = None) -> OpenDocument:
        """Open a whole file; `dpi` is of a PDF file's pages, `ranges` are of `parse_pages`.

        Raises:
            ImageError: it cannot be opened, or has none of these pages.
            MissingExtra: a package is missing that opens such a file.
            Failure: it is empty, or more pages are wanted than are allowed.
        """
        if not data:
            raise Failure(400, "empty_file", "the file is empty; send a picture or a PDF file")
        pdf = data if PDF in data[:HEAD] else None
        count, load = pages_in(data, dpi) if pdf is None else await _in_turn(pages_in, data, dpi)
        numbers = wanted_pages(count, ranges, "the file")
        if len(numbers) > self._settings.max_pages:
            raise Failure(
                413,
                "too_many_pages",
                f"{len(numbers)} pages are wanted; allowed: {self._settings.max_pages} a request; "
                "name fewer, as in pages=1-100, or start the gateway with a larger --max-pages",
            )
        return OpenDocument(count, numbers, load, pdf, dpi)

    def pages(
        self, document: OpenDocument, options: ReadOptions, *, keep: bool = False
    ) -> aclosing[AsyncGenerator[ReadPage, None]]:
        """Read the pages in order, a few at a time; a page that fails does not stop the others.

        The end of the block (`async with`) cancels what is left; `keep` keeps the pictures.
        """
        call, client = CALL.get(), self._client if document.count == 1 else self._patient

        async def one(number: int) -> ReadPage:
            try:
                picture = await document.picture(number)
                result = await client.read(
                    picture,
                    timeout=call.seconds_left(PAGE_SECONDS),
                    request_id=call.request_id,
                    **options,
                )
            except (OcrError, MissingExtra) as error:
                return ReadPage(number, OcrResult(()), None, failure_of(error))
            return ReadPage(number, result, picture if keep else None)

        return aclosing(map_in_tasks(one, document.numbers, CONCURRENCY, ordered=True))

    async def ready(self) -> bool:
        """Whether Triton has the pipeline loaded."""
        try:
            return await self._client.server_ready(timeout=READY_SECONDS)
        except OcrError:  # it demands another token, or fails
            return False

    async def server_info(self) -> ServerInfo:
        """What Triton says about itself and the pipeline."""
        return await self._client.server_info(timeout=PAGE_SECONDS)

    async def served(self) -> ServerInfo:
        """The same, at most a minute old: asking takes several calls."""
        if self._served is None or time.monotonic() - self._served[0] > INFO_SECONDS:
            self._served = time.monotonic(), await self.server_info()
        return self._served[1]

    async def close(self) -> None:
        """Close the connections to Triton."""
        await self._client.close()
        await self._patient.close()
