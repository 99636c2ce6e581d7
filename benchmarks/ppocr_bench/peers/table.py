"""The peers. A new one is a file in `readers/`, one in `requirements/`, and a row here.

`bound` are the bare networks of the first repository: as fast as this machine can be with as many
clients as it has cores, or more.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ppocr_bench.machine import versions
from ppocr_bench.networks import describe
from ppocr_bench.old_ports import old_port
from ppocr_bench.peers.children import Peer, Running, children, read_line
from ppocr_bench.peers.environments import ensure_environment
from ppocr_bench.target import TIMEOUT
from ppocr_client import OcrClient
from ppocr_engine.machine import available_cores
from ppocr_pipeline.pipeline import Line
from ppocr_server.tritonserver.server import TritonServer

CORES = available_cores()
#: PaddleOCR's own values; what differs between the peers is not what they look for.
PARAMETERS = "side 960, thresh 0.3, box 0.6, unclip 1.5, score 0.5, batches of 6, no cls"
ALL_CORES = f"{CORES} threads; {PARAMETERS}"
ONE_CORE = f"one thread each; {PARAMETERS}"
#: By the names of --peers: what a peer is called, how it is set, its reader, how many processes of
#: that, and what it is told beside the models.
PEERS: dict[str, list[tuple[str, str, str, int, dict[str, Any]]]] = {
    "bound": [("bound", "the bare networks, one thread each", "networks", CORES, {})],
    "paddleocr": [("PaddleOCR", f"oneDNN, {ALL_CORES}", "paddleocr", 1, {"mkldnn": True})],
    "rapidocr": [
        ("RapidOCR, all threads", ALL_CORES, "rapidocr", 1, {"threads": CORES}),
        ("RapidOCR, a process a core", ONE_CORE, "rapidocr", CORES, {"threads": 1}),
    ],
}


def choose(
    args: argparse.Namespace, repositories: Sequence[Path], models: dict[str, Any]
) -> Iterator[Peer]:
    """Ours first, one for each repository, then those that are wanted.

    `models` is what every reader is told; `args` has `files` beside the options.
    """
    for folder in repositories:
        setting = f"tritonserver over gRPC, {describe(folder)}, as built"
        yield Peer(f"ours ({folder.name})", setting, partial(ours, folder), ours=folder.name)
    for name, setting, reader, number, more in (
        row for key in args.peers or PEERS for row in PEERS[key]
    ):
        start = partial(installed, args, reader, number, models | more)
        yield Peer(name, f"{setting}; processes: {number}", start)
    for url in args.paddle_serving or ():
        yield Peer(f"Paddle Serving, {url}", "as it runs there", partial(old, url))


def installed(
    args: argparse.Namespace, name: str, number: int, settings: dict[str, Any]
) -> contextlib.AbstractContextManager[Running]:
    """So many processes of a reader in its environment, which is made where it is missing."""
    python = ensure_environment(name, args.environments / f"{name}-env")
    return children(number, python, name, settings, args.files)


@contextlib.contextmanager
def ours(repository: Path) -> Iterator[Running]:
    """Our server with one repository, asked over gRPC."""
    with (
        TritonServer(repository) as server,
        OcrClient(f"grpc://{server.grpc_url}", timeout=TIMEOUT) as client,
    ):
        yield Running(lambda path: client.read(path.read_bytes()).lines, [server.pid], versions())


@contextlib.contextmanager
def old(url: str) -> Iterator[Running]:
    """A Paddle Serving that runs already, with the same models."""
    with old_port(url) as ask:

        def read(path: Path) -> list[Line]:
            lines = ast.literal_eval(ask(path.read_bytes()))
            # It drops no line itself; the others drop the unsure ones.
            return [read_line(text, score, box) for (text, score), box in lines if score >= 0.5]

        yield Running(read, [], {})
