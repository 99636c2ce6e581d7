"""The client for an event loop: `OcrClient`, awaited."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

import numpy.typing as npt

from ppocr_client.client import BaseClient
from ppocr_client.documents.pictures import Colour, ImageSource
from ppocr_client.errors import OcrError
from ppocr_client.options import request_parameters
from ppocr_client.results import Detection, OcrResult
from ppocr_client.transport.actions import Action, Actions, Call, Request
from ppocr_client.transport.base import AsyncTransport, connect_async
from ppocr_client.transport.batching import Reading, check_concurrency, map_in_tasks
from ppocr_client.transport.protocol import ImageRequest
from ppocr_client.transport.server_info import ServerInfo, Work

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

    from ppocr_client.options import ReadOptions

T = TypeVar("T")


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
        request = ImageRequest(image, colour, timeout, options, request_id)
        return await self._run(self._protocol.read(request))

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
            try:
                result = await self.read(item[1], colour=colour, timeout=timeout, **options)
            except OcrError as error:
                return Reading(*item, None, error)
            return Reading(*item, result, None)

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
        return await self._run(self._protocol.detect(ImageRequest(image, colour, timeout, options)))

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
        request = ImageRequest(image, colour, timeout, options)
        return await self._run(self._protocol.recognize(request, boxes))

    async def server_ready(self, *, timeout: float = 5.0) -> bool:
        """See `OcrClient.server_ready`."""
        return await self._run(self._protocol.server_ready(timeout))

    async def wait_ready(self, timeout: float = 60.0) -> None:
        """See `OcrClient.wait_ready`."""
        await self._run(self._protocol.wait_ready(timeout))

    async def server_info(self, *, timeout: float = 10.0) -> ServerInfo:
        """See `OcrClient.server_info`."""
        return await self._run(self._protocol.server_info(timeout))

    async def server_work(self, *, timeout: float = 10.0) -> dict[str, Work]:
        """See `OcrClient.server_work`."""
        return await self._run(self._protocol.server_work(timeout))

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

    async def _run(self, actions: Actions[T]) -> T:
        """Run a protocol generator in this task."""
        try:
            action = next(actions)
            while True:
                try:
                    answer = await self._do(action)
                except OcrError as error:
                    action = actions.throw(error)
                else:
                    action = actions.send(answer)
        except StopIteration as finished:
            result: T = finished.value
            return result

    async def _do(self, action: Action) -> Any:
        if isinstance(action, Request):
            return await self._transport.send(action.operation, action.timeout)
        if isinstance(action, Call):
            return await asyncio.to_thread(action.function)
        return await asyncio.sleep(action.seconds)
