"""The client's way to Triton over HTTP.

tritonclient writes and reads the bodies. The connections are the standard library's: those of
tritonclient cannot be shared between threads and know no deadline of a single request.
"""

from __future__ import annotations

import http.client
import json
import time
from collections import deque
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import quote

import numpy as np
import numpy.typing as npt
from tritonclient import http as triton

from ppocr_client.errors import DeadlineExceeded, ServerUnavailable, error_of_http
from ppocr_client.options import Value
from ppocr_client.transport import Address

HEADER_LENGTH = "Inference-Header-Content-Length"


class Answer(NamedTuple):
    """A whole HTTP answer; `header_length` is where the JSON ends and the tensors begin."""

    code: int
    header_length: int | None
    body: bytes


class HttpTransport:
    """Kept-alive HTTP connections, one to each request in progress."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._idle: deque[http.client.HTTPConnection] = deque()

    def infer(
        self, model: str, image: bytes, parameters: Mapping[str, Value], timeout: float
    ) -> dict[str, npt.NDArray[Any]]:
        """See `Transport.infer`."""
        tensor = triton.InferInput("IMAGE", [1], "BYTES")
        tensor.set_data_from_numpy(np.array([image], np.object_))
        body, header_length = triton.InferenceServerClient.generate_request_body(
            [tensor], parameters=dict(parameters)
        )
        headers = {"Content-Type": "application/octet-stream", HEADER_LENGTH: str(header_length)}
        answer = self._send("POST", f"/v2/models/{quote(model)}/infer", body, headers, timeout)
        if answer.code != 200:
            raise error_of_http(answer.code, _reason(answer))
        result = triton.InferenceServerClient.parse_response_body(
            answer.body, header_length=answer.header_length
        )
        names = [output["name"] for output in result.get_response()["outputs"]]
        return {name: result.as_numpy(name) for name in names}

    def model_ready(self, model: str, timeout: float) -> bool:
        """See `Transport.model_ready`."""
        return self._send("GET", f"/v2/models/{quote(model)}/ready", b"", {}, timeout).code == 200

    def close(self) -> None:
        """See `Transport.close`."""
        while self._idle:
            self._idle.pop().close()

    def _send(
        self, method: str, path: str, body: bytes, headers: Mapping[str, str], timeout: float
    ) -> Answer:
        """Send a request and read the whole answer within `timeout` seconds."""
        deadline = time.monotonic() + timeout
        try:
            while self._idle:
                # The server may have closed a connection that lay idle; the next one will do.
                # Asking twice is harmless, since reading a picture changes nothing.
                try:
                    return self._exchange(self._idle.pop(), method, path, body, headers, deadline)
                except (ConnectionError, IndexError):
                    continue
            connection = http.client.HTTPConnection(self._address.host, self._address.port)
            return self._exchange(connection, method, path, body, headers, deadline)
        except TimeoutError:
            raise DeadlineExceeded(
                f"no answer from {self._address} within {timeout:g} s", "DEADLINE_EXCEEDED"
            ) from None
        except (OSError, http.client.HTTPException) as error:
            raise ServerUnavailable(f"{self._address}: {error}", "UNAVAILABLE") from None

    def _exchange(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        body: bytes,
        headers: Mapping[str, str],
        deadline: float,
    ) -> Answer:
        """One request and its answer; the connection is kept for the next if all went well."""
        try:
            _limit(connection, deadline)
            connection.request(method, self._address.path + path, body, dict(headers))
            _limit(connection, deadline)
            response = connection.getresponse()
            length = response.getheader(HEADER_LENGTH)
            answer = Answer(response.status, int(length) if length else None, response.read())
        except BaseException:
            connection.close()
            raise
        if not response.will_close:
            self._idle.append(connection)
        return answer


def _limit(connection: http.client.HTTPConnection, deadline: float) -> None:
    """Let the connection's next step take no longer than to the deadline."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    connection.timeout = left
    if connection.sock is not None:
        connection.sock.settimeout(left)


def _reason(answer: Answer) -> str:
    """The server's reason in an error's body, or what else it said."""
    text = answer.body.decode(errors="replace").strip()
    try:
        return str(json.loads(text)["error"])
    except (ValueError, KeyError, TypeError):
        return text or f"HTTP status {answer.code} without a reason"
