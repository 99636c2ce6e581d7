"""The client's protocol without input and output (sans-IO).

Each method of `Protocol` is a generator: it yields actions, receives their answers and returns the
result. `OcrClient` runs the actions in the calling thread, `AsyncOcrClient` in an event loop.
"""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ppocr_client.documents.image_size import picture_size
from ppocr_client.documents.pictures import Colour, read_image
from ppocr_client.errors import DeadlineExceeded, InvalidRequest, ServerBusy, ServerUnavailable
from ppocr_client.options import request_parameters
from ppocr_client.results import Detection, OcrResult, detection_of_tensors, result_of_tensors
from ppocr_client.transport.actions import Actions, Call, Request, Sleep
from ppocr_client.transport.base import Infer, Operation, Query, Ready, Tls, parse_url
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


class ImageRequest(NamedTuple):
    """What the methods that read a picture have in common; see `OcrClient.read`."""

    image: Any
    colour: Colour | None
    timeout: float | None
    options: Mapping[str, object]
    request_id: str = ""


class Protocol:
    """The protocol with one server's settings; see `OcrClient` for the arguments.

    Raises:
        ValueError: If the address, the timeout or the number of retries is not possible.
    """

    def __init__(
        self, url: str, models: tuple[str, str, str], timeout: float, retries: int, tls: Tls | None
    ) -> None:
        self.address = address = parse_url(url)
        if tls is not None and not address.secure:
            raise ValueError(
                f"tls is given, but {address} is not encrypted; use grpcs:// or https://"
            )
        if tls is not None and tls.name is not None and address.scheme != "grpcs":
            raise ValueError(f"tls names {tls.name!r}, which only grpcs:// can expect")
        if retries < 0:
            raise ValueError(f"retries is {retries}; it must be 0 or more")
        self.model, self._detect_model, self._recognize_model = models
        self._timeout, self._retries = positive(timeout), retries

    def read(self, request: ImageRequest) -> Actions[OcrResult]:
        """Read all text of a picture."""
        data, tensors = yield from self._infer(self.model, {}, request)
        return _result(data, tensors, request)

    def detect(self, request: ImageRequest) -> Actions[Detection]:
        """Find the boxes of the text in a picture."""
        _, tensors = yield from self._infer(self._detect_model, {}, request)
        return detection_of_tensors(tensors)

    def recognize(
        self, request: ImageRequest, boxes: npt.ArrayLike | Detection | None
    ) -> Actions[OcrResult]:
        """Read given boxes of a picture, or the whole picture as one line."""
        inputs = _box_tensors(boxes)
        data, tensors = yield from self._infer(self._recognize_model, inputs, request)
        return _result(data, tensors, request)

    def server_ready(self, timeout: float) -> Actions[bool]:
        """Whether the server answers and has the pipeline loaded."""
        try:
            return bool((yield Request(Ready(self.model), positive(timeout))))
        except (ServerUnavailable, DeadlineExceeded):
            return False

    def wait_ready(self, timeout: float) -> Actions[None]:
        """Wait until the server has the pipeline loaded."""
        deadline = time.monotonic() + positive(timeout)
        reason = f"model {self.model!r} is not loaded"
        while (left := deadline - time.monotonic()) > 0:
            try:
                if (yield Request(Ready(self.model), min(left, READY_TIMEOUT))):
                    return
            except (ServerUnavailable, DeadlineExceeded) as error:
                reason = error.reason
            yield Sleep(min(0.1, max(0.0, deadline - time.monotonic())))
        raise ServerUnavailable(
            f"{self.address} was not ready within {timeout:g} s: {reason}", "UNAVAILABLE"
        )

    def server_info(self, timeout: float) -> Actions[ServerInfo]:
        """The server's version, its models, and the limits and defaults of the pipeline."""
        seconds = positive(timeout)
        server = yield from self._retried(Query("server"), seconds)
        # Statistics list the models that are ready; the repository index may need an admin key.
        versions = ready_versions((yield from self._retried(Query("statistics"), seconds)))
        configs = []
        for name in versions:
            configs.append((yield from self._retried(Query("config", name), seconds)))
        return server_info_of(server, versions, configs)

    def server_work(self, timeout: float) -> Actions[dict[str, Work]]:
        """What each model has done since the server started."""
        return work_of((yield from self._retried(Query("statistics"), positive(timeout))))

    def _infer(
        self, model: str, inputs: Tensors, request: ImageRequest
    ) -> Actions[tuple[bytes, Tensors]]:
        """The encoded picture and a model's outputs."""
        parameters = request_parameters(request.options)
        timeout = self._timeout if request.timeout is None else positive(request.timeout)
        if isinstance(request.image, bytes):  # nothing to wait for, and a thread costs time
            data = read_image(request.image, request.colour)
        else:
            data = yield Call(lambda: read_image(request.image, request.colour))
        tensors = {"IMAGE": np.array([data], np.object_), **inputs}
        infer = Infer(model, tensors, parameters, request.request_id)
        return data, (yield from self._retried(infer, timeout))

    def _retried(self, operation: Operation, timeout: float) -> Actions[Any]:
        """Send an operation until it is answered, within `timeout` seconds altogether.

        Only an unavailable or busy server is tried again: a bad picture stays bad, and a server
        error may bring down one instance after the other.
        """
        deadline = time.monotonic() + timeout
        for attempt in itertools.count():
            try:
                return (yield Request(operation, max(0.001, deadline - time.monotonic())))
            except DeadlineExceeded as error:
                raise DeadlineExceeded(
                    f"no answer from {self.address} within {timeout:g} s; allow more seconds, or "
                    "send fewer requests at once",
                    error.status,
                ) from None
            except (ServerUnavailable, ServerBusy):
                pause = backoff(attempt, random.random())  # nosec B311 # not for secrets
                if attempt >= self._retries or time.monotonic() + pause >= deadline:
                    raise
            yield Sleep(pause)
        raise AssertionError("unreachable: the loop has no end")


def _result(data: bytes, tensors: Tensors, request: ImageRequest) -> OcrResult:
    words = request_parameters(request.options).get("return_words") is True
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
