"""A discrete-event simulation of one server: instances with FIFO queues, on cores that are shared.

A picture makes its visits one after the other. At each it waits for an instance of the step,
works, has the steps inside it work while it keeps its instance (so does `recognize` with `rec`),
and leaves.
Whatever works at the same time shares the processors equally: each of n pieces of work goes on at
min(1, processors / n) of its speed (egalitarian processor sharing).
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count

#: Of the first pictures this share is not counted: the server was emptier than it will be.
WARM_UP = 0.1

Then = Callable[[], None]


@dataclass(frozen=True)
class Visit:
    """What one picture asks of one step.

    Attributes:
        step: its name.
        seconds: of one processor, on which nothing else works.
        pieces: equal parts of it that are worked on at the same time: the threads of an instance.
        inside: groups of visits made while this one keeps its instance; those of a group at the
            same time, one group after the other.
    """

    step: str
    seconds: float
    pieces: int = 1
    inside: tuple[tuple[Visit, ...], ...] = ()


Picture = Sequence[Visit]


@dataclass(frozen=True)
class Station:
    """One step: its instances, None for no limit, and the processors that it works on."""

    instances: int | None
    processors: str


@dataclass(frozen=True)
class Server:
    """Stations by the name of their step, and how many processors of each name there are."""

    stations: Mapping[str, Station]
    processors: Mapping[str, int]


@dataclass(frozen=True)
class Outcome:
    """Of the pictures after the warm-up: pictures a second, and seconds of each."""

    throughput: float
    latencies: list[float]


class _Processors:
    """So many equal processors, shared equally; times are those of a clock that work keeps."""

    def __init__(self, number: int) -> None:
        self._number, self._clock, self._order = number, 0.0, count()
        self._working: list[tuple[float, int, Then]] = []

    def add(self, seconds: float, then: Then) -> None:
        heapq.heappush(self._working, (self._clock + seconds, next(self._order), then))

    @property
    def _speed(self) -> float:
        return min(1.0, self._number / len(self._working))

    def next_end(self) -> float:
        """Seconds until a piece of work ends if nothing is added; infinite without any."""
        if not self._working:
            return float("inf")
        return max(0.0, self._working[0][0] - self._clock) / self._speed

    def pass_time(self, seconds: float) -> None:
        if self._working:
            self._clock += seconds * self._speed

    def end_first(self) -> Then:
        self._clock, _, then = heapq.heappop(self._working)
        return then


class _Queue:
    """The instances of a station, and who waits for one."""

    def __init__(self, instances: int | None) -> None:
        self._free, self._waiting = instances, deque[Then]()

    def enter(self, begin: Then) -> None:
        if self._free is None:
            begin()
        elif self._free:
            self._free -= 1
            begin()
        else:
            self._waiting.append(begin)

    def leave(self) -> None:
        if self._waiting:
            self._waiting.popleft()()
        elif self._free is not None:
            self._free += 1


class _Run:
    """One simulation under way; `now` is in seconds from its start."""

    def __init__(self, server: Server) -> None:
        self.now = 0.0
        self._processors = {name: _Processors(n) for name, n in server.processors.items()}
        self._where = {step: station.processors for step, station in server.stations.items()}
        self._queues = {
            step: _Queue(station.instances) for step, station in server.stations.items()
        }

    def advance(self, until: float) -> bool:
        """Go on to the next end of a piece of work, or to `until`; whether there was one before."""
        first = min(self._processors.values(), key=_Processors.next_end)
        seconds = first.next_end()
        ends = self.now + seconds <= until
        if not ends:
            seconds = until - self.now
        for processors in self._processors.values():
            processors.pass_time(seconds)
        self.now += seconds
        if ends:
            first.end_first()()
        return ends

    def read(self, visits: Picture, then: Then, index: int = 0) -> None:
        """Make the visits one after the other."""
        if index == len(visits):
            then()
        else:
            self._visit(visits[index], partial(self.read, visits, then, index + 1))

    def _visit(self, visit: Visit, then: Then) -> None:
        queue = self._queues[visit.step]

        def leave() -> None:
            queue.leave()
            then()

        def begin() -> None:
            processors = self._processors[self._where[visit.step]]
            share = visit.seconds / visit.pieces
            after = partial(self._inside, visit.inside, leave)
            _all([partial(processors.add, share)] * visit.pieces, after)

        queue.enter(begin)

    def _inside(self, groups: Sequence[Sequence[Visit]], then: Then, index: int = 0) -> None:
        if index == len(groups):
            then()
        else:
            after = partial(self._inside, groups, then, index + 1)
            _all([partial(self._visit, visit) for visit in groups[index]], after)


def _all(starts: Sequence[Callable[[Then], None]], then: Then) -> None:
    """Start all of them; `then` comes after the last has ended, at once if there is none."""
    left = len(starts)

    def one_ended() -> None:
        nonlocal left
        left -= 1
        if not left:
            then()

    for start in starts:
        start(one_ended)
    if not starts:
        then()


def simulate_open(
    server: Server, pictures: Iterable[Picture], arrivals: Sequence[float]
) -> Outcome:
    """Pictures come when they come, however long the answers take.

    Args:
        server: whose time it is.
        pictures: at least as many as arrivals.
        arrivals: seconds, ascending.
    """
    run = _Run(server)
    ended: dict[int, float] = {}

    def end(number: int) -> None:
        ended[number] = run.now

    for number, (arrival, picture) in enumerate(zip(arrivals, pictures, strict=False)):
        while run.advance(arrival):
            pass
        run.read(picture, partial(end, number))
    while len(ended) < len(arrivals):
        run.advance(float("inf"))
    first = int(len(arrivals) * WARM_UP)
    latencies = [ended[number] - arrivals[number] for number in range(first, len(arrivals))]
    seconds = max(ended.values()) - arrivals[first]
    return Outcome(len(latencies) / seconds, latencies)


def simulate_closed(
    server: Server, pictures: Iterable[Picture], clients: int, total: int
) -> Outcome:
    """So many clients, each of which sends its next picture as soon as it has its answer.

    Args:
        server: whose time it is.
        pictures: more than `total` by the number of clients, or without end.
        clients: requests under way at any time.
        total: answers after which it is over.
    """
    run, source = _Run(server), iter(pictures)
    ended: list[tuple[float, float]] = []

    def send() -> None:
        run.read(next(source), partial(answer, run.now))

    def answer(sent: float) -> None:
        ended.append((run.now, run.now - sent))
        if len(ended) < total:
            send()

    for _ in range(clients):
        send()
    while len(ended) < total:
        run.advance(float("inf"))
    first = max(1, int(total * WARM_UP))
    seconds = ended[-1][0] - ended[first - 1][0]
    latencies = [taken for _, taken in ended[first:]]
    return Outcome(len(latencies) / seconds, latencies)
