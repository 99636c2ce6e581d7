"""Clients that send one request after another, and what became of each."""

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import tritonclient.grpc as grpcclient
from server_unit.stand_ins import infer
from server_unit.tiny_models import add_model, config
from tritonclient.utils import InferenceServerException

from ppocr_client import OcrClient

CLIENTS = 3
SLOW = "slow"
# It works for so long that a client's request is nearly always in a process.
STEP = b"""
import time
import triton_python_backend_utils as pb_utils

class TritonPythonModel:
    def execute(self, requests):
        time.sleep(0.1)
        inputs = [pb_utils.get_input_tensor_by_name(one, "X").as_numpy() for one in requests]
        return [pb_utils.InferenceResponse([pb_utils.Tensor("Y", x + 1)]) for x in inputs]
"""


@dataclass
class Load:
    """The answers and the failures of several clients."""

    answered: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def repeat(self, ask: Callable[[], str]) -> None:
        while not self.over.is_set():
            try:
                self.answered.append(ask())
            except Exception as error:  # noqa: BLE001  every kind of failure is one too many
                self.failed.append(f"{type(error).__name__}: {error}")

    def pass_requests(self, count: int) -> None:
        """Return when so many more have been answered."""
        wanted, deadline = len(self.answered) + count, time.monotonic() + 60
        while len(self.answered) < wanted:
            assert time.monotonic() < deadline, (wanted - len(self.answered), self.failed)
            time.sleep(0.02)


@contextmanager
def _repeating(asks: list[Callable[[], str]]) -> Iterator[Load]:
    load = Load()
    clients = [threading.Thread(target=load.repeat, args=(ask,)) for ask in asks]
    for client in clients:
        client.start()
    try:
        yield load
    finally:
        load.over.set()
        for client in clients:
            client.join()


@contextmanager
def under_load(url: str, picture: bytes, retries: int = 0) -> Iterator[Load]:
    """Read a picture with `CLIENTS` clients while the block runs; the answers are its text."""

    def ask(client: OcrClient) -> Callable[[], str]:
        return lambda: client.read(picture).text

    with ExitStack() as opened:
        clients = [OcrClient(url, retries=retries, timeout=60) for _ in range(CLIENTS)]
        with _repeating([ask(opened.enter_context(client)) for client in clients]) as load:
            yield load


def add_slow_model(repository: Path, count: int = 2) -> None:
    """A Python step that adds 1, in processes of its own."""
    text = config("python", batch=0, dims="1", count=count)
    add_model(repository, SLOW, text, STEP, "model.py")


def numbers_sent(url: str) -> AbstractContextManager[Load]:
    """Send numbers to the slow model at "host:port"; the answers are "right" or what was wrong."""

    def client(numbers: Iterator[int]) -> Callable[[], str]:
        return lambda: _ask_until_answered(url, next(numbers))

    return _repeating([client(itertools.count(first, CLIENTS)) for first in range(CLIENTS)])


def _ask_until_answered(url: str, number: int) -> str:
    """Ask again while there is no server."""
    while True:
        try:
            with grpcclient.InferenceServerClient(url) as client:
                answer = infer(client, SLOW, X=np.array([number], np.float32))[0][0]
        except InferenceServerException as error:
            if not any(word in str(error.status()) for word in ("UNAVAILABLE", "CANCELLED")):
                raise
            time.sleep(0.05)
        else:
            return "right" if answer == number + 1 else f"{answer} for {number}"
