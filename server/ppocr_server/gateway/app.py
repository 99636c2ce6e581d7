"""The gateway as an ASGI application: its routes, their order, and the layer around them."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi_offline import FastAPIOffline
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse
from starlette.types import ASGIApp

from ppocr_client.errors import MissingExtra, OcrError
from ppocr_server.gateway.contracts import nim, paddlex_route
from ppocr_server.gateway.failures import ErrorBody, Failure, error_body, failure_of, reason_of
from ppocr_server.gateway.metrics import Metrics
from ppocr_server.gateway.middleware import Middleware, answer_failure
from ppocr_server.gateway.reader import Reader
from ppocr_server.gateway.routes import capabilities, read
from ppocr_server.gateway.settings import GatewaySettings
from ppocr_server.page.app import add_page
from ppocr_server.page.origin_check import OriginCheck

LOG = logging.getLogger(__name__)
FAULTS = (500, 501, 502)  # of this side, and not passing: they are logged
DOCS = "static-offline-docs"
PROBES = ("healthz", "readyz", "metrics", "health", "v1/health/live", "v1/health/ready")
#: Paths, and first parts of paths, that need no token: probes and scrapers have none, and a browser
#: cannot send one with the address of a page.
OPEN_PATHS = frozenset({*PROBES, "docs", DOCS, "openapi.json"})


@dataclass(frozen=True)
class Contract:
    """Routes of one kind of clients.

    Attributes:
        router: the routes; they find the `Reader` as `request.app.state.reader`, and raise
            `Failure`, or what `failure_of` knows.
        error_bodies: the form of their errors by path, where it is not the gateway's own; also for
            what is refused before a route is reached.
    """

    router: APIRouter
    error_bodies: Mapping[str, ErrorBody] = field(default_factory=dict)


CONTRACTS = (
    Contract(read.ROUTER),
    Contract(capabilities.ROUTER),
    Contract(paddlex_route.ROUTER, {"/ocr": paddlex_route.error_body}),
    Contract(nim.ROUTER, dict.fromkeys(nim.PATHS, nim.error_body)),
)
ERROR_BODIES = {path: form for each in CONTRACTS for path, form in each.error_bodies.items()}


def routes_of(settings: GatewaySettings, reader: Reader) -> FastAPI:
    """All routes, without the layer around them."""
    app = FastAPIOffline(
        redoc_url=None,
        title="ppocr-triton",
        summary="Text of pictures and documents, by PaddleOCR on NVIDIA Triton.",
        version=metadata.version("ppocr-triton"),
    )
    app.state.settings, app.state.reader, app.state.metrics = settings, reader, Metrics()
    for contract in CONTRACTS:
        app.include_router(contract.router)
    _answer_errors(app)
    return app


def build_app(
    settings: GatewaySettings, reader: Reader, old: ASGIApp | None, shown: OriginCheck | None
) -> ASGIApp:
    """The whole gateway.

    Args:
        settings: the limits and the token.
        reader: asks Triton.
        old: answers Paddle Serving's service `settings.old.name`.
        shown: the web page; None for none.
    """
    app = routes_of(settings, reader)
    if shown is not None:
        add_page(app, shown)
    whole: ASGIApp = Middleware(
        app,
        settings,
        app.state.metrics,
        open_paths=OPEN_PATHS,
        old=None if old is None else (settings.old.name, old),
        error_bodies=ERROR_BODIES,
    )
    if settings.cors:
        whole = CORSMiddleware(
            whole,
            allow_origins=settings.cors,
            allow_methods=("GET", "POST"),
            allow_headers=("*",),
            expose_headers=("X-Request-Id", "Retry-After"),
        )
    return whole


def _answer_errors(app: FastAPI) -> None:
    """Answer whatever a route raises in the form of its path."""

    async def answer(request: Request, error: Exception) -> JSONResponse:
        if isinstance(error, RequestValidationError):
            error = Failure(422, "invalid_request", f"{_said(error)}; /docs describes the body")
        failure = failure_of(error, request)
        request.scope["failure"] = failure.code
        if failure.status_code in FAULTS:
            unforeseen = error if failure.status_code == 500 else None
            LOG.error("%s: %s", request.scope["request_id"], failure.message, exc_info=unforeseen)
        return answer_failure(failure, ERROR_BODIES.get(request.url.path, error_body))

    known = (HTTPException, RequestValidationError, ClientDisconnect, OcrError, MissingExtra)
    for kind in (*known, Exception):
        app.add_exception_handler(kind, answer)


def _said(error: RequestValidationError) -> str:
    """What is wrong with a body, by field."""

    def line(found: Any) -> str:
        parts = () if found["type"] == "json_invalid" else found["loc"][1:]
        return ": ".join(filter(None, [".".join(map(str, parts)), reason_of(found)]))

    return "; ".join(line(found) for found in error.errors())
