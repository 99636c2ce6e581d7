"""Let the peers take turns, round after round."""

from __future__ import annotations

import contextlib
import logging
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from tqdm import tqdm

from ppocr_bench.load import closed_loop
from ppocr_bench.machine import cpu_used, peak_memory_mib
from ppocr_bench.peers.children import Peer, Running
from ppocr_bench.pictures import Picture
from ppocr_bench.record import BenchError, JsonLines, percentile_ms
from ppocr_bench.scoring import compare, percent
from ppocr_client.errors import OcrError

logger = logging.getLogger(__name__)
#: What one turn measures, and what a row tells of several: the median.
MEASURED = ("pictures_per_second", "p50_ms", "p99_ms", "cpu_seconds")


class Rounds:
    """All peers that run; one that fails is left out, and a note says why.

    Attributes:
        notes: why others are left out.
        versions: of every peer that ran.
    """

    def __init__(
        self, pictures: Mapping[Path, Picture], seconds: float, kept: Path | None = None
    ) -> None:
        """Take the pictures by file, how long a turn takes, and where turns are kept."""
        self._pictures, self._seconds, self._files = pictures, seconds, list(pictures)
        self.notes: list[str] = []
        self.versions: dict[Peer, str] = {}
        self._running: dict[Peer, Running] = {}
        self._found: dict[Peer, dict[str, float]] = {}
        self._kept = JsonLines(kept, ["peer", "clients", *MEASURED])

    def run(self, peers: Sequence[Peer], clients: Sequence[int], rounds: int) -> None:
        """Start all, let each read all pictures, measure all, stop all; errors of ours are raised.

        The first turn of each warms it up and is not counted. Rounds that were kept count.
        """
        with contextlib.ExitStack() as opened:
            for peer in peers:
                with self._without(peer):
                    logger.info("starting %s: %s", peer.name, peer.setting)
                    begin = time.monotonic()
                    running = self._running[peer] = opened.enter_context(peer.start())
                    running.ask(self._files[0])
                    first = {"first_answer_s": time.monotonic() - begin}
                    self._found[peer] = {**first, **self._accuracy(running)}
                    versions = (f"{name} {one}" for name, one in running.versions.items())
                    self.versions[peer] = ", ".join(versions)
            cases = [
                (peer, number)
                for number in clients
                for peer in self._running
                if peer.alone in (None, number == 1)
            ]
            done = min((len(self._turns(peer.name, n)) for peer, n in cases), default=0)
            # The first round warms up.
            missing = [None, *range(done, rounds)] if done < rounds else []
            for number in tqdm(missing, unit="round", disable=None):
                for peer, count in cases:
                    self._turn(peer, count, counts=number is not None)
            for peer, running in list(self._running.items()):
                with self._without(peer):
                    peaks = [peak_memory_mib(pid) for pid in running.pids]
                    self._found[peer]["peak_memory_mib"] = sum(peaks)

    def _accuracy(self, running: Running) -> dict[str, float]:
        total = Counter[str]()
        for path, picture in self._pictures.items():
            total.update(compare(picture.truth or (), running.ask(path)))
        rates = percent(total)
        names = ("end_to_end_percent", "exact_percent", "cer_percent")
        return {name: rates[name] for name in names} if total["found_boxes"] else {}

    def _turn(self, peer: Peer, clients: int, *, counts: bool) -> None:
        """One load on a peer, unless it has failed."""
        files = self._files
        with self._without(peer):
            if peer not in self._running:
                return
            ask, pids, _ = self._running[peer]
            before = cpu_used(pids)

            def send(number: int) -> object:
                return ask(files[number % len(files)])

            run = closed_loop(send, clients, seconds=self._seconds, items=len(files))
            taken = run.latencies()
            figures = (
                run.per_second,
                *(percentile_ms(taken, percent) for percent in (50, 99)),
                (cpu_used(pids) - before) / len(run.answers),
            )
            if counts:
                row = {"peer": peer.name, "clients": clients}
                self._kept.add({**row, **dict(zip(MEASURED, figures, strict=True))})

    def _turns(self, name: str, clients: int) -> list[dict[str, Any]]:
        return [row for row in self._kept.rows if (row["peer"], row["clients"]) == (name, clients)]

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
            self._running.pop(peer, None)

    def rows(self) -> list[dict[str, Any]]:
        """Each peer under each load: medians of its rounds.

        `times` is our throughput over the peer's and `cpu_times` the peer's processor time of a
        picture over ours, in the median round: 1 is as good as the peer, and less is worse.
        """
        rows: list[dict[str, Any]] = []
        for clients in sorted({row["clients"] for row in self._kept.rows}):
            first: list[dict[str, Any]] = []
            for peer in self._running:
                turns = self._turns(peer.name, clients)
                if not turns or peer.alone not in (None, clients == 1):
                    continue
                first, found = first or turns, self._found[peer]
                right = found.get("end_to_end_percent")
                row = {"peer": peer.name, "clients": clients, "ours": peer.ours is not None}
                row |= {key: median(turn[key] for turn in turns) for key in MEASURED}
                row["rounds"] = [turn["pictures_per_second"] for turn in turns]
                row["times"] = ratio(first, turns, "pictures_per_second")
                row["cpu_times"] = ratio(turns, first, "cpu_seconds")
                row["label"] = peer.name + (f" ({right:.1f} %)" if right is not None else "")
                rows.append({**row, **found})
        return rows


def ratio(
    over: Sequence[Mapping[str, Any]], under: Sequence[Mapping[str, Any]], key: str
) -> float | None:
    """The median over the rounds of one figure divided by another, None where that is not known."""
    pairs = [(a[key], b[key]) for a, b in zip(over, under, strict=False) if b[key]]
    return median(a / b for a, b in pairs) if pairs else None
