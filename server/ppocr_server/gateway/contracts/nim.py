"""NVIDIA NIM's image OCR: POST /v1/ocr and what goes with it.

Fields are those that the client of nv-ingest-api 26.3.0 sends and reads
(`nv_ingest_api/internal/primitives/nim/model_interface/ocr.py`) and of NVIDIA's API reference.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.responses import JSONResponse

from ppocr_client import OcrResult
from ppocr_client.exports.markdown import paragraphs
from ppocr_client.lines import Line, Word
from ppocr_client.options import ReadOptions
from ppocr_server.gateway.contracts.files import file_of_base64
from ppocr_server.gateway.failures import Failure
from ppocr_server.gateway.reader import OpenDocument

Level = Literal["word", "sentence", "paragraph"]
DATA = re.compile(r"data:[^,]*;base64,", re.IGNORECASE)
MIB = 1 << 20


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


def levels_of(request: NimRequest) -> list[Level]:
    """The level of each picture.

    Raises:
        Failure: there are neither as many as pictures nor one.
    """
    levels, pictures = request.merge_levels or ["paragraph"], len(request.input)
    if len(levels) == 1:
        levels = levels * pictures
    if len(levels) != pictures:
        raise Failure(
            422,
            "invalid_option",
            f"merge_levels has {len(levels)} entries for {pictures} pictures; send one for each, "
            "or one for all",
        )
    return levels


def picture_of(picture: NimPicture, index: int) -> bytes:
    """The encoded picture.

    Raises:
        Failure: it is an address, or its base64 is damaged.
    """
    name = f"input[{index}].url"
    if not DATA.match(picture.url):
        message = f"{name} is no data URI; allowed: data:image/jpeg;base64,… of the file itself"
        raise Failure(422, "invalid_file", message)
    return file_of_base64(picture.url, name)


def detections(result: OcrResult, level: Level) -> list[dict[str, Any]]:
    """The `text_detections` of a picture; a line is a sentence."""
    groups: Sequence[Sequence[Line | Word]] = paragraphs(result)
    if level != "paragraph":
        groups = [[one] for one in (result.words if level == "word" else result.lines)]
    sides = np.array(result.extent, np.float64)
    return [_detection(lines, sides) for lines in groups]


def answer(
    pictures: Sequence[tuple[OcrResult, Level]], model: str, size_bytes: int
) -> dict[str, Any]:
    """The answer to a request that was read.

    Args:
        pictures: the result of each, and its level.
        model: name of what has read them.
        size_bytes: of all pictures together.
    """
    data = [
        {"index": index, "text_detections": detections(result, level)}
        for index, (result, level) in enumerate(pictures)
    ]
    return {"data": data, "model": model, "usage": {"images_size_mb": size_bytes / MIB}}


def _detection(lines: Sequence[Line | Word], sides: np.ndarray) -> dict[str, Any]:
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


@ROUTER.post(PATHS[0], summary="NVIDIA NIM's image OCR.", responses=ERRORS)
@ROUTER.post(PATHS[1], summary="NVIDIA NIM's image OCR, by its older path.", responses=ERRORS)
async def ocr(body: NimRequest, request: Request) -> JSONResponse:
    """Read pictures; answers as the NIM for image OCR does."""
    reader = request.app.state.reader
    levels = levels_of(body)
    if len(body.input) > (most := request.app.state.settings.max_pages):
        message = f"{len(body.input)} pictures are sent; allowed: {most} a request; send fewer"
        raise Failure(413, "too_many_pages", message)
    pictures = await asyncio.to_thread(
        lambda: [picture_of(one, index) for index, one in enumerate(body.input)]
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
    return JSONResponse(answer([*zip(results, levels, strict=True)], read_by, size))


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
    state = request.app.state
    return (await state.reader.served()).recognizer or str(state.settings.model)
