"""Clients that send one request after another, and what became of each."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from ppocr_client import OcrClient

CLIENTS = 3


@dataclass
class Load:
    """The requests of several clients; by default without a retry of their own."""

    url: str
    retries: int = 0
    answered: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def send(self, picture: bytes) -> None:
        with OcrClient(self.url, retries=self.retries, timeout=60) as client:
            while not self.over.is_set():
                try:
                    self.answered.append(client.read(picture).text)
                except Exception as error:  # noqa: BLE001  every kind of failure is one too many
                    self.failed.append(repr(error))

    def pass_requests(self, count: int) -> None:
        """Return when so many more have been answered."""
        wanted, deadline = len(self.answered) + count, time.monotonic() + 60
        while len(self.answered) < wanted:
            assert time.monotonic() < deadline, f"only {len(self.answered)} of {wanted} answered"
            time.sleep(0.02)


@contextmanager
def under_load(url: str, picture: bytes, retries: int = 0) -> Iterator[Load]:
    """Requests of `CLIENTS` clients while the block runs."""
    load = Load(url, retries)
    clients = [threading.Thread(target=load.send, args=(picture,)) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    try:
        yield load
    finally:
        load.over.set()
        for client in clients:
            client.join()
