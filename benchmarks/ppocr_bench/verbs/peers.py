"""The same pictures and weights through every way there is to serve them, side by side.

All peers are up at the same time and take turns, round after round, so that what slows the machine
for a while slows all alike. The first turn of each is not counted: it warms up, and its memory is
looked at meanwhile.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ppocr_bench.errors import BenchError
from ppocr_bench.networks import read_setting
from ppocr_bench.options import Append, at_least, list_of, positive
from ppocr_bench.peers import in_process, served
from ppocr_bench.peers.peer import Peer
from ppocr_bench.peers.rounds import Load, Rounds, Workload
from ppocr_bench.pictures import Picture, read_picture, rendered
from ppocr_bench.record import Chart, Result, Table
from ppocr_bench.target import DEFAULT_REPOSITORY
from ppocr_bench.verbs.parity import MODELS, plain_file
from ppocr_engine.machine import available_cores

CHOICES = ("bound", "paddleocr", "rapidocr", "paddle-serving")
SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"}


def label_and_folder(text: str) -> tuple[str, Path]:
    """A type for LABEL=DIR; without a label it is ""."""
    label, equals, folder = text.rpartition("=")
    if equals and not label:
        raise argparse.ArgumentTypeError(f"{text!r} has no label before the =")
    return label, Path(folder)


def peer_name(text: str) -> str:
    """A type for one of CHOICES."""
    if text not in CHOICES:
        raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join(CHOICES)}")
    return text


REPOSITORIES = "a built one; may be given several times; the label is the engine unless said"
OPTIONS = {
    "--repository": (Append(label_and_folder), None, REPOSITORIES, "[LABEL=]DIR"),
    "--peers": ([peer_name], list(CHOICES), "beside ours, with spaces between", "PEER"),
    "--pictures": ([Path], [Path("samples")], "files and folders: the workload `photos`", "PATH"),
    "--mkldnn": (bool, True, "ask PaddleOCR for oneDNN's kernels"),
    "--pages": (at_least(0), 2, "rendered ones: the workload `dense pages`"),
    "--page-lines": (at_least(1), 40, "of each rendered page"),
    "--seed": (int, 1000, "of the first rendered page"),
    "--clients": (list_of(at_least(1)), [1, 4, 8], "at the same time", "N,…"),
    "--rounds": (at_least(1), 5, "that are counted"),
    "--seconds": (positive, 5.0, "of a turn, at least"),
    "--warm-up": (positive, 3.0, "seconds of the first turn"),
    "--onnx": (Path, Path("build/onnx"), "where `build` put it", "DIR"),
    "--environments": (Path, Path("build"), "where the peers are installed", "DIR"),
    **MODELS,
}
KEYS = ["workload", "peer", "clients", "pictures_per_second", "rounds", "p50_ms", "p99_ms"]
KEYS += ["memory_mib"]


def run(args: argparse.Namespace) -> Result:
    """Start all peers, and measure them in turns."""
    load = Load(sorted(set(args.clients)), args.rounds, args.seconds, args.warm_up)
    with tempfile.TemporaryDirectory(prefix="ppocr-bench-") as scratch:
        workloads = prepare(args, Path(scratch))
        rounds = Rounds(workloads, load)
        rounds.run(list(choose(args)), args)
    rows, readings = rounds.rows(), rounds.readings()
    ratios = [key for key in rows[0] if key.startswith("times_")]
    settings = [
        {"peer": one.peer.name, "setting": one.peer.setting}
        | {"versions": ", ".join(f"{k} {v}" for k, v in one.running.versions.items())}
        for one in rounds.started
    ]
    pictures = {workload.name: workload.pictures for workload in workloads}
    caption = "; ".join(f"{name}: {', '.join(names)}" for name, names in pictures.items())
    return Result(
        "medians of rounds; `times` is our throughput, by label, over the peer's in the same run",
        settings={"workloads": pictures},
        tables={
            "peers": Table(rows, [*KEYS, *ratios], caption),
            "readings": Table(readings, list(readings[0]), "What each reads, beside ours"),
            "settings": Table(settings, list(settings[0])),
        },
        charts=[
            Chart("bars", "peers", "peer", ["pictures_per_second"], "Medians of rounds.", "load")
        ],
        notes=rounds.notes,
    )


def choose(args: argparse.Namespace) -> Iterator[Peer]:
    """Ours first, one for each repository, then those that are wanted."""
    bounds: dict[str, list[Peer]] = {}
    for label, folder in args.repository or [("", DEFAULT_REPOSITORY)]:
        settings = {name: read_setting(folder, name) for name in ("det", "rec")}
        engines = list(dict.fromkeys(str(setting.spec) for setting in settings.values()))
        name = label or " and ".join(engines)
        if name in bounds:
            raise BenchError(f"two repositories are called {name!r}; tell them apart: LABEL=DIR")
        bounds[name] = in_process.bound(name, folder, " and ".join(engines), available_cores())
        said = ", ".join(f"{network}: {setting}" for network, setting in settings.items())
        yield served.ours(name, folder, said)
    wanted = {
        "bound": [peer for peers in bounds.values() for peer in peers],
        "paddleocr": in_process.paddleocr(args.mkldnn),
        "rapidocr": in_process.rapidocr(available_cores()),
        "paddle-serving": served.paddle_serving(available_cores()),
    }
    for choice, peers in wanted.items():
        yield from peers if choice in args.peers else []


def prepare(args: argparse.Namespace, scratch: Path) -> list[Workload]:
    """Write the pictures as files that every peer decodes to the same pixels.

    Everything that peers are started with is in `args` then, with all paths absolute: RapidOCR
    takes a relative one for one in its own folder.
    """
    workloads = []
    for name, pictures in gather(args).items():
        files = [plain_file(one, scratch / f"{name}_{i}") for i, one in enumerate(pictures)]
        workloads.append(Workload(name, [picture.name for picture in pictures], files))
    args.scratch, args.files = scratch, [path for one in workloads for path in one.files]
    args.dictionary = args.dictionary or args.rec_model / "dictionary.txt"
    # The same networks as Paddle2ONNX wrote them, with nothing changed.
    args.det_onnx = args.onnx / args.det_model.name / "converted.onnx"
    args.rec_onnx = args.onnx / args.rec_model.name / "converted.onnx"
    for name, value in vars(args).items():
        setattr(args, name, value.absolute() if isinstance(value, Path) else value)
    return workloads


def gather(args: argparse.Namespace) -> dict[str, list[Picture]]:
    """The pictures of each workload that has any; BenchError where there is none at all."""
    photos = [
        read_picture(path)
        for given in args.pictures
        for path in (sorted(given.iterdir()) if given.is_dir() else [given])
        if path == given or path.suffix.lower() in SUFFIXES
    ]
    pages = rendered(args.seed, args.pages, args.page_lines)
    if not photos and not pages:
        raise BenchError("no picture to read: name some with --pictures, or ask for --pages")
    named = {"photos": photos, "dense pages": pages}
    return {name: pictures for name, pictures in named.items() if pictures}
