"""The client for an event loop: `OcrClient`, awaited."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from ppocr_client.documents.pictures import Colour, ImageSource
from ppocr_client.options import request_parameters
from ppocr_client.results import Detection, OcrResult
from ppocr_client.transport.base import AsyncTransport, Operation, connect_async
from ppocr_client.transport.batching import Reading, check_concurrency, map_in_tasks
from ppocr_client.transport.protocol import BaseClient
from ppocr_client.transport.server_info import ServerInfo, Work

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

    from ppocr_client.options import ReadOptions


class AsyncOcrClient(BaseClient[AsyncTransport]):
    """`OcrClient` for the tasks of one event loop; methods, arguments and errors are the same.

    The connection opens in the event loop of the first request.

        async with AsyncOcrClient("grpc://127.0.0.1:8001") as client:
            print((await client.read("photo.jpg")).text)
    """

    _connect = staticmethod(connect_async)

    async def read(
        self,
        image: ImageSource,
        *,
        colour: Colour | None = None,
        timeout: float | None = None,
        request_id: str = "",
        **options: Unpack[ReadOptions],
    ) -> OcrResult:
        """See `OcrClient.read`."""
        return await self._read(image, colour, timeout, options, request_id)

    def read_many(
        self,
        images: Iterable[ImageSource],
        *,
        concurrency: int = 4,
        ordered: bool = True,
        colour: Colour | None = None,
        timeout: float | None = None,
        **options: Unpack[ReadOptions],
    ) -> AsyncGenerator[Reading, None]:
        """See `OcrClient.read_many`; leave it early with `aclose`, or by cancelling its task."""
        request_parameters(options)  # an option that is wrong for all is refused before any is sent

        async def read(item: tuple[int, Any]) -> Reading:
            return await self._reading(item, colour, timeout, options)

        return map_in_tasks(read, enumerate(images), check_concurrency(concurrency), ordered)

    async def detect(
        self,
        image: ImageSource,
        *,
        colour: Colour | None = None,
        timeout: float | None = None,
        **options: Unpack[ReadOptions],
    ) -> Detection:
        """See `OcrClient.detect`."""
        return await self._detect(image, colour, timeout, options)

    async def recognize(
        self,
        image: ImageSource,
        boxes: npt.ArrayLike | Detection | None = None,
        *,
        colour: Colour | None = None,
        timeout: float | None = None,
        **options: Unpack[ReadOptions],
    ) -> OcrResult:
        """See `OcrClient.recognize`."""
        return await self._recognize(image, boxes, colour, timeout, options)

    async def server_ready(self, *, timeout: float = 5.0) -> bool:
        """See `OcrClient.server_ready`."""
        return await self._server_ready(timeout)

    async def wait_ready(self, timeout: float = 60.0) -> None:
        """See `OcrClient.wait_ready`."""
        await self._wait_ready(timeout)

    async def server_info(self, *, timeout: float = 10.0) -> ServerInfo:
        """See `OcrClient.server_info`."""
        return await self._server_info(timeout)

    async def server_work(self, *, timeout: float = 10.0) -> dict[str, Work]:
        """See `OcrClient.server_work`."""
        return await self._server_work(timeout)

    async def close(self) -> None:
        """Close the connection."""
        await self._transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def _send(self, operation: Operation, timeout: float) -> Any:
        return await self._transport.send(operation, timeout)

    async def _sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def _call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.to_thread(function, *arguments)
