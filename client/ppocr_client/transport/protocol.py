"""What the client does, step by step, without doing it.

A plan is a generator: it yields a step, gets its answer, and returns the result. `OcrClient` takes
the steps in the calling thread, `AsyncOcrClient` in an event loop; all else is here, once.
"""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ppocr_client.documents.image_size import picture_size
from ppocr_client.documents.pictures import Colour, read_image
from ppocr_client.errors import (
    DeadlineExceeded,
    InvalidRequest,
    ServerBusy,
    ServerUnavailable,
)
from ppocr_client.options import request_parameters
from ppocr_client.results import Detection, OcrResult, detection_of_tensors, result_of_tensors
from ppocr_client.transport.actions import Do, Pause, Plan, Send
from ppocr_client.transport.base import (
    Access,
    Infer,
    Look,
    Ready,
    Request,
    Tls,
    parse_url,
)
from ppocr_client.transport.server_info import (
    ServerInfo,
    Work,
    ready_versions,
    server_info_of,
    work_of,
)
from ppocr_client.transport.shared_memory import SharedMemory
from ppocr_client.transport.shm_requests import ask_sharing

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0  # seconds


@dataclass(frozen=True)
class Settings:
    """What a client was made with; see `OcrClient`."""

    url: str
    model: str
    detect_model: str
    recognize_model: str
    timeout: float
    retries: int


def access_of(token: str | None, headers: Mapping[str, str] | None, tls: Tls | None) -> Access:
    """The headers and certificates of a connection."""
    bearer = {} if token is None else {"Authorization": f"Bearer {token}"}
    return Access({**bearer, **(headers or {})}, tls or Tls())


def settings_of(
    url: str, models: tuple[str, str, str], timeout: float, retries: int, tls: Tls | None
) -> Settings:
    """The settings, checked.

    Raises:
        ValueError: If the address, the timeout or the number of retries is not possible.
    """
    address = parse_url(url)
    if tls is not None and not address.secure:
        raise ValueError(f"tls is given, but {address} is not encrypted; use grpcs:// or https://")
    if retries < 0:
        raise ValueError(f"retries is {retries}; it must be 0 or more")
    return Settings(str(address), *models, timeout=positive(timeout), retries=retries)


def read(
    settings: Settings,
    memory: SharedMemory,
    image: Any,
    colour: Colour | None,
    timeout: float | None,
    options: Mapping[str, object],
) -> Plan[OcrResult]:
    """A whole picture's text."""
    parameters, seconds = request_parameters(options), _seconds(settings, timeout)
    data = yield Do(lambda: read_image(image, colour))
    question = Infer(settings.model, {}, parameters)
    answer = yield from _ask_about(settings, memory, data, question, seconds)
    return result_of_tensors(answer, picture_size(data))


def detect(
    settings: Settings,
    memory: SharedMemory,
    image: Any,
    colour: Colour | None,
    timeout: float | None,
    options: Mapping[str, object],
) -> Plan[Detection]:
    """Where there is text in a picture."""
    parameters, seconds = request_parameters(options), _seconds(settings, timeout)
    data = yield Do(lambda: read_image(image, colour))
    question = Infer(settings.detect_model, {}, parameters)
    return detection_of_tensors((yield from _ask_about(settings, memory, data, question, seconds)))


def recognize(
    settings: Settings,
    memory: SharedMemory,
    image: Any,
    boxes: npt.ArrayLike | Detection | None,
    colour: Colour | None,
    timeout: float | None,
    options: Mapping[str, object],
) -> Plan[OcrResult]:
    """The text of given boxes, or of a picture that is one line."""
    parameters, seconds = request_parameters(options), _seconds(settings, timeout)
    data = yield Do(lambda: read_image(image, colour))
    question = Infer(settings.recognize_model, _box_tensors(boxes), parameters)
    answer = yield from _ask_about(settings, memory, data, question, seconds)
    return result_of_tensors(answer, picture_size(data))


def server_ready(settings: Settings, timeout: float) -> Plan[bool]:
    """Whether the server answers and has the pipeline loaded."""
    try:
        return bool((yield Send(Ready(settings.model), positive(timeout))))
    except (ServerUnavailable, DeadlineExceeded):
        return False


def wait_ready(settings: Settings, timeout: float) -> Plan[None]:
    """Wait until the server has the pipeline loaded."""
    deadline = time.monotonic() + positive(timeout)
    reason = f"model {settings.model!r} is not loaded"
    while (left := deadline - time.monotonic()) > 0:
        try:
            if (yield Send(Ready(settings.model), min(left, 5.0))):
                return
        except (ServerUnavailable, DeadlineExceeded) as error:
            reason = error.reason
        yield Pause(min(0.1, max(0.0, deadline - time.monotonic())))
    raise ServerUnavailable(
        f"{settings.url} was not ready within {timeout:g} s: {reason}", "UNAVAILABLE"
    )


def server_info(settings: Settings, timeout: float) -> Plan[ServerInfo]:
    """The server's version, its models, and the limits and defaults of the pipeline."""
    seconds = positive(timeout)
    server = yield from _ask(settings, Look("server"), seconds)
    # The models that are ready; the index of all is an operator's, and may want a key.
    statistics = yield from _ask(settings, Look("statistics"), seconds)
    versions = ready_versions(statistics)
    configs = []
    for name in versions:
        configs.append((yield from _ask(settings, Look("config", name), seconds)))
    return server_info_of(server, versions, configs)


def server_work(settings: Settings, timeout: float) -> Plan[dict[str, Work]]:
    """What each model has done since the server started."""
    return work_of((yield from _ask(settings, Look("statistics"), positive(timeout))))


def positive(seconds: float) -> float:
    """A number of seconds, which must be more than 0."""
    if not seconds > 0:
        raise ValueError(f"timeout is {seconds!r}; it must be more than 0 seconds")
    return seconds


def _ask_about(
    settings: Settings, memory: SharedMemory, picture: bytes, question: Infer, timeout: float
) -> Plan[Any]:
    """Send a question together with its picture, through shared memory where that is faster."""
    if memory.wanted(len(picture)):
        retried = settings.retries > 0
        try:
            found = yield from ask_sharing(memory, picture, question, timeout, retried=retried)
        except DeadlineExceeded as error:
            raise _too_late(settings, timeout, error) from None
        if found is not None:
            return found
    whole = question._replace(inputs={"IMAGE": _bytes_tensor(picture), **question.inputs})
    return (yield from _ask(settings, whole, timeout))


def _ask(settings: Settings, request: Request, timeout: float) -> Plan[Any]:
    """Send a request, again and again while the server is away or busy, all within `timeout`.

    Nothing else is tried twice: a picture that is wrong stays wrong, and a server that failed in
    the middle of its work may fail the same way for every one of its instances.
    """
    deadline = time.monotonic() + timeout
    for attempt in itertools.count():
        try:
            return (yield Send(request, max(0.001, deadline - time.monotonic())))
        except DeadlineExceeded as error:
            raise _too_late(settings, timeout, error) from None
        except (ServerUnavailable, ServerBusy):
            pause = backoff(attempt, random.random())  # nosec B311 # not for secrets
            if attempt >= settings.retries or time.monotonic() + pause >= deadline:
                raise
        yield Pause(pause)
    raise AssertionError("unreachable: the loop has no end")


def _too_late(settings: Settings, timeout: float, error: DeadlineExceeded) -> DeadlineExceeded:
    reason = f"no answer from {settings.url} within {timeout:g} s"
    return DeadlineExceeded(reason, error.status)


def backoff(attempt: int, chance: float) -> float:
    """How many seconds to wait after attempt 0, 1, …: doubled each time, half of it by chance.

    Chance (0 to 1) keeps clients that failed together from coming back together.
    """
    return min(LONGEST_PAUSE, FIRST_PAUSE * 2**attempt) * (0.5 + 0.5 * chance)


def _seconds(settings: Settings, timeout: float | None) -> float:
    return settings.timeout if timeout is None else positive(timeout)


def _bytes_tensor(data: bytes) -> npt.NDArray[Any]:
    return np.array([data], np.object_)


def _box_tensors(boxes: npt.ArrayLike | Detection | None) -> dict[str, npt.NDArray[Any]]:
    if boxes is None:
        return {}
    if isinstance(boxes, Detection):
        return {"BOXES": boxes.boxes, "BOX_SCORES": boxes.scores}
    array = np.ascontiguousarray(boxes, np.float32)
    if array.shape[1:] != (4, 2):
        raise InvalidRequest(f"boxes have shape {array.shape}; give [N, 4, 2]: corners in pixels")
    return {"BOXES": array}
