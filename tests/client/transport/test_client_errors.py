"""The server's status codes and reasons as the client's errors."""

import pickle

import pytest
from cases import cases

from ppocr_client import errors
from ppocr_client.errors import STATUS_OF_HTTP, connection_error, error_of_http, error_of_status


def test_both_protocols_give_the_same_error():
    for code, status in STATUS_OF_HTTP.items():
        by_grpc, by_http = error_of_status(status, "why"), error_of_http(code, "why")
        assert type(by_grpc) is type(by_http)
        assert by_grpc.reason == by_http.reason == str(by_grpc) == "why"
        assert by_grpc.status == by_http.status == status


@pytest.mark.parametrize(("status", "reason", "kind"), cases(__file__)["reasons"])
def test_reasons_decide_the_kind(status, reason, kind):
    error = error_of_status(status, reason)
    assert type(error) is getattr(errors, kind)
    assert "in ensemble" not in str(error)
    assert type(error_of_http(418, "why")) is errors.ServerError


@pytest.mark.parametrize(
    ("detail", "said"),
    [
        ("ipv4:1.2.3.4:1: connect: Connection refused (111)", "h:1: connection refused; is the"),
        ("Connect call failed ('127.0.0.1', 1)", "h:1: connection refused; is the server running"),
        ("[Errno -2] Name or service not known", "h:1: the host name cannot be resolved; is"),
        ("certificate verify failed", "h:1: certificate verify failed; is the"),
    ],
)
def test_a_failed_connection_says_what_to_do_next(detail, said):
    error = str(connection_error("grpc://h:1", detail))
    assert f"cannot connect to grpc://{said}" in error
    assert error.endswith("`ppocr-client doctor --url grpc://h:1 --wait 60`")


def test_errors_can_be_sent_between_processes():
    error = pickle.loads(pickle.dumps(error_of_http(503, "loading")))
    assert type(error) is errors.ServerUnavailable
    assert (error.reason, error.status) == ("loading", "UNAVAILABLE")
