"""NVIDIA NIM's image OCR: POST /v1/ocr and what goes with it.

Fields are those that the client of nv-ingest-api 26.3.0 sends and reads
(`nv_ingest_api/internal/primitives/nim/model_interface/ocr.py`) and of NVIDIA's API reference.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.responses import JSONResponse
from starlette.types import Scope

from ppocr_client import OcrResult
from ppocr_client.exports.markdown import paragraphs
from ppocr_client.lines import Line, Word
from ppocr_client.options import ReadOptions
from ppocr_server.gateway.failures import Failure
from ppocr_server.gateway.reader import OpenDocument
from ppocr_server.gateway.uploads import file_of_base64

Level = Literal["word", "sentence", "paragraph"]
DATA = re.compile(r"data:[^,]*;base64,", re.IGNORECASE)


class NimPicture(BaseModel):
    """One picture."""

    type: Literal["image_url"]
    url: str = Field(description="data:image/png;base64,… of any format that is read here")


class NimRequest(BaseModel):
    """Pictures, and to what their text is merged: one level for each picture, or one for all."""

    input: list[NimPicture] = Field(min_length=1)
    merge_levels: list[Level] | None = Field(default=None, description="paragraph by default")


class NimError(BaseModel):
    """A request that was not answered."""

    detail: str


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
    state, count = request.app.state, len(body.input)
    levels = body.merge_levels or ["paragraph"]
    if len(levels) not in (1, count):
        raise Failure(
            422,
            "invalid_option",
            f"merge_levels has {len(levels)} entries for {count} pictures; send one for each, or "
            "one for all",
        )
    if count > (most := state.settings.max_pages):
        message = f"{count} pictures are sent; allowed: {most} a request; send fewer"
        raise Failure(413, "too_many_pages", message)
    pictures = await asyncio.to_thread(_pictures, body)
    document = OpenDocument(count, range(1, count + 1), pictures.__getitem__, None, 0)
    options: ReadOptions = {"return_words": True} if "word" in levels else {}
    data = []
    async with state.reader.pages(document, options) as pages:
        async for page in pages:
            index = page.number - 1
            if page.failure is not None:
                raise page.failure.of(f"input[{index}]")
            found = _detections(page.result, levels[index % len(levels)])
            data.append({"index": index, "text_detections": found})
    usage = {"images_size_mb": sum(map(len, pictures)) / 2**20}
    return JSONResponse({"data": data, "model": await _model(request), "usage": usage})


def _pictures(body: NimRequest) -> list[bytes]:
    """The encoded pictures; a Failure where one is an address, or its base64 is damaged."""
    pictures = []
    for index, picture in enumerate(body.input):
        name = f"input[{index}].url"
        if not DATA.match(picture.url):
            message = f"{name} is no data URI; allowed: data:image/jpeg;base64,… of the file itself"
            raise Failure(422, "invalid_file", message)
        pictures.append(file_of_base64(picture.url, name))
    return pictures


def _detections(result: OcrResult, level: Level) -> list[dict[str, Any]]:
    """The `text_detections` of a picture; a line is a sentence."""
    if level == "paragraph":
        return [_detection(lines, result.extent) for lines in paragraphs(result)]
    single = result.words if level == "word" else result.lines
    return [_detection([one], result.extent) for one in single]


def _detection(lines: Sequence[Line | Word], sides: tuple[int, int]) -> dict[str, Any]:
    corners = np.concatenate([line.box for line in lines])
    if len(lines) > 1:
        (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
        corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom]])
    points = np.clip(corners / sides, 0, 1).tolist()
    text = "\n".join(line.text for line in lines)
    confidence = float(np.mean([line.score for line in lines]))
    return {
        "text_prediction": {"text": text, "confidence": confidence},
        "bounding_box": {"points": [{"x": x, "y": y} for x, y in points], "type": "quadrilateral"},
    }


@ROUTER.get("/v1/models", summary="Name of the recogniser, as NIM lists it.")
async def models(request: Request) -> JSONResponse:
    """One model."""
    listed = {"id": await _model(request), "object": "model", "owned_by": "ppocr-triton"}
    return JSONResponse({"object": "list", "data": [listed]})


async def _model(request: Request) -> str:
    state = request.app.state
    return (await state.reader.served()).recognizer or str(state.settings.model)


@ROUTER.get("/v1/health/live", summary="Whether the gateway runs, for NIM.")
async def live() -> JSONResponse:
    """True as long as the gateway answers; Triton is not asked."""
    return JSONResponse({"live": True})


@ROUTER.get("/v1/health/ready", summary="Whether requests are answered, for NIM.")
async def ready(request: Request) -> JSONResponse:
    """Whether Triton has the pipeline loaded; 503 if not."""
    is_ready = await request.app.state.reader.ready()
    return JSONResponse({"ready": is_ready}, 200 if is_ready else 503)


def answer_failure(failure: Failure, scope: Scope) -> JSONResponse:
    """An error in the form of FastAPI, which NIM is built with."""
    return JSONResponse({"detail": failure.message}, failure.status_code, failure.headers)
