"""Requests as Triton's HTTP bodies, and its bodies as answers, by tritonclient's own writer."""

from __future__ import annotations

import json
from typing import Any, NamedTuple
from urllib.parse import quote

from tritonclient import http as triton
from tritonclient.utils import np_to_triton_dtype

from ppocr_client.errors import error_of_http
from ppocr_client.transport.base import Infer, Look, Ready, Register, Request, Unregister
from ppocr_client.transport.shared_memory import Shared

HEADER_LENGTH = "Inference-Header-Content-Length"


class Call(NamedTuple):
    """One HTTP request; `path` begins with a slash."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Answer(NamedTuple):
    """A whole HTTP answer; `header_length` is where the JSON ends and the tensors begin."""

    code: int
    header_length: int | None
    body: bytes


def encode(request: Request) -> Call:
    """The request as HTTP."""
    if isinstance(request, Infer):
        return _encode_infer(request)
    if isinstance(request, Register | Unregister):
        return _encode_region(request)
    model = f"/v2/models/{quote(request.model)}"
    if isinstance(request, Ready):
        return Call("GET", f"{model}/ready", {}, b"")
    paths = {
        "server": "/v2",
        "config": f"{model}/config",
        "statistics": "/v2/models/stats",
        "memory": "/v2/systemsharedmemory/status",
    }
    return Call("GET", paths[request.what], {}, b"")


def decode(request: Request, answer: Answer) -> Any:
    """The answer to a request.

    Raises:
        OcrError: The server's own reason where it refused.
    """
    if isinstance(request, Ready):
        return answer.code == 200
    if answer.code != 200:
        raise error_of_http(answer.code, _reason(answer))
    if isinstance(request, Register | Unregister):
        return None
    if isinstance(request, Look):
        return json.loads(answer.body)
    result = triton.InferenceServerClient.parse_response_body(
        answer.body, header_length=answer.header_length
    )
    names = [output["name"] for output in result.get_response()["outputs"]]
    return {name: result.as_numpy(name) for name in names}


def _encode_infer(request: Infer) -> Call:
    tensors = []
    for name, array in request.inputs.items():
        if isinstance(array, Shared):
            tensor = triton.InferInput(name, [1], "BYTES")
            tensor.set_shared_memory(array.region, array.size)
            tensors.append(tensor)
            continue
        tensor = triton.InferInput(name, list(array.shape), np_to_triton_dtype(array.dtype))
        tensors.append(tensor.set_data_from_numpy(array))
    body, header_length = triton.InferenceServerClient.generate_request_body(
        tensors, parameters=dict(request.parameters)
    )
    headers = {"Content-Type": "application/octet-stream"}
    if header_length is not None:  # without it, as where all tensors are shared, all is JSON
        headers[HEADER_LENGTH] = str(header_length)
    return Call("POST", f"/v2/models/{quote(request.model)}/infer", headers, body)


def _encode_region(request: Register | Unregister) -> Call:
    path = f"/v2/systemsharedmemory/region/{quote(request.region)}"
    if isinstance(request, Unregister):
        return Call("POST", f"{path}/unregister", {}, b"")
    values = {"key": f"/{request.region}", "offset": 0, "byte_size": request.size}
    return Call("POST", f"{path}/register", {}, json.dumps(values).encode())


def _reason(answer: Answer) -> str:
    """The server's reason in an error's body, or what else it said."""
    text = answer.body.decode(errors="replace").strip()
    try:
        return str(json.loads(text)["error"])
    except (ValueError, KeyError, TypeError):
        return text or f"HTTP status {answer.code} without a reason"
