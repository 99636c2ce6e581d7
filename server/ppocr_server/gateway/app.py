"""The gateway as an ASGI application: its routes, and the one layer around them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import time
import uuid
from importlib import metadata
from typing import Any
from urllib.parse import parse_qs

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi_offline import FastAPIOffline
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ppocr_client.errors import MissingExtra, OcrError
from ppocr_server.access import admits
from ppocr_server.gateway import nim, operation, paddlex, read
from ppocr_server.gateway.failures import (
    CLIENT_GONE,
    Failure,
    answer_failure,
    failure_of,
    reason_of,
)
from ppocr_server.gateway.reader import CALL, Call, Reader, deadline_after
from ppocr_server.gateway.settings import GatewaySettings
from ppocr_server.paddle_serving.http import ClientGone, closes_after, read_body
from ppocr_server.paddle_serving.protocol import TOKEN_WANTED
from ppocr_server.page.app import add_page

LOG = logging.getLogger(__name__)
FAULTS = (500, 501, 502)  # of this side, and not passing: they are logged
REQUEST_ID = re.compile(r"[!-~]{1,128}")
OLD = "paddle_serving"  # all paths of its service, in the metrics
PROBES = ("healthz", "readyz", "metrics", "health", "v1/health/live", "v1/health/ready")
#: Paths, and first parts of paths, that need no token: probes and scrapers have none, and a browser
#: cannot send one with the address of a page.
OPEN_PATHS = frozenset({*PROBES, "docs", "static-offline-docs", "openapi.json"})
#: What answers errors by path, where their form is not the gateway's own.
OTHER_ANSWERS = {
    "/ocr": paddlex.answer_failure,
    **dict.fromkeys(nim.PATHS, nim.answer_failure),
}


def build_app(
    settings: GatewaySettings, reader: Reader, old: ASGIApp, shown: ASGIApp | None
) -> ASGIApp:
    """The whole gateway; `old` answers Paddle Serving's service, `shown` is the web page if any."""
    app = routes_of(settings, reader)
    if shown is not None:
        add_page(app, shown)
    whole: ASGIApp = Middleware(app, settings, old)
    if settings.cors:
        whole = CORSMiddleware(
            whole,
            allow_origins=settings.cors,
            allow_methods=("GET", "POST"),
            allow_headers=("*",),
            expose_headers=("X-Request-Id", "Retry-After"),
        )
    return whole


def routes_of(settings: GatewaySettings, reader: Reader) -> FastAPI:
    """All routes, without the layer around them."""
    app = FastAPIOffline(
        redoc_url=None,
        title="ppocr-triton",
        summary="Text of pictures and documents, by PaddleOCR on NVIDIA Triton.",
        version=metadata.version("ppocr-triton"),
    )
    app.state.settings, app.state.reader = settings, reader
    for part in (read, operation, paddlex, nim):
        app.include_router(part.ROUTER)
    known = (HTTPException, RequestValidationError, ClientDisconnect, OcrError, MissingExtra)
    for kind in (*known, Exception):
        app.add_exception_handler(kind, _answer_error)
    return app


async def _answer_error(request: Request, error: Exception) -> JSONResponse:
    """Answer whatever a route raises in the form of its path."""
    if isinstance(error, RequestValidationError):
        if request.scope["path"] == "/ocr":
            request.scope["log_id"] = paddlex.log_id_of(error.body)
            said = paddlex.said_of(error)
        else:
            said = f"{_said_of(error)}; /docs describes the body"
        error = Failure(422, "invalid_request", said)
    failure = failure_of(error, request)
    if failure.status_code in FAULTS:
        unforeseen = error if failure.status_code == 500 else None
        LOG.error("%s: %s", request.scope["request_id"], failure.message, exc_info=unforeseen)
    return _answer(request.scope, failure)


def _answer(scope: Scope, failure: Failure) -> JSONResponse:
    scope["failure"] = failure.code
    other = OTHER_ANSWERS.get(scope["path"])
    return answer_failure(failure) if other is None else other(failure, scope)


def _said_of(error: RequestValidationError) -> str:
    """What is wrong with a body, by field."""

    def line(found: Any) -> str:
        parts = () if found["type"] == "json_invalid" else found["loc"][1:]
        return ": ".join(filter(None, [".".join(map(str, parts)), reason_of(found)]))

    return "; ".join(line(found) for found in error.errors())


class Middleware:
    """Sees to id, token, size, deadline, disconnect and metrics of each request."""

    def __init__(self, app: ASGIApp, settings: GatewaySettings, old: ASGIApp) -> None:
        self._app, self._settings, self._old = app, settings, old

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        is_old = scope["path"].startswith(f"/{self._settings.old.name}/")
        exchange = _Exchange(scope, receive, send, self._settings.max_body_bytes)
        began = time.monotonic()
        try:
            with operation.IN_PROGRESS.track_inprogress():
                if is_old:
                    await self._old(exchange.scope, receive, exchange.send_plain)
                else:
                    await self._routed(exchange)
        finally:
            route = getattr(exchange.scope.get("route"), "path", OLD if is_old else "other")
            operation.REQUESTS.labels(route, str(exchange.status)).inc()
            operation.SECONDS.labels(route).observe(time.monotonic() - began)
            if code := exchange.scope.get("failure"):
                operation.REFUSED.labels(route, code).inc()

    async def _routed(self, exchange: _Exchange) -> None:
        scope, token = exchange.scope, self._settings.token
        path = scope["path"][1:]
        try:
            if token is not None and not {path, path.partition("/")[0]} & OPEN_PATHS:
                given = exchange.headers.get("authorization", "")
                if not admits(token, given.encode("latin-1")):
                    raise Failure(401, "unauthorized", TOKEN_WANTED)
            CALL.set(Call(exchange.request_id, exchange.deadline()))
            await exchange.check_size()
            await exchange.run(self._app)
        except Failure as failure:
            await _answer(scope, failure)(scope, exchange.receive, exchange.send)


class _Exchange:
    """One request and its answer."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, max_body_bytes: int) -> None:
        self.headers, self.status = Headers(scope=scope), CLIENT_GONE
        given = self.headers.get("x-request-id", "")
        self.request_id = given if REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        # What answers GET answers HEAD too; the server leaves the body out.
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        self.scope = {**scope, "method": method, "request_id": self.request_id}
        self._receive, self._send, self._max = receive, send, max_body_bytes
        self._size = 0
        self._work: asyncio.Task[None] | None = None
        self._gone: asyncio.Future[Message] | None = None

    def deadline(self) -> float | None:
        """When the request must be answered, as its query says, or else its header."""
        given = self.headers.get("x-request-timeout")
        if b"timeout=" in (query := self.scope["query_string"]):
            given = parse_qs(query.decode("latin-1")).get("timeout", [given])[-1]
        return None if given is None else deadline_after(given)

    async def check_size(self) -> None:
        """Refuse a body that announces to be too long, before it is read."""
        announced = int(self.headers.get("content-length", "0"))
        if announced > self._max:
            if closes_after(self.scope):
                with contextlib.suppress(ClientGone):
                    await read_body(self._receive, 0, to_its_end=True)
            raise too_large(announced, self._max)

    async def run(self, app: ASGIApp) -> None:
        """Run the application; cancel it when the client goes."""
        self._work = asyncio.current_task()
        try:
            await app(self.scope, self.receive, self.send)
        except asyncio.CancelledError:
            if self._gone is None or not self._gone.done():
                raise  # the server stops
            self.scope["failure"] = "cancelled"
        finally:
            self._work = None
            if self._gone is not None:
                self._gone.cancel()

    async def receive(self) -> Message:
        """ASGI's receive, counted; after the body it watches for the disconnect."""
        if self._gone is not None:
            return await asyncio.shield(self._gone)
        message = await self._receive()
        self._size += len(message.get("body", b""))
        if self._size > self._max:
            raise too_large(self._size, self._max)
        if not message.get("more_body", False) and self._work is not None:
            self._gone = asyncio.ensure_future(self._receive())
            self._gone.add_done_callback(self._cancel)
        return message

    async def send(self, message: Message) -> None:
        """ASGI's send, with the request's id."""
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message)["X-Request-Id"] = self.request_id
        await self.send_plain(message)

    async def send_plain(self, message: Message) -> None:
        """ASGI's send; the status is kept."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
        await self._send(message)

    def _cancel(self, gone: asyncio.Future[Message]) -> None:
        if not gone.cancelled() and self._work is not None:
            self._work.cancel()


def too_large(size: int, most: int) -> Failure:
    """The refusal of a body of at least `size` bytes."""
    return Failure(
        413,
        "body_too_large",
        f"the body has {size} bytes or more; allowed: {most}; send less at a time, or start the "
        "gateway with a larger --max-body-mb",
    )
