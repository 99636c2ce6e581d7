"""What this gateway can do, whether it can do it now, and what it has done."""

from __future__ import annotations

from importlib import metadata
from typing import Any

from fastapi import APIRouter, Request
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from pydantic import BaseModel, Field
from starlette.responses import PlainTextResponse, Response

from ppocr_client.options import OPTIONS
from ppocr_pipeline.formats import FORMATS as PICTURES
from ppocr_server.gateway.failures import Failure
from ppocr_server.gateway.parameters import FORMATS, OWN, schema_of
from ppocr_server.gateway.schemas import errors

REGISTRY = CollectorRegistry()
BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)  # seconds
REQUESTS = Counter("ppocr_gateway_requests", "Answers.", ("route", "status"), registry=REGISTRY)
REFUSED = Counter(
    "ppocr_gateway_refused", "Errors by their code.", ("route", "code"), registry=REGISTRY
)
SECONDS = Histogram(
    "ppocr_gateway_request_seconds",
    "From a request's head to the end of its answer.",
    ("route",),
    buckets=BUCKETS,
    registry=REGISTRY,
)
IN_PROGRESS = Gauge(
    "ppocr_gateway_requests_in_progress", "Requests being answered.", registry=REGISTRY
)

ROUTER = APIRouter(tags=["operation"])
AWAY = errors(
    {
        401: "The token is missing or wrong.",
        502: "Triton failed, or refused the gateway.",
        503: "Triton is away; see Retry-After.",
        504: "Triton did not answer in time.",
    }
)


class Parameter(BaseModel):
    """A parameter of POST /read."""

    help: str
    allowed: dict[str, Any] = Field(description="JSON Schema of its values")
    default: Any = Field(default=None, description="the server's; null if it has none")


class Capabilities(BaseModel):
    """What a gateway and the Triton behind it can do."""

    version: str = Field(description="of ppocr-triton")
    server: str = Field(description="name and version of Triton")
    models: dict[str, list[str]] = Field(description="the ready models and their versions")
    recognizer: str | None = Field(description="name of the recognition network, if it is known")
    languages: list[str] = Field(description="PaddleOCR's codes of what it reads, if known")
    characters: int | None = Field(description="how many it tells apart, if it is known")
    limits: dict[str, int]
    inputs: list[str] = Field(description="kinds of files")
    formats: dict[str, str] = Field(description="media types of answers by name")
    parameters: dict[str, Parameter] = Field(description="of the request, beside the options")
    options: dict[str, Parameter] = Field(description="of the pipeline")


@ROUTER.get(
    "/capabilities",
    summary="Models, languages, limits, options and formats.",
    responses=AWAY,
)
async def capabilities(request: Request) -> Capabilities:
    """What this gateway and the Triton behind it can do now."""
    settings = request.app.state.settings
    info = await request.app.state.reader.server_info()
    own = {"max_body_bytes": settings.max_body_bytes, "max_pages": settings.max_pages}
    return Capabilities(
        version=metadata.version("ppocr-triton"),
        server=f"{info.name} {info.version}",
        models={name: list(versions) for name, versions in info.models.items()},
        recognizer=info.recognizer,
        languages=list(info.languages),
        characters=info.classes,
        limits={**own, **info.limits},
        inputs=[*PICTURES, "PDF"],
        formats=FORMATS,
        parameters={name: Parameter(help=text, allowed=rule) for name, (text, rule) in OWN.items()},
        options={
            name: Parameter(
                help=option.help,
                allowed=schema_of(option.rule),
                default=option.rule.parse(info.defaults.get(name, option.rule.default)),
            )
            for name, option in OPTIONS.items()
        },
    )


@ROUTER.get("/healthz", summary="Whether the gateway runs.", response_class=PlainTextResponse)
async def healthz() -> Response:
    """`ok` as long as the gateway answers; Triton is not asked."""
    return PlainTextResponse("ok\n")


@ROUTER.get(
    "/readyz",
    summary="Whether requests are answered.",
    response_class=PlainTextResponse,
    responses=AWAY,
)
async def readyz(request: Request) -> Response:
    """`ok` if Triton has the pipeline loaded, 503 if not."""
    if not await request.app.state.reader.ready():
        raise Failure(503, "unavailable", "Triton is not ready; try again later", retry_after=5)
    return PlainTextResponse("ok\n")


@ROUTER.get("/metrics", summary="Counters for Prometheus.", response_class=PlainTextResponse)
async def metrics() -> Response:
    """Requests, seconds and refusals by route, in Prometheus' text format."""
    media_type = "text/plain; version=0.0.4; charset=utf-8"
    return Response(generate_latest(REGISTRY), media_type=media_type)
