"""soak: hours of mixed requests; answers stay right, memory, files and latency stay flat."""

from __future__ import annotations

import argparse
import contextlib
import itertools
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from ppocr_bench.arguments import at_least, positive
from ppocr_bench.pictures import add_picture_arguments, gather
from ppocr_bench.soak.judge import BOUNDS, WARM_UP
from ppocr_bench.target import add_target_arguments, serving

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ppocr_bench.soak.look import Look, Looker
    from ppocr_bench.soak.result import Soak
    from ppocr_bench.soak.traffic import Client

LOOKS = 240  # in all, unless that is too often
SHORTEST = 1.0  # seconds between two looks


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this verb."""
    add_target_arguments(parser)
    add_picture_arguments(parser, pages=2)
    parser.add_argument(
        "--minutes", type=positive, default=60.0, help="how long (default: %(default)g)"
    )
    parser.add_argument("--clients", type=at_least(1), default=4, help="default: %(default)s")
    parser.add_argument("--pid", type=at_least(1), help="tritonserver's, with --url")
    parser.epilog = (
        "Clients read pictures of all sizes, one of 26 MB among them, find lines, read given "
        "ones, send what cannot be read, give up and connect anew. Every answer has to be, to the "
        "byte, the one got alone before. At the end there may be so much more than at the "
        f"beginning: {'; '.join(map(str, BOUNDS))}. Medians of the first and "
        f"the last third are compared, after the first {WARM_UP:.0%} of the time. The "
        "exit code is 1 where an answer is wrong or a bound is broken. Of a server at --url, "
        "memory, files and threads are seen with --pid only."
    )


def run(args: argparse.Namespace) -> Soak:
    """Keep the server busy and look at it.

    Raises:
        BenchError: no picture, no such process, or too short a time to judge.
    """
    from ppocr_bench.machine import describe
    from ppocr_bench.soak import result, traffic
    from ppocr_bench.soak.look import Looker
    from ppocr_client.transport.base import connect, parse_url

    pictures = gather(args)
    machine = describe()
    with serving(args) as found, contextlib.ExitStack() as opened:
        pid = args.pid or found.pid
        looker = None if pid is None else Looker(pid)
        first = connect(parse_url(found.urls[0]))
        opened.callback(first.close)
        goods = traffic.gather_goods(first, pictures)
        traffic.fill_up(first, goods, args.clients)
        over = threading.Event()
        urls = itertools.cycle(found.urls)
        clients = [traffic.Client(next(urls), goods, seed, over) for seed in range(args.clients)]
        looks = keep_looking(clients, looker, args.minutes * 60, over)
    seen = traffic.Seen()
    for client in clients:
        seen.add(client.seen)
    for fault in result.lost_processes(looks):
        seen.fault(fault)
    latency = result.relative_latencies(seen.latencies, result.SLICES)
    return result.Soak(
        machine=machine,
        url=found.urls[0],
        minutes=args.minutes,
        clients=args.clients,
        pictures=[picture.name for picture in pictures],
        counts=dict(sorted(seen.counts.items())),
        faults=seen.faults,
        faulty=seen.faulty,
        looks=looks,
        latency=latency,
        verdicts=result.verdicts(looks, latency),
    )


def keep_looking(
    clients: Sequence[Client], looker: Looker | None, seconds: float, over: threading.Event
) -> list[Look]:
    """Let the clients run for so long, and look at the server meanwhile.

    Raises:
        BenchError: the server ended.
    """
    from tqdm import tqdm

    looks: list[Look] = []
    every = max(SHORTEST, seconds / LOOKS)
    end = time.monotonic() + seconds
    if looker is not None:
        looker.start()
    with (
        ThreadPoolExecutor(len(clients)) as pool,
        tqdm(total=round(seconds), unit="s", disable=None) as progress,
    ):
        running = [pool.submit(client.run) for client in clients]
        try:
            while (left := end - time.monotonic()) > 0:
                if looker is not None:
                    looks.append(looker.look())
                progress.update(round(seconds - left) - progress.n)
                if all(client.done() for client in running):
                    break  # each has its own reason, raised below
                time.sleep(min(every, left))
        finally:
            over.set()
        for client in running:
            client.result()
    return looks
