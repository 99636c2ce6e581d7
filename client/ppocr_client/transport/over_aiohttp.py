"""The client's way to Triton over HTTP for the tasks of an event loop.

aiohttp comes with tritonclient's own HTTP client.
"""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp

from ppocr_client.errors import DeadlineExceeded, ServerUnavailable
from ppocr_client.transport.base import Access, Address, Request
from ppocr_client.transport.codec_http import HEADER_LENGTH, Answer, Call, decode, encode


class AsyncHttpTransport:
    """Kept-alive HTTP connections; they open in the event loop of the first request."""

    def __init__(self, address: Address, access: Access) -> None:
        self._address = address
        self._headers = dict(access.headers)
        self._tls = access.tls.context() if address.secure else True
        scheme = "https" if address.secure else "http"
        self._base = f"{scheme}://{address.netloc}{address.path}"
        self._session: aiohttp.ClientSession | None = None

    async def send(self, request: Request, timeout: float) -> Any:
        """See `Transport.send`."""
        return decode(request, await self._send(encode(request), timeout))

    async def close(self) -> None:
        """See `Transport.close`."""
        if self._session is not None:
            await self._session.close()

    async def _send(self, call: Call, timeout: float) -> Answer:
        if self._session is None:
            # How many requests are sent at once is for the caller to say, not for the connector.
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, ssl=self._tls), headers=self._headers
            )
        try:
            async with self._session.request(
                call.method,
                self._base + call.path,
                data=call.body,
                headers=call.headers,
                timeout=aiohttp.ClientTimeout(total=timeout),
            ) as response:
                length = response.headers.get(HEADER_LENGTH)
                body = await response.read()
                return Answer(response.status, int(length) if length else None, body)
        except asyncio.TimeoutError:
            raise DeadlineExceeded("no answer in time", "DEADLINE_EXCEEDED") from None
        except (OSError, aiohttp.ClientError) as error:
            raise ServerUnavailable(f"{self._address}: {error}", "UNAVAILABLE") from None
