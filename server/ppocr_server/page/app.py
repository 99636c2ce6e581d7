"""The gateway's web page: its static files, and an HTTP API of documents that are sent once."""

from __future__ import annotations

import contextlib
import io
import ipaddress
import tempfile
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote, urlsplit

from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ppocr_client.client import OcrClient
from ppocr_client.errors import MissingExtra, OcrError
from ppocr_client.exports.draw import DrawError, draw_result
from ppocr_client.exports.writers import FORMATS
from ppocr_client.options import OPTIONS, ReadOptions
from ppocr_client.transport.server_info import timed
from ppocr_pipeline.formats import known_format
from ppocr_server.gateway.failures import Failure, answer_failure, failure_of
from ppocr_server.gateway.parameters import DPI
from ppocr_server.gateway.reader import connection_of
from ppocr_server.gateway.settings import GatewaySettings
from ppocr_server.page.document_store import DocumentStore, StoredDocument, shown, thumbnail

STATIC = Path(__file__).with_name("static")
DRAWN = "drawn"
PATHS = ("/", "/about", "/documents", "/documents/{rest:path}")
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; require-trusted-types-for 'script'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


@contextlib.contextmanager
def page(settings: GatewaySettings) -> Iterator[ASGIApp | None]:
    """The page while the block runs, with a folder for what is opened in it; None with a token."""
    if settings.token is not None:  # a browser cannot send it with the address of a page
        yield None
        return
    with (
        tempfile.TemporaryDirectory(prefix="ppocr-page-") as folder,
        OcrClient(settings.url, **connection_of(settings)) as client,
    ):
        store = DocumentStore(Path(folder), dpi=DPI.default)
        app = _Page(client, store, settings).app()
        yield OriginCheck(app, {"localhost", settings.host.lower()})


def add_page(app: FastAPI, page: ASGIApp) -> None:
    """Add the page's paths to an application; other paths are not answered by it."""
    files = [f"/{path.name}" for path in sorted(STATIC.iterdir())]
    app.router.routes.extend(Route(path, page) for path in (*PATHS, *files))


class OriginCheck:
    """An application with `HEADERS` in all answers, where requests of other sites are refused.

    Any web page can send requests to this machine. They are refused by their `Origin`; those of a
    site whose name was rebound to this machine (DNS rebinding) by their `Host`.
    """

    def __init__(self, app: ASGIApp, names: Collection[str]) -> None:
        self._app, self._names = app, names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        reason = refusal(Headers(scope=scope), self._names)
        refused = answer_failure(Failure(403, "other_site", reason)) if reason else self._app
        await refused(scope, receive, send_with_headers)


def refusal(headers: Headers, names: Collection[str]) -> str | None:
    """Why a request is refused; None if it is accepted."""
    host = headers.get("host", "")
    if not _is_own(host, names):
        return f"this page is not {host!r}; open it by an address or as {', '.join(names)}"
    origin = headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != host:
        return f"requests of {origin} are not answered"
    followed = headers.get("sec-fetch-mode") == "navigate"  # a followed link is harmless
    if headers.get("sec-fetch-site", "none") not in ("none", "same-origin") and not followed:
        return "requests of other sites are not answered"
    return None


def _is_own(host: str, names: Collection[str]) -> bool:
    """Whether it is one of the names or an IP address, which cannot be rebound as a name can."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return name in names or ipaddress.ip_address(name) is not None
    except ValueError:
        return False


class _Page:
    def __init__(self, client: OcrClient, store: DocumentStore, settings: GatewaySettings) -> None:
        self._client, self._store, self._settings = client, store, settings

    def app(self) -> Starlette:
        one = "/documents/{key}/pages/{number:int}"
        return Starlette(
            routes=[
                Route("/", lambda request: FileResponse(STATIC / "index.html")),
                Route("/about", self.about),
                Route("/documents", self.upload, methods=["POST"]),
                Route("/documents/{key}", self.delete, methods=["DELETE"]),
                Route(f"{one}/read", self.read, methods=["POST"]),
                Route(f"{one}/picture", self.picture),
                Route("/documents/{key}/files/{form}", self.file),
                Mount("/", StaticFiles(directory=STATIC)),
            ],
            exception_handlers=dict.fromkeys(
                (OcrError, MissingExtra, DrawError, HTTPException), _why
            ),
        )

    def about(self, request: Request) -> Response:
        """The server, the options and the output formats."""
        defaults: Mapping[str, str] = {}
        try:
            info = self._client.server_info()
            ready, defaults = self._settings.model in info.models, info.defaults
            server: dict[str, Any] = {"server": f"{info.name} {info.version}", "ready": ready}
        except OcrError as error:
            server = {"ready": False, "error": str(error)}
        options = [
            {
                "name": name,
                "help": option.help,
                **asdict(option.rule),
                "type": option.type.__name__,
                "default": defaults.get(name),
            }
            for name, option in OPTIONS.items()
        ]
        return JSONResponse(
            {
                **server,
                "url": self._client.url,
                "max_bytes": self._settings.max_body_bytes,
                "formats": [*FORMATS, DRAWN],
                "options": options,
            }
        )

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
        self._store.remove(request.path_params["key"])
        return Response(status_code=204)

    async def read(self, request: Request) -> Response:
        """Read a page with the options that are the request's JSON body.

        The answer has the mean milliseconds of each model's calls, also of other clients meanwhile.
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
        data, model = document.pages[number - 1].load(), self._settings.model
        result, seconds, work = timed(
            self._client, model, lambda: self._client.read(data, **options)
        )
        document.results[number] = result
        pictures = work[model].requests if model in work else 1
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
            read, suffix = document.read_document(pictures=form == "pdf"), FORMATS[form].suffix
            content = FORMATS[form].write(read, self._store.dpi)
        else:
            allowed = ", ".join((*FORMATS, DRAWN))
            raise HTTPException(404, f"unknown format {form!r}; allowed: {allowed}")
        named = f"attachment; filename*=UTF-8''{quote(document.name + suffix)}"
        headers = {"Content-Disposition": named}
        return Response(content, media_type="application/octet-stream", headers=headers)

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
        if not 1 <= number <= (count := len(document.pages)):
            raise HTTPException(404, f"{document.name} has {count} pages, no page {number}")
        return document, number


def _why(request: Request, error: Exception) -> Response:
    """The reason in the gateway's form of an error."""
    if isinstance(error, DrawError):
        error = Failure(501, "not_installed", str(error))
    return answer_failure(failure_of(error, request))
