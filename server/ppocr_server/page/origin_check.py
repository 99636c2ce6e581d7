"""Protection of the page against other web sites.

Any web page can send requests to this machine. They are refused by their `Origin`; those of a site
whose name was rebound to this machine (DNS rebinding) by their `Host`.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ppocr_server.gateway.failures import Failure
from ppocr_server.gateway.middleware import answer_failure

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


class OriginCheck:
    """ASGI middleware: refuses requests of other sites, sends `HEADERS` with every answer."""

    def __init__(self, app: ASGIApp, names: Collection[str]) -> None:
        """Protect an application that is reached by an IP address or by one of these names."""
        self._app, self._names = app, names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        reason = refusal(Headers(scope=scope), self._names)
        if reason is None:
            await self._app(scope, receive, send_with_headers)
        else:
            refused = answer_failure(Failure(403, "other_site", reason))
            await refused(scope, receive, send_with_headers)


def refusal(headers: Headers, names: Collection[str]) -> str | None:
    """Why a request is refused; None if it is accepted."""
    host = headers.get("host", "")
    name = _name(host)
    if name not in names and not _is_address(name):
        return f"this page is not {host!r}; open it by an address or as {', '.join(names)}"
    origin = headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != host:
        return f"requests of {origin} are not answered"
    followed = headers.get("sec-fetch-mode") == "navigate"  # a followed link is harmless
    if headers.get("sec-fetch-site", "none") not in ("none", "same-origin") and not followed:
        return "requests of other sites are not answered"
    return None


def _name(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _is_address(name: str) -> bool:
    """Whether it is an IP address, which cannot be rebound as a name can."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
