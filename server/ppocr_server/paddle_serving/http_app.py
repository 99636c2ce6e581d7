"""The HTTP endpoint: POST /{name}/{method}, and two paths for health checks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive

from ppocr_server.paddle_serving.json_call import (
    INVALID_ARGUMENT,
    RESOURCE_EXHAUSTED,
    BodyError,
    body_of_answer,
    body_of_refusal,
    call_of_body,
)
from ppocr_server.paddle_serving.protocol import Answer, ErrNo
from ppocr_server.paddle_serving.service import PipelineService

JSON = "application/json"
# What a body holds beside its picture: names, brackets, line breaks in the base64.
MARGIN_BYTES = 4 << 20
# Nobody hears the answer; this is nginx's word for it in logs.
CLIENT_GONE = 499


def http_app(service: PipelineService, ready: Callable[[], bool]) -> Starlette:
    """The ASGI application.

    Args:
        service: answers the calls.
        ready: whether Triton is ready, asked by GET /health/ready.
    """

    async def inference(request: Request) -> Response:
        settings = service.settings
        # More cannot be a picture that is allowed: such a body is not even kept.
        useful = settings.max_picture_bytes * 4 // 3 + MARGIN_BYTES
        try:
            body, size = await read_body(request, min(useful, settings.max_message_bytes))
        except ClientDisconnect:
            return Response(status_code=CLIENT_GONE)
        if size > settings.max_message_bytes:
            reason = f"Received message larger than max ({size} vs. {settings.max_message_bytes})"
            return _refusal(429, RESOURCE_EXHAUSTED, reason)
        if size > len(body):
            reason = (
                f"the body has {size} bytes, more than a picture of at most "
                f"{settings.max_picture_bytes} bytes takes; send a smaller one"
            )
            return _json(Answer(err_no=ErrNo.UNKNOWN, err_msg=reason))
        try:
            call = call_of_body(body, **request.path_params)
        except BodyError as error:
            return _refusal(400, INVALID_ARGUMENT, str(error))
        del body
        answer = await unless_gone(service.answer(call), request.receive)
        return Response(status_code=CLIENT_GONE) if answer is None else _json(answer)

    async def live(request: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def is_ready(request: Request) -> Response:
        return PlainTextResponse("ok\n") if ready() else PlainTextResponse("not ready\n", 503)

    app = Starlette(
        routes=[
            Route("/health/live", live, methods=["GET"]),
            Route("/health/ready", is_ready, methods=["GET"]),
            Route("/{name}/{method}", inference, methods=["POST"]),
        ],
        exception_handlers={404: plain_error, 405: plain_error},
    )
    app.router.redirect_slashes = False  # the gateway answers 404
    return app


async def read_body(request: Request, keep: int) -> tuple[bytes, int]:
    """Return a body and its size; one longer than `keep` bytes is read to its end and dropped.

    It is read at all because most clients look for an answer only after they have sent
    everything.

    Raises:
        ClientDisconnect: the client went away before it had sent everything.
    """
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size <= keep:
            chunks.append(chunk)
        else:
            chunks.clear()
    return b"".join(chunks), size


async def unless_gone(answering: Coroutine[Any, Any, Answer], receive: Receive) -> Answer | None:
    """Return the answer, or cancel it and return None where the client goes away meanwhile."""
    answer = asyncio.ensure_future(answering)
    # The body has been read, so that the only message still to come is the disconnect.
    gone = asyncio.ensure_future(receive())
    try:
        await asyncio.wait({answer, gone}, return_when=asyncio.FIRST_COMPLETED)
        if answer.done():
            return answer.result()
        return None
    finally:
        for task in (answer, gone):
            task.cancel()


async def plain_error(request: Request, error: Exception) -> Response:
    """404 and 405 as the old gateway words them."""
    assert isinstance(error, HTTPException)
    headers = {**(error.headers or {}), "X-Content-Type-Options": "nosniff"}
    return PlainTextResponse(f"{error.detail}\n", error.status_code, headers)


def _json(answer: Answer) -> Response:
    return Response(body_of_answer(answer), media_type=JSON)


def _refusal(status: int, code: int, reason: str) -> Response:
    return Response(body_of_refusal(code, reason), status, media_type=JSON)
