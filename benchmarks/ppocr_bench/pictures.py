"""The pictures that are read: samples, rendered pages, and the user's own."""

from __future__ import annotations

import argparse
import json
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
    """

    text: str
    box: np.ndarray


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


def gather(args: argparse.Namespace) -> list[Picture]:
    """The samples, then the rendered pages, then the further pictures.

    Raises:
        BenchError: a file cannot be read.
    """
    files = [read_picture(path) for path in args.images]
    return [*samples(args.samples), *rendered(args.seed, args.pages), *files]


def samples(folder: Path) -> list[Picture]:
    """The sample pictures in a folder with their ground truth, sorted by name."""
    try:
        truths = json.loads((folder / "truth.json").read_text("utf-8"))
    except OSError as error:
        raise BenchError(
            f"cannot read {folder / 'truth.json'}: {error.strerror}; "
            "name the folder of the samples with --samples"
        ) from error
    return [
        read_picture(folder / name, [(line["text"], line["box"]) for line in truths[name]])
        for name in sorted(truths)
    ]


def rendered(seed: int, count: int) -> list[Picture]:
    """Rendered pages: one of each seed from `seed` on."""
    from ppocr_converters.render import encode_page, render_pages

    return [
        Picture(
            page.name, encode_page(page), tuple(Truth(line.text, line.box) for line in page.lines)
        )
        for page in render_pages(seed, count)
    ]


def read_picture(path: Path, truth: Sequence[tuple[str, object]] | None = None) -> Picture:
    """A picture from a file; `truth` is text and box of each line."""
    import numpy as np

    try:
        data = path.read_bytes()
    except OSError as error:
        raise BenchError(f"cannot read {path}: {error.strerror}") from error
    lines = None
    if truth is not None:
        lines = tuple(Truth(text, np.array(box, np.float32)) for text, box in truth)
    return Picture(path.name, data, lines)
