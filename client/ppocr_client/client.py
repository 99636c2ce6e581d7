"""The clients for threads and for event loops."""

from __future__ import annotations

import functools
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

import numpy as np
import numpy.typing as npt

from ppocr_client.documents.pictures import Colour, ImageSource, picture_size
from ppocr_client.errors import DeadlineExceeded, InvalidRequest, OcrError, ServerUnavailable
from ppocr_client.options import request_parameters
from ppocr_client.results import Detection, OcrResult, detection_of_tensors, result_of_tensors
from ppocr_client.transport.base import Infer, Query, Ready, positive
from ppocr_client.transport.batching import (
    Reading,
    check_concurrency,
    map_in_tasks,
    map_in_threads,
)
from ppocr_client.transport.protocol import BaseClient, Tensors
from ppocr_client.transport.server_info import ServerInfo, Work, server_info_of, work_of

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

    from ppocr_client.options import ReadOptions

READY_TIMEOUT = 5.0  # seconds for one question whether the server is ready

P = ParamSpec("P")
T = TypeVar("T")


class AsyncOcrClient(BaseClient):
    """`OcrClient` for the tasks of one event loop; methods, arguments and errors are the same.

    The connection opens in the event loop of the first request.

        async with AsyncOcrClient("grpc://127.0.0.1:8001") as client:
            print((await client.read("photo.jpg")).text)
    """

    _in_loop = True

    async def read(
        self,
        image: ImageSource,
        *,
        colour: Colour | None = None,
        timeout: float | None = None,
        request_id: str = "",
        **options: Unpack[ReadOptions],
    ) -> OcrResult:
        """Read the text of a picture.

        Args:
            image: A file's path, the bytes of a JPEG, PNG, BMP, WebP or TIFF file, a binary file
                object, a Pillow image, or a uint8 array [H, W], [H, W, 3] or [H, W, 4].
            colour: The order of an array's channels, "BGR" (OpenCV) or "RGB".
            timeout: Seconds that this request may take.
            request_id: Names the request in the server's log and traces.
            **options: See `ppocr_client.options.ReadOptions`; the server's defaults for the rest.
        """
        return _result(
            *await self._infer(self._model, image, colour, timeout, options, request_id=request_id)
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
        """Find where there is text, without reading it; arguments as for `read`."""
        _, tensors = await self._infer(self._detect_model, image, colour, timeout, options)
        return detection_of_tensors(tensors)

    async def recognize(
        self,
        image: ImageSource,
        boxes: npt.ArrayLike | Detection | None = None,
        *,
        colour: Colour | None = None,
        timeout: float | None = None,
        **options: Unpack[ReadOptions],
    ) -> OcrResult:
        """Read given boxes of a picture, or the whole picture as one line.

        Args:
            image: As for `read`.
            boxes: [N, 4, 2], x and y in pixels of the upright picture, clockwise from top-left;
                or what `detect` returned.
            colour: As for `read`.
            timeout: As for `read`.
            **options: As for `read`; a line whose score is below `drop_score` is left out.
        """
        inputs, model = _box_tensors(boxes), self._recognize_model
        return _result(*await self._infer(model, image, colour, timeout, options, inputs=inputs))

    async def server_ready(self, *, timeout: float = 5.0) -> bool:
        """Whether the server answers and has the pipeline loaded."""
        try:
            return bool(await self._transport.send(Ready(self._model), positive(timeout)))
        except (ServerUnavailable, DeadlineExceeded):
            return False

    async def wait_ready(self, timeout: float = 60.0) -> None:
        """Wait until the server answers and has the pipeline loaded.

        Raises:
            ServerUnavailable: If it is not ready after `timeout` seconds, with the last reason.
        """
        deadline = time.monotonic() + positive(timeout)
        reason = f"model {self._model!r} is not loaded"
        while (left := deadline - time.monotonic()) > 0:
            try:
                if await self._transport.send(Ready(self._model), min(left, READY_TIMEOUT)):
                    return
            except (ServerUnavailable, DeadlineExceeded) as error:
                reason = error.reason
            await self._sleep(min(0.1, max(0.0, deadline - time.monotonic())))
        raise ServerUnavailable(
            f"{self._address} was not ready within {timeout:g} s: {reason}", "UNAVAILABLE"
        )

    async def server_info(self, *, timeout: float = 10.0) -> ServerInfo:
        """The server's version, its models and their versions, limits and default options."""
        seconds = positive(timeout)
        server = await self._retried(Query("server"), seconds)
        # Statistics list the models that are ready; the repository index may need an admin key.
        statistics = await self._retried(Query("statistics"), seconds)
        names = sorted({model["name"] for model in statistics.get("model_stats", ())})
        configs = [await self._retried(Query("config", name), seconds) for name in names]
        return server_info_of(server, statistics, configs)

    async def server_work(self, *, timeout: float = 10.0) -> dict[str, Work]:
        """How many requests each model has answered since the server started, in what time."""
        return work_of(await self._retried(Query("statistics"), positive(timeout)))

    async def close(self) -> None:
        """Close the connection."""
        await self._transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()


def _at_once(
    method: Callable[Concatenate[Any, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[Any, P], T]:
    """A client's method without an event loop, whose coroutine never waits for one."""

    @functools.wraps(method)
    def run(self: Any, /, *args: P.args, **others: P.kwargs) -> T:
        try:
            method(self, *args, **others).send(None)
        except StopIteration as finished:
            result: T = finished.value
            return result
        raise AssertionError("unreachable: nothing was awaited that waits")

    return run


class OcrClient(BaseClient):
    """A connection to a Triton server that serves the OCR pipeline.

        with OcrClient("grpc://127.0.0.1:8001") as client:
            print(client.read("photo.jpg").text)

    Several threads can use one client at the same time. Its methods raise
    `ppocr_client.errors.OcrError`, by kind:

    - `OptionError`: an option is unknown or out of its range; nothing was sent;
    - `ImageError`: the picture cannot be read, by this client or by the server;
    - `ServerUnavailable`, `ServerBusy`: still unreachable, or overloaded, after all retries;
    - `DeadlineExceeded`: no answer came in time;
    - others where the server refuses or fails; see `ppocr_client.errors`.
    """

    _in_loop = False

    read = _at_once(AsyncOcrClient.read)
    detect = _at_once(AsyncOcrClient.detect)
    recognize = _at_once(AsyncOcrClient.recognize)
    server_ready = _at_once(AsyncOcrClient.server_ready)
    wait_ready = _at_once(AsyncOcrClient.wait_ready)
    server_info = _at_once(AsyncOcrClient.server_info)
    server_work = _at_once(AsyncOcrClient.server_work)
    close = _at_once(AsyncOcrClient.close)

    def read_many(
        self,
        images: Iterable[ImageSource],
        *,
        concurrency: int = 4,
        ordered: bool = True,
        colour: Colour | None = None,
        timeout: float | None = None,
        **options: Unpack[ReadOptions],
    ) -> Iterator[Reading]:
        """Read many pictures, `concurrency` of them at a time.

        A picture that fails does not stop the others: its `Reading` holds the error. Pictures are
        taken from `images` only as they are sent.

        Args:
            images: As for `read`; the iterable may be endless.
            concurrency: The largest number of requests in flight.
            ordered: Yield results in the order of the pictures, else as they are finished.
            colour: As for `read`.
            timeout: Seconds that each picture may take.
            **options: As for `read`.
        """
        request_parameters(options)  # an option that is wrong for all is refused before any is sent

        def read(item: tuple[int, Any]) -> Reading:
            try:
                result = self.read(item[1], colour=colour, timeout=timeout, **options)
            except OcrError as error:
                return Reading(*item, None, error)
            return Reading(*item, result, None)

        return map_in_threads(read, enumerate(images), check_concurrency(concurrency), ordered)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def _result(infer: Infer, tensors: Tensors) -> OcrResult:
    words = infer.parameters.get("return_words") is True
    return result_of_tensors(tensors, picture_size(infer.inputs["IMAGE"][0]), words=words)


def _box_tensors(boxes: npt.ArrayLike | Detection | None) -> Tensors:
    if boxes is None:
        return {}
    if isinstance(boxes, Detection):
        return {"BOXES": boxes.boxes, "BOX_SCORES": boxes.scores}
    array = np.ascontiguousarray(boxes, np.float32)
    if array.shape[1:] != (4, 2):
        raise InvalidRequest(f"boxes have shape {array.shape}; give [N, 4, 2]: corners in pixels")
    return {"BOXES": array}
