"""The local web page: its files, and the few addresses that its script calls.

A document is sent once and gets a key. Its pages are read one by one; pictures of them, and files
made of what was read, are fetched by the key.
"""

from __future__ import annotations

import io
from collections.abc import Awaitable, Callable, Collection
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from ppocr_client.client import OcrClient
from ppocr_client.documents.documents import MAX_DOWNLOAD
from ppocr_client.documents.test_picture import PICTURE
from ppocr_client.errors import DeadlineExceeded, InvalidRequest, MissingExtra, OcrError
from ppocr_client.exports.draw import DrawError, draw_result
from ppocr_client.exports.writers import FORMATS
from ppocr_client.options import OPTIONS, ReadOptions
from ppocr_client.transport.timing import timed
from ppocr_client.ui.document_store import Kept, Shelf
from ppocr_client.ui.guard import Guard
from ppocr_client.ui.pictures import is_picture, shown, thumbnail

STATIC = Path(__file__).with_name("static")
MAX_BYTES = MAX_DOWNLOAD  # of one document
DRAWN = "drawn"


def build_app(
    client: OcrClient, model: str, shelf: Shelf, names: Collection[str], font: Path | None = None
) -> Callable[..., Awaitable[None]]:
    """The page as an ASGI application.

    Args:
        client: Reads the pictures.
        model: The pipeline's name on its server.
        shelf: Where documents are kept.
        names: By which host names the page may be opened, besides any address.
        font: What drawings are made with; one is looked for if it is None.
    """
    page = _Page(client, model, shelf, font)
    one = "/documents/{key}/pages/{number:int}"
    app = Starlette(
        routes=[
            Route("/", lambda request: FileResponse(STATIC / "index.html")),
            Route("/example", lambda request: Response(PICTURE, media_type="image/png")),
            Route("/about", page.about),
            Route("/documents", page.take, methods=["POST"]),
            Route("/documents/{key}", page.put_away, methods=["DELETE"]),
            Route(f"{one}/read", page.read, methods=["POST"]),
            Route(f"{one}/picture", page.picture),
            Route("/documents/{key}/files/{form}", page.file),
            Mount("/", StaticFiles(directory=STATIC)),
        ],
        exception_handlers={
            OcrError: _failed,
            MissingExtra: _failed,
            DrawError: _failed,
            HTTPException: lambda request, error: _error(
                cast("HTTPException", error).detail, cast("HTTPException", error).status_code
            ),
        },
    )
    return Guard(app, names)


class _Page:
    def __init__(self, client: OcrClient, model: str, shelf: Shelf, font: Path | None) -> None:
        self._client, self._model, self._shelf, self._font = client, model, shelf, font

    def about(self, request: Request) -> Response:
        """The server, the options and the files that can be had."""
        about: dict[str, Any] = {
            "url": self._client.url,
            "max_bytes": MAX_BYTES,
            "formats": [*FORMATS, DRAWN],
        }
        defaults: dict[str, str] = {}
        try:
            info = self._client.server_info()
            about["server"] = f"{info.name} {info.version}"
            about["ready"] = self._model in info.models
            defaults = dict(info.defaults)
        except OcrError as error:
            about["ready"], about["error"] = False, str(error)
        about["options"] = [
            {
                "name": name,
                **asdict(option),
                "type": option.type.__name__,
                "default": defaults.get(name),
            }
            for name, option in OPTIONS.items()
        ]
        return JSONResponse(about)

    async def take(self, request: Request) -> Response:
        """Keep the document that is the request's body; its name is in the query."""
        name = Path(request.query_params.get("name", "")).name or "picture"
        path, size, head = self._shelf.new_path(), 0, b""
        too_large = HTTPException(413, f"{name} is too large; allowed: {MAX_BYTES} bytes")
        if int(request.headers.get("content-length", 0)) > MAX_BYTES:
            raise too_large
        try:
            with path.open("wb") as file:
                async for part in request.stream():
                    head = head or part[:16]
                    size += len(part)
                    if size > MAX_BYTES:
                        raise too_large
                    file.write(part)
            if not size:
                raise HTTPException(400, f"{name} is empty")
        except (HTTPException, ClientDisconnect):
            path.unlink()
            raise
        key, kept = await run_in_threadpool(self._shelf.add, path, name)
        pictured = kept.pages[0].pdf is not None or is_picture(head)
        return JSONResponse({"key": key, "pages": len(kept.pages), "pictured": pictured}, 201)

    def put_away(self, request: Request) -> Response:
        """Forget a document."""
        self._shelf.remove(request.path_params["key"])
        return Response(status_code=204)

    async def read(self, request: Request) -> Response:
        """Read a page with the options that are the request's JSON body.

        The answer is the result, the milliseconds it took, and those of a call of each model; with
        others at work meanwhile, theirs are in the means.
        """
        kept, number = self._kept_page(request)
        try:
            options = await request.json()
        except ValueError as error:
            raise HTTPException(400, f"the options are not JSON: {error}") from None
        if not isinstance(options, dict):
            raise HTTPException(400, f"the options are {options!r}; send an object")
        answer = await run_in_threadpool(self._read, kept, number, cast("ReadOptions", options))
        return JSONResponse(answer)

    def _read(self, kept: Kept, number: int, options: ReadOptions) -> dict[str, Any]:
        data = kept.pages[number - 1].load()
        result, seconds, work = timed(
            self._client, self._model, lambda: self._client.read(data, **options)
        )
        kept.results[number] = result
        pictures = work[self._model].requests if self._model in work else 1
        steps = {
            name: {"ms": round(1000 * spent / calls, 1), "calls": round(calls / pictures, 1)}
            for name, (calls, spent) in work.items()
        }
        return {**result.to_dict(), "ms": round(1000 * seconds, 1), "steps": steps}

    def picture(self, request: Request) -> Response:
        """A page's picture; a small one if the query says so."""
        kept, number = self._kept_page(request)
        make = thumbnail if "small" in request.query_params else shown
        content, media_type = make(kept.picture(number))
        return Response(content, media_type=media_type, headers={"Cache-Control": "max-age=3600"})

    def file(self, request: Request) -> Response:
        """A file of one of the outputs' formats, or a page's drawing."""
        kept, form = self._kept(request), request.path_params["form"]
        if not kept.results:
            raise HTTPException(409, f"nothing of {kept.name} has been read")
        content: str | bytes
        if form == DRAWN:
            content, suffix = self._drawn(kept, request), ".png"
        elif form in FORMATS:
            suffix = FORMATS[form].suffix
            content = FORMATS[form].write(
                kept.read_document(pictures=form == "pdf"), self._shelf.dpi
            )
        else:
            raise HTTPException(404, f"no format {form!r}; there are {', '.join(FORMATS)}, {DRAWN}")
        named = f"attachment; filename*=UTF-8''{quote(kept.name + suffix)}"
        return Response(
            content,
            media_type="application/octet-stream",
            headers={"Content-Disposition": named},
        )

    def _drawn(self, kept: Kept, request: Request) -> bytes:
        number = request.query_params.get("page", "1")
        result = kept.results.get(int(number)) if number.isdecimal() else None
        if result is None:
            raise HTTPException(409, f"page {number} of {kept.name} has not been read")
        file = io.BytesIO()
        draw_result(kept.picture(int(number)), result, font=self._font).save(file, "PNG")
        return file.getvalue()

    def _kept(self, request: Request) -> Kept:
        kept = self._shelf.get(request.path_params["key"])
        if kept is None:
            raise HTTPException(410, "this document was put away to make room; open it again")
        return kept

    def _kept_page(self, request: Request) -> tuple[Kept, int]:
        kept, number = self._kept(request), request.path_params["number"]
        if not 1 <= number <= len(kept.pages):
            raise HTTPException(404, f"{kept.name} has {len(kept.pages)} pages, no page {number}")
        return kept, number


def _failed(request: Request, error: Exception) -> Response:
    """The reason, with the HTTP status that is nearest in meaning."""
    if isinstance(error, MissingExtra | DrawError):
        return _error(str(error), 501)
    if isinstance(error, InvalidRequest):
        return _error(str(error), 400)
    return _error(str(error), 504 if isinstance(error, DeadlineExceeded) else 502)


def _error(reason: str, status: int) -> Response:
    return JSONResponse({"error": reason}, status)
