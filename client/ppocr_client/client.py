"""The client for threads: pictures in, text out."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

import numpy.typing as npt

from ppocr_client.documents.pictures import Colour, ImageSource
from ppocr_client.errors import OcrError
from ppocr_client.options import request_parameters
from ppocr_client.results import Detection, OcrResult
from ppocr_client.transport import protocol as plans
from ppocr_client.transport.actions import Do, Plan, Send, Step
from ppocr_client.transport.base import Tls, connect, parse_url
from ppocr_client.transport.batching import Reading, check_concurrency, run_many
from ppocr_client.transport.server_info import ServerInfo, Work
from ppocr_client.transport.shared_memory import SharedMemory
from ppocr_client.transport.shm_requests import end_sharing

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

    from ppocr_client.options import ReadOptions

DEFAULT_URL = "grpc://127.0.0.1:8001"

T = TypeVar("T")


class OcrClient:
    """A connection to a Triton server that serves the OCR pipeline.

        with OcrClient("grpc://127.0.0.1:8001") as client:
            print(client.read("photo.jpg").text)

    One client can be used by several threads at the same time. Its methods raise
    `ppocr_client.errors.OcrError`, by kind:

    - `OptionError`: an option is unknown or out of its range; nothing was sent;
    - `ImageError`: the picture cannot be read, by this client or by the server;
    - `ServerUnavailable`, `ServerBusy`: nobody answers, or has no room, after all retries;
    - `DeadlineExceeded`: no answer came in time;
    - others where the server refuses or fails; see `ppocr_client.errors`.
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
        """Prepare a connection; nothing is sent yet.

        Args:
            url: `grpc://host:port`, `http://host:port`, or encrypted `grpcs://`, `https://`;
                without a scheme it is gRPC.
            model: The name of the pipeline on the server.
            detect_model: The name of its part that finds text.
            recognize_model: The name of its part that reads it.
            timeout: How many seconds a request may take with all its retries, if it does not say
                otherwise.
            retries: How often a request is sent again when the server is away or busy.
            token: Sent as `Authorization: Bearer …`.
            headers: Sent with every request.
            tls: Certificates, where the usual ones are not meant.

        Raises:
            ValueError: If the address, a number or a certificate is not possible.
        """
        models = model, detect_model, recognize_model
        self._settings = plans.settings_of(url, models, timeout, retries, tls)
        address = parse_url(url)
        self._memory = SharedMemory(address.host, secure=address.secure)
        self._transport = connect(address, plans.access_of(token, headers, tls))

    @property
    def url(self) -> str:
        """The whole address."""
        return self._settings.url

    def read(
        self,
        image: ImageSource,
        *,
        colour: Colour | None = None,
        timeout: float | None = None,
        **options: Unpack[ReadOptions],
    ) -> OcrResult:
        """Read the text of a picture.

        Args:
            image: A file's path, the bytes of a JPEG, PNG, BMP, WebP or TIFF file, a binary file
                object, a Pillow image, or a uint8 array [H, W], [H, W, 3] or [H, W, 4].
            colour: The order of an array's channels, "BGR" (OpenCV) or "RGB".
            timeout: How many seconds this request may take.
            **options: See `ppocr_client.options.ReadOptions`; the server's defaults for the rest.
        """
        return self._run(plans.read(self._settings, self._memory, image, colour, timeout, options))

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

        One that fails is no harm to the others: its `Reading` holds the error. Pictures are taken
        from `images` only as they are sent.

        Args:
            images: As for `read`; they may be endless.
            concurrency: How many are on their way at the same time, at most.
            ordered: Give results in the order of the pictures, or else as they come.
            colour: As for `read`.
            timeout: How many seconds each picture may take.
            **options: As for `read`.
        """
        request_parameters(options)  # what is wrong for all is said once, and now

        def one(item: tuple[int, Any]) -> Reading:
            index, image = item
            try:
                result = self.read(image, colour=colour, timeout=timeout, **options)
            except OcrError as error:
                return Reading(index, image, None, error)
            return Reading(index, image, result, None)

        return run_many(one, enumerate(images), check_concurrency(concurrency), ordered)

    def detect(
        self,
        image: ImageSource,
        *,
        colour: Colour | None = None,
        timeout: float | None = None,
        **options: Unpack[ReadOptions],
    ) -> Detection:
        """Find where there is text, without reading it; arguments as for `read`."""
        return self._run(
            plans.detect(self._settings, self._memory, image, colour, timeout, options)
        )

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
                or what `detect` gave.
            colour: As for `read`.
            timeout: As for `read`.
            **options: As for `read`; a line whose score is below `drop_score` is left out.
        """
        plan = plans.recognize(self._settings, self._memory, image, boxes, colour, timeout, options)
        return self._run(plan)

    def server_ready(self, *, timeout: float = 5.0) -> bool:
        """Whether the server answers and has the pipeline loaded."""
        return self._run(plans.server_ready(self._settings, timeout))

    def wait_ready(self, timeout: float = 60.0) -> None:
        """Wait until the server answers and has the pipeline loaded.

        Raises:
            ServerUnavailable: If it is not ready after `timeout` seconds, with the last reason.
        """
        self._run(plans.wait_ready(self._settings, timeout))

    def server_info(self, *, timeout: float = 10.0) -> ServerInfo:
        """The server's version, its models and their versions, limits and default options."""
        return self._run(plans.server_info(self._settings, timeout))

    def server_work(self, *, timeout: float = 10.0) -> dict[str, Work]:
        """How many requests each model has answered since the server started, in what time."""
        return self._run(plans.server_work(self._settings, timeout))

    def close(self) -> None:
        """Close the connection."""
        self._run(end_sharing(self._memory))
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

    def __repr__(self) -> str:
        return f"OcrClient({self.url!r}, model={self._settings.model!r})"

    def _run(self, plan: Plan[T]) -> T:
        """Take a plan's steps in this thread."""
        try:
            step = next(plan)
            while True:
                try:
                    answer = self._take(step)
                except OcrError as error:
                    step = plan.throw(error)
                else:
                    step = plan.send(answer)
        except StopIteration as finished:
            result: T = finished.value
            return result
        finally:
            plan.close()  # at once, where this is interrupted: it may hold shared memory

    def _take(self, step: Step) -> Any:
        if isinstance(step, Send):
            return self._transport.send(step.request, step.timeout)
        if isinstance(step, Do):
            return step.function()
        return time.sleep(step.seconds)
