"""What the tests of the client share: connections, a folder for examples."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from paths import ROOT, SAMPLES

from ppocr_client import OcrClient

EXAMPLES = ("sign_vertical.jpg", "receipt_en.jpg", "landscape.jpg")


@pytest.fixture(params=["grpc", "http"])
def url(server, request) -> str:
    """The server's address by both protocols."""
    return server.grpc_url if request.param == "grpc" else f"http://{server.http_url}"


@pytest.fixture
def client(url) -> Iterator[OcrClient]:
    """A client that is connected to the server."""
    with OcrClient(url) as connected:
        yield connected


@pytest.fixture
def folder(tmp_path) -> Path:
    """What the examples expect to be in their folder; of the samples those that they name."""
    (tmp_path / "samples").mkdir()
    for name in EXAMPLES:
        shutil.copy(SAMPLES / name, tmp_path / "samples")
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    return tmp_path
