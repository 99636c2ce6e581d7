"""POST /v1/ocr and what goes with it, as NVIDIA NIM answers them."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse

from ppocr_client.options import ReadOptions
from ppocr_server.gateway.contracts import nim
from ppocr_server.gateway.contracts.nim import NimError, NimRequest
from ppocr_server.gateway.contracts.served import served
from ppocr_server.gateway.failures import Failure
from ppocr_server.gateway.reader import OpenDocument

ROUTER = APIRouter(tags=["other services"])
#: Both paths of the recogniser: of NIM 2, and of NIM 1.
PATHS = ("/v1/ocr", "/v1/infer")
ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": NimError} for status in (400, 401, 413, 422, 500, 501, 502, 503, 504)
}


@ROUTER.post(PATHS[0], summary="NVIDIA NIM's image OCR.", responses=ERRORS)
@ROUTER.post(PATHS[1], summary="NVIDIA NIM's image OCR, by its older path.", responses=ERRORS)
async def ocr(body: NimRequest, request: Request) -> JSONResponse:
    """Read pictures; answers as the NIM for image OCR does."""
    reader = request.app.state.reader
    levels = nim.levels_of(body)
    if len(body.input) > (most := request.app.state.settings.max_pages):
        message = f"{len(body.input)} pictures are sent; allowed: {most} a request; send fewer"
        raise Failure(413, "too_many_pages", message)
    pictures = await asyncio.to_thread(
        lambda: [nim.picture_of(one, index) for index, one in enumerate(body.input)]
    )
    numbers = range(1, len(pictures) + 1)
    document = OpenDocument(len(pictures), numbers, pictures.__getitem__, None, 0)
    results = []
    options: ReadOptions = {"return_words": True} if "word" in levels else {}
    async with contextlib.aclosing(reader.pages(document, options)) as read:
        async for page in read:
            if page.failure is not None:
                raise page.failure.of(f"input[{page.number - 1}]")
            results.append(page.result)
    size = sum(map(len, pictures))
    read_by = await _model(request)
    return JSONResponse(nim.answer([*zip(results, levels, strict=True)], read_by, size))


@ROUTER.get("/v1/models", summary="Name of the recogniser, as NIM lists it.")
async def models(request: Request) -> JSONResponse:
    """One model."""
    listed = {"id": await _model(request), "object": "model", "owned_by": "ppocr-triton"}
    return JSONResponse({"object": "list", "data": [listed]})


@ROUTER.get("/v1/health/live", summary="Whether the gateway runs, for NIM.")
async def live() -> JSONResponse:
    """True as long as the gateway answers; Triton is not asked."""
    return JSONResponse({"live": True})


@ROUTER.get("/v1/health/ready", summary="Whether requests are answered, for NIM.")
async def ready(request: Request) -> JSONResponse:
    """Whether Triton has the pipeline loaded; 503 if not."""
    is_ready = await request.app.state.reader.ready()
    return JSONResponse({"ready": is_ready}, 200 if is_ready else 503)


def error_body(failure: Failure) -> dict[str, Any]:
    """An error in the form of FastAPI, which NIM is built with."""
    return {"detail": failure.message}


async def _model(request: Request) -> str:
    return (await served(request.app.state)).recognizer or request.app.state.settings.model
