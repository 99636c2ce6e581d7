"""A token, missing, wrong and right: at Triton's own ports and at Paddle Serving's old ones."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from paddle_serving.conftest import RunningEndpoint, endpoint_process
from security.conftest import grpc_credentials
from security.triton_calls import HTTP, RESTRICTED, ask_http, calls_of, refused
from tritonclient.grpc import service_pb2, service_pb2_grpc

from ppocr_client.transport.over_grpc import TRITON_PREFIX
from ppocr_server.access import ADMIN_HEADER, TOKEN_HEADER, admits, bearer, read_secret
from ppocr_server.errors import ServerError
from ppocr_server.paddle_serving.pipeline_service_pb2 import Request, Response

pytestmark = pytest.mark.server

METHOD = "/baidu.paddle_serving.pipeline_serving.PipelineService/inference"
CLIENTS_APIS = ("metadata", "inference")
MAX_MESSAGE = 1 << 20


def wrong_values(token: str) -> list[str]:
    return ["", token, f"Basic {token}", f"Bearer {token[:-1]}", f"Bearer {token}0", "Bearer "]


@pytest.fixture(scope="module")
def channel(closed, certificates) -> Iterator[grpc.Channel]:
    """For a client with the right certificate."""
    c = certificates
    credentials = grpc_credentials(c.ca, c.client_key, c.client)
    with grpc.secure_channel(closed.grpc_url, credentials) as opened:
        yield opened


def test_triton_wants_the_token(closed, channel, token):
    for api in CLIENTS_APIS:
        for wrong in wrong_values(token):
            sent = {TOKEN_HEADER: wrong}
            assert refused(closed.http_url, channel, api, sent) == calls_of(api), wrong
        assert refused(closed.http_url, channel, api, {TOKEN_HEADER: bearer(token)}) == []


def test_a_stream_wants_the_token(channel, token):
    stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)

    def reason(*metadata: tuple[str, str]) -> str:
        requests = [service_pb2.ModelInferRequest(model_name="small")]
        try:
            answers = list(stub.ModelStreamInfer(iter(requests), timeout=20, metadata=metadata))
        except grpc.RpcError as error:
            return str(error.details())
        return str(answers[0].error_message)

    name = TRITON_PREFIX + TOKEN_HEADER
    for wrong in wrong_values(token):
        assert RESTRICTED in reason((name, wrong)), wrong
    assert RESTRICTED in reason()
    assert RESTRICTED not in reason((name, bearer(token)))


def test_the_token_is_no_operators_key(closed, channel, token):
    sent = {TOKEN_HEADER: bearer(token), ADMIN_HEADER: token}
    for api in HTTP.keys() - {*CLIENTS_APIS, "health"}:
        assert refused(closed.http_url, channel, api, sent) == calls_of(api)


@pytest.fixture(scope="module")
def guarded(exposed, token, tmp_path_factory) -> Iterator[RunningEndpoint]:
    """The old endpoints with a token; it comes from the environment, no command line."""
    logs = tmp_path_factory.mktemp("logs")
    arguments = ("--model", "small", "--max-message-bytes", str(MAX_MESSAGE))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PPOCR_TOKEN", token)
        with endpoint_process(exposed.grpc_url, logs, *arguments) as running:
            yield running


def test_the_token_is_on_no_command_line(guarded, token):
    command = Path("/proc", str(guarded.process.pid), "cmdline").read_bytes()
    assert b"endpoint" in command
    assert token.encode() not in command


def test_the_old_http_endpoint_wants_the_token(guarded, token):
    def post(headers: dict[str, str]) -> tuple[int, Any]:
        url = f"127.0.0.1:{guarded.http_port}"
        status, body = ask_http(url, "POST", "/ocr/prediction", "{}", headers)
        return status, json.loads(body)

    for headers in [{}, *({"Authorization": wrong} for wrong in wrong_values(token))]:
        status, body = post(headers)
        assert (status, body["code"]) == (401, 16), headers
        assert "Authorization: Bearer" in body["error"]
    status, body = post({"Authorization": bearer(token)})
    assert (status, body["err_no"]) == (200, 10000)  # it holds no picture


def test_the_body_of_a_request_without_token_is_not_read(guarded):
    with socket.create_connection(("127.0.0.1", guarded.http_port), 20) as connection:
        head = b"POST /ocr/prediction HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"
        connection.sendall(head)  # and nothing more
        assert connection.recv(65536).startswith(b"HTTP/1.1 401 ")


def test_probes_have_no_token(closed, guarded):
    for call in HTTP["health"]:
        assert ask_http(closed.http_url, *call) == (200, ""), call
    assert ask_http(f"127.0.0.1:{guarded.http_port}", "GET", "/health/live") == (200, "ok\n")


def test_the_old_rpc_endpoint_wants_the_token(guarded, token):
    with grpc.insecure_channel(f"127.0.0.1:{guarded.rpc_port}") as channel:
        call = channel.unary_unary(METHOD, Request.SerializeToString, Response.FromString)

        def refusal(request: Any, *metadata: tuple[str, str]) -> grpc.StatusCode:
            with pytest.raises(grpc.RpcError) as caught:
                call(request, timeout=20, metadata=metadata)
            return caught.value.code()

        unauthenticated = grpc.StatusCode.UNAUTHENTICATED
        assert refusal(Request()) is unauthenticated
        for wrong in wrong_values(token):
            assert refusal(Request(), ("authorization", wrong)) is unauthenticated, wrong
        # Its size would be refused, had it been read.
        long = Request(key=["image"], value=["A" * 2 * MAX_MESSAGE])
        assert refusal(long) is unauthenticated
        right = ("authorization", bearer(token))
        assert refusal(long, right) is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert call(Request(), timeout=20, metadata=[right]).err_no == 10000
        # Health checks have none.
        assert channel.unary_unary("/grpc.health.v1.Health/Check")(b"", timeout=20)


def test_without_a_token_everyone_is_welcome():
    assert admits(None, b"")
    assert admits(None, b"Bearer anything")
    assert admits("a-token-of-sixteen", b"bearer a-token-of-sixteen")
    assert not admits("a-token-of-sixteen", b"Bearer \xff\xfe")


def test_a_secret_is_long_and_fits_a_header(tmp_path, monkeypatch):
    file = tmp_path / "secret"
    spaced = "with space in the middle"
    for text in ("", "short", spaced, spaced.replace(" ", "\n"), "ünïcödeünïcöde"):
        file.write_text(text)
        with pytest.raises(ServerError, match=r"the secret in .* has \d+ characters; 16 or more"):
            read_secret(file, "PPOCR_TOKEN")
    with pytest.raises(ServerError, match="cannot read the secret"):
        read_secret(tmp_path / "missing", "PPOCR_TOKEN")
    monkeypatch.setenv("PPOCR_TOKEN", "of-the-environment")
    assert read_secret(None, "PPOCR_TOKEN") == "of-the-environment"
    file.write_text("0123456789abcdef\n")
    assert read_secret(file, "PPOCR_TOKEN") == "0123456789abcdef"
    monkeypatch.setenv("PPOCR_TOKEN", "")
    assert read_secret(None, "PPOCR_TOKEN") is None
