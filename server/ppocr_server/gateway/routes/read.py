"""POST /read: pictures and documents in, what they say out, in one of several formats."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response, StreamingResponse

from ppocr_client.documents.reading import PageResult
from ppocr_client.errors import MissingExtra, OcrError
from ppocr_server.gateway.call import CALL, deadline_after
from ppocr_server.gateway.failures import Failure, error_body, failure_of
from ppocr_server.gateway.reader import OpenDocument, Reader, ReadPage
from ppocr_server.gateway.routes.formats import FORMATS, write
from ppocr_server.gateway.routes.parameters import (
    ReadParameters,
    openapi_parameters,
    read_parameters,
)
from ppocr_server.gateway.routes.schemas import EXAMPLE, Error, ReadDocument, ReadFiles
from ppocr_server.gateway.routes.uploads import Upload, files_of

ROUTER = APIRouter()
FILE = {"type": "string", "format": "binary"}
BASE64 = {"type": "string", "contentEncoding": "base64"}
BODIES: dict[str, Any] = {
    "application/octet-stream": {"schema": FILE},
    "image/*": {"schema": FILE},
    "application/pdf": {"schema": FILE},
    "multipart/form-data": {
        "schema": {
            "type": "object",
            "properties": {"file": {"type": "array", "items": FILE}},
            "required": ["file"],
        }
    },
    "application/json": {
        "schema": {
            "type": "object",
            "properties": {"file": BASE64, "files": {"type": "array", "items": BASE64}},
            "oneOf": [{"required": ["file"]}, {"required": ["files"]}],
        }
    },
}
ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "model": ReadDocument | ReadFiles,
        "description": "What the pages say.",
        "content": {
            form.media_type: {"example": EXAMPLE} if name == "json" else {"schema": FILE}
            for name, form in FORMATS.items()
        },
    },
    **{
        status: {"model": Error, "description": text}
        for status, text in {
            400: "The file, the body or a parameter is not allowed.",
            401: "The token is missing or wrong.",
            406: "Accept allows none of the formats.",
            413: "The body is too long, or has too many pages.",
            501: "A package is missing on the server.",
            502: "Triton failed, or refused the gateway.",
            503: "Triton is full or away; see Retry-After.",
            504: "There was no answer in time.",
        }.items()
    },
}


@ROUTER.post(
    "/read",
    tags=["read"],
    summary="Read pictures, PDF and TIFF files.",
    responses=ANSWERS,
    openapi_extra={
        "parameters": openapi_parameters(),
        "requestBody": {"required": True, "content": BODIES},
    },
)
async def read(request: Request) -> Response:
    """Send a file as the body, several as a form, or base64 in JSON.

    One file is answered with its pages, several with `files`. The form of the answer follows
    `format`, else the header Accept. With NDJSON each page is sent as soon as it is read.
    """
    reader: Reader = request.app.state.reader
    query = request.query_params.multi_items()
    accept = request.headers.get("accept", "")
    parameters = read_parameters(query, accept)  # before the body is read
    files, fields = await files_of(request)
    for name, value in fields:
        if name == "timeout":
            CALL.set(replace(CALL.get(), deadline=deadline_after(value)))
    if fields:
        parameters = read_parameters([*query, *fields], accept)
    form = FORMATS[parameters.format]
    if len(files) > 1 and not form.several:
        raise Failure(
            400,
            "invalid_request",
            f"format={parameters.format} takes one file, {len(files)} were sent; send them one by "
            "one, or take format=json or ndjson",
        )
    if parameters.format == "ndjson":
        return await _streamed(reader, files, parameters)
    if parameters.format == "json":
        content = _dump(await _json_of(reader, files, parameters))
    else:
        content = await _exported(reader, files[0], parameters)
    return Response(content, media_type=form.media_type)


async def _opened(reader: Reader, file: Upload, parameters: ReadParameters) -> OpenDocument:
    return await reader.open(file.data, dpi=parameters.dpi, ranges=parameters.ranges)


async def _json_of(
    reader: Reader, files: list[Upload], parameters: ReadParameters
) -> dict[str, Any]:
    if len(files) == 1:
        return await _document(reader, files[0], parameters)
    answers: list[dict[str, Any]] = []
    failures: list[Failure] = []
    for file in files:
        try:
            answers.append(await _document(reader, file, parameters))
        except (OcrError, MissingExtra, Failure) as error:
            failures.append(failure_of(error))
            answers.append({**_named(file, parameters), **error_body(failures[-1])})
    if len(failures) == len(files):
        raise failures[0]
    return {"files": answers}


async def _document(reader: Reader, file: Upload, parameters: ReadParameters) -> dict[str, Any]:
    """A file's pages; where none of them could be read, the first failure is raised."""
    document = await _opened(reader, file, parameters)
    async with aclosing(reader.pages(document, parameters.options)) as pages:
        read = [page async for page in pages]
    if all(page.failure for page in read):
        raise read[0].failure or AssertionError("a document has pages")
    return {
        **_named(file, parameters),
        "page_count": document.count,
        "pages": [_page(page) for page in read],
    }


async def _exported(reader: Reader, file: Upload, parameters: ReadParameters) -> bytes:
    """A file in a format that has no place for pages that failed."""
    document = await _opened(reader, file, parameters)
    read: list[PageResult] = []
    keep = parameters.format == "pdf" and document.pdf is None
    async with aclosing(reader.pages(document, parameters.options, keep=keep)) as pages:
        async for page in pages:
            if page.failure is not None:
                raise _of_page(page.failure, page.number, document)
            read.append(PageResult(page.number, page.result, page.picture, document.pdf))
    source = file.name or parameters.name or "file"
    return await asyncio.to_thread(
        write, parameters.format, source, document.count, read, document.dpi
    )


def _of_page(failure: Failure, number: int, document: OpenDocument) -> Failure:
    if document.count == 1:
        return failure
    return failure.of(f"page {number}", "; format=json answers with the pages that can be read")


async def _streamed(reader: Reader, files: list[Upload], parameters: ReadParameters) -> Response:
    """Pages as they are read; what fails before the first one has a status of its own."""
    lines = _lines(reader, files, parameters)
    first = await anext(lines)
    return StreamingResponse(_chain(first, lines), media_type=FORMATS["ndjson"].media_type)


async def _chain(first: bytes, rest: AsyncGenerator[bytes, None]) -> AsyncIterator[bytes]:
    async with aclosing(rest):
        yield first
        async for line in rest:
            yield line


async def _lines(
    reader: Reader, files: list[Upload], parameters: ReadParameters
) -> AsyncGenerator[bytes, None]:
    alone = len(files) == 1
    for file in files:
        head = _named(file, parameters)
        try:
            document = await _opened(reader, file, parameters)
        except (OcrError, MissingExtra, Failure) as error:
            if alone:
                raise
            yield _dump({**head, **error_body(failure_of(error))}) + b"\n"
            continue
        async with aclosing(reader.pages(document, parameters.options)) as pages:
            async for page in pages:
                if page.failure is not None and alone and document.count == 1:
                    raise page.failure
                yield _dump({**head, "page_count": document.count, **_page(page)}) + b"\n"


def _named(file: Upload, parameters: ReadParameters) -> dict[str, str]:
    name = file.name or parameters.name
    return {"name": name} if name else {}


def _page(page: ReadPage) -> dict[str, Any]:
    content = page.result.to_dict() if page.failure is None else error_body(page.failure)
    return {"page": page.number, **content}


def _dump(content: dict[str, Any]) -> bytes:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")
