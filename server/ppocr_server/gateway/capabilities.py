"""What this gateway can do, and whether it can do it now."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import PlainTextResponse, Response

from ppocr_server.gateway.failures import Failure

ROUTER = APIRouter()


@ROUTER.get("/healthz", tags=["operation"], summary="Whether the gateway runs.")
async def healthz() -> Response:
    """`ok` as long as the gateway answers; Triton is not asked."""
    return PlainTextResponse("ok\n")


@ROUTER.get("/readyz", tags=["operation"], summary="Whether requests are answered.")
async def readyz(request: Request) -> Response:
    """`ok` if Triton has the pipeline loaded, 503 if not."""
    if not await request.app.state.reader.ready():
        raise Failure(503, "unavailable", "Triton is not ready; try again later", retry_after=5)
    return PlainTextResponse("ok\n")


@ROUTER.get("/metrics", tags=["operation"], summary="Counters for Prometheus.")
async def metrics(request: Request) -> Response:
    """Requests, seconds and refusals by route, in Prometheus' text format."""
    return Response(request.app.state.metrics.text(), media_type="text/plain; version=0.0.4")
