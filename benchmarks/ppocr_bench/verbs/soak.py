"""Hours of mixed requests; answers stay right, memory, files and latency stay flat.

Clients read pictures of all sizes, one of 26 MB among them, find lines, read given ones, send what
cannot be read, give up and connect anew. Every answer has to be, to the byte, the one got alone
before. Medians of the first and the last third are compared, after the first quarter of the time.
At the end there may be so much more than at first as BOUNDS allow: 5 % and 64 MiB of memory, 12
files, 6 threads, half the latency. Of a server at --url, memory, files and threads are seen with
--pid only.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any, NamedTuple

from ppocr_bench.errors import BenchError
from ppocr_bench.load import closed_loop
from ppocr_bench.options import at_least, positive
from ppocr_bench.pictures import gather, picture_options
from ppocr_bench.processes import Snapshot, Watch
from ppocr_bench.record import Answer, Chart, Result, Table
from ppocr_bench.target import PID, TARGET, connected, serving
from ppocr_bench.verbs.soak_workload import Outcome, prepare

SNAPSHOTS, SHORTEST = 240, 1.0  # in all, and seconds between two of them at the least
SLICES = 60  # into which the time is cut for latencies
#: The share of the time in which caches and arenas may fill, which is not judged.
WARM_UP = 0.25
SHOWN = 20  # faults that are listed
OPTIONS = {
    **TARGET,
    **picture_options(2),
    **PID,
    "--minutes": (positive, 60.0, "how long"),
    "--clients": (at_least(1), 4, "at the same time"),
}


class Bound(NamedTuple):
    """How much more of a figure there may be at the end: a share of the first, and some beside."""

    name: str
    unit: str
    share: float
    more: float

    def __str__(self) -> str:
        parts = [f"{self.share:.0%}"] if self.share else []
        parts += [f"{self.more:g} {self.unit}".strip()] if self.more else []
        return f"{self.name.removesuffix('_mib')} {' and '.join(parts) or '0'}"


BOUNDS = (
    Bound("memory_mib", "MiB", 0.05, 64),
    # A region grows by 16 MiB the first time it holds as much at once, which may be late.
    Bound("shared_mib", "MiB", 0.05, 64),
    Bound("regions", "", 0, 0),
    Bound("files", "", 0, 12),
    Bound("threads", "", 0, 6),
    Bound("latency", "", 0.5, 0),
)
ALLOWED = "; ".join(map(str, BOUNDS))
CHARTS = (
    Chart(
        "lines", "snapshots", "minutes", ["memory_mib", "shared_mib"], "Memory of all processes."
    ),
    Chart("lines", "snapshots", "minutes", ["files", "threads", "regions"], "What they have open."),
    Chart(
        "lines", "latency", "minutes", ["latency"], "Latency, in times of each picture's median."
    ),
)


def run(args: argparse.Namespace) -> Result:
    """Keep the server busy and watch it."""
    pictures, seconds = gather(args), args.minutes * 60
    with serving(args) as found:
        with connected(found.urls[0]) as transport:
            workload = prepare(transport, found.urls, pictures, args.clients)
        every = max(SHORTEST, seconds / SNAPSHOTS)
        with workload, Watch(found.pid, every=every) as watch:

            def send(number: int) -> Outcome:
                watch.check()
                return workload.send(number)

            load = closed_loop(send, args.clients, seconds=seconds)
    faults = [one.value.fault for one in load.answers if one.value.fault]
    faults += lost_processes(watch.snapshots)
    counts = Counter(one.value.kind for one in load.answers)
    settings = {
        "minutes": args.minutes,
        "clients": args.clients,
        "counts": dict(sorted(counts.items())),
    }
    return judge(watch.snapshots, relative_latencies(load.answers), faults, settings)


def relative_latencies(answers: Sequence[Answer], slices: int = SLICES) -> list[float]:
    """The median latency of each slice of the time, in times of each picture's own median.

    Slices are of even length; those without an answer are left out.
    """
    reads = sorted(
        (one.answered, one.value.picture, one.seconds) for one in answers if one.value.picture
    )
    own: dict[str, list[float]] = {}
    for _, picture, seconds in reads:
        own.setdefault(picture, []).append(seconds)
    usual = {picture: median(seconds) for picture, seconds in own.items()}
    parts: list[list[float]] = [[] for _ in range(slices)]
    for at, picture, seconds in reads:
        index = int((at - reads[0][0]) / max(1e-9, reads[-1][0] - reads[0][0]) * slices)
        parts[min(index, slices - 1)].append(seconds / usual[picture])
    return [median(part) for part in parts if part]


def lost_processes(snapshots: Sequence[Snapshot]) -> list[str]:
    """Processes that were there at the first snapshot and are gone at a later one."""
    gone: dict[int, float] = {}
    for later in snapshots[1:]:
        for pid in set(snapshots[0].processes) - set(later.processes):
            gone.setdefault(pid, later.seconds)
    said = "process {} of the server ended within the first {:.0f} s"
    return [said.format(pid, seconds) for pid, seconds in gone.items()]


def verdict(bound: Bound, values: Sequence[float]) -> dict[str, Any]:
    """The median of the last third beside that of the first, of what comes after the warm-up."""
    kept = values[round(WARM_UP * len(values)) :]
    third = len(kept) // 3
    if not third:
        raise BenchError(
            f"only {len(values)} values of {bound.name} were seen, which is too few to judge; "
            "allow more --minutes"
        )
    first, last = median(kept[:third]), median(kept[-third:])
    allowed = first * (1 + bound.share) + bound.more
    ends = {"first_third": first, "last_third": last, "allowed": allowed, "flat": last <= allowed}
    return {"figure": bound.name, "unit": bound.unit, **ends}


def judge(
    snapshots: Sequence[Snapshot],
    latency: Sequence[float],
    faults: Sequence[str],
    settings: Mapping[str, Any],
) -> Result:
    """It passes where every answer was right and every figure stayed flat."""
    names = [bound.name for bound in BOUNDS if snapshots and bound.name != "latency"]
    columns = {"latency": latency} | {
        name: [getattr(one, name) for one in snapshots] for name in names
    }
    verdicts = [verdict(bound, columns[bound.name]) for bound in BOUNDS if bound.name in columns]
    step = settings["minutes"] / max(1, len(latency))
    slices = [{"minutes": (i + 0.5) * step, "latency": value} for i, value in enumerate(latency)]
    sent = ", ".join(f"{count} {kind}" for kind, count in settings["counts"].items())
    return Result(
        f"{settings['minutes']:g} minutes, {settings['clients']} clients, "
        f"{sum(settings['counts'].values())} requests ({sent}), {len(faults)} faults; allowed are "
        f"{ALLOWED} more at the end, after the first {WARM_UP:.0%}",
        ok=not faults and all(one["flat"] for one in verdicts),
        settings={**settings, "faults": len(faults)},
        tables={
            "verdicts": Table(verdicts, list(verdicts[0])),
            "snapshots": Table([{"minutes": s.seconds / 60, **s._asdict()} for s in snapshots]),
            "latency": Table(slices),
        },
        charts=CHARTS,
        notes=faults[:SHOWN],
    )
