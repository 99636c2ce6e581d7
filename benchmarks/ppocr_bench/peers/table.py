"""The peers. A new one is a file in `readers/`, one in `requirements/`, and a row here.

`bound` are the bare networks of the first repository: as fast as this machine can be with as many
clients as it has cores, or more.
"""

from __future__ import annotations

import ast
import contextlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ppocr_bench.machine import versions
from ppocr_bench.networks import describe
from ppocr_bench.peers.children import Peer, Running, children, ensure_environment, read_line
from ppocr_bench.record import BenchError
from ppocr_bench.target import TIMEOUT, asked
from ppocr_client import OcrClient
from ppocr_engine.machine import available_cores
from ppocr_pipeline.pipeline import Line
from ppocr_server.tritonserver.launch import HUGE_PAGES
from ppocr_server.tritonserver.server import TritonServer

CORES = available_cores()
OURS = "ours"


class Row(NamedTuple):
    """A peer: its name in tables and environments, its reader, what that is told, its variables."""

    name: str
    environment: str
    reader: str
    more: Mapping[str, Any] = {}
    variables: Mapping[str, str] = {}


#: By the names of options. Each reads with its own defaults.
PEERS: dict[str, Row] = {
    # With the pages of memory that the server's networks have.
    "bound": Row("bare networks", "networks", "networks", variables={"GLIBC_TUNABLES": HUGE_PAGES}),
    "rapidocr": Row("RapidOCR", "rapidocr", "rapidocr", {"use_cls": True}),
    "faster_paddle": Row("faster-paddle", "faster_paddle", "faster_paddle"),
    # Its classifier is not in the package.
    "rapidocrlite": Row("RapidOCRLite", "rapidocrlite", "rapidocr", {"use_cls": False}),
    "rusto": Row("rusto", "rusto", "rusto"),
    # Its own default networks, PP-OCRv6 medium, are in no package; nor are those of orientation.
    "paddleocr": Row("PaddleOCR 3", "paddleocr3", "paddleocr3"),
}
#: What is read with, and where others are.
PLACES = {
    "--onnx": (Path, Path("build/onnx"), "where `build` put the ONNX files", "DIR"),
    "--environments": (Path, Path("build"), "where the peers are installed", "DIR"),
}


def weights_of(repository: Path, onnx: Path) -> dict[str, Any]:
    """What every reader is told: the files of a repository's networks before they were compiled.

    Returns:
        `repository`, `det_onnx`, `rec_onnx`, `dictionary`: paths; `size`: "tiny" or "small" for
        PP-OCRv6, None for others.

    Raises:
        BenchError: the repository was not built here.
    """
    try:
        models = json.loads((repository / "manifest.json").read_text("utf-8"))["models"]
        names = [models[network]["name"] for network in ("det", "rec")]
    except (OSError, KeyError, ValueError) as error:
        raise BenchError(f"{repository} is no repository that `build` wrote: {error!r}") from error
    files = [(onnx / name / "converted.onnx").absolute() for name in names]
    if missing := [str(path) for path in files if not path.is_file()]:
        advice = "name the folder beside which `build` wrote the repository with --onnx"
        raise BenchError(f"{' and '.join(missing)} missing: {advice}")
    size = re.match(r"PP-OCRv6_(tiny|small)_", names[1])
    return {
        "repository": repository.absolute(),
        "det_onnx": files[0],
        "rec_onnx": files[1],
        "dictionary": (repository / "recognize" / "1" / "dictionary.txt").absolute(),
        "size": size and size[1],
    }


def other(row: Row, weights: Mapping[str, Any], environments: Path, processes: int = 1) -> Peer:
    """A peer in so many processes, which share the cores."""
    threads = max(1, CORES // processes)
    setting = ", ".join(
        [f"processes: {processes}", f"threads each: {threads}", *map(str, row.more.items())]
    )

    @contextlib.contextmanager
    def start() -> Iterator[Running]:
        python = ensure_environment(row.environment, environments / f"{row.environment}-env")
        told = {**weights, **row.more, "threads": threads}
        with children(processes, python, row.reader, told, row.variables) as running:
            yield running

    return Peer(row.name, setting, start, alone=processes == 1)


def ours(repository: Path, name: str = "this server") -> Peer:
    """Our server with one repository, asked over gRPC."""

    @contextlib.contextmanager
    def start() -> Iterator[Running]:
        with (
            TritonServer(repository) as server,
            asking(f"grpc://{server.grpc_url}", {}, [server.pid]) as running,
        ):
            yield running

    setting = f"tritonserver over gRPC, {describe(repository)}, as built"
    return Peer(name, setting, start, ours=repository.name)


@contextlib.contextmanager
def asking(url: str, options: Mapping[str, Any], pids: Sequence[int]) -> Iterator[Running]:
    """A server of ours that runs, asked with options of the request."""
    with OcrClient(url, timeout=TIMEOUT) as client:

        def ask(path: Path) -> Sequence[Any]:
            return client.read(path.read_bytes(), **options).lines

        yield Running(ask, pids, versions())


@contextlib.contextmanager
def old(url: str) -> Iterator[Running]:
    """A Paddle Serving that runs already, with the same models."""
    with asked(url) as ask:

        def read(path: Path) -> list[Line]:
            lines = ast.literal_eval(ask(path.read_bytes()))
            # It drops no line itself; the others drop the unsure ones.
            return [read_line(text, score, box) for (text, score), box in lines if score >= 0.5]

        yield Running(read, [], {})
