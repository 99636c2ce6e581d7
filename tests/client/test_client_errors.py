from __future__ import annotations

import pickle

import pytest

from ppocr_client import errors
from ppocr_client.errors import OcrError, error_of_http, error_of_status

DAMAGED = "IMAGE is a damaged or truncated JPEG of 12 bytes; send the whole file"


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        ("INVALID_ARGUMENT", 400, errors.InvalidRequest),
        ("UNAUTHENTICATED", 401, errors.AccessDenied),
        ("PERMISSION_DENIED", 403, errors.AccessDenied),
        ("NOT_FOUND", 404, errors.ModelNotFound),
        ("RESOURCE_EXHAUSTED", 429, errors.ServerBusy),
        ("CANCELLED", 499, errors.RequestCancelled),
        ("INTERNAL", 500, errors.ServerError),
        ("UNIMPLEMENTED", 501, errors.InvalidRequest),
        ("UNAVAILABLE", 503, errors.ServerUnavailable),
        ("DEADLINE_EXCEEDED", 504, errors.DeadlineExceeded),
    ],
)
def test_both_protocols_give_the_same_error(status, code, kind):
    by_grpc, by_http = error_of_status(status, "why"), error_of_http(code, "why")
    assert type(by_grpc) is type(by_http) is kind
    assert by_grpc.reason == by_http.reason == str(by_grpc) == "why"
    assert by_grpc.status == by_http.status == status


def test_an_unknown_status_is_the_servers_fault():
    assert type(error_of_status("DATA_LOSS", "why")) is errors.ServerError
    assert type(error_of_http(418, "why")) is errors.ServerError


@pytest.mark.parametrize("reason", [DAMAGED, f"in ensemble 'ocr', {DAMAGED}"])
def test_reasons_about_the_picture_are_image_errors(reason):
    assert type(error_of_status("INVALID_ARGUMENT", reason)) is errors.ImageError
    assert type(error_of_status("INTERNAL", reason)) is errors.ServerError


def test_other_reasons_that_name_the_tensor_are_not():
    reason = "unexpected shape for input 'IMAGE' for model 'ocr'. Expected [1], got [2]"
    assert type(error_of_status("INVALID_ARGUMENT", reason)) is errors.InvalidRequest


def test_a_message_over_the_limit_is_no_matter_of_waiting():
    reason = "CLIENT: Received message larger than max (5000000 vs. 4194304)"
    assert type(error_of_status("RESOURCE_EXHAUSTED", reason)) is errors.InvalidRequest


def test_a_model_that_is_being_unloaded_is_worth_another_try():
    reason = "Request for unknown model: 'ocr' has no available versions"
    assert type(error_of_status("NOT_FOUND", reason)) is errors.ServerUnavailable
    reason = "Request for unknown model: 'orc' is not found"
    assert type(error_of_status("NOT_FOUND", reason)) is errors.ModelNotFound


def test_errors_can_be_sent_between_processes():
    error = pickle.loads(pickle.dumps(error_of_http(503, "loading")))
    assert type(error) is errors.ServerUnavailable
    assert (error.reason, error.status) == ("loading", "UNAVAILABLE")
    assert issubclass(errors.ImageError, OcrError)
