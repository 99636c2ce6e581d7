"""What the clients for threads and for event loops have in common.

Its coroutines do no input and output of their own: `OcrClient` lets them run to their end at once,
`AsyncOcrClient` in an event loop.
"""

from __future__ import annotations

import itertools
import random
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from ppocr_client.documents.image_size import picture_size
from ppocr_client.documents.pictures import Colour, read_image
from ppocr_client.errors import (
    DeadlineExceeded,
    InvalidRequest,
    OcrError,
    ServerBusy,
    ServerUnavailable,
)
from ppocr_client.options import request_parameters
from ppocr_client.results import Detection, OcrResult, detection_of_tensors, result_of_tensors
from ppocr_client.transport.base import (
    DEFAULT_URL,
    Access,
    Address,
    Infer,
    Operation,
    Query,
    Ready,
    Tls,
    parse_url,
)
from ppocr_client.transport.batching import Reading
from ppocr_client.transport.server_info import (
    ServerInfo,
    Work,
    ready_versions,
    server_info_of,
    work_of,
)

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0  # seconds
READY_TIMEOUT = 5.0  # seconds for one question whether the server is ready

Tensors = dict[str, npt.NDArray[Any]]
Options = Mapping[str, object]
Connection = TypeVar("Connection")


class BaseClient(ABC, Generic[Connection]):
    """The settings of a client and its connection, and what it says to the server."""

    _connect: Callable[[Address, Access], Connection]

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
        """Prepare a connection; it opens with the first request.

        Args:
            url: `grpc://host:port`, `http://host:port`, or encrypted `grpcs://`, `https://`;
                without a scheme it is gRPC.
            model: The name of the pipeline on the server.
            detect_model: The name of its part that finds text.
            recognize_model: The name of its part that reads it.
            timeout: Seconds that a request may take with all its retries, unless it says otherwise.
            retries: How often a request is sent again when the server is unavailable or busy.
            token: Sent as `Authorization: Bearer …`.
            headers: Sent with every request.
            tls: Certificates, if the system's own are not to be used.

        Raises:
            ValueError: If the address, a number or a certificate is not possible.
        """
        self._address = address = parse_url(url)
        if tls is not None and not address.secure:
            raise ValueError(
                f"tls is given, but {address} is not encrypted; use grpcs:// or https://"
            )
        if tls is not None and tls.name is not None and address.scheme != "grpcs":
            raise ValueError(f"tls names {tls.name!r}, which only grpcs:// can expect")
        if retries < 0:
            raise ValueError(f"retries is {retries}; it must be 0 or more")
        self._model, self._detect_model, self._recognize_model = (
            model,
            detect_model,
            recognize_model,
        )
        self._timeout, self._retries = positive(timeout), retries
        bearer = {} if token is None else {"Authorization": f"Bearer {token}"}
        access = Access({**bearer, **(headers or {})}, tls or Tls())
        self._transport = type(self)._connect(address, access)

    @property
    def url(self) -> str:
        """The whole address."""
        return str(self._address)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.url!r}, model={self._model!r})"

    @abstractmethod
    async def _send(self, operation: Operation, timeout: float) -> Any: ...

    @abstractmethod
    async def _sleep(self, seconds: float) -> None: ...

    @abstractmethod
    async def _call(self, function: Callable[..., Any], *arguments: Any) -> Any: ...

    async def _read(
        self,
        image: Any,
        colour: Colour | None,
        timeout: float | None,
        options: Options,
        request_id: str = "",
    ) -> OcrResult:
        found = await self._infer(self._model, {}, image, colour, timeout, options, request_id)
        return _result(*found, options)

    async def _reading(
        self,
        item: tuple[int, Any],
        colour: Colour | None,
        timeout: float | None,
        options: Options,
    ) -> Reading:
        """One of many pictures."""
        try:
            return Reading(*item, await self._read(item[1], colour, timeout, options), None)
        except OcrError as error:
            return Reading(*item, None, error)

    async def _detect(
        self, image: Any, colour: Colour | None, timeout: float | None, options: Options
    ) -> Detection:
        _, tensors = await self._infer(self._detect_model, {}, image, colour, timeout, options)
        return detection_of_tensors(tensors)

    async def _recognize(
        self,
        image: Any,
        boxes: npt.ArrayLike | Detection | None,
        colour: Colour | None,
        timeout: float | None,
        options: Options,
    ) -> OcrResult:
        inputs, model = _box_tensors(boxes), self._recognize_model
        return _result(*await self._infer(model, inputs, image, colour, timeout, options), options)

    async def _server_ready(self, timeout: float) -> bool:
        try:
            return bool(await self._send(Ready(self._model), positive(timeout)))
        except (ServerUnavailable, DeadlineExceeded):
            return False

    async def _wait_ready(self, timeout: float) -> None:
        deadline = time.monotonic() + positive(timeout)
        reason = f"model {self._model!r} is not loaded"
        while (left := deadline - time.monotonic()) > 0:
            try:
                if await self._send(Ready(self._model), min(left, READY_TIMEOUT)):
                    return
            except (ServerUnavailable, DeadlineExceeded) as error:
                reason = error.reason
            await self._sleep(min(0.1, max(0.0, deadline - time.monotonic())))
        raise ServerUnavailable(
            f"{self._address} was not ready within {timeout:g} s: {reason}", "UNAVAILABLE"
        )

    async def _server_info(self, timeout: float) -> ServerInfo:
        seconds = positive(timeout)
        server = await self._retried(Query("server"), seconds)
        # Statistics list the models that are ready; the repository index may need an admin key.
        versions = ready_versions(await self._retried(Query("statistics"), seconds))
        configs = [await self._retried(Query("config", name), seconds) for name in versions]
        return server_info_of(server, versions, configs)

    async def _server_work(self, timeout: float) -> dict[str, Work]:
        return work_of(await self._retried(Query("statistics"), positive(timeout)))

    async def _infer(
        self,
        model: str,
        inputs: Tensors,
        image: Any,
        colour: Colour | None,
        timeout: float | None,
        options: Options,
        request_id: str = "",
    ) -> tuple[bytes, Tensors]:
        """The encoded picture and a model's outputs."""
        parameters = request_parameters(options)
        seconds = self._timeout if timeout is None else positive(timeout)
        if isinstance(image, bytes):  # nothing to wait for, and a thread costs time
            data = read_image(image, colour)
        else:
            data = await self._call(read_image, image, colour)
        tensors = {"IMAGE": np.array([data], np.object_), **inputs}
        infer = Infer(model, tensors, parameters, request_id)
        return data, await self._retried(infer, seconds)

    async def _retried(self, operation: Operation, timeout: float) -> Any:
        """Send an operation until it is answered, within `timeout` seconds altogether.

        Only an unavailable or busy server is tried again: a bad picture stays bad, and a server
        error may bring down one instance after the other.
        """
        deadline = time.monotonic() + timeout
        for attempt in itertools.count():
            try:
                return await self._send(operation, max(0.001, deadline - time.monotonic()))
            except DeadlineExceeded as error:
                raise DeadlineExceeded(
                    f"no answer from {self._address} within {timeout:g} s; allow more seconds, or "
                    "send fewer requests at once",
                    error.status,
                ) from None
            except (ServerUnavailable, ServerBusy):
                pause = backoff(attempt, random.random())  # nosec B311 # not for secrets
                if attempt >= self._retries or time.monotonic() + pause >= deadline:
                    raise
            await self._sleep(pause)
        raise AssertionError("unreachable: the loop has no end")


def _result(data: bytes, tensors: Tensors, options: Options) -> OcrResult:
    words = request_parameters(options).get("return_words") is True
    return result_of_tensors(tensors, picture_size(data), words=words)


def positive(seconds: float) -> float:
    """A timeout in seconds, above 0.

    Raises:
        ValueError: If it is not.
    """
    if not seconds > 0:
        raise ValueError(f"timeout is {seconds!r}; it must be more than 0 seconds")
    return seconds


def backoff(attempt: int, chance: float) -> float:
    """Seconds to wait after attempt 0, 1, …: exponential, with up to half of it jitter.

    `chance` (0 to 1) keeps clients that failed together from retrying together.
    """
    return min(LONGEST_PAUSE, FIRST_PAUSE * 2**attempt) * (0.5 + 0.5 * chance)


def _box_tensors(boxes: npt.ArrayLike | Detection | None) -> Tensors:
    if boxes is None:
        return {}
    if isinstance(boxes, Detection):
        return {"BOXES": boxes.boxes, "BOX_SCORES": boxes.scores}
    array = np.ascontiguousarray(boxes, np.float32)
    if array.shape[1:] != (4, 2):
        raise InvalidRequest(f"boxes have shape {array.shape}; give [N, 4, 2]: corners in pixels")
    return {"BOXES": array}
