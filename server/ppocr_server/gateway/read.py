"""POST /read."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

ROUTER = APIRouter()


@ROUTER.post("/read", tags=["read"], summary="Read a picture, PDF or TIFF file.")
async def read(request: Request) -> Response:
    """Answer with the text of every page."""
    reader = request.app.state.reader
    document = await reader.open(await request.body())
    pages = []
    async for page in reader.pages(document):
        if page.failure is not None:
            raise page.failure
        pages.append({"page": page.number, **page.result.to_dict()})
    return JSONResponse({"pages": pages})
