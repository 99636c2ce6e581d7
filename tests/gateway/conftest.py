"""The gateway in a process of its own, before the shared tritonserver."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ppocr_server.tritonserver.server import TritonServer

SAMPLES = Path(__file__).parents[2] / "samples"


@contextlib.contextmanager
def started(triton: str, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run `ppocr-serve gateway` on a free port; yields the process and its "host:port"."""
    command = [sys.executable, "-m", "ppocr_server.cli", "gateway", "--json", "--port", "0"]
    with subprocess.Popen(
        [*command, "--url", triton, *arguments], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            yield process, json.loads(process.stdout.readline())["gateway"].partition("://")[2]
        finally:
            process.terminate()
            assert process.wait(40) == 0


@contextlib.contextmanager
def gateway_process(triton: str, *arguments: str) -> Iterator[str]:
    """The same; yields "host:port"."""
    with started(triton, *arguments) as (_, address):
        yield address


@pytest.fixture(scope="session")
def gateway(server: TritonServer) -> Iterator[str]:
    """The "host:port" of a gateway as it comes."""
    with gateway_process(f"grpc://{server.grpc_url}") as address:
        yield address


@pytest.fixture(scope="session")
def picture() -> bytes:
    """A sample with few lines, so that many requests do not take long."""
    return (SAMPLES / "sign_vertical.jpg").read_bytes()
