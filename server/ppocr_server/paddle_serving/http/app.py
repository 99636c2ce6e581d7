"""The HTTP endpoint: POST /{name}/{method}, and two paths for health checks.

An ASGI application without a framework: four kinds of answers need no router, and the layers of a
framework took longer than all other work for a request.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, MutableMapping
from dataclasses import dataclass
from typing import Any

from ppocr_server.access.credentials import admits
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

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

JSON = b"application/json"
TEXT = b"text/plain; charset=utf-8"
HEALTH = "/health/"
# No client receives this answer; nginx logs such a request with the same status.
CLIENT_GONE = 499


class ClientGone(Exception):
    """The client disconnected before it had sent everything, or before it was answered."""


@dataclass(frozen=True)
class Reply:
    """An answer: status, body, its content type, and further headers."""

    status: int
    body: bytes
    content_type: bytes = JSON
    headers: tuple[tuple[bytes, bytes], ...] = ()


OK = Reply(200, b"ok\n", TEXT)
NOT_READY = Reply(503, b"not ready\n", TEXT)
GONE = Reply(CLIENT_GONE, b"", TEXT)
# 404 and 405 with the text of the old gateway.
NO_SNIFFING = (b"x-content-type-options", b"nosniff")
NOT_FOUND = Reply(404, b"Not Found\n", TEXT, (NO_SNIFFING,))
POST_ONLY = Reply(405, b"Method Not Allowed\n", TEXT, (NO_SNIFFING, (b"allow", b"POST")))
GET_ONLY = Reply(405, b"Method Not Allowed\n", TEXT, (NO_SNIFFING, (b"allow", b"GET, HEAD")))


NO_TOKEN = Reply(
    401,
    body_of_refusal(UNAUTHENTICATED, TOKEN_WANTED),
    headers=((b"www-authenticate", b"Bearer"),),
)


def http_app(service: PipelineService, ready: Callable[[], bool]) -> App:
    """The ASGI application.

    Args:
        service: answers the calls.
        ready: whether Triton is ready, asked by GET /health/ready.
    """
    token = service.settings.token

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        path, method = scope["path"], scope["method"]
        root, *names = path.split("/")
        if root or len(names) != 2 or not all(names):
            reply = NOT_FOUND
        elif method == "POST" and not admits(token, _header(scope, b"authorization")):
            reply = NO_TOKEN  # without reading the body
        elif method == "POST":
            reply = await inference(service, scope, receive, *names)
        elif path in (f"{HEALTH}live", f"{HEALTH}ready"):
            well = path.endswith("live") or ready()
            reply = GET_ONLY if method not in ("GET", "HEAD") else OK if well else NOT_READY
        else:
            reply = POST_ONLY
        await _send(send, reply)

    return app


async def inference(
    service: PipelineService, scope: Message, receive: Receive, name: str, method: str
) -> Reply:
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
        return GONE


def closes_after(scope: Message) -> bool:
    """Whether the connection ends with this answer.

    Then a body must be read to its end: most clients read the answer only after they have sent
    everything, and otherwise see a broken connection. On a connection that stays open, uvicorn
    discards the rest of a body by itself, and faster.
    """
    return scope["http_version"] == "1.0" or b"close" in _header(scope, b"connection").lower()


def _header(scope: Message, name: bytes) -> bytes:
    """A header's value; empty if it was not sent."""
    return bytes(dict(scope["headers"]).get(name, b""))


def too_long(size: int, settings: EndpointSettings) -> Reply:
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


async def _send(send: Send, reply: Reply) -> None:
    headers = [
        (b"content-length", b"%d" % len(reply.body)),
        (b"content-type", reply.content_type),
        *reply.headers,
    ]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})


def _json(answer: Answer) -> Reply:
    return Reply(200, body_of_answer(answer))


def _refusal(status: int, code: int, reason: str) -> Reply:
    return Reply(status, body_of_refusal(code, reason))
