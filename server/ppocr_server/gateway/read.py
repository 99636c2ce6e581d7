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

from ppocr_client.documents.inputs import Document
from ppocr_client.documents.reading import DocumentResult, PageResult
from ppocr_client.errors import MissingExtra, OcrError
from ppocr_client.exports.writers import FORMATS as WRITERS
from ppocr_server.gateway.failures import Failure, error_body, failure_of
from ppocr_server.gateway.parameters import FORMATS, SEVERAL, ReadParameters, read_parameters
from ppocr_server.gateway.reader import CALL, OpenDocument, Reader, ReadPage, deadline_after
from ppocr_server.gateway.schemas import ANSWERS, BODIES, PARAMETERS
from ppocr_server.gateway.uploads import Upload, files_of

ROUTER = APIRouter()


@ROUTER.post(
    "/read",
    tags=["read"],
    summary="Read pictures, PDF and TIFF files.",
    responses=ANSWERS,
    openapi_extra={
        "parameters": PARAMETERS,
        "requestBody": {"required": True, "content": BODIES},
    },
)
async def read(request: Request) -> Response:
    """Send a file as the body, several as a form, or base64 in JSON.

    One file is answered with its pages, several with `files`. The form of the answer follows
    `format`, else the header Accept. With NDJSON each page is sent as soon as it is read.
    """
    query = request.query_params.multi_items()
    accept = request.headers.get("accept", "")
    parameters = read_parameters(query, accept)  # before the body is read
    files, fields = await files_of(request)
    for name, value in fields:
        if name == "timeout":
            CALL.set(replace(CALL.get(), deadline=deadline_after(value)))
    if fields:
        parameters = read_parameters([*query, *fields], accept)
    if len(files) > 1 and parameters.format not in SEVERAL:
        raise Failure(
            400,
            "invalid_request",
            f"format={parameters.format} takes one file, {len(files)} were sent; send them one by "
            "one, or take format=json or ndjson",
        )
    media_type = FORMATS[parameters.format]
    asked = _Asked(request.app.state.reader, files, parameters)
    if parameters.format == "ndjson":
        lines = asked.lines()
        first = await anext(lines)  # what fails before it has a status of its own
        return StreamingResponse(_chain(first, lines), media_type=media_type)
    content = _dump(await asked.json()) if parameters.format == "json" else await asked.exported()
    return Response(content, media_type=media_type)


async def _chain(first: bytes, rest: AsyncGenerator[bytes, None]) -> AsyncIterator[bytes]:
    async with aclosing(rest):
        yield first
        async for line in rest:
            yield line


class _Asked:
    """The files of a request, and how they are read."""

    def __init__(self, reader: Reader, files: list[Upload], parameters: ReadParameters) -> None:
        self._reader, self._files, self._parameters = reader, files, parameters

    async def json(self) -> dict[str, Any]:
        """All pages; where no file could be read, the first failure is raised."""
        if len(self._files) == 1:
            return await self._document(self._files[0])
        answers: list[dict[str, Any]] = []
        failures: list[Failure] = []
        for file in self._files:
            try:
                answers.append(await self._document(file))
            except (OcrError, MissingExtra, Failure) as error:
                failures.append(failure_of(error))
                answers.append({**self._named(file), **error_body(failures[-1])})
        if len(failures) == len(self._files):
            raise failures[0]
        return {"files": answers}

    async def lines(self) -> AsyncGenerator[bytes, None]:
        """A line for each page as it is read."""
        alone = len(self._files) == 1
        for file in self._files:
            head = self._named(file)
            try:
                document = await self._opened(file)
            except (OcrError, MissingExtra, Failure) as error:
                if alone:
                    raise
                yield _dump({**head, **error_body(failure_of(error))}) + b"\n"
                continue
            async with self._reader.pages(document, self._parameters.options) as pages:
                async for page in pages:
                    if page.failure is not None and alone and document.count == 1:
                        raise page.failure
                    yield _dump({**head, "page_count": document.count, **_page(page)}) + b"\n"

    async def exported(self) -> bytes:
        """The only file in a format that has no place for pages that failed."""
        (file,), form = self._files, self._parameters.format
        document = await self._opened(file)
        read: list[PageResult] = []
        keep = form == "pdf" and document.pdf is None
        async with self._reader.pages(document, self._parameters.options, keep=keep) as pages:
            async for page in pages:
                if page.failure is not None and document.count > 1:
                    advice = "; format=json answers with the pages that can be read"
                    raise page.failure.of(f"page {page.number}", advice)
                if page.failure is not None:
                    raise page.failure
                read.append(PageResult(page.number, page.result, page.picture, document.pdf))
        source = file.name or self._parameters.name or "file"
        result = DocumentResult(Document(source, source), document.count, read)
        content = await asyncio.to_thread(WRITERS[form].write, result, document.dpi)
        return content.encode() if isinstance(content, str) else content

    async def _document(self, file: Upload) -> dict[str, Any]:
        """A file's pages; where none of them could be read, the first failure is raised."""
        document = await self._opened(file)
        async with self._reader.pages(document, self._parameters.options) as pages:
            read = [page async for page in pages]
        if read[0].failure is not None and all(page.failure for page in read):
            raise read[0].failure
        pages_read = [_page(page) for page in read]
        return {**self._named(file), "page_count": document.count, "pages": pages_read}

    async def _opened(self, file: Upload) -> OpenDocument:
        dpi, ranges = self._parameters.dpi, self._parameters.ranges
        return await self._reader.open(file.data, dpi=dpi, ranges=ranges)

    def _named(self, file: Upload) -> dict[str, str]:
        name = file.name or self._parameters.name
        return {"name": name} if name else {}


def _page(page: ReadPage) -> dict[str, Any]:
    content = page.result.to_dict() if page.failure is None else error_body(page.failure)
    return {"page": page.number, **content}


def _dump(content: dict[str, Any]) -> bytes:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")
