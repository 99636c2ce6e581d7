"""POST /ocr and GET /health, as PaddleX's basic serving answers them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import uuid
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import APIRouter, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.responses import JSONResponse, Response

from ppocr_client.errors import ImageError
from ppocr_client.exports.draw import DrawError
from ppocr_server.gateway.contracts import paddlex
from ppocr_server.gateway.contracts.files import ADDRESS, fetched, file_of_base64
from ppocr_server.gateway.contracts.paddlex import PaddleXError, PaddleXFailure, PaddleXRequest
from ppocr_server.gateway.failures import Failure, failure_of
from ppocr_server.gateway.reader import ReadPage

LOG = logging.getLogger(__name__)
ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": PaddleXError} for status in (401, 413, 422, 500, 501, 502, 503, 504)
}


class PaddleXRoute(APIRoute):
    """A route whose failures keep the `logId` of the request."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, see `APIRoute`."""
        handler = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return await handler(request)
            except RequestValidationError as error:
                message = paddlex.validation_message(error.errors())
                failure = Failure(422, "invalid_request", message)
                raise PaddleXFailure(failure, _log_id(error.body)) from error
            except Exception as error:  # whatever it is, it is answered in PaddleX's form
                raise PaddleXFailure(failure_of(error), await _sent_log_id(request)) from error

        return answer


ROUTER = APIRouter(route_class=PaddleXRoute)


@ROUTER.post("/ocr", tags=["other services"], summary="PaddleX's OCR service.", responses=ERRORS)
async def ocr(body: PaddleXRequest, request: Request) -> JSONResponse:
    """Read a picture, PDF or TIFF file; answers as PaddleX 3.7 does."""
    state = request.app.state
    info = await state.reader.served()
    options = paddlex.options_of(body, info)
    if body.file.startswith(ADDRESS):
        settings = state.settings
        data = await fetched(body.file, settings.url_prefixes, settings.max_body_bytes)
    else:
        data = await asyncio.to_thread(file_of_base64, body.file, "file")
    document = await state.reader.open(data, dpi=paddlex.DPI)
    drawn = body.visualize is not False
    results, pages = [], []
    async with contextlib.aclosing(state.reader.pages(document, options, keep=drawn)) as read:
        async for one in read:
            if one.failure is not None:
                raise one.failure
            results.append(one.result)
            pictures = await _pictures(one, wanted=body.visualize) if drawn else {}
            pages.append(paddlex.page(one.result, options, info, pictures))
    kind = paddlex.data_info(results, pdf=document.pdf is not None)
    return JSONResponse(paddlex.answer(body.logId or request.scope["request_id"], pages, kind))


@ROUTER.get("/health", tags=["other services"], summary="Whether the gateway runs, for PaddleX.")
async def health(request: Request) -> JSONResponse:
    """As PaddleX answers it; Triton is not asked."""
    log_id = request.scope["request_id"]
    return JSONResponse({"logId": log_id, "errorCode": 0, "errorMsg": "Healthy"})


def error_body(failure: Failure) -> dict[str, Any]:
    """An error in PaddleX's form."""
    return paddlex.error_body(failure, getattr(failure, "log_id", None) or uuid.uuid4().hex)


async def _sent_log_id(request: Request) -> str | None:
    try:
        return _log_id(await request.json())
    except (ValueError, RecursionError):  # the body is no JSON
        return None


def _log_id(body: Any) -> str | None:
    log_id = body.get("logId") if isinstance(body, dict) else None
    return log_id if isinstance(log_id, str) and log_id else None


async def _pictures(page: ReadPage, *, wanted: bool | None) -> dict[str, str]:
    """The page drawn; nothing where it cannot be drawn and nobody asked for it.

    Raises:
        Failure: it was asked for.
    """
    assert page.picture is not None
    try:
        return await asyncio.to_thread(paddlex.pictures_of, page.picture, page.result)
    except (DrawError, ImageError) as error:
        if wanted:
            message = f"{error}; or send visualize: false"
            raise Failure(501, "not_installed", message) from error
        LOG.warning("pictures of an answer are left out: %s", error)
        return {}
