"""overload: far more requests than can be served; the peak is kept, the rest refused at once."""

from __future__ import annotations

import argparse
import asyncio
import time
from typing import TYPE_CHECKING

from ppocr_bench.arguments import at_least, positive
from ppocr_bench.errors import BenchError
from ppocr_bench.pictures import Picture, add_picture_arguments, gather
from ppocr_bench.target import add_target_arguments, serving

if TYPE_CHECKING:
    from ppocr_bench.overload.result import Load, Overload, Recovery


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this verb."""
    add_target_arguments(parser)
    add_picture_arguments(parser, pages=0)
    parser.add_argument(
        "--times", type=positive, default=10.0, help="the peak (default: %(default)g)"
    )
    parser.add_argument(
        "--clients", type=at_least(1), default=8, help="at the peak (default: %(default)s)"
    )
    parser.add_argument(
        "--rounds", type=at_least(1), default=3, help="of overload (default: %(default)s)"
    )
    parser.add_argument(
        "--seconds", type=positive, default=10.0, help="of each load (default: %(default)g)"
    )
    parser.add_argument("--pid", type=at_least(1), help="tritonserver's, with --url")
    parser.epilog = (
        "The first picture is sent over gRPC: by clients that wait for their answers, which gives "
        "the peak, then at a rate of so many times the peak, in turn. The sender needs cores too: "
        "with a small picture on a small machine it takes them from the server."
    )


def run(args: argparse.Namespace) -> Overload:
    """Peak and overload in turn.

    Raises:
        BenchError: there is no picture, or no gRPC address.
    """
    from ppocr_bench.machine import describe
    from ppocr_bench.overload.result import Overload

    picture = gather(args)[0]
    machine = describe()
    with serving(args) as found:
        url = next((url for url in found.urls if url.startswith("grpc://")), None)
        if url is None:
            raise BenchError("overload is measured over gRPC; name a --url grpc://HOST:PORT")
        pid = args.pid or found.pid
        loads, recoveries, same = asyncio.run(measure(url, picture, args, pid))
    return Overload(machine, url, picture.name, args.times, loads, recoveries, same)


async def measure(
    url: str, picture: Picture, args: argparse.Namespace, pid: int | None
) -> tuple[list[Load], list[Recovery], bool]:
    """The loads, what came after each overload, and whether the answers then were right."""
    from ppocr_bench.overload.load import Sender, closed_loop, encode, open_loop
    from ppocr_bench.overload.result import Recovery, load_of

    lead = max(1.0, args.seconds / 4)
    sender = Sender(url.removeprefix("grpc://"), encode([picture.data]))
    try:
        expected = await asyncio.to_thread(alone, url, picture)
        cpu = cpu_seconds(pid)
        peak = await closed_loop(sender.send, args.clients, args.seconds, lead)
        loads, recoveries, same = [load_of("peak", peak, since(pid, cpu))], [], True
        for _ in range(args.rounds):
            rate = max(load.served for load in loads) * args.times
            cpu = cpu_seconds(pid)
            over = await open_loop(sender.send, rate, args.seconds, lead)
            loads.append(load_of("overload", over, since(pid, cpu)))
            same &= await asyncio.to_thread(alone, url, picture) == expected
            recoveries.append(Recovery(time.monotonic() - over.end, over.owed))
            cpu = cpu_seconds(pid)
            peak = await closed_loop(sender.send, args.clients, args.seconds, lead)
            loads.append(load_of("peak", peak, since(pid, cpu)))
    finally:
        await sender.close()
    return loads, recoveries, same


def cpu_seconds(pid: int | None) -> float:
    """Processor time that a server and the processes it started have used; 0 for None."""
    import psutil

    if pid is None:
        return 0.0
    server = psutil.Process(pid)
    return float(sum(sum(p.cpu_times()[:2]) for p in [server, *server.children(recursive=True)]))


def since(pid: int | None, before: float) -> float | None:
    """Processor time since a reading; None where there are no processes to read."""
    return None if pid is None else cpu_seconds(pid) - before


def alone(url: str, picture: Picture) -> dict[str, bytes]:
    """The answer to a single request."""
    from ppocr_bench.consistency import ask
    from ppocr_client.transport.base import connect, parse_url

    transport = connect(parse_url(url))
    try:
        return ask(transport, picture, {})
    finally:
        transport.close()
