"""Throughput and latency under rising load: so many requests under way at any time.

Every load on every protocol has its turn in each round. `paddle-rpc` and `paddle-http` are the old
ports of Paddle Serving; where they are measured, the others are asked with the options that the old
ports set. `gateway` is plain HTTP. `front cpu` is the processor time of a request in the process
that answers these, `client cpu` that of its client. With --blank there is next to nothing to read,
so that a port's own work shows.
"""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict
from collections.abc import Sequence
from concurrent.futures import Executor
from functools import partial
from itertools import product

from ppocr_bench.clients import Load, Turn, client_processes, steps, take
from ppocr_bench.load import in_turns
from ppocr_bench.machine import merge
from ppocr_bench.options import list_of, one_of
from ppocr_bench.pictures import blank, gather, picture_options
from ppocr_bench.record import OK, BenchError, Chart, Result, Row, Table, summarise
from ppocr_bench.target import FRONTS, OLD_PORTS, PID, TARGET, Serving, serving
from ppocr_client.commands.argument_types import above_zero, at_least
from ppocr_client.errors import OcrError
from ppocr_engine.machine import available_cores
from ppocr_server.paddle_serving.settings import PADDLE_SERVING_OPTIONS

PROTOCOLS = ("grpc", "http", *FRONTS)
CONCURRENCY = [1, 2, 4, 6, 8, 12, 16]
PERCENTILES = (50, 80, 90, 99)
SERVER = "tritonserver"  # its own process
NETWORKS = ("det", "rec", "cls")
CHOICES = (list_of(one_of(PROTOCOLS)), ["grpc", "http"])
OPTIONS = {
    **TARGET,
    **picture_options(0),
    **PID,
    "--metrics-url": (str, None, "Triton's metrics, with --url: steps and GPUs", "URL"),
    "--protocol": (*CHOICES, f"of the server started here: {', '.join(PROTOCOLS)}", "NAME,…"),
    "--blank": (bool, False, "one white picture of 32x32 in place of all others"),
    "--concurrency": (list_of(at_least(1)), CONCURRENCY, "requests under way", "N,…"),
    "--seconds": (above_zero, 5.0, "of a turn"),
    "--rounds": (at_least(1), 3, "of all loads in turn"),
}
POINT_KEYS = ["protocol", "concurrency", "pictures_per_second", "rounds"]
POINT_KEYS += [*(f"p{percent}_ms" for percent in PERCENTILES), "requests"]
POINT_KEYS += ["failed", "cores", "cpu_ms", "front_cpu_ms", "client_cpu_ms", "memory_mib"]
POINT_KEYS += ["gpu_percent", "gpu_memory_mib"]
STEP_KEYS = ["step", "calls", "batch", "queue_ms", "work_ms", "cpu_ms"]


def run(args: argparse.Namespace) -> Result:
    """Measure all points, in turns; it passes where every request was answered."""
    pictures = [blank()] if args.blank else gather(args)
    with serving(args, args.protocol) as found, client_processes() as pool:
        old = any(protocol_of(url) in OLD_PORTS for url in found.urls)
        options = dict(PADDLE_SERVING_OPTIONS) if old else {}
        loads = [Load(url, pictures, options) for url in found.urls]
        for load in loads:
            for clients in (1, max(args.concurrency)):  # nothing is cold when it is measured
                attempt(found, load, clients, 0.0, pool)
        cases = {
            (load.url, clients): partial(attempt, found, load, clients, args.seconds, pool)
            for load, clients in product(loads, args.concurrency)
        }
        turns = in_turns(cases, args.rounds)
    points = {case: point(protocol_of(case[0]), case[1], own) for case, own in turns.items()}
    best = max(points, key=lambda case: points[case].get("pictures_per_second", 0))
    most_per_second = points[best].get("pictures_per_second", 0)
    work, names = steps_of(turns[best]), [picture.name for picture in pictures]
    networks = sum(row["cpu_ms"] or 0 for row in work if row["step"] in NETWORKS)
    others = sum(row["cpu_ms"] or 0 for row in work) - networks
    said = (
        f"A page over {protocol_of(best[0])}, {best[1]} at once: {others:.1f} ms of processor time "
        f"outside the networks, {networks:.1f} in the processes of {', '.join(NETWORKS)}; rec "
        "works inside recognize"
    )
    dots = "Each dot is a load. Lower and further right is better."
    notes = [
        f"{one['protocol']}, {one['concurrency']} at once: {one['error']}"
        for one in points.values()
        if one["error"]
    ]
    return Result(
        f"at best {most_per_second:.2f} pictures/s",
        ok=not notes,
        settings={
            "cores": None if args.url else available_cores(),
            "pictures": names,
            "best": most_per_second,
        },
        tables={
            "points": Table(list(points.values()), POINT_KEYS, f"{', '.join(names)} in turn"),
            "steps": Table(work, STEP_KEYS if work else [], said),
        },
        charts=[Chart("points", "pictures_per_second", ["p50_ms", "p99_ms"], dots, "protocol")],
        notes=notes,
    )


def protocol_of(url: str) -> str:
    """The protocol of an address; BenchError where it is none that can be measured."""
    protocol, separator, _ = url.partition("://")
    if not separator or protocol not in PROTOCOLS:
        raise BenchError(f"--url {url}: write {' or '.join(PROTOCOLS)}, then ://HOST:PORT")
    return protocol


def attempt(found: Serving, load: Load, clients: int, seconds: float, pool: Executor) -> Turn | str:
    """One turn of a load; what fails is part of the result."""
    try:
        return take(found, load, clients, seconds, pool)
    except (BenchError, OcrError) as error:
        return str(error)


def point(protocol: str, concurrency: int, turns: Sequence[Turn | str]) -> Row:
    """A load on a protocol, all its rounds together."""
    where = {"protocol": protocol, "concurrency": concurrency}
    good = [one for one in turns if isinstance(one, Turn)]
    if len(good) < len(turns):
        return {**where, "error": next(one for one in turns if isinstance(one, str))}
    figures, held = summarise([one.run for one in good], PERCENTILES), merge([x.held for x in good])
    answers = [answer for one in good for answer in one.run.answers]
    failed = [answer for answer in answers if answer.status != OK]
    served = max(1, len(answers) - len(failed))
    used = sum(sum(one.run.cpu.values()) for one in good)
    more = {
        "error": f"{failed[0].status}: {failed[0].value.said}" if failed else None,
        "failed": len(failed) or None,
        "cpu_ms": used * 1e3 / served or None,
        "cores": used / sum(one.seconds for one in good) or None,
    }
    return {**where, **figures, **more, **{key: value or None for key, value in held.items()}}


def steps_of(turns: Sequence[Turn | str]) -> list[Row]:
    """What each step did for a picture in all rounds, and what the processes of each used."""
    good = [one for one in turns if isinstance(one, Turn)]
    served = max(1, sum(one.run.statuses[OK] for one in good))
    cpu: defaultdict[str, float] = defaultdict(float)
    counted: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for one in good:
        for name, seconds in one.run.cpu.items():
            cpu[name] += seconds * 1e3 / served
        for name, more in one.counted.items():
            counted[name].update(more)
    worked = steps(counted) if counted else {}
    return [
        {"step": name, **worked.get(name, {}), "cpu_ms": cpu.get(name)}
        for name in {**worked, **cpu}
        if name in worked or name == SERVER
    ]
