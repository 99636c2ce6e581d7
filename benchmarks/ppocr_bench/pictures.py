"""The pictures that are read: samples, rendered pages, and the user's own."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ppocr_bench.arguments import at_least
from ppocr_bench.errors import BenchError

if TYPE_CHECKING:
    import numpy as np

DEFAULT_SAMPLES = Path("samples")


@dataclass(frozen=True)
class Truth:
    """One line that is known to be on a picture.

    Attributes:
        text: what is written.
        box: float32 [4, 2], pixels of the upright picture, clockwise from top-left.
        counts: False where nobody can tell what is written: such a line may be read or not.
    """

    text: str
    box: np.ndarray
    counts: bool = True


@dataclass(frozen=True)
class Picture:
    """An encoded picture.

    Attributes:
        name: for reports.
        data: the whole file.
        truth: what is written on it, None where nobody knows.
    """

    name: str
    data: bytes
    truth: tuple[Truth, ...] | None = None


def add_picture_arguments(parser: argparse.ArgumentParser, *, pages: int) -> None:
    """The options that say which pictures are read.

    Args:
        parser: of a verb.
        pages: how many rendered pages, if the user does not say.
    """
    parser.add_argument(
        "--samples",
        type=Path,
        default=DEFAULT_SAMPLES,
        metavar="DIR",
        help="folder of sample pictures with truth.json (default: %(default)s)",
    )
    parser.add_argument(
        "--pages",
        type=at_least(0),
        default=pages,
        metavar="N",
        help="rendered pages (default: %(default)s)",
    )
    parser.add_argument(
        "--seed", type=int, default=1000, help="of the first rendered page (default: %(default)s)"
    )
    parser.add_argument(
        "--images", nargs="+", type=Path, default=[], metavar="FILE", help="further pictures"
    )
    parser.add_argument(
        "--labels",
        nargs="+",
        type=Path,
        default=[],
        metavar="PATH",
        help="further pictures with their truth: a folder with truth.json or with PaddleOCR's "
        "Label.txt, or such a file",
    )
    parser.add_argument("--no-samples", action="store_true", help="leave the samples out")


def gather(args: argparse.Namespace) -> list[Picture]:
    """The samples, then the rendered pages, then the labelled and the further pictures.

    Raises:
        BenchError: a file cannot be read, or no picture is asked for.
    """
    from ppocr_bench.labels import read_labels

    files = [read_picture(path) for path in args.images]
    labelled = [picture for path in args.labels for picture in read_labels(path)]
    ours = [] if args.no_samples else samples(args.samples)
    pictures = [*ours, *rendered(args.seed, args.pages), *labelled, *files]
    if not pictures:
        raise BenchError("there are no pictures: ask for --pages, or name --labels or --images")
    return pictures


def samples(folder: Path) -> list[Picture]:
    """The sample pictures in a folder with their ground truth, sorted by name."""
    from ppocr_bench.labels import TRUTH, read_labels

    if not (folder / TRUTH).is_file():
        raise BenchError(
            f"{folder / TRUTH} is missing; name the folder of the samples with --samples, "
            "or leave them out with --no-samples"
        )
    return read_labels(folder / TRUTH)


def rendered(seed: int, count: int) -> list[Picture]:
    """Rendered pages: one of each seed from `seed` on."""
    from ppocr_converters.pictures.render import encode_page, render_pages

    return [
        Picture(
            page.name, encode_page(page), tuple(Truth(line.text, line.box) for line in page.lines)
        )
        for page in render_pages(seed, count)
    ]


def read_picture(path: Path, truth: Sequence[Truth] | None = None) -> Picture:
    """A picture from a file, with what is written on it where that is known.

    Raises:
        BenchError: the file cannot be read.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BenchError(f"cannot read {path}: {error.strerror}") from error
    return Picture(path.name, data, None if truth is None else tuple(truth))
