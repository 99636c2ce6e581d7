"""Calls of other models of the repository on behalf of a request."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from threading import Lock
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils

from ppocr_pipeline.calls import Answer, Call
from ppocr_steps.refusals import StepError

OUTPUTS = ("INDICES", "PROBABILITIES")  # of every network that is called
#: Of one picture at a time: every instance of a network on a CPU has work, and one call waits.
CALLS = min(32, (os.cpu_count() or 1) + 1)


def call(
    caller: Any, model: str, outputs: Sequence[str], inputs: Mapping[str, np.ndarray]
) -> list[np.ndarray]:
    """Ask another model, and wait for the arrays of its answer.

    The request goes under the id of the one it is made for, and into the same trace.

    Raises:
        StepError: with that model's own reason and code.
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
    answer = request.exec()
    if answer.has_error():
        raise StepError(f"{model}: {answer.error().message()}", answer.error().code())
    return [pb_utils.get_output_tensor_by_name(answer, name).as_numpy() for name in outputs]


class Callers:
    """Threads that call networks.

    `async_exec` would start an event loop and threads of its own for every request, and wake the
    loop for every answer: a sixth of what this step took for a sparse picture.
    """

    def __init__(self, at_a_time: int = CALLS) -> None:
        """Start no thread yet: the one that asks makes calls too."""
        self._others = at_a_time - 1
        self._pool = ThreadPoolExecutor(max(1, self._others))

    def answers(self, caller: Any, calls: Iterable[Call]) -> list[Answer]:
        """Make calls, several at a time, and wait for all of them.

        Args:
            caller: the request they are made for.
            calls: each is asked for when there is a thread to make it, by one thread at a time.

        Returns:
            The answers in the order of the calls.

        Raises:
            StepError: see `call`; no further call is begun, and none goes on.
        """
        left, taking = enumerate(calls), Lock()
        answers: dict[int, Answer] = {}
        helpers: list[Future[None]] = []

        def make_calls() -> None:
            nonlocal left
            while True:
                with taking:
                    number, one = next(left, (0, None))
                    if one is None:
                        return
                    if len(helpers) < self._others:
                        helpers.append(self._pool.submit(make_calls))
                try:
                    answers[number] = call(caller, one.network, OUTPUTS, one.feeds)
                except BaseException:
                    with taking:
                        left = enumerate(())
                    raise

        try:
            make_calls()
        finally:
            wait(helpers)
        for helper in helpers:
            helper.result()
        return [answers[number] for number in range(len(answers))]

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown()
