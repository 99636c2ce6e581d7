"""The client for an event loop: what `OcrClient` does, awaited."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

import numpy.typing as npt

from ppocr_client.client import DEFAULT_URL
from ppocr_client.documents.pictures import Colour, ImageSource
from ppocr_client.errors import OcrError
from ppocr_client.options import request_parameters
from ppocr_client.results import Detection, OcrResult
from ppocr_client.transport import protocol as plans
from ppocr_client.transport.actions import Do, Plan, Send, Step
from ppocr_client.transport.base import Tls, connect_async, parse_url
from ppocr_client.transport.batching import Reading, check_concurrency, run_many_async
from ppocr_client.transport.server_info import ServerInfo, Work
from ppocr_client.transport.shared_memory import SharedMemory
from ppocr_client.transport.shm_requests import end_sharing

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

    from ppocr_client.options import ReadOptions

T = TypeVar("T")


class AsyncOcrClient:
    """`OcrClient` for the tasks of one event loop; methods, arguments and errors are the same.

    async with AsyncOcrClient("grpc://127.0.0.1:8001") as client:
        print((await client.read("photo.jpg")).text)
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        model: str = "ocr",
        detect_model: str = "detect",
        recognize_model: str = "recognize",
        timeout: float = 60.0,
        retries: int = 3,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
        tls: Tls | None = None,
    ) -> None:
        """As `OcrClient`; the connection opens in the event loop of the first request."""
        models = model, detect_model, recognize_model
        self._settings = plans.settings_of(url, models, timeout, retries, tls)
        address = parse_url(url)
        self._memory = SharedMemory(address.host, secure=address.secure)
        self._transport = connect_async(address, plans.access_of(token, headers, tls))

    @property
    def url(self) -> str:
        """The whole address."""
        return self._settings.url

    async def read(
        self,
        image: ImageSource,
        *,
        colour: Colour | None = None,
        timeout: float | None = None,
        **options: Unpack[ReadOptions],
    ) -> OcrResult:
        """See `OcrClient.read`."""
        return await self._run(
            plans.read(self._settings, self._memory, image, colour, timeout, options)
        )

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
        request_parameters(options)  # what is wrong for all is said once, and now

        async def one(item: tuple[int, Any]) -> Reading:
            index, image = item
            try:
                result = await self.read(image, colour=colour, timeout=timeout, **options)
            except OcrError as error:
                return Reading(index, image, None, error)
            return Reading(index, image, result, None)

        return run_many_async(one, enumerate(images), check_concurrency(concurrency), ordered)

    async def detect(
        self,
        image: ImageSource,
        *,
        colour: Colour | None = None,
        timeout: float | None = None,
        **options: Unpack[ReadOptions],
    ) -> Detection:
        """See `OcrClient.detect`."""
        return await self._run(
            plans.detect(self._settings, self._memory, image, colour, timeout, options)
        )

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
        plan = plans.recognize(self._settings, self._memory, image, boxes, colour, timeout, options)
        return await self._run(plan)

    async def server_ready(self, *, timeout: float = 5.0) -> bool:
        """See `OcrClient.server_ready`."""
        return await self._run(plans.server_ready(self._settings, timeout))

    async def wait_ready(self, timeout: float = 60.0) -> None:
        """See `OcrClient.wait_ready`."""
        await self._run(plans.wait_ready(self._settings, timeout))

    async def server_info(self, *, timeout: float = 10.0) -> ServerInfo:
        """See `OcrClient.server_info`."""
        return await self._run(plans.server_info(self._settings, timeout))

    async def server_work(self, *, timeout: float = 10.0) -> dict[str, Work]:
        """See `OcrClient.server_work`."""
        return await self._run(plans.server_work(self._settings, timeout))

    async def close(self) -> None:
        """Close the connection."""
        await self._run(end_sharing(self._memory))
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

    def __repr__(self) -> str:
        return f"AsyncOcrClient({self.url!r}, model={self._settings.model!r})"

    async def _run(self, plan: Plan[T]) -> T:
        """Take a plan's steps in this task."""
        try:
            step = next(plan)
            while True:
                try:
                    answer = await self._take(step)
                except OcrError as error:
                    step = plan.throw(error)
                else:
                    step = plan.send(answer)
        except StopIteration as finished:
            result: T = finished.value
            return result
        finally:
            plan.close()  # at once, where this is interrupted: it may hold shared memory

    async def _take(self, step: Step) -> Any:
        if isinstance(step, Send):
            return await self._transport.send(step.request, step.timeout)
        if isinstance(step, Do):
            return await asyncio.to_thread(step.function)
        return await asyncio.sleep(step.seconds)
