"""The same pictures and weights through every way there is to serve them, side by side.

All peers are up at the same time and take turns, round after round, so that what slows the machine
for a while slows all alike. A peer is asked by one client in one process with all threads, and by
several clients in a process a core, as it serves them best. Each reads with its own defaults:
accuracy on the same pictures stands beside the speed.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from ppocr_bench.options import list_of, one_of
from ppocr_bench.peers.children import Peer
from ppocr_bench.peers.rounds import Rounds
from ppocr_bench.peers.table import CORES, OURS, PEERS, PLACES, old, other, ours, weights_of
from ppocr_bench.pictures import evaluation
from ppocr_bench.record import BenchError, Chart, Result, Table
from ppocr_bench.target import DEFAULT_REPOSITORY
from ppocr_client.commands.argument_types import above_zero, at_least
from ppocr_converters.pictures.render_evaluation import KINDS

REPOSITORIES = "built ones, told apart by the folder's name; the first one's weights are compared"
OLD = "paddle-rpc://HOST:PORT or paddle-http://… of a Paddle Serving that runs, as one more peer"
PICTURED = ["plain", "noise", "background", "skew", "perspective", "receipt", "table", "gaps"]
OPTIONS = {
    "--repository": ([Path], [], REPOSITORIES, "DIR"),
    "--peers": ([one_of(list(PEERS))], None, f"beside ours (default: {', '.join(PEERS)})", "PEER"),
    "--paddle-serving": ([str], None, OLD, "URL"),
    "--kinds": (
        [one_of(list(KINDS))],
        None,
        f"of pictures (default: {', '.join(PICTURED)})",
        "KIND",
    ),
    "--limit": (at_least(1), 1, "pictures of a kind", "N"),
    "--clients": (list_of(at_least(1)), [1, 4, 8], "at the same time", "N,…"),
    "--rounds": (at_least(1), 3, "that are counted"),
    "--seconds": (above_zero, 5.0, "of a turn, at least"),
    "--resume": (Path, None, "keeps the turns, and goes on from them", "FILE"),
    **PLACES,
}
KEYS = [
    *("peer", "clients", "pictures_per_second", "times", "p50_ms", "p99_ms", "cpu_seconds"),
    "cpu_times",
    *("end_to_end_percent", "exact_percent", "cer_percent", "peak_memory_mib", "first_answer_s"),
]


def run(args: argparse.Namespace) -> Result:
    """Start all peers, and measure them in turns."""
    repositories = args.repository or [DEFAULT_REPOSITORY]
    if len({folder.name for folder in repositories}) < len(repositories):
        raise BenchError("two repositories have one name, by which they are told apart")
    pictures = evaluation(args.kinds or PICTURED, args.limit, 0)
    peers = list(choose(args, repositories))
    with tempfile.TemporaryDirectory(prefix="ppocr-bench-") as scratch:
        files = {Path(scratch, picture.name): picture for picture in pictures}
        for path, picture in files.items():
            path.write_bytes(picture.data)
        rounds = Rounds(files, args.seconds, args.resume)
        rounds.run(peers, args.clients, args.rounds)
    settings = [
        {"peer": peer.name, "setting": peer.setting, "versions": rounds.versions[peer]}
        for peer in peers
        if peer in rounds.versions
    ]
    names = [picture.name for picture in pictures]
    clients = " and ".join(map(str, args.clients))
    caption = (
        f"Medians; {clients} clients along each line. Higher is faster. In brackets: boxes found "
        "and read right (hmean)."
    )
    return Result(
        "medians of rounds; `times` is our throughput over the peer's in the same round, `cpu "
        "times` the peer's processor time over ours; `cpu seconds` and accuracy are of a picture; "
        "memory is the peak of all processes (VmHWM), pages they share count for each",
        settings={"pictures": names},
        tables={
            "peers": Table(rounds.rows(), KEYS, f"{', '.join(names)} in turn"),
            "settings": Table(settings, ["peer", "setting", "versions"]),
        },
        charts=[Chart("peers", "p50_ms", ["pictures_per_second"], caption, "label")],
        notes=rounds.notes,
    )


def choose(args: argparse.Namespace, repositories: list[Path]) -> Iterator[Peer]:
    """Ours first, one for each repository, then those that are wanted."""
    one = len(repositories) == 1
    yield from (ours(path) if one else ours(path, f"{OURS} ({path.name})") for path in repositories)
    weights = weights_of(repositories[0], args.onnx)
    for name in args.peers or PEERS:
        for processes in sorted({1, CORES} if name != "bound" else {CORES}):
            yield other(PEERS[name], weights, args.environments, processes)
    for url in args.paddle_serving or ():
        yield Peer(f"Paddle Serving, {url}", "as it runs there", partial(old, url))
