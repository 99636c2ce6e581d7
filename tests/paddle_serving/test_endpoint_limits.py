"""The endpoints at their bounds: size, turns, deadlines, clients that go away, health, the log."""

import base64
import json
import re
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from paddle_serving.conftest import RunningEndpoint, endpoint_process, stock_request
from paddle_serving.test_endpoint_server import SOON, png
from serving import eventually

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def narrow(server, tmp_path_factory) -> Iterator[RunningEndpoint]:
    """Endpoints that take one request at a time, two waiting ones, and a megabyte."""
    bounds = ("--worker-num=1", "--max-waiting=2", "--max-message-bytes=1000000")
    with endpoint_process(server.grpc_url, tmp_path_factory.mktemp("logs"), *bounds) as running:
        yield running


def test_messages_over_the_limit(narrow, good_body):
    status, answer = narrow.post(b"x" * 1_000_001)
    reason = "Received message larger than max (1000001 vs. 1000000)"
    assert status == 429
    assert json.loads(answer) == {"error": reason, "code": 8, "message": reason, "details": []}
    with pytest.raises(grpc.RpcError) as caught:
        narrow.rpc(value=["x" * 1_000_001])
    assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert narrow.answer(good_body)["err_no"] == 0


def test_worker_num_bounds_what_triton_sees_and_all_are_served(narrow, good_body):
    with ThreadPoolExecutor(8) as clients:
        answers = [answer["err_no"] for answer in clients.map(narrow.answer, [good_body] * 8)]
    assert sorted(set(answers)) == [0, 6000]
    assert 3 <= answers.count(0) < 8
    assert narrow.answer(good_body)["err_no"] == 0


def test_a_client_that_goes_away_is_not_served_further(endpoint, good_body, picture):
    began = len(endpoint.log())
    head = f"POST /ocr/prediction HTTP/1.1\r\nHost: x\r\nContent-Length: {len(good_body)}\r\n\r\n"
    for data in (good_body, good_body[:-100]):  # in mid-work, and in mid-sending
        with socket.create_connection(("127.0.0.1", endpoint.http_port)) as client:
            client.sendall(head.encode() + data)
            time.sleep(0.05)
    value = base64.b64encode(picture).decode()
    with pytest.raises(grpc.RpcError) as caught:
        endpoint.rpc(timeout=0.05, key=["image"], value=[value], logid=4711)
    assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    assert eventually(lambda: endpoint.log()[began:].count("cancelled") >= 2, SOON), endpoint.log()
    assert "logid=4711" in endpoint.log()
    assert endpoint.answer(good_body)["err_no"] == 0


def test_a_deadline(server, tmp_path, good_body):
    with endpoint_process(server.grpc_url, tmp_path, "--timeout-ms", "1") as hasty:
        told = hasty.answer(good_body)
    assert told["err_no"] == 6000
    assert "1 ms" in told["err_msg"]


def healthy(endpoint: RunningEndpoint) -> tuple[int, int]:
    with grpc.insecure_channel(f"127.0.0.1:{endpoint.rpc_port}") as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        answer = stub.Check(health_pb2.HealthCheckRequest(), timeout=10)
    return endpoint.post(b"", "/health/ready", "GET")[0], answer.status


def test_health_is_tritons(endpoint, tmp_path, good_body):
    assert eventually(lambda: healthy(endpoint) == (200, health_pb2.HealthCheckResponse.SERVING))
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    with endpoint_process(f"127.0.0.1:{port}", tmp_path, "--retry", "2") as alone:
        assert healthy(alone) == (503, health_pb2.HealthCheckResponse.NOT_SERVING)
        assert alone.post(b"", "/health/live", "GET")[0] == 200
        told = alone.answer(good_body)
        assert told["err_no"] == 9000
        assert f"127.0.0.1:{port}" in told["err_msg"]


def test_requests_in_progress_end_well_when_the_service_stops(server, tmp_path, good_body):
    with endpoint_process(server.grpc_url, tmp_path) as stopping, ThreadPoolExecutor(8) as clients:
        asked = [clients.submit(stopping.answer, good_body) for _ in range(8)]
        asked[0].result()
        stopping.process.terminate()
        answers = [one.result()["err_no"] for one in asked]
        assert stopping.process.wait(40) == 0
    # On a busy machine a request may come too late, and is told so.
    assert 0 in answers[1:]
    assert set(answers) <= {0, 3001}


def test_ids_and_warnings_reach_the_log(endpoint, picture):
    endpoint.post(stock_request(picture, logid=987654321, clientip="10.1.2.3\n"))
    endpoint.post(b'{"logid": 123456789}')
    squeezed = endpoint.answer(stock_request(png("L", (3600, 120)), logid=44))
    assert squeezed["value"] == ["[]"]
    log = endpoint.log()
    assert r"logid=987654321 clientip='10.1.2.3\n' ocr/prediction err_no=0" in log
    assert re.search("WARN.*logid=123456789 .* err_no=10000", log)
    assert re.search(r"WARN.*logid=44 the picture of 3600x120 .* squeezed 3\.8 times", log)
