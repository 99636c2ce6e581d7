"""The two clients, as one that reads."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from ppocr_client import AsyncOcrClient, OcrClient, OcrResult


def read_in_thread(url: str, **settings: Any) -> OcrResult:
    with OcrClient(url, timeout=20, **settings) as client:
        return client.read(b"x", return_words="false")  # type: ignore[arg-type]  # none come


def read_in_loop(url: str, **settings: Any) -> OcrResult:
    async def read() -> OcrResult:
        async with AsyncOcrClient(url, timeout=20, **settings) as client:
            return await client.read(b"x")

    return asyncio.run(read())


@pytest.fixture(params=[read_in_thread, read_in_loop], ids=["thread", "loop"])
def read(request) -> Callable[..., OcrResult]:
    """Read with a client that is made for it, at an address."""
    reader: Callable[..., OcrResult] = request.param
    return reader
