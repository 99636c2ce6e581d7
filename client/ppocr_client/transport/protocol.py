"""How a client asks the server, which is the same for threads and for event loops."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from ppocr_client.documents.pictures import Colour, read_image
from ppocr_client.errors import DeadlineExceeded, ServerBusy, ServerUnavailable
from ppocr_client.options import request_parameters
from ppocr_client.transport.base import (
    DEFAULT_URL,
    Infer,
    Operation,
    Tls,
    backoff,
    connect,
    parse_url,
    positive,
)

Tensors = dict[str, npt.NDArray[Any]]


class BaseClient:
    """The settings of a client and its connection, and how it asks the server."""

    _in_loop: ClassVar[bool]

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
        self._model, self._detect_model = model, detect_model
        self._recognize_model = recognize_model
        self._timeout, self._retries = positive(timeout), retries
        bearer = {} if token is None else {"Authorization": f"Bearer {token}"}
        self._transport = connect(
            address, {**bearer, **(headers or {})}, tls, in_loop=self._in_loop
        )

    @property
    def url(self) -> str:
        """The whole address."""
        return str(self._address)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.url!r}, model={self._model!r})"

    async def _infer(
        self,
        model: str,
        image: Any,
        colour: Colour | None,
        timeout: float | None,
        options: Mapping[str, object],
        *,
        inputs: Tensors | None = None,
        request_id: str = "",
    ) -> tuple[Infer, Tensors]:
        """What was sent to a model, and its outputs."""
        parameters = request_parameters(options)
        seconds = self._timeout if timeout is None else positive(timeout)
        if self._in_loop and not isinstance(image, bytes):  # bytes are not worth a thread
            data = await asyncio.to_thread(read_image, image, colour)
        else:
            data = read_image(image, colour)
        tensors = {"IMAGE": np.array([data], np.object_), **(inputs or {})}
        infer = Infer(model, tensors, parameters, request_id)
        return infer, await self._retried(infer, seconds)

    async def _retried(self, operation: Operation, timeout: float) -> Any:
        """Send an operation until it is answered, within `timeout` seconds altogether.

        Only an unavailable or busy server is tried again: a bad picture stays bad, and a server
        error may bring down one instance after the other.
        """
        deadline = time.monotonic() + timeout
        for attempt in itertools.count():
            try:
                left = max(0.001, deadline - time.monotonic())
                return await self._transport.send(operation, left)
            except DeadlineExceeded as error:
                raise DeadlineExceeded(
                    f"no answer from {self._address} within {timeout:g} s; allow more seconds, or "
                    "send fewer requests at once",
                    error.status,
                ) from None
            except (ServerUnavailable, ServerBusy):
                pause = backoff(attempt)
                if attempt >= self._retries or time.monotonic() + pause >= deadline:
                    raise
            await self._sleep(pause)
        raise AssertionError("unreachable: the loop has no end")

    async def _sleep(self, seconds: float) -> None:
        if self._in_loop:
            await asyncio.sleep(seconds)
        else:
            time.sleep(seconds)
