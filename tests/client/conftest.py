"""The local web page, served by its own command for all tests that open it."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ppocr_server.tritonserver.server import TritonServer


@pytest.fixture(scope="session")
def page(server: TritonServer) -> Iterator[str]:
    """The page's address, "http://127.0.0.1:PORT/"; Ctrl-C ends it, with the exit code 0."""
    program = Path(sys.executable).with_name("ppocr-client")
    words = ["serve-ui", "--port", "0", "--dpi", "100", "--url", server.grpc_url]
    with subprocess.Popen(
        [program, *words],
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as running:
        assert running.stdout is not None
        yield running.stdout.readline().split()[0]
        running.send_signal(signal.SIGINT)
        assert running.wait(30) == 0
