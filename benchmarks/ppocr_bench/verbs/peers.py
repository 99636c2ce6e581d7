"""The same pictures and weights through every way there is to serve them, side by side.

All peers are up at the same time and take turns, round after round, so that what slows the machine
for a while slows all alike. The first turn of each is not counted, and its memory is
looked at after the last one.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from ppocr_bench.errors import BenchError
from ppocr_bench.options import at_least, list_of, one_of, positive
from ppocr_bench.peers.rounds import Rounds
from ppocr_bench.peers.table import PEERS, choose
from ppocr_bench.pictures import gather, picture_options
from ppocr_bench.record import Result, Table
from ppocr_bench.target import DEFAULT_REPOSITORY
from ppocr_bench.verbs.parity import MODELS, model_settings, plain_file

REPOSITORIES = "built ones, told apart by the folder's name"
OLD = "paddle-rpc://HOST:PORT or paddle-http://… of a Paddle Serving that runs, as one more peer"
OPTIONS = {
    "--repository": ([Path], [], REPOSITORIES, "DIR"),
    "--peers": ([one_of(list(PEERS))], None, f"beside ours (default: {', '.join(PEERS)})", "PEER"),
    "--paddle-serving": ([str], None, OLD, "URL"),
    **picture_options(0),
    "--clients": (list_of(at_least(1)), [1, 4, 8], "at the same time", "N,…"),
    "--rounds": (at_least(1), 5, "that are counted"),
    "--seconds": (positive, 5.0, "of a turn, at least"),
    "--onnx": (Path, Path("build/onnx"), "where `build` put it", "DIR"),
    "--environments": (Path, Path("build"), "where the peers are installed", "DIR"),
    **MODELS,
}
KEYS = ["peer", "clients", "pictures_per_second", "rounds", "p50_ms", "p99_ms", "memory_mib"]


def run(args: argparse.Namespace) -> Result:
    """Start all peers, and measure them in turns."""
    repositories = args.repository or [DEFAULT_REPOSITORY]
    if len({folder.name for folder in repositories}) < len(repositories):
        raise BenchError("two repositories have one name, by which they are told apart")
    pictures = gather(args)
    models = model_settings(args) | {"repository": repositories[0].absolute()}
    # The same networks as Paddle2ONNX wrote them, with nothing changed.
    for name in ("det", "rec"):
        onnx = args.onnx / models[f"{name}_model"].name / "converted.onnx"
        models[f"{name}_onnx"] = onnx.absolute()
    with tempfile.TemporaryDirectory(prefix="ppocr-bench-") as scratch:
        named = {Path(scratch, str(i)): picture for i, picture in enumerate(pictures)}
        args.files = [plain_file(picture, path) for path, picture in named.items()]
        rounds = Rounds(args.files, args)
        rounds.run(list(choose(args, repositories, models)))
    rows, readings = rounds.rows(), rounds.readings()
    ratios = [key for key in rows[0] if key.startswith("times_")]
    settings = [
        {"peer": peer.name, "setting": peer.setting}
        | {"versions": ", ".join(f"{k} {v}" for k, v in running.versions.items())}
        for peer, running in rounds.running.items()
    ]
    names = [picture.name for picture in pictures]
    return Result(
        "medians of rounds; `times` is our throughput, by repository, over the peer's in one run",
        settings={"pictures": names},
        tables={
            "peers": Table(rows, [*KEYS, *ratios], f"{', '.join(names)} in turn"),
            "readings": Table(readings, list(readings[0]), "What each reads, beside ours"),
            "settings": Table(settings, list(settings[0])),
        },
        notes=rounds.notes,
    )
