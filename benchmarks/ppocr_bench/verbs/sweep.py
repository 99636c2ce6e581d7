"""Throughput and latency under rising load, as Triton's perf_analyzer measures them."""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import tempfile
import time
from collections.abc import Iterable, Sequence
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

from tqdm import tqdm

from ppocr_bench.errors import BenchError
from ppocr_bench.load import closed_loop
from ppocr_bench.options import at_least, list_of, positive
from ppocr_bench.perf_analyzer import (
    AGREEING,
    Load,
    PerfAnalyzer,
    Windows,
    find_perf_analyzer,
    input_data,
    measure,
)
from ppocr_bench.pictures import Picture, gather, picture_options
from ppocr_bench.processes import Watch, cpu_since, cpu_snapshot, held_to
from ppocr_bench.record import Chart, Result, Table
from ppocr_bench.server_statistics import PIPELINE, Server, steps_between
from ppocr_bench.target import PID, TARGET, Serving, connected, infer, serving
from ppocr_engine.machine import available_cores

logger = logging.getLogger(__name__)

PROTOCOLS = ("grpc", "http")
CONCURRENCY = [1, 2, 4, 6, 8, 12, 16]
COUNTS, RATES = list_of(at_least(1)), list_of(positive)
OPTIONS = {
    **TARGET,
    **picture_options(0),
    **PID,
    "--concurrency": (COUNTS, None, "requests under way (default: 1,2,4,6,8,12,16)", "N,…"),
    "--request-rate": (RATES, [], "requests sent in a second, whatever the answers take", "R,…"),
    "--seconds": (positive, 5.0, "of a window"),
    "--windows": (at_least(AGREEING), 6, "measured until three in a row agree, at most", "N"),
    "--spread": (positive, 15.0, "by which those three may differ", "PERCENT"),
    "--perf-analyzer": (Path, None, "a binary of your own; else PATH's or one got once", "FILE"),
    "--cores": (at_least(1), None, "hold the started server to so many", "N"),
    "--label": (str, "as configured", "a name for this way of serving, for `report`"),
    "--distribution": (("constant", "poisson"), "constant", "of the intervals of a rate"),
    "--protocol": ((*PROTOCOLS, "both"), "both", "over which is measured"),
    "--metrics-url": (str, None, "Triton's metrics, with --url", "URL"),
}
POINT_KEYS = ["protocol", "load", "pictures_per_second", "mean_ms", "p50_ms", "p80_ms", "p90_ms"]
POINT_KEYS += ["p99_ms", "requests", "failures", "cores", "cpu_ms", "memory_mib", "gpu_percent"]
POINT_KEYS += ["gpu_memory_mib", "stable"]


class Bench(NamedTuple):
    """What every point is measured with; `data` is perf_analyzer's input file."""

    tool: PerfAnalyzer
    data: Path
    found: Serving
    server: Server
    picture: Picture


def run(args: argparse.Namespace) -> Result:
    """Measure one point after the other."""
    pictures, held = gather(args), server_cores(args)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ppocr-bench-")))
        (folder / "links").mkdir()
        tool = find_perf_analyzer(args.perf_analyzer, folder / "links")
        data = folder / "pictures.json"
        data.write_text(input_data([picture.data for picture in pictures]))
        with held_to(held):
            found = stack.enter_context(serving(args))
        urls = choose_urls(found.urls, args.protocol)
        server = stack.enter_context(contextlib.closing(Server(urls[0])))
        models, bench = server.models(), Bench(tool, data, found, server, pictures[0])
        measured = [measure_point(bench, *one) for one in plan(args, urls, pictures)]
    settings = {
        "label": args.label,
        "cores": None if args.url else args.cores or available_cores(),
        "models": models,
        "pictures": [picture.name for picture in pictures],
        "perf_analyzer": tool.version,
        "window_seconds": args.seconds,
    }
    return result(
        [point for point, _ in measured], [step for _, own in measured for step in own], settings
    )


def result(
    points: Sequence[dict[str, Any]], steps: Sequence[dict[str, Any]], settings: dict[str, Any]
) -> Result:
    """It passes where every request of every point was answered."""
    works, said = "cpu_ms", "of the processor by step, and waiting for instances"
    if not any(step[works] for step in steps):
        works, said = "work_ms", "working by step (`rec` inside `recognize`) and waiting"
    by_step: list[dict[str, Any]] = [
        {"at": point["at"], **{s["step"]: s.get(works) for s in steps if s["at"] == point["at"]}}
        | {"waiting": sum(s.get("queue_ms", 0) for s in steps if s["at"] == point["at"])}
        for point in points
    ]
    names = [*dict.fromkeys(step["step"] for step in steps), "waiting"]
    best = max((point.get("pictures_per_second", 0.0) for point in points), default=0.0)
    notes = [f"{p['at']}: windows did not agree" for p in points if p.get("stable") is False]
    caption = f"{settings['label']}: {', '.join(settings['pictures'])} in turn"
    return Result(
        f"{settings['label']}: at best {best:.2f} pictures/s",
        ok=not any(point["error"] or point["failures"] for point in points),
        settings={**settings, "best": best},
        tables={
            "points": Table(points, POINT_KEYS, caption),
            "steps": Table(steps),
            "by_step": Table(by_step, ["at", *names], f"Milliseconds a picture, {said}"),
        },
        charts=[
            Chart(
                *("lines", "points", "pictures_per_second", ["p50_ms", "p99_ms"]),
                "Each dot is a number of requests at once. Lower and further right is better.",
                series="protocol",
            ),
            Chart("stacked", "steps", "at", [works], "Of a picture, by step.", series="step"),
        ],
        notes=[*(f"{p['at']}: FAILED: {p['error']}" for p in points if p["error"]), *notes],
    )


def choose_urls(urls: Sequence[str], protocol: str) -> list[str]:
    """The addresses of the wanted protocols; BenchError where none is left or one is unknown."""
    for url in urls:
        if url.partition("://")[0] not in PROTOCOLS:
            raise BenchError(f"--url {url}: write grpc://HOST:PORT or http://HOST:PORT")
    chosen = [url for url in urls if protocol in ("both", url.partition("://")[0])]
    if not chosen:
        raise BenchError(f"--protocol {protocol}: none of {', '.join(urls)} speaks it")
    return chosen


def server_cores(args: argparse.Namespace) -> set[int] | None:
    """The first --cores of those that may be used; BenchError where there are fewer."""
    if args.cores is None:
        return None
    if args.url:
        raise BenchError("--cores is for a server started here; leave --url out")
    if args.cores > available_cores():
        raise BenchError(f"--cores {args.cores}: this machine lets us use {available_cores()}")
    return set(sorted(os.sched_getaffinity(0))[: args.cores])


def plan(
    args: argparse.Namespace, urls: Sequence[str], pictures: Sequence[Picture]
) -> Iterable[tuple[str, Load, Windows]]:
    """Every load on every protocol after a warm-up; what it will take is said."""
    concurrency = args.concurrency or ([] if args.request_rate else CONCURRENCY)
    loads = [Load(concurrency=number) for number in concurrency]
    loads += [Load(rate=rate, distribution=args.distribution) for rate in args.request_rate]
    throughput = warm_up(urls[0], pictures, max(concurrency, default=2))
    points = [
        (url, load, Windows(max(args.seconds, load.window(throughput)), args.windows, args.spread))
        for url, load in product(urls, loads)
    ]
    minutes = sum(AGREEING * windows.seconds for _, _, windows in points) / 60
    most = minutes * (1 + args.windows / AGREEING)
    said = "%d points, %.1f minutes; up to %.1f where windows do not agree"
    logger.info(said, len(points), minutes, most)
    return tqdm(points, unit="point", disable=None)


def warm_up(url: str, pictures: Sequence[Picture], clients: int) -> float:
    """Read every picture, then with as many clients as there will be; pictures a second."""
    count = len(pictures)
    with connected(url) as transport:

        def send(number: int) -> None:
            infer(transport, pictures[number % count].data)

        closed_loop(send, 1, requests=count)
        return closed_loop(send, clients, requests=max(2 * clients, count)).per_second


def measure_point(
    bench: Bench, url: str, load: Load, windows: Windows
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """One load on one protocol, and its steps; what fails is part of the result."""
    pid, server, measured, error = bench.found.pid, bench.server, {}, None
    with Watch(pid, bench.found.metrics_url) as watch:
        before, cpu, begin = server.totals(), cpu_snapshot(pid), time.monotonic()
        try:
            measured = measure(bench.tool, url, bench.data, load, windows)
        except BenchError as problem:
            error = str(problem)
        seconds = time.monotonic() - begin
    # Requests are served in their order: what the load left behind is done when this one is.
    with connected(url) as transport:
        infer(transport, bench.picture.data, timeout=600)
    after, used = server.totals(), cpu_since(pid, cpu)
    more = {key: after[PIPELINE][key] - before[PIPELINE][key] for key in ("failures", "requests")}
    cpu_ms = {name: taken * 1e3 / max(1, more["requests"]) for name, taken in used.items()}
    protocol, steps = url.partition("://")[0], steps_between(before, after)
    where = {"protocol": protocol, "load": str(load), "at": f"{protocol}, {load}"}
    rows = [
        {**where, "step": name, **steps.get(name, {}), "cpu_ms": cpu_ms.get(name)}
        for name in {**steps, **used}
        if name in steps or name == "tritonserver"
    ]
    point = {
        **where,
        "concurrency": load.concurrency,
        "rate": load.rate,
        **measured,
        "failures": more["failures"],
        "error": error,
        "cores": sum(used.values()) / seconds if used else None,
        "cpu_ms": sum(cpu_ms.values()) if used else None,
        "memory_mib": watch.memory_mib,
        **watch.gpus,
    }
    return point, rows
