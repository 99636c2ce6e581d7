"""The load generator: clients that wait for each answer, or requests at a rate; cases in turn."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from tqdm import tqdm

from ppocr_bench.machine import cpu_since, cpu_snapshot
from ppocr_bench.record import OK, Answer, Run

#: Sends the request of that number and returns what came back. One that returns a `Status` says
#: how the request ended; whatever it raises ends a closed loop, and is raised. Threads share it.
Send = Callable[[int], object]
Case = TypeVar("Case")
Turn = TypeVar("Turn")
MOST_AT_ONCE = 4096  # threads of an open loop


class Status(str):
    """The gRPC status name with which a request ended, and what was said of it."""

    said: str = ""


def in_turns(
    cases: Mapping[Case, Callable[[], Turn]], rounds: int, warm_up: int = 0
) -> dict[Case, list[Turn]]:
    """Every case once in each round: what slows the machine for a while slows all alike.

    The turns of `warm_up` further rounds, which come first, are not given back.
    """
    turns: dict[Case, list[Turn]] = {case: [] for case in cases}
    with tqdm(total=len(cases) * (warm_up + rounds), unit="turn", disable=None) as bar:
        for number in range(-warm_up, rounds):
            for case, take in cases.items():
                turn = take()
                if number >= 0:
                    turns[case].append(turn)
                bar.update()
    return turns


def closed_loop(
    send: Send,
    clients: int,
    *,
    requests: int | None = None,
    seconds: float = 0.0,
    items: int = 1,
    pid: int | None = None,
) -> Run:
    """So many clients, each sending the next request as soon as it has its answer.

    With `requests` (in all) every one counts. Without it the first ones, as many as there are
    clients, fill the queues and do not count (one client has none of these); the window then lasts
    until `seconds` have passed and each item was answered equally often, request n sending item n
    modulo `items`. Nobody stops sending before its end, so that the last counted request has
    company too. `pid` is of a server whose processor time is counted.
    """
    window = _Window(0 if requests or clients == 1 else clients, requests, seconds, items)

    def client(_: int) -> None:
        while (number := window.next()) is not None:
            try:
                window.add(_timed(send, number))
            except BaseException:
                window.over = True
                raise

    before = cpu_snapshot(pid)
    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(client, range(clients)))
    return Run(window.begin, window.end, window.answers, cpu_since(pid, before))


def open_loop(
    send: Send,
    rate: float,
    seconds: float,
    *,
    lead: float = 0.0,
    pid: int | None = None,
) -> Run:
    """So many requests a second, however long answers take; then all are awaited.

    `lead` are seconds before the window, in which queues fill.
    """
    before, start = cpu_snapshot(pid), time.monotonic()
    with ThreadPoolExecutor(MOST_AT_ONCE) as pool:
        sent = []
        for number in range(round(rate * (lead + seconds))):
            time.sleep(max(0.0, start + number / rate - time.monotonic()))
            sent.append(pool.submit(_timed, send, number))
        answers = [one.result() for one in sent]
    begin = start + lead
    return Run(begin, begin + seconds, answers, cpu_since(pid, before))


def _timed(send: Send, number: int) -> Answer:
    sent = time.monotonic()
    value = send(number)
    status = value if isinstance(value, Status) else OK
    return Answer(number, status, sent, time.monotonic(), value)


class _Window:
    """Numbers handed out to clients, and answers taken from them, by several threads."""

    def __init__(self, lead: int, requests: int | None, seconds: float, items: int) -> None:
        self._lead, self._requests, self._seconds = lead, requests, seconds
        self._lock, self._sent, self._leading = threading.Lock(), 0, lead
        self._counted = [0] * items
        self.begin = self.end = time.monotonic()
        self.answers: list[Answer] = []
        self.over = False

    def next(self) -> int | None:
        with self._lock:
            if self.over or self._sent == self._requests:
                return None
            self._sent += 1
            return self._sent - 1

    def add(self, answer: Answer) -> None:
        """Take an answer, and see whether it is the last that counts."""
        with self._lock:
            self.answers.append(answer)
            if answer.number < self._lead:
                self._leading -= 1
                self.begin = answer.answered
            elif not self._leading and not self.over:
                self.end = answer.answered
                self._counted[answer.number % len(self._counted)] += 1
                even = len(set(self._counted)) == 1
                enough = answer.answered - self.begin >= self._seconds
                self.over = self._requests is None and even and enough
