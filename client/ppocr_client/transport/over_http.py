"""Transports over HTTP, for threads and for an event loop.

Their connections are the standard library's: those of tritonclient cannot be shared between threads
and have no timeout for a single request.
"""

from __future__ import annotations

import asyncio
import http.client
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
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

MOST_THREADS = 256  # of an event loop's requests in flight


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
    """The same for tasks: requests wait in threads, and one that is cancelled is still answered."""

    def __init__(self, address: Address, access: Access) -> None:
        self._transport = HttpTransport(address, access)
        self._threads = ThreadPoolExecutor(MOST_THREADS, thread_name_prefix="ppocr-client")

    async def send(self, operation: Operation, timeout: float) -> Any:
        """See `Transport.send`."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._transport.send, operation, timeout)

    async def close(self) -> None:
        """See `Transport.close`."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._transport.close()


def _limit(connection: http.client.HTTPConnection, deadline: float) -> None:
    """Limit the connection's next operation to the time left until the deadline."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    connection.timeout = left
    if connection.sock is not None:
        connection.sock.settimeout(left)
