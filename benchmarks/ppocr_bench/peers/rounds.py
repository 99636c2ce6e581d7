"""Let the peers take turns, round after round."""

from __future__ import annotations

import argparse
import contextlib
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from tqdm import tqdm

from ppocr_bench.errors import BenchError
from ppocr_bench.load import closed_loop
from ppocr_bench.metrics import Read, compare
from ppocr_bench.peers.peer import Peer, Running
from ppocr_bench.processes import Watch
from ppocr_bench.record import Run, percentile_ms
from ppocr_client.errors import OcrError

logger = logging.getLogger(__name__)


class Workload(NamedTuple):
    """Pictures that are read in turn: their names, and the files that all peers read."""

    name: str
    pictures: list[str]
    files: list[Path]


class Load(NamedTuple):
    """Numbers of clients, counted rounds, seconds of each turn and of the first, uncounted one."""

    clients: Sequence[int]
    rounds: int
    seconds: float
    warm_up: float


@dataclass
class Started:
    """A peer that runs, and what was measured of it by workload and clients."""

    peer: Peer
    running: Running
    runs: dict[tuple[str, int], list[Run]] = field(default_factory=dict)
    memory_mib: dict[tuple[str, int], float] = field(default_factory=dict)
    lines: dict[str, list[Sequence[Read]]] = field(default_factory=dict)


class Rounds:
    """All peers that run; one that fails is left out, and a note says why."""

    def __init__(self, workloads: Sequence[Workload], load: Load) -> None:
        self.workloads, self.load = workloads, load
        self.started: list[Started] = []
        self.notes: list[str] = []

    def run(self, peers: Sequence[Peer], args: argparse.Namespace) -> None:
        """Start all, measure all, stop all; errors of ours are raised."""
        with contextlib.ExitStack() as opened:
            for peer in peers:
                if any(map(peer.clients, self.load.clients)):
                    with self._without(peer):
                        logger.info("starting %s: %s", peer.name, peer.setting)
                        running = opened.enter_context(peer.start(args))
                        self.started.append(Started(peer, running))
            for one in list(self.started):
                with self._without(one.peer):
                    for workload in self.workloads:
                        one.lines[workload.name] = list(map(one.running.ask, workload.files))
            for number in tqdm(range(self.load.rounds + 1), unit="round", disable=None):
                turns = product(self.workloads, self.load.clients, list(self.started))
                for workload, clients, one in turns:
                    if one in self.started and one.peer.clients(clients):
                        with self._without(one.peer):
                            self._turn(one, workload, clients, counted=number > 0)

    def _turn(self, one: Started, workload: Workload, clients: int, *, counted: bool) -> None:
        """Measure speed where it counts; memory where it does not, since looking takes time."""
        files, key = workload.files, (workload.name, clients)
        with contextlib.ExitStack() as stack:
            pids = [] if counted else one.running.pids
            watches = [stack.enter_context(Watch(pid)) for pid in pids]
            run = closed_loop(
                lambda number: one.running.ask(files[number % len(files)]),
                one.peer.clients(clients),
                seconds=self.load.seconds if counted else self.load.warm_up,
                items=len(files),
            )
        if counted:
            one.runs.setdefault(key, []).append(run)
        else:
            one.memory_mib[key] = sum(watch.memory_mib or 0.0 for watch in watches)

    @contextlib.contextmanager
    def _without(self, peer: Peer) -> Iterator[None]:
        """Leave the peer out from the moment it fails, unless it is ours."""
        try:
            yield
        except (BenchError, OcrError) as error:
            if peer.ours is not None:
                raise
            self.notes.append(f"{peer.name} is left out: {error}")
            logger.warning(self.notes[-1])
            self.started = [one for one in self.started if one.peer is not peer]

    def rows(self) -> list[dict[str, Any]]:
        """Each peer under each load; `times_LABEL` is the throughput of ours over it."""
        rows = []
        for workload, clients in product(self.workloads, self.load.clients):
            measured = [one for one in self.started if (workload.name, clients) in one.runs]
            found = [figures(one, workload, clients) for one in measured]
            ours = {
                f"times_{one.peer.ours}": row["pictures_per_second"]
                for one, row in zip(measured, found, strict=True)
                if one.peer.ours is not None and one.peer.reads
            }
            for row in found:
                speed = row["pictures_per_second"]
                rows.append(row | {times: mine / speed for times, mine in ours.items()})
        return rows

    def readings(self) -> list[dict[str, Any]]:
        """What each peer reads beside what ours reads, which is started first."""
        return [
            {"peer": one.peer.name, "workload": workload.name}
            | reading(one.lines[workload.name], self.started[0].lines[workload.name])
            for workload, one in product(self.workloads, self.started)
            if one.peer.reads
        ]


def figures(one: Started, workload: Workload, clients: int) -> dict[str, Any]:
    """One peer under one load: the median of its rounds, and latencies of all of them."""
    runs = one.runs[workload.name, clients]
    times = [seconds for run in runs for seconds in run.latencies()]
    return {
        "workload": workload.name,
        "load": f"{workload.name}, {clients} client{'s' if clients > 1 else ''}",
        "peer": one.peer.name,
        "clients": clients,
        "pictures_per_second": median(run.per_second for run in runs),
        "rounds": [run.per_second for run in runs],
        "requests": len(times),
        "p50_ms": percentile_ms(times, 50),
        "p99_ms": percentile_ms(times, 99),
        "memory_mib": one.memory_mib[workload.name, clients],
    }


def reading(found: Sequence[Sequence[Read]], ours: Sequence[Sequence[Read]]) -> dict[str, Any]:
    """What a peer reads beside what ours reads; lines for each picture.

    `equal` are our lines that it reads with the same text at the same place; `cer_percent` are
    edits from our texts to its own, spaces aside, in characters of ours.
    """
    counts = list(map(compare, ours, found))
    characters = sum(one.folded_characters for one in counts)
    return {
        "lines": sum(map(len, found)),
        "equal": sum(one.exact for one in counts),
        "ours": sum(map(len, ours)),
        "cer_percent": 100 * sum(one.folded_errors for one in counts) / max(1, characters),
    }
