"""The work of a server's models during one request."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from ppocr_client.client import OcrClient
from ppocr_client.transport.server_info import Work

T = TypeVar("T")

PATIENCE = 1.0  # seconds for the server to count a request, which it does after answering it


def timed(client: OcrClient, model: str, act: Callable[[], T]) -> tuple[T, float, dict[str, Work]]:
    """A function's return value, the seconds it took, and the work of each model meanwhile.

    Other clients' requests in that time are counted too: `[model].requests` says how many.
    """
    before = client.server_work()
    start = time.perf_counter()
    made = act()
    seconds = time.perf_counter() - start
    deadline = time.monotonic() + PATIENCE
    while True:
        after = client.server_work()
        if after[model].requests > before[model].requests or time.monotonic() > deadline:
            break
        time.sleep(0.01)
    work = {
        name: Work(now.requests - before[name].requests, now.seconds - before[name].seconds)
        for name, now in after.items()
        if name in before and now.requests > before[name].requests
    }
    return made, seconds, work
