"""Clients that send numbers to a tiny model and know the answer to each."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import tritonclient.grpc as grpcclient
from server_unit.stand_ins import infer
from server_unit.tiny_models import add_model, config
from tritonclient.utils import InferenceServerException

CLIENTS = 3
MODEL = "slow"
# Works for so long that a client's request is nearly always in a process.
SECONDS = 0.1
STEP = f"""
import time
import triton_python_backend_utils as pb_utils

class TritonPythonModel:
    def execute(self, requests):
        time.sleep({SECONDS})
        inputs = [pb_utils.get_input_tensor_by_name(one, "X").as_numpy() for one in requests]
        return [pb_utils.InferenceResponse([pb_utils.Tensor("Y", x + 1)]) for x in inputs]
"""


def add_slow_model(repository: Path, count: int = 2) -> None:
    """A Python step that adds 1, in processes of its own."""
    text = config(batch=0, dims="1", count=count).replace("onnxruntime", "python")
    add_model(repository, MODEL, text, STEP.encode(), "model.py")


@dataclass
class NumberLoad:
    """What became of the requests: those that were answered, wrongly answered, and failed."""

    url: str
    answered: int = 0
    wrong: list[tuple[float, float]] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def send(self, first: int) -> None:
        """Send one number after another; what finds no server is sent again."""
        for number in itertools.count(first, CLIENTS):
            while not self.over.is_set() and not self._send_once(float(number)):
                time.sleep(0.05)
            if self.over.is_set():
                return

    def _send_once(self, number: float) -> bool:
        """Whether the server answered, well or not."""
        try:
            with grpcclient.InferenceServerClient(self.url) as client:
                answer = infer(client, MODEL, X=np.array([number], np.float32))[0][0]
        except InferenceServerException as error:
            if "UNAVAILABLE" in str(error.status()) or "CANCELLED" in str(error.status()):
                return False
            self.failed.append(str(error))
            return True
        self.answered += 1
        if answer != number + 1:
            self.wrong.append((number, float(answer)))
        return True

    def wait_for(self, count: int) -> None:
        """Return after so many more answers."""
        wanted, deadline = self.answered + count, time.monotonic() + 60
        while self.answered < wanted:
            assert time.monotonic() < deadline, (wanted - self.answered, self.failed)
            time.sleep(0.02)


@contextmanager
def numbers_sent(url: str) -> Iterator[NumberLoad]:
    """Requests of `CLIENTS` clients to a server at "host:port" while the block runs."""
    load = NumberLoad(url)
    clients = [threading.Thread(target=load.send, args=(first,)) for first in range(CLIENTS)]
    for client in clients:
        client.start()
    try:
        yield load
    finally:
        load.over.set()
        for client in clients:
            client.join()
