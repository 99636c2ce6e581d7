"""Keep something busy with a number of clients, and time what it answers once it runs evenly."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Measured:
    """What happened between the first and the last counted answer.

    Attributes:
        seconds: from the end of the lead-in to the last counted answer.
        latencies: seconds of each counted request, by the number of its picture.
    """

    seconds: float
    latencies: list[list[float]]

    @property
    def per_second(self) -> float:
        """Pictures read in a second."""
        return sum(map(len, self.latencies)) / self.seconds


def keep_busy(
    ask: Callable[[int], object], pictures: int, clients: int, seconds: float
) -> Measured:
    """Ask for the pictures in turn, each client sending the next as soon as it has its answer.

    The first requests, as many as there are clients, are a lead-in, in which queues fill; with one
    client there is none. After the last of their answers, answers are counted until `seconds` have
    passed and their number is a multiple of the pictures, each of which is among them. Until then
    nobody stops asking, so that the last counted one has company too.

    Args:
        ask: read the picture of that number; called by several threads.
        pictures: how many there are.
        clients: requests under way at any time.
        seconds: at least so long.

    Raises:
        Exception: whatever `ask` raised first.
    """
    counter = _Counter(pictures, lead=clients if clients > 1 else 0, seconds=seconds)

    def client(_: int) -> None:
        while (turn := counter.next()) is not None:
            begin = time.perf_counter()
            try:
                ask(turn % pictures)
            except BaseException:
                counter.stop()
                raise
            counter.count(turn, begin, time.perf_counter())

    with ThreadPoolExecutor(clients) as pool:
        list(pool.map(client, range(clients)))
    return Measured(counter.end - counter.start, counter.latencies)


@dataclass
class _Counter:
    """Turns handed out and answers counted, by several threads."""

    pictures: int
    lead: int  # turns that are not counted
    seconds: float
    start: float = field(default_factory=time.perf_counter)
    end: float = 0.0
    latencies: list[list[float]] = field(init=False)

    def __post_init__(self) -> None:
        self.latencies = [[] for _ in range(self.pictures)]
        self._lock = threading.Lock()
        self._sent = self._counted = 0
        self._leading = self.lead
        self._stopped = False

    def next(self) -> int | None:
        """The next turn, from 0, None when it is time to stop."""
        with self._lock:
            if self._stopped:
                return None
            self._sent += 1
            return self._sent - 1

    def count(self, turn: int, begin: float, end: float) -> None:
        """Take note of an answer."""
        with self._lock:
            if self._stopped:
                return
            if turn < self.lead:
                self._leading -= 1
                self.start = end
            if self._leading or turn < self.lead:
                return
            self.latencies[turn % self.pictures].append(end - begin)
            self._counted += 1
            even = self._counted % self.pictures == 0 and all(self.latencies)
            if even and end - self.start >= self.seconds:
                self.end, self._stopped = end, True

    def stop(self) -> None:
        """Hand out no more."""
        with self._lock:
            self._stopped = True
