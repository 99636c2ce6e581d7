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
from typing import Any

from ppocr_bench.errors import BenchError
from ppocr_bench.load import closed_loop
from ppocr_bench.options import at_least, positive
from ppocr_bench.pictures import gather, picture_options
from ppocr_bench.processes import Snapshot, Watch
from ppocr_bench.record import Answer, Chart, Result, Table
from ppocr_bench.soak_workload import Outcome, prepare
from ppocr_bench.target import PID, TARGET, connected, serving

SNAPSHOTS, SHORTEST = 240, 1.0  # in all, and seconds between two of them at the least
#: The share of the time in which caches and arenas may fill, which is not judged.
WARM_UP = 0.25
SHOWN = 20  # faults that are listed
#: How much more of each figure there may be at the end: a share of the first, and so many beside.
BOUNDS = {
    "memory_mib": (0.05, 64),
    # A region grows by 16 MiB the first time it holds as much at once, which may be late.
    "shared_mib": (0.05, 64),
    "regions": (0, 0),
    "files": (0, 12),
    "threads": (0, 6),
    "latency": (0.5, 0),
}
OPTIONS = {
    **TARGET,
    **picture_options(2),
    **PID,
    "--minutes": (positive, 60.0, "how long"),
    "--clients": (at_least(1), 4, "at the same time"),
}
CHARTS = [
    Chart("snapshots", "minutes", ["memory_mib", "shared_mib"], "Memory in all."),
    Chart("snapshots", "minutes", ["files", "threads", "regions"], "What is open."),
]


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
    return judge(watch.snapshots, relative_latencies(load.answers), faults, counts, args.minutes)


def relative_latencies(answers: Sequence[Answer]) -> list[float]:
    """The latency of each picture that was read, in order, in times of that picture's median."""
    reads = sorted((one for one in answers if one.value.picture), key=lambda one: one.answered)
    own: dict[str, list[float]] = {}
    for one in reads:
        own.setdefault(one.value.picture, []).append(one.seconds)
    usual = {picture: median(seconds) for picture, seconds in own.items()}
    return [one.seconds / usual[one.value.picture] for one in reads]


def lost_processes(snapshots: Sequence[Snapshot]) -> list[str]:
    """Processes that were there at the first snapshot and are gone at a later one."""
    gone: dict[int, float] = {}
    for later in snapshots[1:]:
        for pid in set(snapshots[0].processes) - set(later.processes):
            gone.setdefault(pid, later.seconds)
    said = "process {} of the server ended within the first {:.0f} s"
    return [said.format(pid, seconds) for pid, seconds in gone.items()]


def verdict(figure: str, values: Sequence[float]) -> dict[str, Any]:
    """The median of the last third beside that of the first, of what comes after the warm-up."""
    kept = values[round(WARM_UP * len(values)) :]
    third = len(kept) // 3
    if not third:
        said = f"only {len(values)} values of {figure} were seen, which is too few to judge"
        raise BenchError(f"{said}; allow more --minutes")
    (share, more), first, last = BOUNDS[figure], median(kept[:third]), median(kept[-third:])
    ends = {"first_third": first, "last_third": last, "allowed": first * (1 + share) + more}
    return {"figure": figure, **ends, "flat": last <= ends["allowed"]}


def judge(
    snapshots: Sequence[Snapshot],
    latency: Sequence[float],
    faults: Sequence[str],
    counts: Mapping[str, int],
    minutes: float,
) -> Result:
    """It passes where every answer was right and every figure stayed flat."""
    seen = {name: [getattr(one, name) for one in snapshots] for name in BOUNDS if name != "latency"}
    values = {"latency": latency} | (seen if snapshots else {})
    verdicts = [verdict(figure, values[figure]) for figure in BOUNDS if figure in values]
    sent = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
    return Result(
        f"{minutes:g} minutes, {sum(counts.values())} requests ({sent}), {len(faults)} faults; "
        f"compared are the first and the last third, after the first {WARM_UP:.0%}",
        ok=not faults and all(one["flat"] for one in verdicts),
        settings={"counts": dict(counts), "faults": len(faults)},
        tables={
            "verdicts": Table(verdicts, list(verdicts[0])),
            "snapshots": Table([{"minutes": s.seconds / 60, **s._asdict()} for s in snapshots]),
        },
        charts=CHARTS,
        notes=faults[:SHOWN],
    )
