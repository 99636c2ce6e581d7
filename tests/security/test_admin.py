"""What only an operator does, tried without and with the operator's key."""

import json
from collections.abc import Iterator

import grpc
import pytest
from cases import cases
from security.triton_calls import GRPC, HTTP, METHODS, RESTRICTED, ask_http, calls_of, refused

from ppocr_client import OcrClient
from ppocr_client.errors import AccessDenied
from ppocr_server.access import ADMIN_HEADER, APIS, Security, is_loopback

pytestmark = pytest.mark.server

# Named here again, so that a group which is forgotten there is missed.
OPERATORS = ("model-repository", "trace", "logging", "shared-memory")
OPEN_TO_ALL = ("metadata", "inference", "model-config", "statistics", "health")


@pytest.fixture(scope="module")
def channel(exposed) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(exposed.grpc_url) as opened:
        yield opened


def test_every_method_of_triton_is_tried():
    methods = {method for calls in GRPC.values() for method, _ in calls}
    assert set(METHODS) - methods == {"ModelStreamInfer"}  # the group "inference", by a stream
    assert set(HTTP) == set(GRPC) == {*APIS, "health"}


@pytest.mark.parametrize("api", OPERATORS)
def test_an_operators_request_needs_the_key(exposed, channel, api):
    key = exposed.security.admin_key
    for guess in ({}, *({ADMIN_HEADER: wrong} for wrong in ("", "0" * 43, key[:-1]))):
        assert refused(exposed.http_url, channel, api, guess) == calls_of(api), guess
    assert refused(exposed.http_url, channel, api, exposed.security.headers) == []


@pytest.mark.parametrize("api", OPEN_TO_ALL)
def test_what_clients_ask_needs_no_key(exposed, channel, api):
    assert refused(exposed.http_url, channel, api) == []


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
    with grpc.insecure_channel(server.grpc_url) as channel:
        for api in OPERATORS:
            assert refused(server.http_url, channel, api) == calls_of(api)


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
