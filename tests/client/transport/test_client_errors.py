"""The server's status codes and reasons as the client's errors."""

import pickle

import pytest

from ppocr_client import errors
from ppocr_client.errors import STATUS_OF_HTTP, connection_error, error_of_http, error_of_status

DAMAGED = "IMAGE is a damaged or truncated JPEG of 12 bytes; send the whole file"


def test_both_protocols_give_the_same_error():
    for code, status in STATUS_OF_HTTP.items():
        by_grpc, by_http = error_of_status(status, "why"), error_of_http(code, "why")
        assert type(by_grpc) is type(by_http)
        assert by_grpc.reason == by_http.reason == str(by_grpc) == "why"
        assert by_grpc.status == by_http.status == status


@pytest.mark.parametrize(
    ("status", "reason", "kind"),
    [
        ("DATA_LOSS", "why", errors.ServerError),
        ("INVALID_ARGUMENT", DAMAGED, errors.ImageError),
        ("INVALID_ARGUMENT", f"in ensemble 'ocr', in ensemble 'x', {DAMAGED}", errors.ImageError),
        ("INTERNAL", DAMAGED, errors.ServerError),
        ("INVALID_ARGUMENT", "unexpected shape for input 'IMAGE'", errors.InvalidRequest),
        # Waiting does not make a message fit, but a model that is being reloaded comes back.
        ("RESOURCE_EXHAUSTED", "Received message larger than max (5 vs. 4)", errors.InvalidRequest),
        ("NOT_FOUND", "unknown model: 'ocr' has no available versions", errors.ServerUnavailable),
        ("NOT_FOUND", "unknown model: 'orc' is not found", errors.ModelNotFound),
        ("UNAVAILABLE", "is restricted, expecting header", errors.AccessDenied),
        ("UNAVAILABLE", "in ensemble 'ocr', Request timeout expired", errors.DeadlineExceeded),
        ("UNAVAILABLE", "grpc://h:1: in ensemble 'ocr', not ready", errors.ServerUnavailable),
    ],
)
def test_reasons_decide_the_kind(status, reason, kind):
    error = error_of_status(status, reason)
    assert type(error) is kind
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
