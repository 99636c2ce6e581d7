"""Let the peers take turns, round after round."""

from __future__ import annotations

import argparse
import contextlib
import logging
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ppocr_bench.accuracy.metrics import Read, compare
from ppocr_bench.errors import BenchError
from ppocr_bench.load import closed_loop, in_turns
from ppocr_bench.peers.children import Peer, Running
from ppocr_bench.processes import process_snapshot
from ppocr_bench.record import Run, summarise
from ppocr_client.errors import OcrError

logger = logging.getLogger(__name__)


class Rounds:
    """All peers that run; one that fails is left out, and a note says why.

    Attributes:
        running: those that did not fail, in the order in which they were started.
        notes: why others are left out.
    """

    def __init__(self, files: Sequence[Path], args: argparse.Namespace) -> None:
        """Take the pictures that are read in turn, and what `peers` was given."""
        self._files, self._args = files, args
        self.running: dict[Peer, Running] = {}
        self.notes: list[str] = []
        self._lines: dict[Peer, list[Sequence[Read]]] = {}
        self._memory: dict[Peer, float] = {}
        self._runs: dict[tuple[Peer, int], list[Run | None]] = {}

    def run(self, peers: Sequence[Peer]) -> None:
        """Start all, measure all, stop all; errors of ours are raised."""
        with contextlib.ExitStack() as opened:
            for peer in peers:
                with self._without(peer):
                    logger.info("starting %s: %s", peer.name, peer.setting)
                    self.running[peer] = opened.enter_context(peer.start())
                    self._lines[peer] = list(map(self.running[peer].ask, self._files))
            cases = [(peer, clients) for clients in self._args.clients for peer in self.running]
            turns = {case: partial(self._turn, *case) for case in cases}
            self._runs = in_turns(turns, self._args.rounds, warm_up=1)
            for peer, running in list(self.running.items()):
                with self._without(peer):
                    held = [process_snapshot(pid).memory_mib for pid in running.pids]
                    self._memory[peer] = sum(held)

    def _turn(self, peer: Peer, clients: int) -> Run | None:
        """One load on a peer, unless it has failed."""
        run, files = None, self._files
        if peer not in self.running:
            return None
        ask, seconds = self.running[peer].ask, self._args.seconds
        with self._without(peer):

            def send(number: int) -> object:
                return ask(files[number % len(files)])

            run = closed_loop(send, clients, seconds=seconds, items=len(files))
        return run  # noqa: RET504  # None where the peer failed

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
            self.running.pop(peer, None)

    def rows(self) -> list[dict[str, Any]]:
        """Each peer under each load; `times_NAME` is the throughput of ours over it."""
        rows: list[dict[str, Any]] = []
        ours: dict[int, dict[str, float]] = {}
        for (peer, clients), runs in self._runs.items():
            if peer in self.running:
                found = summarise([run for run in runs if run is not None])
                where = {"peer": peer.name, "clients": clients}
                rows.append({**where, **found, "memory_mib": self._memory[peer] or None})
                mine = ours.setdefault(clients, {})
                mine |= {} if peer.ours is None else {peer.ours: found["pictures_per_second"]}
        for row in rows:
            for label, speed in ours[row["clients"]].items():
                row[f"times_{label}"] = speed / row["pictures_per_second"]
        return rows

    def readings(self) -> list[dict[str, Any]]:
        """What each peer reads beside what ours reads, which is started first."""
        ours = self._lines[next(iter(self.running))]
        read = {peer.name: self._lines[peer] for peer in self.running}
        return [{"peer": name, **reading(one, ours)} for name, one in read.items() if any(one)]


def reading(found: Sequence[Sequence[Read]], ours: Sequence[Sequence[Read]]) -> dict[str, Any]:
    """What a peer reads beside what ours reads; lines for each picture.

    `equal` are our lines that it reads with the same text at the same place; `cer_percent` are
    edits from our texts to its own, spaces aside, in characters of ours.
    """
    counts = list(map(compare, ours, found))
    characters = sum(one["folded_characters"] for one in counts)
    return {
        "lines": sum(map(len, found)),
        "equal": sum(one["exact"] for one in counts),
        "ours": sum(map(len, ours)),
        "cer_percent": 100 * sum(one["folded_errors"] for one in counts) / max(1, characters),
    }
