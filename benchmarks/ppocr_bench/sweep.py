"""sweep: throughput and latency under rising load, as Triton's perf_analyzer measures them."""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import resource
import tempfile
import time
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ppocr_bench.arguments import at_least, list_of, positive
from ppocr_bench.errors import BenchError
from ppocr_bench.pictures import Picture, add_picture_arguments, gather
from ppocr_bench.target import Serving, add_target_arguments, serving

if TYPE_CHECKING:
    from ppocr_bench.perf_analyzer import Load, Measured, Windows
    from ppocr_bench.perf_analyzer_tool import PerfAnalyzer
    from ppocr_bench.server_statistics import Server
    from ppocr_bench.sweep_result import Point, Sweep

logger = logging.getLogger(__name__)

CONCURRENCY = [1, 2, 4, 6, 8, 12, 16]
PROTOCOLS = ("grpc", "http")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this verb."""
    add_target_arguments(parser)
    add_picture_arguments(parser, pages=0)
    load = parser.add_argument_group("load")
    load.add_argument(
        "--concurrency",
        type=list_of(at_least(1)),
        metavar="N,…",
        help="requests under way at any time (default, without --request-rate: "
        f"{','.join(map(str, CONCURRENCY))})",
    )
    load.add_argument(
        "--request-rate",
        type=list_of(positive),
        default=[],
        metavar="R,…",
        help="requests sent in a second, however long the answers take",
    )
    load.add_argument("--distribution", choices=("constant", "poisson"), default="constant")
    load.add_argument("--protocol", choices=(*PROTOCOLS, "both"), default="both")
    window = parser.add_argument_group("measurement")
    window.add_argument(
        "--seconds", type=positive, default=5.0, help="of a window (default: %(default)g)"
    )
    window.add_argument(
        "--windows",
        type=at_least(3),
        default=6,
        metavar="N",
        help="measured until three in a row agree, at most (default: %(default)s)",
    )
    window.add_argument(
        "--spread",
        type=positive,
        default=15.0,
        metavar="PERCENT",
        help="by which those three may differ (default: %(default)g)",
    )
    window.add_argument(
        "--perf-analyzer", type=Path, metavar="FILE", help="a binary of your own (default: PATH's, "
        "else that of tritonclient 2.50.0, got once)"
    )  # fmt: skip
    served = parser.add_argument_group("server")
    served.add_argument(
        "--cores", type=at_least(1), metavar="N", help="hold the started server to so many cores"
    )
    served.add_argument("--label", default="", help="a name for this way of serving, for `report`")
    served.add_argument("--pid", type=at_least(1), help="tritonserver's, with --url")
    served.add_argument("--metrics-url", metavar="URL", help="Triton's metrics, with --url")


def run(args: argparse.Namespace) -> Sweep:
    """Measure one point after the other.

    Raises:
        BenchError: perf_analyzer does not run here, or no picture is read.
    """
    from ppocr_bench.machine import describe
    from ppocr_bench.perf_analyzer import input_data
    from ppocr_bench.perf_analyzer_tool import find_perf_analyzer
    from ppocr_bench.server_statistics import Server
    from ppocr_bench.sweep_result import Sweep

    pictures = gather(args)
    machine = describe()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ppocr-bench-")))
        (folder / "links").mkdir()
        tool = find_perf_analyzer(args.perf_analyzer, folder / "links")
        data = folder / "pictures.json"
        data.write_text(input_data([picture.data for picture in pictures]))
        with held_to(server_cores(args)):
            found = stack.enter_context(serving(args))
        urls = choose_urls(found.urls, args.protocol)
        server = stack.enter_context(contextlib.closing(Server(urls[0])))
        models = server.models()
        points = measure_all(args, tool, found, server, urls, pictures, data)
    return Sweep(
        machine=machine,
        label=args.label or "as configured",
        cores=None if args.url else args.cores or machine["cores"],
        models=models,
        pictures=[picture.name for picture in pictures],
        perf_analyzer=tool.version,
        window_seconds=args.seconds,
        points=points,
    )


def choose_urls(urls: Sequence[str], protocol: str) -> list[str]:
    """The addresses of the wanted protocols.

    Raises:
        BenchError: none is left, or one has a protocol that is not measured.
    """
    for url in urls:
        if url.partition("://")[0] not in PROTOCOLS:
            raise BenchError(f"--url {url}: write grpc://HOST:PORT or http://HOST:PORT")
    chosen = [url for url in urls if protocol in ("both", url.partition("://")[0])]
    if not chosen:
        raise BenchError(f"--protocol {protocol}: none of {', '.join(urls)} speaks it")
    return chosen


def measure_all(
    args: argparse.Namespace,
    tool: PerfAnalyzer,
    found: Serving,
    server: Server,
    urls: Sequence[str],
    pictures: Sequence[Picture],
    data: Path,
) -> list[Point]:
    """Every load on every protocol; what it will take is said before."""
    from tqdm import tqdm

    from ppocr_bench.perf_analyzer import AGREEING, Load, Windows

    concurrency = args.concurrency or ([] if args.request_rate else CONCURRENCY)
    loads = [Load(concurrency=number) for number in concurrency]
    loads += [Load(rate=rate, distribution=args.distribution) for rate in args.request_rate]
    throughput = warm_up(urls[0], pictures, max(concurrency, default=2))
    plan = [
        (url, load, Windows(max(args.seconds, needed(load, throughput)), args.windows, args.spread))
        for url, load in product(urls, loads)
    ]
    least = sum(AGREEING * windows.seconds for _, _, windows in plan)
    logger.info(
        "%d points, %.1f minutes; up to %.1f where windows do not agree",
        len(plan),
        least / 60,
        least / 60 * (1 + args.windows / AGREEING),
    )
    points = []
    with tqdm(plan, unit="point", disable=None) as progress:
        for url, load, windows in progress:
            progress.set_postfix_str(f"{url.partition('://')[0]}, {load}")
            ask = (tool, url, data, load, windows)
            points.append(point(args, found, server, ask, pictures[0]))
    return points


def needed(load: Load, throughput: float) -> float:
    """Seconds of a window that holds enough answers at the throughput of the warm-up.

    They are two to each of the requests under way, or four where requests are sent at a rate.
    """
    if load.rate is None:
        return 2 * (load.concurrency or 1) / throughput
    return 4 / min(load.rate, throughput)


def point(
    args: argparse.Namespace,
    found: Serving,
    server: Server,
    ask: tuple[PerfAnalyzer, str, Path, Load, Windows],
    picture: Picture,
) -> Point:
    """One load on one protocol; what fails is part of the result.

    Args:
        args: of the command line.
        found: the server.
        server: its statistics.
        ask: what `measure` takes.
        picture: read once at the end, to see that nothing is waiting any more.
    """
    from ppocr_bench.perf_analyzer import measure
    from ppocr_bench.server_statistics import PIPELINE, steps_between
    from ppocr_bench.sweep_result import Point
    from ppocr_bench.usage import Watch

    _, url, _, load, _ = ask
    measured: Measured | None = None
    error = None
    watch = Watch(args.pid or found.pid, args.metrics_url or found.metrics_url).start()
    before, begin, cpu = server.totals(), time.monotonic(), children_cpu()
    with held_to(client_cores(args)):
        try:
            measured = measure(*ask)
        except BenchError as problem:
            error = str(problem)
    seconds = time.monotonic() - begin
    usage = watch.stop()
    settle(url, picture)
    after = server.totals()
    return Point(
        protocol=url.partition("://")[0],
        concurrency=load.concurrency,
        rate=load.rate,
        measured=measured,
        failures=after[PIPELINE].failures - before[PIPELINE].failures,
        error=error,
        steps=steps_between(before, after),
        usage=usage,
        client_cores=(children_cpu() - cpu) / seconds,
    )


def warm_up(url: str, pictures: Sequence[Picture], clients: int) -> float:
    """Read every picture, with as many clients as there will be; pictures a second.

    Raises:
        OcrError: a picture is not read; its reason.
    """
    from ppocr_bench.consistency import ask_at_once
    from ppocr_client.transport.base import connect, parse_url

    transport = connect(parse_url(url))
    try:
        ask_at_once(transport, pictures, {}, 1, len(pictures))
        count = max(2 * clients, len(pictures))
        begin = time.perf_counter()
        ask_at_once(transport, pictures, {}, clients, count)
        return count / (time.perf_counter() - begin)
    finally:
        transport.close()


def settle(url: str, picture: Picture) -> None:
    """Wait until what a load left behind is done; requests are served in their order."""
    from ppocr_client import OcrClient

    with OcrClient(url, timeout=600) as client:
        client.read(picture.data)


def children_cpu() -> float:
    """Processor seconds of ended child processes, which is perf_analyzer's after a run."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@contextlib.contextmanager
def held_to(cores: set[int] | None) -> Iterator[None]:
    """Processes started in the block run on these cores; None holds them to nothing."""
    own = os.sched_getaffinity(0)
    if cores is not None:
        os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, own)


def server_cores(args: argparse.Namespace) -> set[int] | None:
    """The first of the cores that may be used.

    Raises:
        BenchError: there are fewer, or the server runs already.
    """
    if args.cores is None:
        return None
    if args.url:
        raise BenchError("--cores is for a server started here; leave --url out")
    own = sorted(os.sched_getaffinity(0))
    if args.cores > len(own):
        raise BenchError(f"--cores {args.cores}: this machine lets us use {len(own)}")
    return set(own[: args.cores])


def client_cores(args: argparse.Namespace) -> set[int] | None:
    """The cores that the server leaves over, if any."""
    held: Any = server_cores(args)
    left = os.sched_getaffinity(0) - (held or set())
    return left if held and left else None
