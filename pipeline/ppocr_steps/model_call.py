"""Calls of other models of the repository on behalf of a request."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils

from ppocr_steps.refusals import StepError


def call(
    caller: Any, model: str, outputs: Sequence[str], inputs: Mapping[str, np.ndarray]
) -> Awaitable[list[np.ndarray]]:
    """Send a request to another model now; awaiting the result gives its arrays.

    It goes under the id of the request it is made for, and into the same trace.

    Raises:
        StepError: when awaited, with that model's own reason and code.
    """
    request = pb_utils.InferenceRequest(
        model_name=model,
        requested_output_names=list(outputs),
        inputs=[pb_utils.Tensor(name, array) for name, array in inputs.items()],
        request_id=caller.request_id(),
        trace=caller.trace(),
        # A backend on a GPU would answer from GPU memory, which NumPy cannot read.
        preferred_memory=pb_utils.PreferredMemory(pb_utils.TRITONSERVER_MEMORY_CPU, 0),
    )
    sent = request.async_exec()

    async def arrays() -> list[np.ndarray]:
        answer = await sent
        if answer.has_error():
            raise StepError(f"{model}: {answer.error().message()}", answer.error().code())
        return [pb_utils.get_output_tensor_by_name(answer, name).as_numpy() for name in outputs]

    return arrays()
