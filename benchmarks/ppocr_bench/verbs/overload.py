"""Far more requests than can be served; the peak is kept, the rest refused at once.

The first picture is sent over gRPC: by clients that wait for their answers, which gives the peak,
then at a rate of so many times the peak, in turn. The sender needs cores too: with a small picture
on a small machine it takes them from the server.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from itertools import pairwise
from statistics import median
from typing import Any

from ppocr_bench.load import closed_loop, open_loop
from ppocr_bench.pictures import gather, picture_options
from ppocr_bench.record import OK, BenchError, Result, Row, Run, Table, percentile_ms
from ppocr_bench.target import PID, TARGET, sender, serving, told
from ppocr_client import OcrClient, OcrResult
from ppocr_client.commands.argument_types import above_zero, at_least

#: What a server with too much to do may answer.
REFUSALS = ("UNAVAILABLE", "RESOURCE_EXHAUSTED")
TIMEOUT = 120.0
#: Of the peak, that is to be left when far more is asked for.
KEPT = 0.9
#: Beside the time that the requests let in before need at the peak: what a page more takes, and
#: what a busy machine puts on top.
SLACK_SECONDS, SLACK = 3.0, 1.25
OPTIONS = {
    **TARGET,
    **picture_options(0),
    **PID,
    "--times": (above_zero, 10.0, "the peak is offered"),
    "--clients": (at_least(1), 8, "at the peak"),
    "--rounds": (at_least(1), 3, "of overload"),
    "--seconds": (above_zero, 10.0, "of each load"),
}


def run(args: argparse.Namespace) -> Result:
    """Peak and overload in turn."""
    picture = gather(args)[0]
    loads: list[dict[str, Any]] = []
    recoveries: list[dict[str, Any]] = []
    with serving(args) as found:
        url = next((url for url in found.urls if url.startswith("grpc://")), None)
        if url is None:
            raise BenchError("overload is measured over gRPC; name a --url grpc://HOST:PORT")
        expected, same = alone(url, picture.data), True
        with sender(url, [picture], timeout=TIMEOUT) as plain:
            send = told(plain)
            for number in range(args.rounds + 1):
                peak = closed_loop(send, args.clients, seconds=args.seconds, pid=found.pid)
                loads.append(figures("peak", peak))
                if number == args.rounds:
                    break
                rate = max(load["served_per_second"] for load in loads) * args.times
                lead = max(1.0, args.seconds / 4)
                over = open_loop(send, rate, args.seconds, lead=lead, pid=found.pid)
                loads.append(figures("overload", over))
                same &= alone(url, picture.data) == expected
                owed = sum(a.status == OK and a.sent <= over.end < a.answered for a in over.answers)
                recoveries.append({"seconds": time.monotonic() - over.end, "let_in_before": owed})
    return judge(loads, recoveries, same, {"picture": picture.name, "times": args.times})


def alone(url: str, data: bytes) -> OcrResult:
    """The answer to a single request."""
    with OcrClient(url, timeout=TIMEOUT, retries=0) as client:
        return client.read(data)


def figures(kind: str, load: Run) -> dict[str, Any]:
    """A load in figures; failures are all that ended neither with a result nor refused."""
    seconds = load.end - load.begin
    served, refused = load.latencies(), load.latencies(*REFUSALS)
    odd = {name: n for name, n in load.statuses.items() if name not in (OK, *REFUSALS)}
    sent = sum(load.begin <= answer.sent <= load.end for answer in load.answers)
    return {
        "load": kind,
        "offered_per_second": sent / seconds,
        "served_per_second": len(served) / seconds,
        "refused_per_second": len(refused) / seconds,
        "served_ms": percentile_ms(served, 50),
        "served_p99_ms": percentile_ms(served, 99),
        "refused_ms": percentile_ms(refused, 50),
        "refused_p99_ms": percentile_ms(refused, 99),
        "cpu_ms": load.cpu_ms,
        "failures": ", ".join(f"{n} {status}" for status, n in sorted(odd.items())) or "none",
    }


def judge(
    loads: Sequence[Row], recoveries: Sequence[Row], same: bool, settings: Mapping[str, Any]
) -> Result:
    """It passes with throughput kept, nothing but refusals, and right answers back at once."""
    peaks, over = (
        [load["served_per_second"] for load in loads if load["load"] == kind]
        for kind in ("peak", "overload")
    )
    around = [(before + after) / 2 for before, after in pairwise(peaks)]
    kept = median(load / peak for load, peak in zip(over, around, strict=True))
    allowed = [SLACK * one["let_in_before"] / median(peaks) + SLACK_SECONDS for one in recoveries]
    missed = any(one["seconds"] > most for one, most in zip(recoveries, allowed, strict=True))
    longest = max(recoveries, key=lambda one: one["seconds"])
    return Result(
        f"at {settings['times']:g} times the peak {kept:.0%} of it are served (median round, at "
        f"least {KEPT:.0%} are wanted); a single request is answered {longest['seconds']:.1f} s "
        f"after the load, behind {longest['let_in_before']} that had been let in"
        f"{', TOO LATE' if missed else ''}, {'as before' if same else 'OTHERWISE THAN BEFORE'}",
        ok=kept >= KEPT and same and not missed and all(one["failures"] == "none" for one in loads),
        settings={**settings, "kept": kept, "same": same},
        tables={
            "loads": Table(loads, list(loads[0]), "Peak and overload in turn"),
            "recoveries": Table(recoveries, list(longest), "A single request after each overload"),
        },
    )
