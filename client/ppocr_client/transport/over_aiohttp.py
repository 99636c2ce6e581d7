"""A transport over HTTP for the tasks of an event loop; tritonclient brings aiohttp."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp

from ppocr_client.errors import DeadlineExceeded, connection_error
from ppocr_client.transport.base import Access, Address, Operation
from ppocr_client.transport.codec_http import (
    HEADER_LENGTH,
    HttpRequest,
    HttpResponse,
    decode,
    encode,
)


class AsyncHttpTransport:
    """Keep-alive HTTP connections; they open in the event loop of the first request."""

    def __init__(self, address: Address, access: Access) -> None:
        self._address = address
        self._headers = dict(access.headers)
        self._tls = access.tls.context() if address.secure else True
        scheme = "https" if address.secure else "http"
        self._base = f"{scheme}://{address.netloc}{address.path}"
        self._session: aiohttp.ClientSession | None = None

    async def send(self, operation: Operation, timeout: float) -> Any:
        """See `Transport.send`."""
        return decode(operation, await self._send(encode(operation), timeout))

    async def close(self) -> None:
        """See `Transport.close`."""
        if self._session is not None:
            await self._session.close()

    async def _send(self, request: HttpRequest, timeout: float) -> HttpResponse:
        if self._session is None:
            # The caller decides how many requests are in flight, not the connector.
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, ssl=self._tls), headers=self._headers
            )
        try:
            async with self._session.request(
                request.method,
                self._base + request.path,
                data=request.body,
                headers=request.headers,
                timeout=aiohttp.ClientTimeout(total=timeout),
            ) as response:
                length = response.headers.get(HEADER_LENGTH)
                body = await response.read()
                return HttpResponse(response.status, int(length) if length else None, body)
        except asyncio.TimeoutError:
            raise DeadlineExceeded("no answer in time", "DEADLINE_EXCEEDED") from None
        except (OSError, aiohttp.ClientError) as error:
            raise connection_error(str(self._address), f"{error!r}") from None
