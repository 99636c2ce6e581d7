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
#: Of one picture at a time, where `build` does not count the instances of `rec`.
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
    loop for every answer.
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
        shared = _SharedCalls(self._pool, self._others, caller, calls)
        shared.make()
        wait(shared.helpers)
        try:
            if shared.errors:
                raise shared.errors[0]
        finally:
            # Their frames refer to them: until a garbage collection they would keep the request,
            # and what it holds of the server's shared memory.
            shared.errors.clear()
        return [shared.answers[number] for number in range(len(shared.answers))]

    def close(self) -> None:
        """End the threads."""
        self._pool.shutdown()


class _SharedCalls:
    """The calls of one picture, each made by whichever thread is free."""

    def __init__(
        self, pool: ThreadPoolExecutor, most_helpers: int, caller: Any, calls: Iterable[Call]
    ) -> None:
        self._pool, self._most_helpers = pool, most_helpers
        self._caller, self._left, self._taking = caller, enumerate(calls), Lock()
        self.answers: dict[int, Answer] = {}  # by the number of the call
        self.errors: list[BaseException] = []
        self.helpers: list[Future[None]] = []

    def make(self) -> None:
        """Make calls until none is left; an error leaves none."""
        try:
            while taken := self._take():
                number, one = taken
                self.answers[number] = call(self._caller, one.network, OUTPUTS, one.feeds)
        except BaseException as error:  # noqa: BLE001 - the thread that asks raises it
            with self._taking:
                self._left = enumerate(())
                self.errors.append(error)

    def _take(self) -> tuple[int, Call] | None:
        """The next call; while there is one, another thread is asked to help."""
        with self._taking:
            taken = next(self._left, None)
            if taken is not None and len(self.helpers) < self._most_helpers:
                self.helpers.append(self._pool.submit(self.make))
        return taken
