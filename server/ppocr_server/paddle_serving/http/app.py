"""The HTTP endpoint: POST /{name}/{method}, and two paths for health checks.

An ASGI application without a framework: four kinds of answers need no router, and the layers of a
framework took longer than all other work for a request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from ppocr_server.access import admits
from ppocr_server.paddle_serving.http.json_call import (
    INVALID_ARGUMENT,
    RESOURCE_EXHAUSTED,
    UNAUTHENTICATED,
    BodyError,
    body_of_answer,
    body_of_refusal,
    call_of_body,
)
from ppocr_server.paddle_serving.protocol import Answer
from ppocr_server.paddle_serving.service import (
    TOKEN_WANTED,
    PipelineService,
    too_long_for_a_picture,
)
from ppocr_server.paddle_serving.settings import EndpointSettings, longest_base64

HEALTH = "/health/"
# No client receives this answer; nginx logs such a request with the same status.
CLIENT_GONE = 499
ASK = {"www-authenticate": "Bearer"}
# 404 and 405 with the text of the old gateway.
NO_SNIFFING = {"x-content-type-options": "nosniff"}


class ClientGone(Exception):
    """The client disconnected before it had sent everything, or before it was answered."""


def http_app(service: PipelineService, ready: Callable[[], bool]) -> ASGIApp:
    """The ASGI application.

    Args:
        service: answers the calls.
        ready: whether Triton is ready, asked by GET /health/ready.
    """
    token = service.settings.token

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        path, method = scope["path"], scope["method"]
        root, *names = path.split("/")
        if root or len(names) != 2 or not all(names):
            reply: Response = PlainTextResponse("Not Found\n", 404, NO_SNIFFING)
        elif method == "POST" and not admits(token, _header(scope, b"authorization")):
            # Without reading the body.
            reply = _refusal(401, UNAUTHENTICATED, TOKEN_WANTED, ASK)
        elif method == "POST":
            reply = await inference(service, scope, receive, *names)
        elif path not in (f"{HEALTH}live", f"{HEALTH}ready"):
            reply = _only("POST")
        elif method not in ("GET", "HEAD"):
            reply = _only("GET, HEAD")
        elif path.endswith("live") or ready():
            reply = PlainTextResponse("ok\n")
        else:
            reply = PlainTextResponse("not ready\n", 503)
        await reply(scope, receive, send)

    return app


def _only(methods: str) -> Response:
    return PlainTextResponse("Method Not Allowed\n", 405, {**NO_SNIFFING, "allow": methods})


async def inference(
    service: PipelineService, scope: Scope, receive: Receive, name: str, method: str
) -> Response:
    """Read a request and answer it; refuse one that is too long without reading it."""
    settings = service.settings
    useful = min(longest_base64(settings.max_picture_bytes), settings.max_message_bytes)
    headers, closes = dict(scope["headers"]), closes_after(scope)
    try:
        # The announced size; a chunked body has none.
        body, size = b"", int(headers.get(b"content-length", 0))
        if size <= useful or closes:
            body, size = await read_body(receive, useful, to_its_end=closes)
        if size > useful:
            return too_long(size, settings)
        call = call_of_body(body, name, method)
        del body
        return _json(await unless_gone(service.answer(call), receive))
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


def too_long(size: int, settings: EndpointSettings) -> Response:
    """The refusal of a body of `size` bytes, or more."""
    if size > settings.max_message_bytes:
        reason = f"Received message larger than max ({size} vs. {settings.max_message_bytes})"
        return _refusal(429, RESOURCE_EXHAUSTED, reason)
    return _json(too_long_for_a_picture(size, settings.max_picture_bytes))


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


async def unless_gone(answering: Coroutine[Any, Any, Answer], receive: Receive) -> Answer:
    """Return the answer.

    Raises:
        ClientGone: the client disconnected; the work is cancelled.
    """
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
