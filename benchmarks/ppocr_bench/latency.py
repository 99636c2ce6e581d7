"""latency: what one request takes, beside the bare networks on the same tensors."""

from __future__ import annotations

import argparse
import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from statistics import median, quantiles
from typing import Any

from ppocr_bench.arguments import at_least
from ppocr_bench.machine import describe, describe_lines
from ppocr_bench.pictures import add_picture_arguments, gather
from ppocr_bench.report import table
from ppocr_bench.target import add_target_arguments, target

BARE, BARE_SERIAL = "bare networks", "bare, one by one"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this verb."""
    add_target_arguments(parser)
    add_picture_arguments(parser, pages=1)
    parser.add_argument(
        "--rounds",
        type=at_least(1),
        default=15,
        help="how often each is timed (default: %(default)s)",
    )
    parser.add_argument(
        "--warm-up", type=at_least(0), default=3, help="rounds before that (default: %(default)s)"
    )


@dataclass(frozen=True)
class Timed:
    """One way of reading one picture.

    Attributes:
        picture: its name.
        way: which of the ways.
        lines: boxes that the recogniser is given.
        seconds: every time that was taken.
    """

    picture: str
    way: str
    lines: int
    seconds: list[float]

    @property
    def median(self) -> float:
        """Seconds."""
        return median(self.seconds)

    @property
    def best(self) -> float:
        """Seconds: the nearest to the true cost on a machine that others use too."""
        return min(self.seconds)

    @property
    def p90(self) -> float:
        """Seconds."""
        if len(self.seconds) < 2:
            return self.seconds[0]
        return quantiles(self.seconds, n=10, method="inclusive")[-1]


@dataclass(frozen=True)
class Latency:
    """The result; `machine` is what it was measured on, threads and instances are the server's."""

    machine: dict[str, Any]
    threads: dict[str, int]
    instances: dict[str, int]
    timed: list[Timed]

    @property
    def ok(self) -> bool:
        """Measuring is all there is to do."""
        return True

    def ways(self) -> list[str]:
        """The protocols that were asked, by name."""
        found = dict.fromkeys(row.way for row in self.timed)
        return [way for way in found if way not in (BARE, BARE_SERIAL)]

    def ratios(self, picture: str | None = None, *, best: bool = False) -> dict[str, float]:
        """For each protocol the request's time over that of the bare networks.

        Args:
            picture: only this one; else of all pictures together.
            best: of the shortest times, not of the medians.
        """
        sums = dict.fromkeys([*self.ways(), BARE], 0.0)
        for row in self.timed:
            if row.way in sums and picture in (None, row.picture):
                sums[row.way] += row.best if best else row.median
        return {way: sums[way] / sums[BARE] for way in self.ways()}

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON can hold it; times in seconds."""
        rows = [
            {**asdict(row), "best": row.best, "median": row.median, "p90": row.p90}
            for row in self.timed
        ]
        ratios = self.ratios()
        shares = {way: 1 - 1 / ratio for way, ratio in ratios.items()}
        setting = {"threads": self.threads, "instances": self.instances}
        overall = {
            "ratio": ratios,
            "not_inference": shares,
            "ratio_of_best": self.ratios(best=True),
        }
        return {"machine": self.machine, **setting, **overall, "timed": rows}

    def lines(self) -> list[str]:
        """One row for each picture and way, and the ratios of all pictures together."""
        rows = []
        for row in self.timed:
            ratio = self.ratios(row.picture).get(row.way)
            shown = ["", ""] if ratio is None else [f"{ratio:.2f}", f"{1 - 1 / ratio:.1%}"]
            times = [f"{time * 1e3:.1f}" for time in (row.best, row.median, row.p90)]
            rows.append([row.picture, str(row.lines), row.way, *times, *shown])
        head = [
            "picture",
            "lines",
            "way",
            "best ms",
            "median ms",
            "p90 ms",
            "ratio",
            "not inference",
        ]
        totals = [
            f"all pictures, {way}, {kind}: {ratio:.3f} times the bare networks, "
            f"{1 - 1 / ratio:.1%} of the time is not inference"
            for kind, ratios in (("medians", self.ratios()), ("best", self.ratios(best=True)))
            for way, ratio in ratios.items()
        ]
        setting = ", ".join(
            f"{name}: {self.instances[name]} instances of {self.threads[name]} threads"
            for name in self.threads
        )
        return [
            *describe_lines(self.machine),
            *table(head, rows),
            *totals,
            f"{setting}; bare networks: det, then as many rec batches at once as there are "
            "instances, on the very tensors of the picture",
        ]


def run(args: argparse.Namespace) -> Latency:
    """Time every way of reading every picture in turn, round after round."""
    from ppocr_bench.bare import Networks
    from ppocr_client import OcrClient

    pictures = gather(args)
    networks = Networks(args.repository)
    works = [networks.work_of(picture) for picture in pictures]
    with target(args) as urls, contextlib.ExitStack() as clients:
        connected = {url.partition("://")[0]: clients.enter_context(OcrClient(url)) for url in urls}
        calls: dict[tuple[int, str], Callable[[], object]] = {}
        for index, (picture, work) in enumerate(zip(pictures, works, strict=True)):
            for name, client in connected.items():
                calls[index, name] = partial(client.read, picture.data)
            calls[index, BARE] = partial(networks.as_served, work)
            calls[index, BARE_SERIAL] = partial(networks.one_by_one, work)
        seconds = time_in_turn(list(calls.values()), args.warm_up, args.rounds)
    timed = [
        Timed(pictures[index].name, way, works[index].lines, taken)
        for (index, way), taken in zip(calls, seconds, strict=True)
    ]
    return Latency(describe(), networks.threads, networks.instances, timed)


def time_in_turn(
    calls: Sequence[Callable[[], object]], warm_up: int, rounds: int
) -> list[list[float]]:
    """Seconds of each call in each round; what slows the machine for a while slows all alike."""
    from tqdm import tqdm

    taken: list[list[float]] = [[] for _ in calls]
    for number in tqdm(range(-warm_up, rounds), unit="round", disable=None):
        for times, call in zip(taken, calls, strict=True):
            begin = time.perf_counter()
            call()
            if number >= 0:
                times.append(time.perf_counter() - begin)
    return taken
