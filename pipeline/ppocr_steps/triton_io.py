"""What every Python step shares: tensors in, tensors out, one answer for each request.

A bad request is answered with its reason; the others in the same call are served.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils

from ppocr_pipeline.limits import Limits, check_parameters


def config_parameters(args: Mapping[str, str]) -> dict[str, str]:
    """The `parameters` of the model's config.pbtxt, name to string value."""
    parameters = json.loads(args["model_config"]).get("parameters", {})
    return {name: value["string_value"] for name, value in parameters.items()}


def request_parameters(request: Any, limits: Limits) -> dict[str, Any]:
    """The parameters sent with one request, as the server hands them over.

    Raises:
        ValueError: they are more or longer than the limits.
    """
    parameters: dict[str, Any] = json.loads(request.parameters() or "{}")
    check_parameters(parameters, limits)
    return parameters


def tensor(request: Any, name: str) -> np.ndarray:
    """The array of one input; the server has checked that it was sent."""
    return pb_utils.get_input_tensor_by_name(request, name).as_numpy()


def optional_tensor(request: Any, name: str) -> np.ndarray | None:
    """The array of one optional input, or None where it was not sent."""
    found = pb_utils.get_input_tensor_by_name(request, name)
    return None if found is None else found.as_numpy()


def response(**outputs: np.ndarray) -> Any:
    """An answer from arrays named by their tensors."""
    return pb_utils.InferenceResponse(
        [pb_utils.Tensor(name, array) for name, array in outputs.items()]
    )


def refusal(request: Any, reason: str, code: int | None = None) -> Any:
    """An error for one request, logged; INVALID_ARGUMENT unless another code is given."""
    pb_utils.Logger.log_info(f"[request id: {request.request_id() or '<id_unknown>'}] {reason}")
    code = pb_utils.TritonError.INVALID_ARG if code is None else code
    return pb_utils.InferenceResponse(error=pb_utils.TritonError(reason, code))


def given_up(request: Any) -> Any:
    """The answer to a request that nobody waits for any more, CANCELLED; None for all others."""
    if not request.is_cancelled():
        return None
    return refusal(request, "given up by the client", pb_utils.TritonError.CANCELLED)


def answer_each(requests: list[Any], answer: Callable[[Any], Any]) -> list[Any]:
    """Answer every request on its own: a ValueError is that request's INVALID_ARGUMENT."""
    responses = []
    for request in requests:
        try:
            responses.append(answer(request))
        except ValueError as error:
            responses.append(refusal(request, str(error)))
    return responses
