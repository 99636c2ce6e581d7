"""The one layer around all routes: id, token, size, deadline, disconnect, metrics."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import time
import uuid
from collections.abc import Mapping
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ppocr_server.access.credentials import admits
from ppocr_server.gateway.call import CALL, Call
from ppocr_server.gateway.failures import (
    CLIENT_GONE,
    ErrorBody,
    Failure,
    error_body,
)
from ppocr_server.gateway.metrics import Metrics
from ppocr_server.gateway.settings import GatewaySettings
from ppocr_server.paddle_serving.http.app import closes_after, read_body

LOG = logging.getLogger(__name__)
REQUEST_ID = re.compile(r"[!-~]{1,128}")
TIMEOUT_HEADER = "x-request-timeout"
LONGEST_TIMEOUT = 86_400.0  # seconds
TOKEN_WANTED = "this service wants a token: send the header 'Authorization: Bearer TOKEN'"  # nosec B105


class Middleware:
    """Answers what needs no route to be refused, and describes the request to the routes."""

    def __init__(
        self,
        app: ASGIApp,
        settings: GatewaySettings,
        metrics: Metrics,
        *,
        open_paths: frozenset[str],
        error_bodies: Mapping[str, ErrorBody],
    ) -> None:
        """Wrap an application.

        Args:
            app: with all routes.
            settings: the limits and the token.
            metrics: filled here.
            open_paths: paths, and first parts of paths, that need no token.
            error_bodies: the form of errors by path, where it is not the gateway's own.
        """
        self._app, self._settings, self._metrics = app, settings, metrics
        self._open_paths, self._error_bodies = open_paths, error_bodies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        exchange = _Exchange(scope, receive, send, self._settings.max_body_bytes)
        began = time.monotonic()
        self._metrics.in_progress.inc()
        try:
            await self._answered(exchange)
        finally:
            self._metrics.in_progress.dec()
            route = getattr(scope.get("route"), "path", "other")
            self._metrics.count(route, exchange.status, time.monotonic() - began)
            if code := scope.get("failure"):
                self._metrics.count_refusal(route, code)

    async def _answered(self, exchange: _Exchange) -> None:
        scope = exchange.scope
        try:
            self._check_token(scope["path"], exchange.headers)
            deadline = _deadline(exchange.headers, scope["query_string"])
            CALL.set(Call(exchange.request_id, deadline))
            await exchange.check_size()
            await exchange.run(self._app)
        except Failure as failure:
            body_of = self._error_bodies.get(scope["path"], error_body)
            await answer_failure(failure, body_of)(scope, exchange.receive, exchange.send)

    def _check_token(self, path: str, headers: Headers) -> None:
        token = self._settings.token
        if token is None or {path.strip("/"), path.split("/")[1]} & self._open_paths:
            return
        if not admits(token, headers.get("authorization", "").encode("latin-1")):
            raise Failure(401, "unauthorized", TOKEN_WANTED)


class _Exchange:
    """One request and its answer."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, max_body_bytes: int) -> None:
        self.scope, self.headers, self.status = scope, Headers(scope=scope), CLIENT_GONE
        self._receive, self._send, self._max = receive, send, max_body_bytes
        self._size = 0
        self._work: asyncio.Future[None] | None = None
        self._gone: asyncio.Future[Message] | None = None
        given = self.headers.get("x-request-id", "")
        self.request_id = given if REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        scope["request_id"] = self.request_id

    async def check_size(self) -> None:
        """Refuse a body that announces to be too long, before it is read."""
        announced = self.headers.get("content-length", "0")
        if int(announced) > self._max:
            if closes_after(self.scope):
                await read_body(self._receive, 0, to_its_end=True)
            raise _too_large(int(announced), self._max)

    async def run(self, app: ASGIApp) -> None:
        """Run the application; cancel it when the client goes."""
        self._work = asyncio.ensure_future(app(self.scope, self.receive, self.send))
        try:
            await self._work
        except asyncio.CancelledError:
            if self._gone is None or not self._gone.done():
                self._work.cancel()  # the server stops
                with contextlib.suppress(asyncio.CancelledError):
                    await self._work
                raise
            self.scope["failure"] = "cancelled"
        finally:
            if self._gone is not None:
                self._gone.cancel()

    async def receive(self) -> Message:
        """ASGI's receive, counted; after the body it watches for the disconnect."""
        if self._gone is not None:
            return await asyncio.shield(self._gone)
        message = await self._receive()
        self._size += len(message.get("body", b""))
        if self._size > self._max:
            raise _too_large(self._size, self._max)
        if not message.get("more_body", False) and self._work is not None:
            self._gone = asyncio.ensure_future(self._receive())
            self._gone.add_done_callback(self._cancel)
        return message

    async def send(self, message: Message) -> None:
        """ASGI's send, with the request's id."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            MutableHeaders(scope=message)["X-Request-Id"] = self.request_id
        await self._send(message)

    def _cancel(self, gone: asyncio.Future[Message]) -> None:
        if not gone.cancelled() and self._work is not None:
            self._work.cancel()


def answer_failure(failure: Failure, body_of: ErrorBody = error_body) -> JSONResponse:
    """The answer to a request that failed."""
    return JSONResponse(body_of(failure), failure.status_code, failure.headers)


def _too_large(size: int, most: int) -> Failure:
    return Failure(
        413, "body_too_large", f"the body has {size} bytes or more; allowed: {most}; send less"
    )


def _deadline(headers: Headers, query: bytes) -> float | None:
    """When the request must be answered, by the monotonic clock."""
    given = headers.get(TIMEOUT_HEADER)
    if b"timeout=" in query:
        given = parse_qs(query.decode("latin-1")).get("timeout", [given])[-1]
    if given is None:
        return None
    try:
        seconds = float(given)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= LONGEST_TIMEOUT:
        raise Failure(
            400,
            "invalid_option",
            f"timeout is {given[:40]!r}; allowed: seconds above 0, to {LONGEST_TIMEOUT:g}",
        )
    return time.monotonic() + seconds
