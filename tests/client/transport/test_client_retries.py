"""Retries, deadlines, credentials: the clients against servers that answer as told."""

import json
import socket
import ssl
from collections.abc import Callable, Iterator
from concurrent import futures
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler

import grpc
import numpy as np
import pytest
from tritonclient.grpc import service_pb2, service_pb2_grpc
from web_server import listening

from ppocr_client import OcrClient, Tls
from ppocr_client.errors import (
    DeadlineExceeded,
    InvalidRequest,
    OptionError,
    ServerBusy,
    ServerError,
    ServerUnavailable,
)
from ppocr_client.transport.base import backoff

CODES = {
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    500: grpc.StatusCode.INTERNAL,
    503: grpc.StatusCode.UNAVAILABLE,
    400: grpc.StatusCode.INVALID_ARGUMENT,
}
EMPTY = [("BOXES", "FP32", [0, 4, 2]), ("TEXTS", "BYTES", [0]), ("SCORES", "FP32", [0])]
EMPTY += [("BOX_SCORES", "FP32", [0])]


class Scripted:
    """Fails with each code in turn, then finds no text; keeps the headers."""

    def __init__(self, codes: list[int]) -> None:
        self.codes, self.calls = list(codes), 0
        self.headers: dict[str, str] = {}
        self.connections: dict[tuple[str, int], socket.socket] = {}

    def next_code(self, headers) -> int:
        self.headers = {name.lower(): value for name, value in headers}
        self.calls += 1
        return self.codes.pop(0) if self.codes else 200


@contextmanager
def http_server(script: Scripted, context: ssl.SSLContext | None = None) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            script.connections[self.client_address] = self.connection
            self.rfile.read(int(self.headers["Content-Length"]))
            code = script.next_code(self.headers.items())
            outputs = [
                {"name": n, "datatype": t, "shape": s, "parameters": {"binary_data_size": 0}}
                for n, t, s in EMPTY
            ]
            body = json.dumps({"error": "told so"} if code != 200 else {"outputs": outputs})
            self.send_response(code)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Inference-Header-Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

    with listening(Handler, context) as port:
        yield f"http{'s' if context else ''}://localhost:{port}"


@contextmanager
def grpc_server(script: Scripted) -> Iterator[str]:
    class Servicer(service_pb2_grpc.GRPCInferenceServiceServicer):  # type: ignore[misc]
        def ModelInfer(self, request, context):
            code = script.next_code(context.invocation_metadata())
            if code != 200:
                context.abort(CODES[code], "told so")
            answer = service_pb2.ModelInferResponse()
            for name, kind, shape in EMPTY:
                answer.outputs.add(name=name, datatype=kind, shape=shape)
                answer.raw_output_contents.append(b"")
            return answer

    server = grpc.server(futures.ThreadPoolExecutor(2))
    service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(Servicer(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"grpc://localhost:{port}"
    finally:
        server.stop(0).wait()


@pytest.fixture(params=[grpc_server, http_server], ids=["grpc", "http"])
def serve(request) -> Callable:
    return request.param


def test_away_and_busy_are_tried_again(read, serve):
    script = Scripted([503, 429, 503])
    with serve(script) as url:
        assert read(url).lines == ()
    assert script.calls == 4


@pytest.mark.parametrize(
    ("code", "kind", "calls"),
    [
        (503, ServerUnavailable, 2),
        (429, ServerBusy, 2),
        (500, ServerError, 1),
        (400, InvalidRequest, 1),
    ],
)
def test_what_is_tried_again_and_what_is_not(read, serve, code, kind, calls):
    script = Scripted([code] * 9)
    with serve(script) as url, pytest.raises(kind, match="told so"):
        read(url, retries=1)
    assert script.calls == calls


def test_retries_end_at_the_deadline(serve):
    script = Scripted([503] * 1000)
    late = pytest.raises((ServerUnavailable, DeadlineExceeded))
    with serve(script) as url, OcrClient(url, retries=1000) as client, late:
        client.read(b"x", timeout=0.5)
    assert 2 <= script.calls < 10


def test_pauses_double_up_to_a_limit_and_are_half_by_chance(monkeypatch):
    monkeypatch.setattr("random.random", lambda: 1)
    assert [backoff(i) for i in (0, 1, 2, 3, 50)] == [0.1, 0.2, 0.4, 0.8, 5]
    monkeypatch.setattr("random.random", lambda: 0)
    assert backoff(2) == 0.2


def test_token_and_headers_travel(read, serve):
    script = Scripted([])
    with serve(script) as url:
        read(url, token="s3cret", headers={"X-Tenant": "a b"})
    assert script.headers["authorization"] == "Bearer s3cret"
    assert script.headers["x-tenant"] == "a b"


def test_http_connections_are_kept_and_replaced_when_the_server_closed_them():
    script = Scripted([])
    with http_server(script) as url, OcrClient(url) as client:
        for _ in range(2):
            client.read(b"x")
        (kept,) = script.connections.values()
        kept.shutdown(socket.SHUT_RDWR)
        client.read(b"x")
        assert len(script.connections) == 2


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    trustme = pytest.importorskip("trustme")
    folder = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    for name in ("localhost", "client"):
        issued = authority.issue_cert(name)
        issued.private_key_pem.write_to_path(folder / f"{name}.key")
        issued.cert_chain_pems[0].write_to_path(folder / f"{name}.pem")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    return folder


def test_both_sides_show_their_certificates_over_http(read, certificates):
    """Over gRPC, tests/security does the same with Triton itself."""
    script = Scripted([])
    ca, mine = certificates / "ca.pem", certificates / "client.pem"
    tls = Tls(ca, mine, certificates / "client.key")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=ca)
    context.load_cert_chain(certificates / "localhost.pem", certificates / "localhost.key")
    context.verify_mode = ssl.CERT_REQUIRED
    with http_server(script, context) as url:
        assert read(url, tls=tls, token="t").lines == ()
        assert script.headers["authorization"] == "Bearer t"
        for other in (Tls(), Tls(ca)):  # the server is not trusted, then the client is not
            with pytest.raises(ServerUnavailable):
                read(url, tls=other, retries=0)
    assert script.calls == 1


def test_certificates_that_cannot_be_used_are_an_error_at_once(tmp_path):
    with pytest.raises(ValueError, match="go together"):
        Tls(certificate="a.pem")
    for url in ("grpcs://h", "https://h"):
        with pytest.raises(ValueError, match="cannot use the certificates"):
            OcrClient(url, tls=Tls(ca=tmp_path / "missing.pem"))
    with pytest.raises(ValueError, match="not encrypted; use grpcs://"):
        OcrClient("grpc://h", tls=Tls(ca="ca.pem"))
    with pytest.raises(ValueError, match="retries is -1"):
        OcrClient("h", retries=-1)


def test_what_is_wrong_is_said_before_anything_is_sent():
    with OcrClient("grpc://127.0.0.1:1") as client:
        with pytest.raises(OptionError):
            client.read_many([], drop_score=7)
        with pytest.raises(ValueError, match="concurrency is 0"):
            client.read_many([], concurrency=0)
        with pytest.raises(InvalidRequest, match=r"shape \(2, 4\); give \[N, 4, 2\]"):
            client.recognize(b"x", np.zeros((2, 4)))
