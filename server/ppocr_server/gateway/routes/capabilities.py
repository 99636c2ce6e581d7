"""What this gateway can do, and whether it can do it now."""

from __future__ import annotations

from importlib import metadata
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.responses import PlainTextResponse, Response

from ppocr_client.options import OPTIONS
from ppocr_pipeline.formats import FORMATS as PICTURES
from ppocr_server.gateway.failures import Failure
from ppocr_server.gateway.routes.formats import FORMATS
from ppocr_server.gateway.routes.parameters import OWN, schema_of
from ppocr_server.gateway.routes.schemas import Error

ROUTER = APIRouter()
PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"
AWAY: dict[int | str, dict[str, Any]] = {
    status: {"model": Error, "description": text}
    for status, text in {
        401: "The token is missing or wrong.",
        502: "Triton failed, or refused the gateway.",
        503: "Triton is away; see Retry-After.",
        504: "Triton did not answer in time.",
    }.items()
}


class Parameter(BaseModel):
    """A parameter of POST /read."""

    help: str
    allowed: dict[str, Any] = Field(description="JSON Schema of its values")
    default: Any = Field(None, description="the server's; null if it has none")


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
    tags=["operation"],
    summary="Models, languages, limits, options and formats.",
    responses=AWAY,
)
async def capabilities(request: Request) -> Capabilities:
    """What this gateway and the Triton behind it can do now."""
    settings = request.app.state.settings
    info = await request.app.state.reader.server_info()
    return Capabilities(
        version=metadata.version("ppocr-triton"),
        server=f"{info.name} {info.version}",
        models={name: list(versions) for name, versions in info.models.items()},
        recognizer=info.recognizer,
        languages=list(info.languages),
        characters=info.classes,
        limits={
            "max_body_bytes": settings.max_body_bytes,
            "max_pages": settings.max_pages,
            **info.limits,
        },
        inputs=[*PICTURES, "PDF"],
        formats={name: form.media_type for name, form in FORMATS.items()},
        parameters={
            name: Parameter(help=text, allowed=rule, default=None)
            for name, (text, rule) in OWN.items()
        },
        options={
            name: Parameter(
                help=option.help,
                allowed=schema_of(option.rule),
                default=option.rule.parse(info.defaults.get(name, option.rule.default)),
            )
            for name, option in OPTIONS.items()
        },
    )


@ROUTER.get(
    "/healthz",
    tags=["operation"],
    summary="Whether the gateway runs.",
    response_class=PlainTextResponse,
)
async def healthz() -> Response:
    """`ok` as long as the gateway answers; Triton is not asked."""
    return PlainTextResponse("ok\n")


@ROUTER.get(
    "/readyz",
    tags=["operation"],
    summary="Whether requests are answered.",
    response_class=PlainTextResponse,
    responses=AWAY,
)
async def readyz(request: Request) -> Response:
    """`ok` if Triton has the pipeline loaded, 503 if not."""
    if not await request.app.state.reader.ready():
        raise Failure(503, "unavailable", "Triton is not ready; try again later", retry_after=5)
    return PlainTextResponse("ok\n")


@ROUTER.get(
    "/metrics",
    tags=["operation"],
    summary="Counters for Prometheus.",
    response_class=PlainTextResponse,
)
async def metrics(request: Request) -> Response:
    """Requests, seconds and refusals by route, in Prometheus' text format."""
    return Response(request.app.state.metrics.text(), media_type=PROMETHEUS)
