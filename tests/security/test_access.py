"""What only an operator or who has the token does, at Triton's ports and at Paddle Serving's."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from cases import cases
from paddle_serving.conftest import RunningEndpoint, endpoint_process
from security.conftest import grpc_credentials
from security.triton_calls import GRPC, HTTP, METHODS, RESTRICTED, ask_http, calls_of, refused
from tritonclient.grpc import service_pb2, service_pb2_grpc

from ppocr_client import OcrClient
from ppocr_client.errors import AccessDenied
from ppocr_client.transport.over_grpc import TRITON_PREFIX
from ppocr_server.access import (
    ADMIN_HEADER,
    APIS,
    TOKEN_HEADER,
    Security,
    admits,
    bearer,
    is_loopback,
    read_secret,
)
from ppocr_server.errors import ServerError
from ppocr_server.paddle_serving.pipeline_service_pb2 import Request, Response

pytestmark = pytest.mark.server

# Named here again, so that a group which is forgotten there is missed.
OPERATORS = ("model-repository", "trace", "logging", "shared-memory")
OPEN_TO_ALL = ("metadata", "inference", "model-config", "statistics", "health")


@pytest.fixture(scope="module")
def anyone(exposed) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(exposed.grpc_url) as opened:
        yield opened


def test_every_method_of_triton_is_tried():
    methods = {method for calls in GRPC.values() for method, _ in calls}
    assert set(METHODS) - methods == {"ModelStreamInfer"}  # the group "inference", by a stream
    assert set(HTTP) == set(GRPC) == {*APIS, "health"}


@pytest.mark.parametrize("api", OPERATORS)
def test_an_operators_request_needs_the_key(exposed, anyone, api):
    key = exposed.security.admin_key
    for guess in ({}, *({ADMIN_HEADER: wrong} for wrong in ("", "0" * 43, key[:-1]))):
        assert refused(exposed.http_url, anyone, api, guess) == calls_of(api), guess
    assert refused(exposed.http_url, anyone, api, exposed.security.headers) == []


@pytest.mark.parametrize("api", OPEN_TO_ALL)
def test_what_clients_ask_needs_no_key(exposed, anyone, api):
    assert refused(exposed.http_url, anyone, api) == []


def test_other_spellings_of_a_path_are_no_way_around(exposed):
    for path in cases(__file__)["spellings"]:
        status, body = ask_http(exposed.http_url, "POST", path)
        assert status >= 400, path
        assert "small" not in body, path


def test_not_even_the_key_names_a_file_to_write(exposed, tmp_path):
    for name, path in ("log_file", "/v2/logging"), ("trace_file", "/v2/trace/setting"):
        body = json.dumps({name: str(tmp_path / "written")})
        ask_http(exposed.http_url, "POST", path, body, exposed.security.headers)
    assert list(tmp_path.iterdir()) == []


def test_a_server_of_this_machine_alone_is_closed_as_well(server):
    with grpc.insecure_channel(server.grpc_url) as anyone:
        for api in OPERATORS:
            assert refused(server.http_url, anyone, api) == calls_of(api)


def test_the_client_says_that_it_was_denied(closed, certificates):
    with (
        OcrClient(f"http://{closed.http_url}", model="small", retries=0) as client,
        pytest.raises(AccessDenied, match=RESTRICTED),
    ):
        client.server_info()


def test_an_old_tritons_http_is_not_opened_without_a_word():
    assert "one request of a million chunks" in Security().exposure("0.0.0.0", "2.51.0")
    assert Security().exposure("127.0.0.1", "2.51.0") == ""
    assert Security(http_host="127.0.0.1").exposure("0.0.0.0", "2.51.0") == ""
    assert Security().exposure("0.0.0.0", "2.59.1") == ""
    assert Security().exposure("0.0.0.0", "2.68.0") == ""


def test_which_addresses_are_this_machine():
    assert all(map(is_loopback, ("127.0.0.1", "127.9.9.9", "::1", "localhost")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "10.0.0.1", "ocr.example", "")))


def test_keys_are_random_and_not_in_what_is_printed():
    one, two = Security(token="a-token-of-sixteen"), Security()
    assert one.admin_key != two.admin_key
    assert len(one.admin_key) >= 40
    assert one.admin_key not in repr(one)
    assert "a-token" not in repr(one)


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
