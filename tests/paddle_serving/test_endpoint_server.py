"""Paddle Serving's clients on the real server: every good and every malformed request."""

import ast
import base64
import http.client
import json
import re
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from paddle_serving.conftest import RunningEndpoint, endpoint_process
from PIL import Image
from server_unit.stand_ins import sent
from serving import ask, eventually
from tritonclient.grpc import InferenceServerClient

from ppocr_server.paddle_serving.pipeline_service_pb2 import Request, Response, Tensor
from ppocr_server.paddle_serving.settings import PADDLE_SERVING_OPTIONS

pytestmark = pytest.mark.server

METHOD = "/baidu.paddle_serving.pipeline_serving.PipelineService/inference"
# A generous bound for answers that take milliseconds on a machine with nothing else to do.
SOON = 5.0

Rpc = Callable[..., Any]


def post(
    port: int, body: bytes, path: str = "/ocr/prediction", method: str = "POST"
) -> tuple[int, bytes]:
    return ask(f"127.0.0.1:{port}", method, path, body)


@pytest.fixture
def rpc(endpoint) -> Iterator[Rpc]:
    """Calls PipelineService.inference as stock clients do, with their message limit."""
    options = [("grpc.max_send_message_length", 512 << 20)]
    with grpc.insecure_channel(f"127.0.0.1:{endpoint.rpc_port}", options) as channel:
        call = channel.unary_unary(METHOD, Request.SerializeToString, Response.FromString)
        yield lambda timeout=60, **fields: call(Request(**fields), timeout=timeout)


@pytest.fixture(scope="module")
def expected(server, picture) -> list[Any]:
    """The lines of the picture, asked of Triton directly."""
    image, options = np.array([picture], np.object_), dict(PADDLE_SERVING_OPTIONS)
    with InferenceServerClient(server.grpc_url) as client:
        answer = client.infer("ocr", sent({"IMAGE": image}), parameters=options)
    texts, scores, boxes = (answer.as_numpy(name) for name in ("TEXTS", "SCORES", "BOXES"))
    assert len(texts)
    return [
        [(text.decode(), float(score)), box]
        for text, score, box in zip(texts, scores, boxes.tolist(), strict=True)
    ]


def lines_of(value: str) -> list[Any]:
    return [
        [(text, float(np.float32(score))), box] for (text, score), box in ast.literal_eval(value)
    ]


def test_the_stock_request_over_http(endpoint, good_body, expected):
    status, body = post(endpoint.http_port, good_body)
    assert status == 200
    answer = json.loads(body)
    assert list(answer) == ["err_no", "err_msg", "key", "value", "tensors"]
    assert body.startswith(b'{"err_no":0,"err_msg":"","key":["result"],"value":["[[(')
    assert body.endswith(b'"],"tensors":[]}')
    (value,) = answer["value"]
    assert lines_of(value) == lines_of(str(expected))
    assert re.search(r", 0\.\d{3,9}\), \[\[\d+\.\d+, ", value)


def test_the_stock_request_over_grpc(rpc, picture, expected):
    value = base64.b64encode(picture).decode()
    answer = rpc(key=["image"], value=[value])
    assert (answer.err_no, answer.err_msg, list(answer.key)) == (0, "", ["result"])
    assert lines_of(answer.value[0]) == lines_of(str(expected))
    for fields in ({"method": "anything"}, {"name": "ocr"}, {"logid": 3, "clientip": "10.0.0.9"}):
        assert rpc(key=["x"], value=[value], **fields).value == answer.value


@pytest.mark.parametrize("as_file", [True, False])
def test_pictures_in_tensors(rpc, picture, expected, as_file):
    if as_file:
        tensor = Tensor(name="image", elem_type=13, byte_data=picture)
        assert lines_of(rpc(tensors=[tensor]).value[0]) == lines_of(str(expected))
        return
    pixels = np.full((48, 64, 3), 255, np.uint8)
    tensor = Tensor(
        name="image", elem_type=7, shape=pixels.shape, uint32_data=pixels.flatten().tolist()
    )
    assert list(rpc(tensors=[tensor]).value) == ["[]"]


def test_no_boxes(endpoint, tmp_path):
    for size in ((64, 48), (1, 1)):
        Image.new("RGB", size, "white").save(tmp_path / "blank.png")
        value = base64.b64encode((tmp_path / "blank.png").read_bytes()).decode()
        body = json.dumps({"key": ["image"], "value": [value]}).encode()
        assert post(endpoint.http_port, body) == (
            200,
            b'{"err_no":0,"err_msg":"","key":["result"],"value":["[]"],"tensors":[]}',
        )


def body(*keys: str, value: list[str]) -> bytes:
    return json.dumps({"key": keys, "value": value}).encode()


NOISE = base64.b64encode(bytes(range(256))).decode()
MALFORMED: dict[str, tuple[bytes, int]] = {
    "no body": (b"", 10000),
    "no fields": (b"{}", 10000),
    "missing key": (b'{"value": ["YWJj"]}', 10000),
    "missing value": (b'{"key": ["image"]}', 8000),
    "empty list": (body("image", value=[]), 8000),
    "unequal length": (body("a", "b", value=[NOISE]), 8000),
    "two pictures": (body("a", "b", value=[NOISE, NOISE]), 10000),
    "bad base64": (body("image", value=["!!!notbase64"]), 10000),
    "not an image": (body("image", value=[NOISE]), 10000),
    "empty value": (body("image", value=[""]), 10000),
    "a text as value": (body("image", value=['It\'s a "text" \\ of quotes']), 10000),
    "200 MB": (b'{"key":["image"],"value":["' + b"A" * 200_000_000 + b'"]}', 10000),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_malformed_requests(endpoint, rpc, case):
    malformed, err_no = MALFORMED[case]
    began = time.monotonic()
    status, answer = post(endpoint.http_port, malformed)
    # To send 200 MB takes the client longer; the next test sees that they are not waited for.
    assert time.monotonic() - began < SOON or len(malformed) > 1_000_000
    told = json.loads(answer)
    assert (status, told["err_no"]) == (200, err_no)
    assert told["err_msg"]
    assert "ensemble" not in told["err_msg"]
    assert (told["key"], told["value"], told["tensors"]) == ([], [], [])
    fields = json.loads(malformed or b"{}")
    began = time.monotonic()
    assert rpc(**fields).err_no == err_no
    assert time.monotonic() - began < SOON or len(malformed) > 1_000_000


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param([b"Content-Length: 200000000\r\n\r\n"], id="announced"),
        pytest.param(
            [b"Transfer-Encoding: chunked\r\n\r\n", b"2fAF080\r\n" + b"A" * 50_000_000],
            id="chunked, a quarter sent",
        ),
    ],
)
def test_too_much_is_refused_before_it_has_arrived(endpoint, sent):
    with socket.create_connection(("127.0.0.1", endpoint.http_port), timeout=60) as client:
        client.sendall(b"POST /ocr/prediction HTTP/1.1\r\nHost: x\r\n")
        for part in sent:
            client.sendall(part)
        answer = http.client.HTTPResponse(client)
        answer.begin()
        assert (answer.status, json.load(answer)["err_no"]) == (200, 10000)


def test_who_closes_afterwards_is_heard_to_the_end(endpoint):
    """An answer before that would be lost with the connection."""
    url, closing = f"127.0.0.1:{endpoint.http_port}", {"Connection": "close"}
    status, answer = ask(url, "POST", "/ocr/prediction", b"A" * 60_000_000, closing)
    assert (status, json.loads(answer)["err_no"]) == (200, 10000)


@pytest.mark.parametrize("case", [b"{", b"hello", b"[]", b'{"key": "image"}', b'{"logid": 1.5}'])
def test_what_is_no_request_is_answered_400(endpoint, case):
    status, answer = post(endpoint.http_port, case)
    told = json.loads(answer)
    assert status == 400
    assert list(told) == ["error", "code", "message", "details"]
    assert (told["code"], told["details"]) == (3, [])
    assert told["error"] == told["message"] != ""


def test_good_requests_are_answered_after_all_those(endpoint, good_body):
    assert json.loads(post(endpoint.http_port, good_body)[1])["err_no"] == 0


def test_names_and_paths(endpoint, good_body, rpc):
    def ask(path: str, method: str = "POST") -> tuple[int, bytes]:
        return post(endpoint.http_port, good_body, path, method)

    wrong_name = (
        b'{"err_no":3002,"err_msg":"Failed to inference: Service name error.",'
        b'"key":[],"value":[],"tensors":[]}'
    )
    assert ask("/other/prediction") == (200, wrong_name)
    assert rpc(name="other").err_no == 3002
    assert json.loads(ask("/ocr/any-method?with=query")[1])["err_no"] == 0
    for method in ("GET", "PUT", "DELETE"):
        assert ask("/ocr/prediction", method) == (405, b"Method Not Allowed\n")
    for path in ("/", "/ocr", "/ocr/prediction/", "/ocr/a/b"):
        assert ask(path) == (404, b"Not Found\n")


@pytest.fixture(scope="module")
def narrow(server, tmp_path_factory) -> Iterator[RunningEndpoint]:
    """Endpoints that take one request at a time, two waiting ones, and a megabyte."""
    bounds = ("--worker-num=1", "--max-waiting=2", "--max-message-bytes=1000000")
    with endpoint_process(server.grpc_url, tmp_path_factory.mktemp("logs"), *bounds) as running:
        yield running


def test_messages_over_the_limit(narrow, good_body):
    status, answer = post(narrow.http_port, b"x" * 1_000_001)
    reason = "Received message larger than max (1000001 vs. 1000000)"
    assert status == 429
    assert json.loads(answer) == {"error": reason, "code": 8, "message": reason, "details": []}
    with grpc.insecure_channel(f"127.0.0.1:{narrow.rpc_port}") as channel:
        call = channel.unary_unary(METHOD, Request.SerializeToString, Response.FromString)
        with pytest.raises(grpc.RpcError) as caught:
            call(Request(value=["x" * 1_000_001]), timeout=20)
    assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert json.loads(post(narrow.http_port, good_body)[1])["err_no"] == 0


def test_worker_num_bounds_what_triton_sees_and_all_are_served(narrow, good_body):
    def ask(_: int = 0) -> int:
        return int(json.loads(post(narrow.http_port, good_body)[1])["err_no"])

    with ThreadPoolExecutor(8) as clients:
        answers = list(clients.map(ask, range(8)))
    assert sorted(set(answers)) == [0, 6000]
    assert 3 <= answers.count(0) < 8
    assert ask() == 0


def test_a_client_that_goes_away_is_not_served_further(endpoint, server, good_body, rpc, picture):
    began = len((endpoint.logs / "pipeline.log").read_text())
    head = f"POST /ocr/prediction HTTP/1.1\r\nHost: x\r\nContent-Length: {len(good_body)}\r\n\r\n"
    for data in (good_body, good_body[:-100]):  # in mid-work, and in mid-sending
        with socket.create_connection(("127.0.0.1", endpoint.http_port)) as client:
            client.sendall(head.encode() + data)
            time.sleep(0.05)
    value = base64.b64encode(picture).decode()
    with pytest.raises(grpc.RpcError) as caught:
        rpc(timeout=0.05, key=["image"], value=[value], logid=4711)
    assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED

    def log() -> str:
        return (endpoint.logs / "pipeline.log").read_text()[began:]

    assert eventually(lambda: log().count("cancelled") >= 2, SOON), log()
    assert "logid=4711" in log()
    assert json.loads(post(endpoint.http_port, good_body)[1])["err_no"] == 0


def test_a_deadline(server, tmp_path, good_body):
    with endpoint_process(server.grpc_url, tmp_path, "--timeout-ms", "1") as hasty:
        told = json.loads(post(hasty.http_port, good_body)[1])
    assert told["err_no"] == 6000
    assert "1 ms" in told["err_msg"]


def healthy(endpoint: RunningEndpoint) -> tuple[int, int]:
    with grpc.insecure_channel(f"127.0.0.1:{endpoint.rpc_port}") as channel:
        answer = health_pb2_grpc.HealthStub(channel).Check(
            health_pb2.HealthCheckRequest(), timeout=10
        )
    return post(endpoint.http_port, b"", "/health/ready", "GET")[0], answer.status


def test_health_is_tritons(endpoint, tmp_path, good_body):
    assert eventually(lambda: healthy(endpoint) == (200, health_pb2.HealthCheckResponse.SERVING))
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    with endpoint_process(f"127.0.0.1:{port}", tmp_path, "--retry", "2") as alone:
        assert healthy(alone) == (503, health_pb2.HealthCheckResponse.NOT_SERVING)
        assert post(alone.http_port, b"", "/health/live", "GET")[0] == 200
        told = json.loads(post(alone.http_port, good_body)[1])
        assert told["err_no"] == 9000
        assert f"127.0.0.1:{port}" in told["err_msg"]


def test_requests_in_progress_end_well_when_the_service_stops(server, tmp_path, good_body):
    with endpoint_process(server.grpc_url, tmp_path) as stopping, ThreadPoolExecutor(8) as clients:
        asked = [clients.submit(post, stopping.http_port, good_body) for _ in range(8)]
        asked[0].result()
        stopping.process.terminate()
        answers = [json.loads(one.result()[1])["err_no"] for one in asked]
        assert stopping.process.wait(40) == 0
    # On a busy machine a request may come too late, and is told so.
    assert 0 in answers[1:]
    assert set(answers) <= {0, 3001}


def test_ids_reach_the_log(endpoint, good_body):
    fields = {**json.loads(good_body), "logid": 987654321, "clientip": "10.1.2.3\n"}
    post(endpoint.http_port, json.dumps(fields).encode())
    post(endpoint.http_port, b'{"logid": 123456789}')
    log = (endpoint.logs / "pipeline.log").read_text()
    assert r"logid=987654321 clientip='10.1.2.3\n' ocr/prediction err_no=0" in log
    assert re.search("WARN.*logid=123456789 .* err_no=10000", log)


def test_a_squeezed_picture_is_told_in_the_log(endpoint, tmp_path):
    Image.new("L", (3600, 120), 255).save(tmp_path / "strip.png")
    value = base64.b64encode((tmp_path / "strip.png").read_bytes()).decode()
    asked = {"key": ["image"], "value": [value], "logid": 44}
    assert json.loads(post(endpoint.http_port, json.dumps(asked).encode())[1])["value"] == ["[]"]
    log = (endpoint.logs / "pipeline.log").read_text()
    assert re.search(r"WARN.*logid=44 the picture of 3600x120 .* squeezed 3\.8 times", log)
