"""Operations as Triton's HTTP requests, and its responses as answers."""

from __future__ import annotations

import json
from typing import Any, NamedTuple
from urllib.parse import quote

from tritonclient import http as triton
from tritonclient.utils import np_to_triton_dtype

from ppocr_client.errors import error_of_http
from ppocr_client.transport.base import Infer, Operation, Query, Ready

HEADER_LENGTH = "Inference-Header-Content-Length"


class HttpRequest(NamedTuple):
    """An HTTP request; `path` begins with a slash."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class HttpResponse(NamedTuple):
    """An HTTP response; `header_length` is where the JSON ends and the tensors begin."""

    code: int
    header_length: int | None
    body: bytes


def encode(operation: Operation) -> HttpRequest:
    """The operation as an HTTP request."""
    if isinstance(operation, Infer):
        return _encode_infer(operation)
    model = f"/v2/models/{quote(operation.model)}"
    if isinstance(operation, Ready):
        return HttpRequest("GET", f"{model}/ready", {}, b"")
    paths = {
        "server": "/v2",
        "config": f"{model}/config",
        "statistics": "/v2/models/stats",
    }
    return HttpRequest("GET", paths[operation.what], {}, b"")


def decode(operation: Operation, response: HttpResponse) -> Any:
    """The answer to an operation.

    Raises:
        OcrError: If the server refused or failed, with its reason.
    """
    if isinstance(operation, Ready):
        return response.code == 200
    if response.code != 200:
        raise error_of_http(response.code, _reason(response))
    if isinstance(operation, Query):
        return json.loads(response.body)
    result = triton.InferenceServerClient.parse_response_body(
        response.body, header_length=response.header_length
    )
    names = [output["name"] for output in result.get_response()["outputs"]]
    return {name: result.as_numpy(name) for name in names}


def _encode_infer(operation: Infer) -> HttpRequest:
    tensors = []
    for name, array in operation.inputs.items():
        tensor = triton.InferInput(name, list(array.shape), np_to_triton_dtype(array.dtype))
        tensors.append(tensor.set_data_from_numpy(array))
    body, header_length = triton.InferenceServerClient.generate_request_body(
        tensors, request_id=operation.request_id, parameters=dict(operation.parameters)
    )
    headers = {"Content-Type": "application/octet-stream", HEADER_LENGTH: str(header_length)}
    return HttpRequest("POST", f"/v2/models/{quote(operation.model)}/infer", headers, body)


def _reason(response: HttpResponse) -> str:
    """Triton's reason in an error's body; of another server the body itself."""
    text = response.body.decode(errors="replace").strip()
    try:
        error = json.loads(text)["error"]
    except (ValueError, KeyError, TypeError):
        error = None
    if isinstance(error, str):
        return error
    if response.code == 404:
        return (
            f"what answers there is not Triton (HTTP status 404: {text}). Triton's own address is "
            "http://HOST:8000 or grpc://HOST:8001 unless told otherwise; the gateway's is for curl"
        )
    return text or f"HTTP status {response.code} without a reason"
