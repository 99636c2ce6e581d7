"""Addresses, and servers that do not answer as they should."""

import asyncio
import socket
import socketserver
import threading
from contextlib import closing
from http.server import BaseHTTPRequestHandler

import pytest
from cases import cases
from web_server import listening

from ppocr_client import AsyncOcrClient, OcrClient
from ppocr_client.errors import DeadlineExceeded, ModelNotFound, ServerUnavailable

CASES = cases(__file__)


@pytest.mark.parametrize(("url", "whole"), CASES["addresses"])
def test_an_address_is_completed(url, whole):
    assert OcrClient(url).url == whole


@pytest.mark.parametrize(("url", "reason"), CASES["wrong"])
def test_an_impossible_address_says_why(url, reason):
    with pytest.raises(ValueError, match=reason):
        OcrClient(url)


@pytest.mark.parametrize("timeout", [0, -1, float("nan")])
def test_a_timeout_is_a_time(timeout):
    with pytest.raises(ValueError, match="more than 0 seconds"):
        OcrClient("localhost", timeout=timeout)
    with OcrClient("localhost") as client, pytest.raises(ValueError, match="more than 0 seconds"):
        client.read(b"x", timeout=timeout)


@pytest.mark.parametrize("scheme", ["grpc", "http"])
def test_no_server_at_the_address(scheme):
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
    url = f"{scheme}://127.0.0.1:{port}"
    with OcrClient(url, retries=0) as client:
        with pytest.raises(ServerUnavailable, match=f"cannot connect to {url}: connection refused"):
            client.read(b"x")
        assert not client.server_ready()
        with pytest.raises(ServerUnavailable, match=r"not ready within 0.3 s: .*refused"):
            client.wait_ready(0.3)


@pytest.mark.parametrize("scheme", ["grpc", "http"])
def test_a_silent_server_costs_no_more_than_the_timeout(scheme):
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        url = f"{scheme}://127.0.0.1:{server.getsockname()[1]}"
        late = pytest.raises(DeadlineExceeded, match=r"no answer from .* within 0\.4 s; allow more")
        with OcrClient(url) as client, late:
            client.read(b"x", timeout=0.4)


@pytest.mark.parametrize("scheme", ["grpc", "http"])
def test_a_request_that_is_given_up_does_not_hold_the_program(scheme):
    before = set(threading.enumerate())
    with closing(socket.create_server(("127.0.0.1", 0))) as server:

        async def give_up() -> None:
            url = f"{scheme}://127.0.0.1:{server.getsockname()[1]}"
            async with AsyncOcrClient(url, timeout=600) as client:
                await asyncio.wait_for(client.read(b"x"), 0.2)

        with pytest.raises(asyncio.TimeoutError):
            asyncio.run(give_up())
        assert all(thread.daemon for thread in set(threading.enumerate()) - before)


class Elsewhere(BaseHTTPRequestHandler):
    """Answers as the gateway does where it has nothing."""

    def do_GET(self) -> None:
        self.send_error(404)

    def do_POST(self) -> None:
        body = b'{"error": {"code": "not_found", "message": "Not Found"}}'
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Other(socketserver.BaseRequestHandler):
    """Speaks no HTTP."""

    def handle(self) -> None:
        self.request.sendall(b"\0\0\0\4\0\0\0\0\0\n")
        while self.request.recv(4096):
            pass


@pytest.mark.parametrize(
    ("scheme", "handler", "kind", "said"),
    [
        ("http", Elsewhere, ModelNotFound, r"not Triton \(HTTP status 404.*Not Found.*HOST:8000"),
        ("grpc", Elsewhere, ServerUnavailable, "another protocol. Triton has HTTP at port 8000"),
        ("http", Other, ServerUnavailable, "another protocol. Triton has HTTP at port 8000"),
    ],
)
def test_what_is_not_triton_is_told(scheme, handler, kind, said, read):
    with listening(handler) as port, pytest.raises(kind, match=said):
        read(f"{scheme}://127.0.0.1:{port}", retries=0)
