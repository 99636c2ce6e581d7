"""The client for threads."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine, Iterable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

import numpy.typing as npt

from ppocr_client.documents.pictures import Colour, ImageSource
from ppocr_client.options import request_parameters
from ppocr_client.results import Detection, OcrResult
from ppocr_client.transport.base import Operation, Transport, connect
from ppocr_client.transport.batching import Reading, check_concurrency, map_in_threads
from ppocr_client.transport.protocol import BaseClient
from ppocr_client.transport.server_info import ServerInfo, Work

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

    from ppocr_client.options import ReadOptions

T = TypeVar("T")


class OcrClient(BaseClient[Transport]):
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

    _connect = staticmethod(connect)

    def read(
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
        return done(self._read(image, colour, timeout, options, request_id))

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
            return done(self._reading(item, colour, timeout, options))

        return map_in_threads(read, enumerate(images), check_concurrency(concurrency), ordered)

    def detect(
        self,
        image: ImageSource,
        *,
        colour: Colour | None = None,
        timeout: float | None = None,
        **options: Unpack[ReadOptions],
    ) -> Detection:
        """Find where there is text, without reading it; arguments as for `read`."""
        return done(self._detect(image, colour, timeout, options))

    def recognize(
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
        return done(self._recognize(image, boxes, colour, timeout, options))

    def server_ready(self, *, timeout: float = 5.0) -> bool:
        """Whether the server answers and has the pipeline loaded."""
        return done(self._server_ready(timeout))

    def wait_ready(self, timeout: float = 60.0) -> None:
        """Wait until the server answers and has the pipeline loaded.

        Raises:
            ServerUnavailable: If it is not ready after `timeout` seconds, with the last reason.
        """
        done(self._wait_ready(timeout))

    def server_info(self, *, timeout: float = 10.0) -> ServerInfo:
        """The server's version, its models and their versions, limits and default options."""
        return done(self._server_info(timeout))

    def server_work(self, *, timeout: float = 10.0) -> dict[str, Work]:
        """How many requests each model has answered since the server started, in what time."""
        return done(self._server_work(timeout))

    def close(self) -> None:
        """Close the connection."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    async def _send(self, operation: Operation, timeout: float) -> Any:
        return self._transport.send(operation, timeout)

    async def _sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    async def _call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return function(*arguments)


def done(work: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that never waits for an event loop."""
    try:
        work.send(None)
    except StopIteration as finished:
        result: T = finished.value
        return result
    raise AssertionError("unreachable: nothing was awaited that waits")
