"""The client's way to Triton over HTTP.

The connections are the standard library's: those of tritonclient cannot be shared between threads
and know no deadline of a single request.
"""

from __future__ import annotations

import http.client
import time
from collections import deque
from typing import Any

from ppocr_client.errors import DeadlineExceeded, ServerUnavailable
from ppocr_client.transport.base import Access, Address, Request
from ppocr_client.transport.codec_http import HEADER_LENGTH, Answer, Call, decode, encode


class HttpTransport:
    """Kept-alive HTTP connections, one to each request in progress."""

    def __init__(self, address: Address, access: Access) -> None:
        self._address = address
        self._headers = dict(access.headers)
        self._tls = access.tls.context() if address.secure else None
        self._idle: deque[http.client.HTTPConnection] = deque()

    def send(self, request: Request, timeout: float) -> Any:
        """See `Transport.send`."""
        return decode(request, self._send(encode(request), timeout))

    def close(self) -> None:
        """See `Transport.close`."""
        while self._idle:
            self._idle.pop().close()

    def _connection(self) -> http.client.HTTPConnection:
        host, port = self._address.host, self._address.port
        if self._tls is None:
            return http.client.HTTPConnection(host, port)
        return http.client.HTTPSConnection(host, port, context=self._tls)

    def _send(self, call: Call, timeout: float) -> Answer:
        """Send a request and read the whole answer within `timeout` seconds."""
        deadline = time.monotonic() + timeout
        try:
            while self._idle:
                # The server may have closed a connection that lay idle; the next one will do.
                # Asking twice is harmless, since reading a picture changes nothing.
                try:
                    return self._exchange(self._idle.pop(), call, deadline)
                except (ConnectionError, IndexError):
                    continue
            return self._exchange(self._connection(), call, deadline)
        except TimeoutError:
            raise DeadlineExceeded("no answer in time", "DEADLINE_EXCEEDED") from None
        except (OSError, http.client.HTTPException) as error:
            raise ServerUnavailable(f"{self._address}: {error}", "UNAVAILABLE") from None

    def _exchange(
        self, connection: http.client.HTTPConnection, call: Call, deadline: float
    ) -> Answer:
        """One request and its answer; the connection is kept for the next if all went well."""
        path, headers = self._address.path + call.path, self._headers | call.headers
        try:
            _limit(connection, deadline)
            connection.request(call.method, path, call.body, headers)
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
