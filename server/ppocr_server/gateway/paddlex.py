"""PaddleX 3.7's basic serving of its OCR pipeline: POST /ocr and GET /health.

Fields and their meaning are those of `paddlex/inference/serving/schemas/ocr.py` and of
`OCRResult.json` in `paddlex/inference/pipelines/ocr/result.py`, PaddleX 3.7.2.
"""

from __future__ import annotations

import asyncio
import base64
import io
import json
import logging
from collections.abc import Sequence
from typing import Any, Literal, cast

import numpy as np
from fastapi import APIRouter, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.responses import JSONResponse
from starlette.types import Scope

from ppocr_client import OcrResult, ServerInfo
from ppocr_client.errors import ImageError
from ppocr_client.exports.draw import DrawError
from ppocr_client.options import ReadOptions
from ppocr_pipeline.options import OPTIONS
from ppocr_server.gateway.failures import Failure, reason_of
from ppocr_server.gateway.reader import ReadPage
from ppocr_server.gateway.uploads import fetched, file_of_base64

LOG = logging.getLogger(__name__)
#: Names of options in PaddleX and here.
NAMES = {
    "textDetLimitSideLen": "det_limit_side_len",
    "textDetLimitType": "det_limit_type",
    "textDetThresh": "det_db_thresh",
    "textDetBoxThresh": "det_db_box_thresh",
    "textDetUnclipRatio": "det_db_unclip_ratio",
    "textRecScoreThresh": "drop_score",
    "useTextlineOrientation": "use_angle_cls",
    "returnWordBox": "return_words",
}
#: What of PaddleX is not served, and what to do.
NOT_SERVED = {
    "useDocUnwarping": "curved pages are not flattened",
    "useDocOrientationClassify": "turned pages are read without it, boxes in the picture as sent",
}
#: Longest sides of the pictures in an answer, and pixels per inch of a PDF file's pages.
MAX_PICTURE, DPI = (2000, 2000), 144


class PaddleXRequest(BaseModel):
    """A file and options; what is left out or null is as the server is set up."""

    file: str = Field(description="base64 text, or an address where the gateway allows it")
    fileType: Literal[0, 1] | None = Field(
        default=None, description="0 PDF, 1 picture; the file decides"
    )
    useDocOrientationClassify: bool | None = None
    useDocUnwarping: bool | None = None
    useTextlineOrientation: bool | None = None
    textDetLimitSideLen: int | None = None
    textDetLimitType: str | None = None
    textDetThresh: float | None = None
    textDetBoxThresh: float | None = None
    textDetUnclipRatio: float | None = None
    textRecScoreThresh: float | None = None
    returnWordBox: bool | None = None
    visualize: bool | None = Field(
        default=None, description="whether to return pictures; true by default"
    )
    logId: str | None = None


class PaddleXError(BaseModel):
    """A request that was not answered."""

    logId: str
    errorCode: int = Field(description="the HTTP status")
    errorMsg: str


def said_of(error: RequestValidationError) -> str:
    """What is wrong with a body, as PaddleX writes it; the messages say more."""

    def location(parts: Sequence[str | int]) -> str:
        path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts)
        return path.removeprefix(".")

    return json.dumps(
        [
            {"type": each["type"], "loc": location(each["loc"]), "msg": reason_of(each)}
            for each in error.errors()
        ]
    )


def log_id_of(body: Any) -> str | None:
    """The `logId` of a body that may be anything."""
    log_id = body.get("logId") if isinstance(body, dict) else None
    return log_id if isinstance(log_id, str) else None


def answer_failure(failure: Failure, scope: Scope) -> JSONResponse:
    """An error in PaddleX's form, where a wrong file or option is 422 as well."""
    message = failure.message
    for theirs, ours in NAMES.items():
        message = message.replace(ours, theirs)
    status = 422 if failure.status_code == 400 else failure.status_code
    log_id = scope.get("log_id") or scope["request_id"]
    body = {"logId": log_id, "errorCode": status, "errorMsg": message}
    return JSONResponse(body, status, failure.headers)


ROUTER = APIRouter(tags=["other services"])
ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": PaddleXError} for status in (401, 413, 422, 500, 501, 502, 503, 504)
}


@ROUTER.post("/ocr", summary="PaddleX's OCR service.", responses=ERRORS)
async def ocr(body: PaddleXRequest, request: Request) -> JSONResponse:
    """Read a picture, PDF or TIFF file; answers as PaddleX 3.7 does."""
    request.scope["log_id"] = log_id = body.logId or request.scope["request_id"]
    reader, settings = request.app.state.reader, request.app.state.settings
    info = await reader.served()
    options = options_of(body, info)
    if body.file.startswith(("http://", "https://")):
        data = await fetched(body.file, settings.url_prefixes, settings.max_body_bytes)
    else:
        data = await asyncio.to_thread(file_of_base64, body.file, "file")
    document = await reader.open(data, dpi=DPI)
    drawn = body.visualize is not False
    sizes, results = [], []
    async with reader.pages(document, options, keep=drawn) as pages:
        async for page in pages:
            if page.failure is not None:
                raise page.failure
            width, height = page.result.extent
            sizes.append({"width": width, "height": height})
            pruned = _pruned(page.result, options, info)
            pictures = await _pictures(page, wanted=body.visualize) if drawn else {}
            results.append({"prunedResult": pruned, **pictures})
    kind = "tiff" if document.pdf is None else "pdf"
    told: dict[str, Any] = {"numPages": len(sizes), "pages": sizes, "type": kind}
    if len(sizes) == 1 and document.pdf is None:
        told = {**sizes[0], "type": "image"}
    result = {"ocrResults": results, "dataInfo": told}
    return JSONResponse({"logId": log_id, "result": result, "errorCode": 0, "errorMsg": "Success"})


def options_of(request: PaddleXRequest, info: ServerInfo) -> ReadOptions:
    """The options of a request by the names of here.

    Raises:
        Failure: it asks for what is not served.
    """
    for name, reason in NOT_SERVED.items():
        if getattr(request, name):
            message = f"{name} is true; allowed: false or null: {reason}"
            raise Failure(422, "invalid_option", message)
    if request.useTextlineOrientation and "cls" not in info.models:
        raise Failure(
            422,
            "invalid_option",
            "useTextlineOrientation is true; the served repository has no classifier of lines: "
            "build it with one, or leave this out",
        )
    sent = {ours: getattr(request, theirs) for theirs, ours in NAMES.items()}
    if request.useTextlineOrientation is request.useDocOrientationClassify is False:
        sent["orientation"] = "off"
    return cast(ReadOptions, {name: value for name, value in sent.items() if value is not None})


def _pruned(result: OcrResult, options: ReadOptions, info: ServerInfo) -> dict[str, Any]:
    """The `prunedResult` of a page that was read with these options by a server.

    `dt_polys` are the boxes of the lines that are returned: those that were left out are not known.
    """
    used: dict[str, Any] = {name: rule.default for name, rule in OPTIONS.items()}
    used |= {name: OPTIONS[name].parse(text) for name, text in info.defaults.items()}
    used |= cast(dict[str, Any], options)
    corners = [np.rint(line.box).astype(int).tolist() for line in result.lines]
    turned = "cls" in info.models and used["use_angle_cls"]
    pruned = {
        "model_settings": {"use_doc_preprocessor": False, "use_textline_orientation": turned},
        "dt_polys": corners,
        "text_det_params": {
            "limit_side_len": used["det_limit_side_len"],
            "limit_type": used["det_limit_type"],
            "thresh": used["det_db_thresh"],
            "box_thresh": used["det_db_box_thresh"],
            "unclip_ratio": used["det_db_unclip_ratio"],
        },
        "text_type": "general",
        "text_rec_score_thresh": used["drop_score"],
        "return_word_box": bool(used["return_words"]),
        "rec_texts": [line.text for line in result.lines],
        "rec_scores": [line.score for line in result.lines],
        "rec_polys": corners,
        "rec_boxes": [_sides(line.box) for line in result.lines],
    }
    if used["return_words"]:
        lines = result.lines
        pruned["text_word"] = [[word.text for word in line.words] for line in lines]
        pruned["text_word_boxes"] = [[_sides(word.box) for word in line.words] for line in lines]
    if not turned:  # PaddleX's mark; which lines were turned is not known
        pruned["textline_orientation_angles"] = [-1] * len(corners)
    return pruned


def _sides(box: np.ndarray) -> list[int]:
    """Left, top, right and bottom of a box, in whole pixels."""
    sides: list[int] = np.rint([*box.min(axis=0), *box.max(axis=0)]).astype(int).tolist()
    return sides


async def _pictures(page: ReadPage, *, wanted: bool | None) -> dict[str, str]:
    """The page drawn; nothing where it cannot be drawn and nobody asked for it.

    Raises:
        Failure: it was asked for.
    """
    assert page.picture is not None
    try:
        return await asyncio.to_thread(_drawn, page.picture, page.result)
    except (DrawError, ImageError) as error:
        if wanted:
            message = f"{error}; or send visualize: false"
            raise Failure(501, "not_installed", message) from error
        LOG.warning("pictures of an answer are left out: %s", error)
        return {}


def _drawn(picture: bytes, result: OcrResult) -> dict[str, str]:
    """The page and its result drawn, as base64 of JPEG files.

    Raises:
        DrawError: no font is found.
        ImageError: the picture cannot be decoded by Pillow.
    """
    from PIL import Image, ImageOps

    def jpeg(picture: Image.Image) -> str:
        picture.thumbnail(MAX_PICTURE)
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=95)
        return base64.b64encode(file.getvalue()).decode()

    with Image.open(io.BytesIO(picture)) as file:
        page = ImageOps.exif_transpose(file).convert("RGB")
    return {"ocrImage": jpeg(result.draw(picture)), "inputImage": jpeg(page)}


@ROUTER.get("/health", summary="Whether the gateway runs, for PaddleX.")
async def health(request: Request) -> JSONResponse:
    """As PaddleX answers it; Triton is not asked."""
    log_id = request.scope["request_id"]
    return JSONResponse({"logId": log_id, "errorCode": 0, "errorMsg": "Healthy"})
