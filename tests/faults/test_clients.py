"""Clients that are slow, go away or never read do no harm to the others."""

import contextlib
import json
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import grpc
import pytest
from paths import SIGN
from serving import eventually, get
from tritonclient.grpc import service_pb2, service_pb2_grpc

from ppocr_client import OcrClient
from ppocr_server.tritonserver.process_guard import shared_memory
from ppocr_server.tritonserver.server import TritonServer

pytestmark = pytest.mark.server
PICTURE = SIGN.read_bytes()
# More than Triton has threads for HTTP (8) and more than there are instances.
CLIENTS = 20
READS = 5
# gRPC's connection begins with this and waits for more.
HTTP2_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"


@pytest.fixture
def others(server) -> Iterator[OcrClient]:
    """A client as others are: it does not try again, and does not wait for long."""
    with OcrClient(f"grpc://{server.grpc_url}", retries=0, timeout=30) as client:
        yield client


@pytest.fixture(scope="module")
def large() -> bytes:
    """A picture whose pixels, 12 MB, fit into no socket's buffer."""
    encoded = cv2.imencode(".jpg", cv2.resize(cv2.imread(str(SIGN)), (2000, 2000)))[1]
    return bytes(encoded.tobytes())


def http_request(model: str, picture: bytes) -> bytes:
    """A request with the picture behind its JSON, which asks for an answer of that form."""
    image = len(picture).to_bytes(4, "little") + picture
    tensor = {"name": "IMAGE", "datatype": "BYTES", "shape": [1]}
    asked = {
        "inputs": [{**tensor, "parameters": {"binary_data_size": len(image)}}],
        "parameters": {"binary_data_output": True},
    }
    head = json.dumps(asked).encode()
    return (
        f"POST /v2/models/{model}/infer HTTP/1.1\r\nHost: localhost\r\n"
        f"Inference-Header-Content-Length: {len(head)}\r\n"
        f"Content-Length: {len(head) + len(image)}\r\n\r\n"
    ).encode() + (head + image)


def connected(url: str) -> socket.socket:
    host, port = url.rsplit(":", 1)
    return socket.create_connection((host, int(port)), timeout=30)


@contextlib.contextmanager
def connections(url: str, sent: bytes) -> Iterator[None]:
    """Clients that send some bytes, stay until the end of the block, and never read."""
    with contextlib.ExitStack() as opened:
        for _ in range(CLIENTS):
            opened.enter_context(connected(url)).sendall(sent)
        yield


def open_files(server: TritonServer) -> int:
    return len(list(Path(f"/proc/{server.pid}/fd").iterdir()))


def ended(model: str, server: TritonServer) -> int:
    """Requests of a model that were answered, well or not, since the server started."""
    text = get(f"{server.metrics_url}/metrics").decode()
    counts = rf'^nv_inference_request_(?:success|failure){{.*model="{model}".*}} (\d+)'
    return sum(map(int, re.findall(counts, text, re.MULTILINE)))


def stream_request(picture: bytes) -> service_pb2.ModelInferRequest:
    image = len(picture).to_bytes(4, "little") + picture
    request = service_pb2.ModelInferRequest(model_name="det_preprocess", raw_input_contents=[image])
    request.inputs.add(name="IMAGE", datatype="BYTES", shape=[1])
    return request


def assert_others_are_served(server: TritonServer, others: OcrClient) -> None:
    assert all(others.read(PICTURE).lines for _ in range(READS))
    assert get(f"{server.http_url}/v2/health/ready") == b""


def test_slow_senders(server, others):
    request = http_request("ocr", PICTURE)
    with connections(server.http_url, request[: len(request) // 2]):
        assert_others_are_served(server, others)
    with connections(server.grpc_url, HTTP2_PREFACE):
        assert_others_are_served(server, others)


def test_first_lines_in_two_pieces(server, others):
    """Triton 2.51 takes some of them for another path, or closes the connection."""
    request = b"GET /v2/models/ocr/ready HTTP/1.1\r\nHost: localhost\r\n\r\n"
    for cut in range(1, 30):
        with contextlib.suppress(ConnectionError), connected(server.http_url) as client:
            client.sendall(request[:cut])
            time.sleep(0.02)
            client.sendall(request[cut:])
            assert client.recv(12)[9:] in (b"", b"200", b"400", b"404")
    assert_others_are_served(server, others)


def test_clients_that_never_read_over_http(server, others, large):
    before = ended("det_preprocess", server)
    with connections(server.http_url, http_request("det_preprocess", large)):
        assert eventually(lambda: ended("det_preprocess", server) == before + CLIENTS, 60)
        assert_others_are_served(server, others)


def test_clients_that_never_read_over_grpc(server, others, large):
    before = ended("det_preprocess", server)
    with grpc.insecure_channel(server.grpc_url) as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        request = stream_request(large)
        streams = [stub.ModelStreamInfer(iter([request])) for _ in range(CLIENTS)]
        assert eventually(lambda: ended("det_preprocess", server) == before + CLIENTS, 60)
        assert_others_are_served(server, others)
        for stream in streams:
            stream.cancel()


def test_clients_that_go_away(server, others):
    assert others.read(PICTURE).lines
    files, regions = open_files(server), shared_memory(server.shared_memory_prefix)
    before = ended("ocr", server)
    with connections(server.http_url, http_request("ocr", PICTURE)):
        pass
    assert others.read(PICTURE).lines
    # A busy server refuses some, and Triton 2.51 counts a failure of an ensemble twice.
    assert eventually(lambda: ended("ocr", server) > before + CLIENTS, 60)
    assert eventually(lambda: open_files(server) <= files)
    assert shared_memory(server.shared_memory_prefix) == regions
