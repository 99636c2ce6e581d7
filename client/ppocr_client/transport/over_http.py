"""Triton's HTTP service, for threads and for an event loop.

The connections are the standard library's: those of tritonclient cannot be shared between threads
and have no timeout for a single request.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import threading
import time
from collections import deque
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any, NamedTuple
from urllib.parse import quote

from tritonclient import http as triton
from tritonclient.utils import np_to_triton_dtype

from ppocr_client.errors import DeadlineExceeded, connection_error, error_of_http
from ppocr_client.transport.base import Address, Operation, Query, Ready, Tls

HEADER_LENGTH = "Inference-Header-Content-Length"
QUERIES = {"server": "/v2", "config": "/v2/models/{}/config", "statistics": "/v2/models/stats"}


class HttpRequest(NamedTuple):
    """An HTTP request; `path` begins with a slash."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class HttpResponse(NamedTuple):
    """An HTTP response; `header_length` is where the JSON ends and the tensors begin."""

    code: int
    header_length: int | None
    body: bytes


class HttpTransport:
    """Keep-alive HTTP connections, one for each request in flight.

    Requests of an event loop wait in threads, and one that is cancelled is still answered: no
    program waits at its end for answers that nobody wants any more.
    """

    def __init__(
        self, address: Address, headers: Mapping[str, str], tls: Tls, *, in_loop: bool
    ) -> None:
        self._address, self._headers, self._in_loop = address, dict(headers), in_loop
        self._tls = tls.context() if address.secure else None
        self._idle: deque[http.client.HTTPConnection] = deque()

    async def send(self, operation: Operation, timeout: float) -> Any:
        """See `Transport.send`."""
        if not self._in_loop:
            return self._ask(operation, timeout)
        answer: Future[Any] = Future()
        answer.set_running_or_notify_cancel()  # from here on a cancelled task leaves it alone

        def ask() -> None:
            try:
                answer.set_result(self._ask(operation, timeout))
            except Exception as error:  # noqa: BLE001  the task raises it
                answer.set_exception(error)

        threading.Thread(target=ask, name="ppocr-client", daemon=True).start()
        return await asyncio.wrap_future(answer)

    async def close(self) -> None:
        """See `Transport.close`."""
        while self._idle:
            self._idle.pop().close()

    def _ask(self, operation: Operation, timeout: float) -> Any:
        """The whole answer to an operation within `timeout` seconds."""
        request, deadline = encode(operation), time.monotonic() + timeout
        try:
            while self._idle:
                # The server may have closed an idle connection. Sending the request again on the
                # next one is safe: reading a picture changes nothing.
                try:
                    response = self._exchange(self._idle.pop(), request, deadline)
                    break
                except (ConnectionError, IndexError):
                    continue
            else:
                response = self._exchange(self._connection(), request, deadline)
        except TimeoutError:
            raise DeadlineExceeded("no answer in time", "DEADLINE_EXCEEDED") from None
        except (OSError, http.client.HTTPException) as error:
            raise connection_error(str(self._address), f"{type(error).__name__}: {error}") from None
        return decode(operation, response)

    def _connection(self) -> http.client.HTTPConnection:
        host, port = self._address.host, self._address.port
        if self._tls is None:
            return http.client.HTTPConnection(host, port)
        return http.client.HTTPSConnection(host, port, context=self._tls)

    def _exchange(
        self, connection: http.client.HTTPConnection, request: HttpRequest, deadline: float
    ) -> HttpResponse:
        """Send one request; the connection is kept for the next if that succeeds."""
        path, headers = self._address.path + request.path, self._headers | request.headers
        try:
            _limit(connection, deadline)
            connection.request(request.method, path, request.body, headers)
            _limit(connection, deadline)
            response = connection.getresponse()
            length = response.getheader(HEADER_LENGTH)
            whole = HttpResponse(response.status, int(length) if length else None, response.read())
        except BaseException:
            connection.close()
            raise
        if not response.will_close:
            self._idle.append(connection)
        return whole


def encode(operation: Operation) -> HttpRequest:
    """The operation as an HTTP request."""
    model = quote(operation.model)
    if isinstance(operation, Ready):
        return HttpRequest("GET", f"/v2/models/{model}/ready", {}, b"")
    if isinstance(operation, Query):
        return HttpRequest("GET", QUERIES[operation.what].format(model), {}, b"")
    tensors = []
    for name, array in operation.inputs.items():
        tensor = triton.InferInput(name, list(array.shape), np_to_triton_dtype(array.dtype))
        tensors.append(tensor.set_data_from_numpy(array))
    body, header_length = triton.InferenceServerClient.generate_request_body(
        tensors, request_id=operation.request_id, parameters=dict(operation.parameters)
    )
    headers = {"Content-Type": "application/octet-stream", HEADER_LENGTH: str(header_length)}
    return HttpRequest("POST", f"/v2/models/{model}/infer", headers, body)


def decode(operation: Operation, response: HttpResponse) -> Any:
    """The answer to an operation; an OcrError if the server refused or failed, with its reason."""
    if isinstance(operation, Ready):
        return response.code == 200
    if response.code != 200:
        raise error_of_http(response.code, _reason(response))
    if isinstance(operation, Query):
        return json.loads(response.body)
    result = triton.InferenceServerClient.parse_response_body(
        response.body, header_length=response.header_length
    )
    names = [output["name"] for output in result.get_response()["outputs"]]
    return {name: result.as_numpy(name) for name in names}


def _reason(response: HttpResponse) -> str:
    """Triton's reason in an error's body; of another server the body itself."""
    text = response.body.decode(errors="replace").strip()
    try:
        error = json.loads(text)["error"]
    except (ValueError, KeyError, TypeError):
        error = None
    if isinstance(error, str):
        return error
    if response.code == 404:
        return (
            f"what answers there is not Triton (HTTP status 404: {text}). Triton's own address is "
            "http://HOST:8000 or grpc://HOST:8001 unless told otherwise; the gateway's is for curl"
        )
    return text or f"HTTP status {response.code} without a reason"


def _limit(connection: http.client.HTTPConnection, deadline: float) -> None:
    """Limit the connection's next operation to the time left until the deadline."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    connection.timeout = left
    if connection.sock is not None:
        connection.sock.settimeout(left)
