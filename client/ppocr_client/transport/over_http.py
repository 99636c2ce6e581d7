"""Transports over HTTP, for threads and for an event loop.

Their connections are the standard library's: those of tritonclient cannot be shared between threads
and have no timeout for a single request.
"""

from __future__ import annotations

import asyncio
import http.client
import threading
import time
from collections import deque
from concurrent.futures import Future
from typing import Any

from ppocr_client.errors import DeadlineExceeded, connection_error
from ppocr_client.transport.base import Access, Address, Operation
from ppocr_client.transport.codec_http import (
    HEADER_LENGTH,
    HttpRequest,
    HttpResponse,
    decode,
    encode,
)


class HttpTransport:
    """Keep-alive HTTP connections, one for each request in flight."""

    def __init__(self, address: Address, access: Access) -> None:
        self._address = address
        self._headers = dict(access.headers)
        self._tls = access.tls.context() if address.secure else None
        self._idle: deque[http.client.HTTPConnection] = deque()

    def send(self, operation: Operation, timeout: float) -> Any:
        """See `Transport.send`."""
        return decode(operation, self._send(encode(operation), timeout))

    def close(self) -> None:
        """See `Transport.close`."""
        while self._idle:
            self._idle.pop().close()

    def _connection(self) -> http.client.HTTPConnection:
        host, port = self._address.host, self._address.port
        if self._tls is None:
            return http.client.HTTPConnection(host, port)
        return http.client.HTTPSConnection(host, port, context=self._tls)

    def _send(self, request: HttpRequest, timeout: float) -> HttpResponse:
        """Send a request and read the whole answer within `timeout` seconds."""
        deadline = time.monotonic() + timeout
        try:
            while self._idle:
                # The server may have closed an idle connection. Sending the request again on the
                # next one is safe: reading a picture changes nothing.
                try:
                    return self._exchange(self._idle.pop(), request, deadline)
                except (ConnectionError, IndexError):
                    continue
            return self._exchange(self._connection(), request, deadline)
        except TimeoutError:
            raise DeadlineExceeded("no answer in time", "DEADLINE_EXCEEDED") from None
        except (OSError, http.client.HTTPException) as error:
            raise connection_error(str(self._address), f"{type(error).__name__}: {error}") from None

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


class AsyncHttpTransport:
    """The same for tasks: requests wait in threads, and one that is cancelled is still answered.

    No program waits at its end for answers that nobody wants any more.
    """

    def __init__(self, address: Address, access: Access) -> None:
        self._transport = HttpTransport(address, access)

    async def send(self, operation: Operation, timeout: float) -> Any:
        """See `Transport.send`."""
        answer: Future[Any] = Future()
        answer.set_running_or_notify_cancel()  # from here on a cancelled task leaves it alone

        def ask() -> None:
            try:
                answer.set_result(self._transport.send(operation, timeout))
            except Exception as error:  # noqa: BLE001  the task raises it
                answer.set_exception(error)

        threading.Thread(target=ask, name="ppocr-client", daemon=True).start()
        return await asyncio.wrap_future(answer)

    async def close(self) -> None:
        """See `Transport.close`."""
        self._transport.close()


def _limit(connection: http.client.HTTPConnection, deadline: float) -> None:
    """Limit the connection's next operation to the time left until the deadline."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    connection.timeout = left
    if connection.sock is not None:
        connection.sock.settimeout(left)
