"""The web page of `ppocr-client serve-ui` on the gateway's port, where no token is wanted."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from fastapi import FastAPI
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from ppocr_client import OcrClient
from ppocr_client.ui.app import STATIC, build_app
from ppocr_client.ui.document_store import DocumentStore
from ppocr_server.gateway.reader import connection_of
from ppocr_server.gateway.settings import GatewaySettings

PATHS = ("/", "/about", "/documents", "/documents/{rest:path}")


class Page:
    """The page as an endpoint of routes: a class, which the router calls as an application."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await self._app(scope, receive, send)


@contextlib.contextmanager
def page(settings: GatewaySettings) -> Iterator[Page | None]:
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
        yield Page(build_app(client, settings.model, store, names))


def add_page(app: FastAPI, shown: Page) -> None:
    """Add the page's paths to an application; other paths are not answered by it."""
    files = [f"/{path.name}" for path in sorted(STATIC.iterdir())]
    app.router.routes.extend(Route(path, shown) for path in (*PATHS, *files))
