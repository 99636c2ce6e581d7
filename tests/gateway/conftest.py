"""The gateway in a process of its own, before the shared tritonserver."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler

import pytest
from web_server import listening


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


class _Files(SimpleHTTPRequestHandler):
    """Files of a folder; `/open/moved` redirects."""

    def do_GET(self) -> None:
        if self.path == "/open/moved":
            self.send_response(302)
            self.send_header("Location", "/shut.jpg")
            self.end_headers()
        else:
            super().do_GET()

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def files(tmp_path, picture) -> Iterator[str]:
    """The address of a server with the pictures /open/sign.jpg and /shut.jpg."""
    (tmp_path / "open").mkdir()
    for name in ("open/sign.jpg", "shut.jpg"):
        (tmp_path / name).write_bytes(picture)
    with listening(partial(_Files, directory=tmp_path)) as port:
        yield f"http://127.0.0.1:{port}"
