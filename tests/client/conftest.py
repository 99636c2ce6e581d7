"""What the tests of the client share: connections, the local web page, a folder for examples."""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from client.samples import PROGRAM, ROOT, SAMPLES, heed_interrupts

from ppocr_client import OcrClient
from ppocr_server.tritonserver.server import TritonServer

EXAMPLES = ("sign_vertical.jpg", "receipt_en.jpg", "landscape.jpg")


@pytest.fixture(params=["grpc", "http"])
def url(server: TritonServer, request: pytest.FixtureRequest) -> str:
    """The server's address by both protocols."""
    return server.grpc_url if request.param == "grpc" else f"http://{server.http_url}"


@pytest.fixture
def client(url: str) -> Iterator[OcrClient]:
    """A client that is connected to the server."""
    with OcrClient(url) as connected:
        yield connected


@pytest.fixture(scope="session")
def page(server: TritonServer) -> Iterator[str]:
    """The page's address, "http://127.0.0.1:PORT/"; Ctrl-C ends it with exit code 0."""
    words = ["serve-ui", "--port", "0", "--dpi", "100", "--url", server.grpc_url]
    with subprocess.Popen(
        [PROGRAM, *words], stdout=subprocess.PIPE, text=True, preexec_fn=heed_interrupts
    ) as running:
        assert running.stdout is not None
        yield running.stdout.readline().split()[0]
        running.send_signal(signal.SIGINT)
        assert running.wait(30) == 0


@pytest.fixture
def folder(tmp_path) -> Path:
    """What the examples expect to be in their folder; of the samples those that they name."""
    (tmp_path / "samples").mkdir()
    for name in EXAMPLES:
        shutil.copy(SAMPLES / name, tmp_path / "samples")
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    return tmp_path
