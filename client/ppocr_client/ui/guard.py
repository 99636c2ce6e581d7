"""What keeps other web pages away from the local one.

A page of any site can send requests to this machine. It is refused by its `Origin`; a site whose
name was made to lead here (DNS rebinding) by the `Host` that its requests carry.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; require-trusted-types-for 'script'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Guard:
    """Refuses requests of other sites, and sends `HEADERS` with every answer."""

    def __init__(self, app: ASGIApp, names: Collection[str]) -> None:
        """Guard an application that is reached by an address or by one of these names."""
        self._app, self._names = app, names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        reason = refusal(Headers(scope=scope), self._names)
        if reason is None:
            await self._app(scope, receive, send_guarded)
        else:
            await JSONResponse({"error": reason}, 403)(scope, receive, send_guarded)


def refusal(headers: Headers, names: Collection[str]) -> str | None:
    """Why a request is refused; None if it is not."""
    host = headers.get("host", "")
    name = _name(host)
    if name not in names and not _is_address(name):
        return f"this page is not {host!r}; open it by an address or as {', '.join(names)}"
    origin = headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != host:
        return f"requests of {origin} are not answered"
    followed = headers.get("sec-fetch-mode") == "navigate"  # a link to here does no harm
    if headers.get("sec-fetch-site", "none") not in ("none", "same-origin") and not followed:
        return "requests of other sites are not answered"
    return None


def _name(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _is_address(name: str) -> bool:
    """Whether it is an IP address, which no site's owner can make lead elsewhere."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
