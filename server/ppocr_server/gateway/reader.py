"""Read pictures, and documents page by page, with the Triton behind the gateway."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

from ppocr_client import AsyncOcrClient, OcrError, OcrResult, ServerInfo
from ppocr_client.documents.inputs import HEAD
from ppocr_client.documents.pages import PDF, Ranges, pages_in, wanted_pages
from ppocr_client.errors import MissingExtra
from ppocr_client.options import ReadOptions
from ppocr_client.transport.batching import map_in_tasks
from ppocr_server.gateway.call import CALL
from ppocr_server.gateway.failures import Failure, failure_of
from ppocr_server.gateway.settings import GatewaySettings

READY_SECONDS, INFO_SECONDS = 2.0, 60.0
# PDFium draws one page at a time. Pages wait for it here, not in the threads of all requests.
DOCUMENTS = ThreadPoolExecutor(1, "documents")
T = TypeVar("T")


async def _in_turn(function: Callable[..., T], *arguments: Any) -> T:
    """Call a function that opens or draws a document; what is cancelled while it waits is not."""
    return await asyncio.get_running_loop().run_in_executor(DOCUMENTS, function, *arguments)


@dataclass(frozen=True)
class OpenDocument:
    """A picture, PDF or TIFF file whose pages can be read.

    Attributes:
        count: its pages.
        numbers: those to read, counted from 1.
        load: the encoded picture of a page, counted from 0; it blocks, and raises an ImageError.
        pdf: the whole file if it is a PDF file.
        dpi: pixels per inch of its pictures, if it is one.
    """

    count: int
    numbers: Sequence[int]
    load: Callable[[int], bytes]
    pdf: bytes | None
    dpi: float

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
    return {
        "model": settings.model,
        "timeout": settings.page_seconds,
        "token": settings.upstream.token,
        "tls": settings.upstream.tls,
    }


class Reader:
    """Sends pages to Triton, within the deadline and under the id of the request in progress."""

    def __init__(self, settings: GatewaySettings) -> None:
        """Prepare the connections; they open with the first request."""
        self.settings = settings
        self._served: tuple[float, ServerInfo] | None = None
        # A picture alone is refused at once when Triton is full: its client decides whether to
        # wait. Further pages of a document wait, since the pages before them would be lost.
        self._client, self._patient = (
            AsyncOcrClient(settings.url, **connection_of(settings), retries=retries)
            for retries in (0, 8)
        )

    async def read(
        self, picture: bytes, options: ReadOptions | None = None, *, patient: bool = False
    ) -> OcrResult:
        """Read one encoded picture.

        Args:
            picture: JPEG, PNG, BMP, WebP or TIFF.
            options: of the pipeline, typed as in the table.
            patient: wait and try again while Triton is full.

        Raises:
            OcrError: see `failures.failure_of` for the meaning of each kind.
        """
        call, client = CALL.get(), self._patient if patient else self._client
        return await client.read(
            picture,
            timeout=call.seconds_left(self.settings.page_seconds),
            request_id=call.request_id,
            **(options or {}),
        )

    async def open(
        self, data: bytes, *, dpi: float | None = None, ranges: Ranges | None = None
    ) -> OpenDocument:
        """Open a whole file; nothing is read yet.

        Args:
            data: of a picture, a PDF file or a TIFF file.
            dpi: pixels per inch for the pages of a PDF file; None for the setting's.
            ranges: the wanted pages, of `parse_pages`; None for all.

        Raises:
            ImageError: it cannot be opened, or has none of these pages.
            MissingExtra: a package is missing that opens such a file.
            Failure: more pages are wanted than are allowed.
        """
        if not data:
            raise Failure(400, "empty_file", "the file is empty; send a picture or a PDF file")
        dpi = dpi or self.settings.dpi
        if PDF in data[:HEAD]:
            count, load = await _in_turn(pages_in, data, dpi)
        else:
            count, load = pages_in(data, dpi)
        numbers = wanted_pages(count, ranges, "the file")
        if len(numbers) > self.settings.max_pages:
            raise Failure(
                413,
                "too_many_pages",
                f"{len(numbers)} pages are wanted; allowed: {self.settings.max_pages} a request; "
                "name fewer, as in pages=1-100, or start the gateway with a larger --max-pages",
            )
        return OpenDocument(count, numbers, load, data if PDF in data[:HEAD] else None, dpi)

    def pages(
        self, document: OpenDocument, options: ReadOptions | None = None, *, keep: bool = False
    ) -> AsyncGenerator[ReadPage, None]:
        """Read the pages in order, a few at a time; a page that fails does not stop the others.

        Close the generator (`aclose`) to cancel what is left.

        Args:
            document: of `open`.
            options: as for `read`.
            keep: keep the pictures of files that are not PDF files, for a searchable PDF.
        """

        async def one(number: int) -> ReadPage:
            picture = None
            try:
                picture = await document.picture(number)
                result = await self.read(picture, options, patient=document.count > 1)
            except (OcrError, MissingExtra) as error:
                return ReadPage(number, OcrResult(()), None, failure_of(error))
            return ReadPage(number, result, picture if keep else None)

        return map_in_tasks(one, document.numbers, self.settings.concurrency, ordered=True)

    async def ready(self) -> bool:
        """Whether Triton has the pipeline loaded."""
        try:
            return await self._client.server_ready(timeout=READY_SECONDS)
        except OcrError:  # it demands another token, or fails
            return False

    async def server_info(self) -> ServerInfo:
        """What Triton says about itself and the pipeline."""
        return await self._client.server_info(timeout=self.settings.page_seconds)

    async def served(self) -> ServerInfo:
        """The same, at most a minute old: asking takes several calls."""
        if self._served is None or time.monotonic() - self._served[0] > INFO_SECONDS:
            self._served = time.monotonic(), await self.server_info()
        return self._served[1]

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()
        await self._patient.close()
