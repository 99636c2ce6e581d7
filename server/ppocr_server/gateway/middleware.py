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

from ppocr_server.access import admits
from ppocr_server.gateway.call import CALL, Call, deadline_after
from ppocr_server.gateway.failures import (
    CLIENT_GONE,
    ErrorBody,
    Failure,
    error_body,
)
from ppocr_server.gateway.metrics import Metrics
from ppocr_server.gateway.settings import GatewaySettings
from ppocr_server.paddle_serving.http.app import ClientGone, closes_after, read_body
from ppocr_server.paddle_serving.service import TOKEN_WANTED

LOG = logging.getLogger(__name__)
REQUEST_ID = re.compile(r"[!-~]{1,128}")
OLD = "paddle_serving"  # all paths of its service, in the metrics
TIMEOUT_HEADER = "x-request-timeout"


class Middleware:
    """Answers what needs no route to be refused, and describes the request to the routes."""

    def __init__(
        self,
        app: ASGIApp,
        settings: GatewaySettings,
        metrics: Metrics,
        *,
        open_paths: frozenset[str],
        old: tuple[str, ASGIApp] | None,
        error_bodies: Mapping[str, ErrorBody],
    ) -> None:
        """Wrap an application.

        Args:
            app: with all routes.
            settings: the limits and the token.
            metrics: filled here.
            open_paths: paths, and first parts of paths, that need no token.
            old: name of Paddle Serving's service, and what answers below it by its own rules.
            error_bodies: the form of errors by path, where it is not the gateway's own.
        """
        self._app, self._settings, self._metrics = app, settings, metrics
        self._open_paths, self._error_bodies, self._old = open_paths, error_bodies, old

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
            scope = exchange.scope
            route = getattr(scope.get("route"), "path", OLD if self._is_old(scope) else "other")
            self._metrics.count(route, exchange.status, time.monotonic() - began)
            if code := scope.get("failure"):
                self._metrics.count_refusal(route, code)

    async def _answered(self, exchange: _Exchange) -> None:
        scope = exchange.scope
        if self._old is not None and self._is_old(scope):
            await self._old[1](scope, exchange.receive_plain, exchange.send_plain)
            return
        try:
            self._check_token(scope["path"], exchange.headers)
            CALL.set(Call(exchange.request_id, _deadline(exchange)))
            await exchange.check_size()
            await exchange.run(self._app)
        except Failure as failure:
            body_of = self._error_bodies.get(scope["path"], error_body)
            scope["failure"] = failure.code
            await answer_failure(failure, body_of)(scope, exchange.receive, exchange.send)

    def _is_old(self, scope: Scope) -> bool:
        return self._old is not None and scope["path"].startswith(f"/{self._old[0]}/")

    def _check_token(self, path: str, headers: Headers) -> None:
        token = self._settings.token
        if token is None or {path[1:], path[1:].partition("/")[0]} & self._open_paths:
            return
        if not admits(token, headers.get("authorization", "").encode("latin-1")):
            raise Failure(401, "unauthorized", TOKEN_WANTED)


class _Exchange:
    """One request and its answer."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, max_body_bytes: int) -> None:
        # What answers GET answers HEAD too; the server leaves the body out.
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        self.scope = {**scope, "method": method}
        self.headers, self.status = Headers(scope=scope), CLIENT_GONE
        self.receive_plain, self._send, self._max = receive, send, max_body_bytes
        self._size = 0
        self._work: asyncio.Task[None] | None = None
        self._gone: asyncio.Future[Message] | None = None
        given = self.headers.get("x-request-id", "")
        self.request_id = given if REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        self.scope["request_id"] = self.request_id

    async def check_size(self) -> None:
        """Refuse a body that announces to be too long, before it is read."""
        announced = self.headers.get("content-length", "0")
        if int(announced) > self._max:
            if closes_after(self.scope):
                with contextlib.suppress(ClientGone):
                    await read_body(self.receive_plain, 0, to_its_end=True)
            raise too_large(int(announced), self._max)

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
        message = await self.receive_plain()
        self._size += len(message.get("body", b""))
        if self._size > self._max:
            raise too_large(self._size, self._max)
        if not message.get("more_body", False) and self._work is not None:
            self._gone = asyncio.ensure_future(self.receive_plain())
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


def answer_failure(failure: Failure, body_of: ErrorBody = error_body) -> JSONResponse:
    """The answer to a request that failed."""
    return JSONResponse(body_of(failure), failure.status_code, failure.headers)


def too_large(size: int, most: int) -> Failure:
    """The refusal of a body of at least `size` bytes."""
    return Failure(
        413,
        "body_too_large",
        f"the body has {size} bytes or more; allowed: {most}; send less at a time, or start the "
        "gateway with a larger --max-body-mb",
    )


def _deadline(exchange: _Exchange) -> float | None:
    """When the request must be answered, as its query or its header says."""
    given = exchange.headers.get(TIMEOUT_HEADER)
    if b"timeout=" in (query := exchange.scope["query_string"]):
        given = parse_qs(query.decode("latin-1")).get("timeout", [given])[-1]
    return None if given is None else deadline_after(given)
