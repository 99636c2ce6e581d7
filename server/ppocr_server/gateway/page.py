"""The web page on the gateway's port, where no token is wanted."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from fastapi import FastAPI
from starlette.routing import Route

from ppocr_client import OcrClient
from ppocr_server.gateway.reader import connection_of
from ppocr_server.gateway.settings import GatewaySettings
from ppocr_server.page.app import STATIC, build_page
from ppocr_server.page.document_store import DocumentStore
from ppocr_server.page.origin_check import OriginCheck

PATHS = ("/", "/about", "/documents", "/documents/{rest:path}")


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
