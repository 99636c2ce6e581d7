"""Let the peers take turns, round after round."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ppocr_bench.errors import BenchError
from ppocr_bench.metrics import compare
from ppocr_bench.peers.load import Measured, keep_busy
from ppocr_bench.peers.peer import Line, Materials, Peer, Running
from ppocr_bench.peers.result import Peers, Reading, Row
from ppocr_bench.usage import Watch
from ppocr_client.errors import OcrError

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Workload:
    """Pictures that are read in turn; `numbers` are theirs among those of all workloads."""

    name: str
    pictures: list[str]
    numbers: range


@dataclass(frozen=True)
class Load:
    """How much is asked for, and for how long.

    Attributes:
        clients: numbers of requests under way at any time.
        rounds: that are counted.
        seconds: of each turn, at least.
        warm_up: seconds of the first turn, which is not counted.
    """

    clients: Sequence[int]
    rounds: int
    seconds: float
    warm_up: float


@dataclass
class Up:
    """A peer that is up, and what was seen of it by workload and clients."""

    peer: Peer
    running: Running
    measured: dict[tuple[str, int], list[Measured]] = field(default_factory=dict)
    pss_mib: dict[tuple[str, int], float] = field(default_factory=dict)
    lines: dict[str, list[list[Line]]] = field(default_factory=dict)


class Turns:
    """All peers with what was measured of them; one that fails is left out, and a note says why."""

    def __init__(self, peers: Sequence[Peer], workloads: Sequence[Workload], load: Load) -> None:
        self.workloads, self.load = workloads, load
        self.peers = [peer for peer in peers if any(map(peer.clients, load.clients))]
        self.up: list[Up] = []
        self.notes: list[str] = []

    def take(self, materials: Materials) -> None:
        """Start all, measure all, stop all.

        Raises:
            BenchError, OcrError, ServerError: ours failed.
        """
        from tqdm import tqdm

        with contextlib.ExitStack() as opened:
            for peer in self.peers:
                with self._without(peer):
                    logger.info("starting %s: %s", peer.name, peer.setting)
                    self.up.append(Up(peer, opened.enter_context(peer.start(materials))))
            with self._progress(tqdm) as progress:
                for up in list(self.up):
                    with self._without(up.peer):
                        self._read(up)
                for number in range(self.load.rounds + 1):
                    for workload, clients, up in self._turns():
                        progress.set_postfix_str(f"{up.peer.name}, {clients} clients")
                        with self._without(up.peer):
                            self._turn(up, workload, clients, counted=number > 0)
                        progress.update()

    def _progress(self, tqdm: Any) -> Any:
        total = (self.load.rounds + 1) * len(list(self._turns()))
        return tqdm(total=total, unit="turn", disable=None)

    def _turns(self) -> Iterator[tuple[Workload, int, Up]]:
        """One round: the peers beside each other under each load."""
        for workload in self.workloads:
            for clients in self.load.clients:
                for up in list(self.up):
                    if up in self.up and up.peer.clients(clients):
                        yield workload, clients, up

    def _read(self, up: Up) -> None:
        for workload in self.workloads:
            answers = [up.running.ask(number) for number in workload.numbers]
            up.lines[workload.name] = [list(up.running.lines(answer)) for answer in answers]

    def _turn(self, up: Up, workload: Workload, clients: int, *, counted: bool) -> None:
        """Measure speed where it counts; memory where it does not, since looking takes time."""
        key = workload.name, clients
        watches = [] if counted else [Watch(pid, None).start() for pid in up.running.pids]
        try:
            measured = keep_busy(
                lambda index: up.running.ask(workload.numbers[index]),
                len(workload.numbers),
                up.peer.clients(clients),
                self.load.seconds if counted else self.load.warm_up,
            )
        finally:
            usages = [watch.stop() for watch in watches]
        if counted:
            up.measured.setdefault(key, []).append(measured)
        else:
            up.pss_mib[key] = sum(usage.pss_mib or 0.0 for usage in usages)

    @contextlib.contextmanager
    def _without(self, peer: Peer) -> Iterator[None]:
        """Leave the peer out from the moment it fails, unless it is ours."""
        try:
            yield
        except (BenchError, OcrError) as error:
            if peer.ours is not None:
                raise
            note = f"{peer.name} is left out: {error}"
            logger.warning("%s", note)
            self.notes.append(note)
            self.up = [up for up in self.up if up.peer is not peer]

    def result(self, machine: dict[str, Any], labels: dict[str, str], seconds: float) -> Peers:
        """What was measured."""
        settings: dict[str, list[str]] = {}
        for up in self.up:
            settings.setdefault(up.peer.name, []).append(up.peer.setting)
        return Peers(
            machine,
            labels,
            settings,
            {up.peer.name: up.running.versions for up in self.up},
            {workload.name: workload.pictures for workload in self.workloads},
            [row for workload in self.workloads for row in self._rows(workload.name)],
            [
                reading(workload.name, up.peer.name, up.lines[workload.name], ours)
                for workload in self.workloads
                for ours in [self.up[0].lines[workload.name]]
                for up in self.up
                if up.peer.reads
            ],
            self.notes,
            seconds,
        )

    def _rows(self, workload: str) -> Iterator[Row]:
        for clients in self.load.clients:
            for up in self.up:
                measured = up.measured.get((workload, clients), [])
                if measured:
                    by_picture = zip(*(turn.latencies for turn in measured), strict=True)
                    yield Row(
                        workload,
                        up.peer.name,
                        clients,
                        [turn.per_second for turn in measured],
                        [[time for turn in turns for time in turn] for turns in by_picture],
                        up.pss_mib[workload, clients],
                    )


def reading(
    workload: str, peer: str, found: Sequence[list[Line]], ours: Sequence[list[Line]]
) -> Reading:
    """What a peer reads beside what ours reads; a list of lines for each picture."""
    lines = equal = characters = errors = 0
    for mine, theirs in zip(ours, found, strict=True):
        counts = compare(boxes(mine), texts(mine), boxes(theirs), texts(theirs))
        lines += len(theirs)
        equal += counts.exact
        errors += counts.folded_errors
        characters += counts.folded_characters
    total = sum(map(len, ours))
    return Reading(workload, peer, lines, equal, total, errors / max(1, characters))


def boxes(lines: Sequence[Line]) -> list[np.ndarray]:
    """float32 [4, 2] of each line."""
    return [np.array(line.box, np.float32) for line in lines]


def texts(lines: Sequence[Line]) -> list[str]:
    """The text of each line."""
    return [line.text for line in lines]
