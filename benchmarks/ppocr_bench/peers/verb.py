"""peers: the same pictures and weights through every way there is to serve them, side by side.

All peers are up at the same time and take turns, round after round, so that what slows the machine
for a while slows all alike. The first turn of each is not counted: it warms up, and its memory is
looked at meanwhile.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from ppocr_bench.arguments import at_least, list_of, positive
from ppocr_bench.environments import DEFAULT_FOLDER
from ppocr_bench.errors import BenchError
from ppocr_bench.target import DEFAULT_REPOSITORY
from ppocr_engine.machine import available_cores

if TYPE_CHECKING:
    from ppocr_bench.peers.peer import Materials
    from ppocr_bench.peers.result import Peers
    from ppocr_bench.peers.turns import Workload
    from ppocr_bench.pictures import Picture

CHOICES = ("bound", "paddleocr", "rapidocr", "paddle-serving")
SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this verb."""
    parser.add_argument(
        "--repository",
        action="append",
        type=label_and_folder,
        metavar="[LABEL=]DIR",
        help="a built model repository to serve; may be given several times (default: "
        f"{DEFAULT_REPOSITORY}); the label is the engine unless said",
    )
    parser.add_argument(
        "--peers",
        nargs="*",
        choices=CHOICES,
        default=list(CHOICES),
        help="beside ours (default: all)",
    )
    pictures = parser.add_argument_group("pictures")
    pictures.add_argument(
        "--pictures",
        nargs="+",
        type=Path,
        metavar="PATH",
        default=[Path("samples")],
        help="files and folders: the workload `photos` (default: the samples)",
    )
    pictures.add_argument(
        "--pages",
        type=at_least(0),
        default=2,
        help="rendered ones: the workload `dense pages` (default: %(default)s)",
    )
    pictures.add_argument("--page-lines", type=at_least(1), default=40, help="default: %(default)s")
    pictures.add_argument("--seed", type=int, default=1000, help="default: %(default)s")
    load = parser.add_argument_group("load")
    load.add_argument(
        "--clients", type=list_of(at_least(1)), default=[1, 4, 8], help="default: 1,4,8"
    )
    load.add_argument("--rounds", type=at_least(1), default=5, help="default: %(default)s")
    load.add_argument(
        "--seconds",
        type=positive,
        default=5.0,
        help="of a turn, at least (default: %(default)g)",
    )
    load.add_argument(
        "--warm-up", type=positive, default=3.0, help="seconds of the first (default: %(default)g)"
    )
    models = parser.add_argument_group("the same models for the peers")
    folder = Path("build/models")
    models.add_argument("--det-model", type=Path, default=folder / "PP-OCRv4_mobile_det")
    models.add_argument("--rec-model", type=Path, default=folder / "PP-OCRv4_mobile_rec")
    models.add_argument(
        "--onnx", type=Path, default=Path("build/onnx"), help="where `build` put it"
    )
    models.add_argument("--dictionary", type=Path, help="default: dictionary.txt in --rec-model")
    models.add_argument("--rec-height", type=at_least(1), default=48, help="default: %(default)s")
    models.add_argument(
        "--mkldnn",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="ask PaddleOCR for oneDNN's kernels (default: yes)",
    )
    models.add_argument(
        "--environments",
        type=Path,
        default=DEFAULT_FOLDER,
        metavar="DIR",
        help="where the peers are installed, each on its own (default: %(default)s)",
    )


def label_and_folder(text: str) -> tuple[str, Path]:
    """A type for LABEL=DIR; without a label it is ""."""
    label, equals, folder = text.rpartition("=")
    if equals and not label:
        raise argparse.ArgumentTypeError(f"{text!r} has no label before the =")
    return label, Path(folder)


def run(args: argparse.Namespace) -> Peers:
    """Start all peers, and measure them in turns."""
    from ppocr_bench.bare import read_setting
    from ppocr_bench.machine import describe
    from ppocr_bench.peers.catalogue import engine_of, peers
    from ppocr_bench.peers.turns import Load, Turns

    begin = time.monotonic()
    repositories = {}
    for label, folder in args.repository or [("", DEFAULT_REPOSITORY)]:
        settings = read_setting(folder, "det"), read_setting(folder, "rec")
        name = label or engine_of(*settings)
        if name in repositories:
            raise BenchError(f"two repositories are called {name!r}; tell them apart: LABEL=DIR")
        repositories[name] = folder, settings
    load = Load(sorted(set(args.clients)), args.rounds, args.seconds, args.warm_up)
    with tempfile.TemporaryDirectory(prefix="ppocr-bench-") as scratch:
        materials, workloads = prepare(args, Path(scratch))
        chosen = peers(repositories, args.peers, materials.cores, mkldnn=args.mkldnn)
        turns = Turns(chosen, workloads, load)
        turns.take(materials)
    labels = {label: str(settings[0].spec.backend) for label, (_, settings) in repositories.items()}
    return turns.result(describe(), labels, time.monotonic() - begin)


def prepare(args: argparse.Namespace, scratch: Path) -> tuple[Materials, list[Workload]]:
    """Write the pictures as files that every peer decodes to the same pixels, and name the rest.

    Raises:
        BenchError: a picture cannot be read, or there is none.
    """
    from ppocr_bench.parity import plain_file
    from ppocr_bench.peers.peer import Materials
    from ppocr_bench.peers.turns import Workload

    files: list[Path] = []
    workloads = []
    for name, pictures in gather(args).items():
        numbers = range(len(files), len(files) + len(pictures))
        workloads.append(Workload(name, [picture.name for picture in pictures], numbers))
        for number, picture in zip(numbers, pictures, strict=True):
            files.append(plain_file(picture, scratch / f"picture_{number}"))
    return (
        Materials(
            pictures=files,
            det_model=args.det_model,
            rec_model=args.rec_model,
            det_onnx=args.onnx / args.det_model.name / "converted.onnx",
            rec_onnx=args.onnx / args.rec_model.name / "converted.onnx",
            dictionary=args.dictionary or args.rec_model / "dictionary.txt",
            rec_height=args.rec_height,
            environments=args.environments,
            scratch=scratch,
            cores=available_cores(),
        ),
        workloads,
    )


def gather(args: argparse.Namespace) -> dict[str, list[Picture]]:
    """The pictures of each workload that has any.

    Raises:
        BenchError: one cannot be read, or there is none at all.
    """
    from ppocr_bench.pictures import Picture, read_picture
    from ppocr_converters.pictures.render import encode_page, render_pages

    paths = [
        path
        for given in args.pictures
        for path in (sorted(given.iterdir()) if given.is_dir() else [given])
        if path.suffix.lower() in SUFFIXES or path == given
    ]
    pages = render_pages(args.seed, args.pages, args.page_lines)
    found = {
        "photos": [read_picture(path) for path in paths],
        "dense pages": [Picture(page.name, encode_page(page)) for page in pages],
    }
    if not any(found.values()):
        raise BenchError("no picture to read: name some with --pictures, or ask for --pages")
    return {name: pictures for name, pictures in found.items() if pictures}
