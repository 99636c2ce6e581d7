"""The HTTP endpoint: POST /{name}/{method}, and two paths for health checks.

An ASGI application without a framework: four kinds of answers need no router, and the layers of a
framework took longer than all other work for a request.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Coroutine
from typing import Any

import uvicorn
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from ppocr_server.access import Tls, admits
from ppocr_server.paddle_serving.json_call import (
    INVALID_ARGUMENT,
    RESOURCE_EXHAUSTED,
    UNAUTHENTICATED,
    BodyError,
    body_of_answer,
    body_of_refusal,
    call_of_body,
)
from ppocr_server.paddle_serving.protocol import TOKEN_WANTED, Answer, too_long_for_a_picture
from ppocr_server.paddle_serving.service import PipelineService
from ppocr_server.paddle_serving.settings import MARGIN_BYTES

LIVE, READY = "/health/live", "/health/ready"
# No client receives this answer; nginx logs such a request with the same status.
CLIENT_GONE = 499
# 404 and 405 with the text of the old gateway.
NO_SNIFFING = {"x-content-type-options": "nosniff"}
BACKLOG = 2048
# Balancers and old clients expect idle connections to last this long.
KEEP_ALIVE_SECONDS = 75


class ClientGone(Exception):
    """The client disconnected before it had sent everything, or before it was answered."""


def http_app(service: PipelineService) -> ASGIApp:
    """The ASGI application that answers the calls of a service."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        reply = await _reply(service, scope, receive)
        await reply(scope, receive, send)

    return app


async def _reply(service: PipelineService, scope: Scope, receive: Receive) -> Response:
    path, method = scope["path"], scope["method"]
    root, *names = path.split("/")
    if root or len(names) != 2 or not all(names):
        return PlainTextResponse("Not Found\n", 404, NO_SNIFFING)
    if method == "POST":
        if not admits(service.settings.token, _header(scope, b"authorization")):
            # Without reading the body.
            ask = {"www-authenticate": "Bearer"}
            return _refusal(401, UNAUTHENTICATED, TOKEN_WANTED, ask)
        return await _inference(service, scope, receive, *names)
    if path not in (LIVE, READY) or method not in ("GET", "HEAD"):
        allow = "GET, HEAD" if path in (LIVE, READY) else "POST"
        return PlainTextResponse("Method Not Allowed\n", 405, {**NO_SNIFFING, "allow": allow})
    if path == LIVE or service.ready:
        return PlainTextResponse("ok\n")
    return PlainTextResponse("not ready\n", 503)


async def _inference(
    service: PipelineService, scope: Scope, receive: Receive, name: str, method: str
) -> Response:
    """Read a request and answer it; refuse one that is too long without reading it."""
    settings = service.settings
    longest_base64 = settings.max_picture_bytes * 4 // 3 + MARGIN_BYTES
    useful = min(longest_base64, settings.max_message_bytes)
    closes = closes_after(scope)
    try:
        # The announced size; a chunked body has none.
        body, size = b"", int(_header(scope, b"content-length") or 0)
        if size <= useful or closes:
            body, size = await read_body(receive, useful, to_its_end=closes)
        if size > settings.max_message_bytes:
            reason = f"Received message larger than max ({size} vs. {settings.max_message_bytes})"
            return _refusal(429, RESOURCE_EXHAUSTED, reason)
        if size > useful:
            return _json(too_long_for_a_picture(size, settings.max_picture_bytes))
        call = call_of_body(body, name, method)
        del body
        return _json(await _unless_gone(service.answer(call), receive))
    except BodyError as error:
        return _refusal(400, INVALID_ARGUMENT, str(error))
    except ClientGone:
        return PlainTextResponse(status_code=CLIENT_GONE)


def closes_after(scope: Scope) -> bool:
    """Whether the connection ends with this answer.

    Then a body must be read to its end: most clients read the answer only after they have sent
    everything, and otherwise see a broken connection. On a connection that stays open, uvicorn
    discards the rest of a body by itself, and faster.
    """
    return scope["http_version"] == "1.0" or b"close" in _header(scope, b"connection").lower()


def _header(scope: Scope, name: bytes) -> bytes:
    """A header's value; empty if it was not sent."""
    return bytes(dict(scope["headers"]).get(name, b""))


async def read_body(receive: Receive, keep: int, *, to_its_end: bool) -> tuple[bytes, int]:
    """Return a body and its size.

    Args:
        receive: ASGI's.
        keep: longest body to keep; nothing is kept of a longer one.
        to_its_end: whether to read a longer one to its end; if not, the size is what was read.

    Raises:
        ClientGone: the client disconnected before it had sent everything.
    """
    chunks: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        chunk, more = message.get("body", b""), message.get("more_body", False)
        size += len(chunk)
        if size <= keep:
            chunks.append(chunk)
            continue
        chunks.clear()
        if not to_its_end:
            break
    return b"".join(chunks), size


async def _unless_gone(answering: Coroutine[Any, Any, Answer], receive: Receive) -> Answer:
    """Return the answer; if the client disconnects, cancel the work and raise `ClientGone`."""
    answer = asyncio.ensure_future(answering)
    # The body has been read, so the only message left is the disconnect.
    gone = asyncio.ensure_future(receive())
    gone.add_done_callback(lambda _: answer.cancel())
    try:
        return await answer
    except asyncio.CancelledError:
        if gone.done():
            raise ClientGone from None
        raise
    finally:
        gone.cancel()


def _json(answer: Answer) -> Response:
    return Response(body_of_answer(answer), media_type="application/json")


def _refusal(
    status: int, code: int, reason: str, headers: dict[str, str] | None = None
) -> Response:
    return Response(body_of_refusal(code, reason), status, headers, "application/json")


class HttpEndpoint(uvicorn.Server):
    """A server in a shared event loop, which handles no signals and runs until `stop`."""

    capture_signals = contextlib.nullcontext  # type: ignore[assignment]  # installs no handlers

    def __init__(
        self, app: ASGIApp, listener: socket.socket, grace: float, tls: Tls | None = None
    ) -> None:
        """Serve on a bound socket; requests in progress get `grace` seconds when it ends."""
        certificates: dict[str, Any] = {}
        if tls is not None:
            certificates = {
                "ssl_certfile": tls.certificate,
                "ssl_keyfile": tls.key,
                "ssl_ca_certs": tls.clients and str(tls.clients),
                "ssl_cert_reqs": ssl.CERT_NONE if tls.clients is None else ssl.CERT_REQUIRED,
            }
        super().__init__(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                server_header=False,
                lifespan="off",
                ws="none",
                proxy_headers=False,  # the client's address is not used
                backlog=BACKLOG,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=max(1, round(grace)),
                **certificates,
            )
        )
        self._socket = listener
        # Clients can connect from here on; they are answered once the server runs.
        self._socket.listen(BACKLOG)

    async def run_until_exit(self) -> None:
        """Answer until `stop` is called and the requests in progress have ended."""
        with self._socket:
            await self.serve(sockets=[self._socket])

    def stop(self) -> None:
        """Take no more connections."""
        self.should_exit = True
