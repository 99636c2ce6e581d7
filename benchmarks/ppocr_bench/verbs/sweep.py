"""Throughput and latency under rising load: so many requests under way, or sent at a rate."""

from __future__ import annotations

import argparse
import contextlib
import os
import time
from collections.abc import Sequence
from itertools import product
from statistics import fmean
from typing import Any, NamedTuple

from tqdm import tqdm

from ppocr_bench.errors import BenchError
from ppocr_bench.load import closed_loop, open_loop
from ppocr_bench.options import at_least, list_of, positive
from ppocr_bench.pictures import Picture, gather, picture_options
from ppocr_bench.processes import Watch, held_to
from ppocr_bench.record import OK, Chart, Result, Run, Table, percentile_ms
from ppocr_bench.server_statistics import PIPELINE, Server, steps_between
from ppocr_bench.target import PID, TARGET, Serving, sender, serving
from ppocr_client.errors import OcrError
from ppocr_engine.machine import available_cores

PROTOCOLS = ("grpc", "http")
CONCURRENCY = [1, 2, 4, 6, 8, 12, 16]
PERCENTILES = (50, 80, 90, 99)
COUNTS, RATES = list_of(at_least(1)), list_of(positive)
OPTIONS = {
    **TARGET,
    **picture_options(0),
    **PID,
    "--concurrency": (COUNTS, None, "requests under way (default: 1,2,4,6,8,12,16)", "N,…"),
    "--request-rate": (RATES, [], "requests sent in a second, whatever the answers take", "R,…"),
    "--distribution": (("constant", "poisson"), "constant", "of the intervals of a rate"),
    "--seconds": (positive, 5.0, "of a window"),
    "--windows": (at_least(1), 3, "of each load, one after the other", "N"),
    "--spread": (positive, 15.0, "by which their throughputs may differ", "PERCENT"),
    "--cores": (at_least(1), None, "hold the started server to so many", "N"),
    "--label": (str, "as configured", "a name for this way of serving, for `report`"),
    "--protocol": ((*PROTOCOLS, "both"), "both", "over which is measured"),
    "--metrics-url": (str, None, "Triton's metrics, with --url", "URL"),
}
POINT_KEYS = ["protocol", "load", "pictures_per_second", "mean_ms"]
POINT_KEYS += [*(f"p{percent}_ms" for percent in PERCENTILES), "requests", "failures", "cores"]
POINT_KEYS += ["cpu_ms", "memory_mib", "gpu_percent", "gpu_memory_mib", "stable"]
Row = dict[str, Any]


class Load(NamedTuple):
    """So many requests at any time, or so many sent in a second."""

    concurrency: int | None = None
    rate: float | None = None

    def __str__(self) -> str:
        return f"{self.concurrency} at once" if self.rate is None else f"{self.rate:g}/s"


def run(args: argparse.Namespace) -> Result:
    """Measure one point after the other."""
    pictures, held = gather(args), server_cores(args)
    concurrency = args.concurrency or ([] if args.request_rate else CONCURRENCY)
    loads = [*map(Load, concurrency), *(Load(rate=rate) for rate in args.request_rate)]
    with contextlib.ExitStack() as stack:
        with held_to(held):
            found = stack.enter_context(serving(args))
        urls = choose_urls(found.urls, args.protocol)
        server = stack.enter_context(contextlib.closing(Server(urls[0])))
        models = server.models()
        with sender(urls[0], pictures) as send:
            closed_loop(send, 1, requests=len(pictures))
            most = max(concurrency, default=2)
            closed_loop(send, most, requests=max(2 * most, len(pictures)))
        bar = tqdm(list(product(urls, loads)), unit="point", disable=None)
        measured = [measure(args, found, server, url, pictures, load) for url, load in bar]
    settings = {
        "label": args.label,
        "cores": None if args.url else args.cores or available_cores(),
        "models": models,
        "pictures": [picture.name for picture in pictures],
        "window_seconds": args.seconds,
    }
    return result(
        [point for point, _ in measured], [step for _, own in measured for step in own], settings
    )


def result(points: Sequence[Row], steps: Sequence[Row], settings: Row) -> Result:
    """It passes where every request of every point was answered."""
    works, said = "cpu_ms", "of the processor by step, and waiting for instances"
    if not any(step[works] for step in steps):
        works, said = "work_ms", "working by step (`rec` inside `recognize`) and waiting"
    by_step: list[Row] = [
        {"at": point["at"], **{s["step"]: s.get(works) for s in steps if s["at"] == point["at"]}}
        | {"waiting": sum(s.get("queue_ms", 0) for s in steps if s["at"] == point["at"])}
        for point in points
    ]
    names = [*dict.fromkeys(step["step"] for step in steps), "waiting"]
    label, best = settings["label"], max(point.get("pictures_per_second", 0.0) for point in points)
    notes = [f"{p['at']}: windows differ, measure longer" for p in points if not p["stable"]]
    caption = f"{label}: {', '.join(settings['pictures'])} in turn"
    return Result(
        f"{label}: at best {best:.2f} pictures/s",
        ok=not any(point["error"] or point["failures"] for point in points),
        settings=settings,
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
        overall={"way": label, "cores": settings["cores"], "pictures_per_second": best},
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


def measure(
    args: argparse.Namespace,
    found: Serving,
    server: Server,
    url: str,
    pictures: Sequence[Picture],
    load: Load,
) -> tuple[Row, list[Row]]:
    """One load on one protocol, and its steps; what fails is part of the result."""
    protocol, whole = url.partition("://")[0], args.seconds * args.windows
    where = {"protocol": protocol, "load": str(load), "at": f"{protocol}, {load}"}
    point = {**where, **load._asdict(), "failures": 0, "error": None, "stable": True}
    counts = {"seconds": whole, "pid": found.pid}
    before, begin = server.totals(), time.monotonic()
    try:
        with Watch(found.pid, found.metrics_url) as watch, sender(url, pictures) as send:
            if load.rate is None:
                clients = load.concurrency or 1
                run = closed_loop(send, clients, items=len(pictures), **counts)
            else:
                poisson = args.distribution == "poisson"
                run = open_loop(send, load.rate, lead=args.seconds, poisson=poisson, **counts)
        seconds = time.monotonic() - begin
        point |= figures(run, args.windows, args.spread)
    except (BenchError, OcrError) as error:
        return {**point, "error": str(error)}, []
    after, answered = server.totals(), run.statuses[OK]
    cpu_ms = {name: taken * 1e3 / answered for name, taken in run.cpu.items()}
    steps = steps_between(before, after)
    rows = [
        {**where, "step": name, **steps.get(name, {}), "cpu_ms": cpu_ms.get(name)}
        for name in {**steps, **cpu_ms}
        if name in steps or name == "tritonserver"
    ]
    return {
        **point,
        "failures": after[PIPELINE]["failures"] - before[PIPELINE]["failures"],
        "cores": sum(run.cpu.values()) / seconds if run.cpu else None,
        "cpu_ms": run.cpu_ms,
        "memory_mib": watch.memory_mib,
        **watch.gpus,
    }, rows


def figures(run: Run, windows: int, spread: float) -> Row:
    """Throughput and latencies of all answers, and the throughput of each of even windows.

    `stable` are windows that differ by no more than so many percent of the throughput.
    """
    answers = run.counted()
    if not answers:
        raise BenchError("no answer came within the windows; make them longer with --seconds")
    width, counts = (run.end - run.begin) / windows, [0] * windows
    for answer in answers:
        counts[min(windows - 1, int((answer.answered - run.begin) / width))] += 1
    rates, seconds = [count / width for count in counts], run.latencies()
    return {
        "pictures_per_second": run.per_second,
        "mean_ms": fmean(seconds) * 1e3,
        **{f"p{percent}_ms": percentile_ms(seconds, percent) for percent in PERCENTILES},
        "requests": len(answers),
        "windows": rates,
        "stable": max(rates) - min(rates) <= spread / 100 * run.per_second,
    }
