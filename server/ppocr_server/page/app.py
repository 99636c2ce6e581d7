"""The gateway's web page: its static files and its HTTP API.

A document is uploaded once and gets a key. Its pages are read one by one; their pictures, and files
in the output formats, are fetched by the key.
"""

from __future__ import annotations

import contextlib
import io
import tempfile
from collections.abc import Collection, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from ppocr_client.client import OcrClient
from ppocr_client.errors import MissingExtra, OcrError
from ppocr_client.exports.draw import DrawError, draw_result
from ppocr_client.exports.writers import FORMATS
from ppocr_client.options import OPTIONS, ReadOptions
from ppocr_client.transport.server_info import timed
from ppocr_pipeline.formats import known_format
from ppocr_server.gateway.failures import Failure, failure_of
from ppocr_server.gateway.middleware import answer_failure
from ppocr_server.gateway.reader import connection_of
from ppocr_server.gateway.settings import GatewaySettings
from ppocr_server.page.document_store import DocumentStore, StoredDocument
from ppocr_server.page.origin_check import OriginCheck
from ppocr_server.page.pictures import shown, thumbnail

STATIC = Path(__file__).with_name("static")
DRAWN = "drawn"
PATHS = ("/", "/about", "/documents", "/documents/{rest:path}")


def build_page(
    client: OcrClient, model: str, store: DocumentStore, names: Collection[str], max_bytes: int
) -> OriginCheck:
    """The page as an ASGI application.

    Args:
        client: Reads the pictures.
        model: The pipeline's name on its server.
        store: Keeps the documents.
        names: The host names by which the page may be opened, besides any IP address.
        max_bytes: The largest document, as the page says; the gateway refuses a longer body.
    """
    page = _Page(client, model, store, max_bytes)
    one = "/documents/{key}/pages/{number:int}"
    app = Starlette(
        routes=[
            Route("/", lambda request: FileResponse(STATIC / "index.html")),
            Route("/about", page.about),
            Route("/documents", page.upload, methods=["POST"]),
            Route("/documents/{key}", page.delete, methods=["DELETE"]),
            Route(f"{one}/read", page.read, methods=["POST"]),
            Route(f"{one}/picture", page.picture),
            Route("/documents/{key}/files/{form}", page.file),
            Mount("/", StaticFiles(directory=STATIC)),
        ],
        exception_handlers=dict.fromkeys((OcrError, MissingExtra, DrawError, HTTPException), _why),
    )
    return OriginCheck(app, names)


@contextlib.contextmanager
def page(settings: GatewaySettings) -> Iterator[OriginCheck | None]:
    """The page while the block runs, with a folder for what is opened in it; None with a token.

    A browser cannot send a token with the address of a page.
    """
    if settings.token is not None:
        yield None
        return
    with (
        tempfile.TemporaryDirectory(prefix="ppocr-page-") as folder,
        OcrClient(settings.url, **connection_of(settings)) as client,
    ):
        store = DocumentStore(Path(folder), dpi=settings.dpi)
        names = {"localhost", settings.host.lower()}
        yield build_page(client, settings.model, store, names, settings.max_body_bytes)


def add_page(app: FastAPI, shown: OriginCheck) -> None:
    """Add the page's paths to an application; other paths are not answered by it."""
    files = [f"/{path.name}" for path in sorted(STATIC.iterdir())]
    app.router.routes.extend(Route(path, shown) for path in (*PATHS, *files))


class _Page:
    def __init__(self, client: OcrClient, model: str, store: DocumentStore, max_bytes: int) -> None:
        self._client, self._model, self._store = client, model, store
        self._max_bytes = max_bytes

    def about(self, request: Request) -> Response:
        """The server, the options and the output formats."""
        about: dict[str, Any] = {
            "url": self._client.url,
            "max_bytes": self._max_bytes,
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
                "help": option.help,
                **asdict(option.rule),
                "type": option.type.__name__,
                "default": defaults.get(name),
            }
            for name, option in OPTIONS.items()
        ]
        return JSONResponse(about)

    async def upload(self, request: Request) -> Response:
        """Store the document in the request's body; its name is in the query."""
        name = Path(request.query_params.get("name", "")).name or "picture"
        path, head = self._store.new_path(), b""
        try:
            with path.open("wb") as file:
                async for part in request.stream():
                    head = head or part[:16]
                    file.write(part)
            if not head:
                raise HTTPException(400, f"{name} is empty")
        except (HTTPException, ClientDisconnect):
            path.unlink()
            raise
        key, document = await run_in_threadpool(self._store.add, path, name)
        pictured = document.pages[0].pdf is not None or known_format(head) is not None
        return JSONResponse({"key": key, "pages": len(document.pages), "pictured": pictured}, 201)

    def delete(self, request: Request) -> Response:
        """Delete a document."""
        self._store.remove(request.path_params["key"])
        return Response(status_code=204)

    async def read(self, request: Request) -> Response:
        """Read a page with the options that are the request's JSON body.

        Answers with the result, the milliseconds it took, and the mean milliseconds of each model's
        calls; other clients' calls meanwhile are in the means.
        """
        document, number = self._stored_page(request)
        try:
            options = await request.json()
        except ValueError as error:
            raise HTTPException(400, f"the options are not JSON: {error}") from None
        if not isinstance(options, dict):
            raise HTTPException(400, f"the options are {options!r}; send an object")
        answer = await run_in_threadpool(self._read, document, number, cast("ReadOptions", options))
        return JSONResponse(answer)

    def _read(self, document: StoredDocument, number: int, options: ReadOptions) -> dict[str, Any]:
        data = document.pages[number - 1].load()
        result, seconds, work = timed(
            self._client, self._model, lambda: self._client.read(data, **options)
        )
        document.results[number] = result
        pictures = work[self._model].requests if self._model in work else 1
        steps = {
            name: {"ms": round(1000 * spent / calls, 1), "calls": round(calls / pictures, 1)}
            for name, (calls, spent) in work.items()
        }
        return {**result.to_dict(), "ms": round(1000 * seconds, 1), "steps": steps}

    def picture(self, request: Request) -> Response:
        """A page's picture, or with `?small` its thumbnail."""
        document, number = self._stored_page(request)
        make = thumbnail if "small" in request.query_params else shown
        content, media_type = make(document.picture(number))
        return Response(content, media_type=media_type)

    def file(self, request: Request) -> Response:
        """A file in one of the output formats, or a page's drawing."""
        document, form = self._stored(request), request.path_params["form"]
        if not document.results:
            raise HTTPException(409, f"nothing of {document.name} has been read")
        content: str | bytes
        if form == DRAWN:
            content, suffix = self._drawn(document, request), ".png"
        elif form in FORMATS:
            suffix = FORMATS[form].suffix
            content = FORMATS[form].write(
                document.read_document(pictures=form == "pdf"), self._store.dpi
            )
        else:
            raise HTTPException(
                404, f"unknown format {form!r}; allowed: {', '.join(FORMATS)}, {DRAWN}"
            )
        named = f"attachment; filename*=UTF-8''{quote(document.name + suffix)}"
        return Response(
            content,
            media_type="application/octet-stream",
            headers={"Content-Disposition": named},
        )

    def _drawn(self, document: StoredDocument, request: Request) -> bytes:
        number = request.query_params.get("page", "1")
        result = document.results.get(int(number)) if number.isdecimal() else None
        if result is None:
            raise HTTPException(409, f"page {number} of {document.name} has not been read")
        file = io.BytesIO()
        draw_result(document.picture(int(number)), result).save(file, "PNG")
        return file.getvalue()

    def _stored(self, request: Request) -> StoredDocument:
        document = self._store.get(request.path_params["key"])
        if document is None:
            raise HTTPException(410, "this document was deleted to make room; open it again")
        return document

    def _stored_page(self, request: Request) -> tuple[StoredDocument, int]:
        document, number = self._stored(request), request.path_params["number"]
        if not 1 <= number <= len(document.pages):
            raise HTTPException(
                404, f"{document.name} has {len(document.pages)} pages, no page {number}"
            )
        return document, number


def _why(request: Request, error: Exception) -> Response:
    """The reason in the gateway's form of an error."""
    if isinstance(error, DrawError):
        error = Failure(501, "not_installed", str(error))
    return answer_failure(failure_of(error, request))
