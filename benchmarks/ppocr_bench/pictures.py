"""The pictures that are read: samples, rendered pages, and the user's own, with what is on them.

truth.json holds an object: for each picture's name, a file beside it, a list of lines with `text`
and `box` ([4][2], pixels of the upright picture, clockwise from top-left).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from ppocr_bench.options import Options
from ppocr_bench.record import BenchError
from ppocr_client.commands.argument_types import at_least
from ppocr_converters.pictures.render import encode_page, render_page
from ppocr_converters.pictures.render_canvas import Truth
from ppocr_converters.pictures.render_evaluation import KINDS, evaluation_pages
from ppocr_converters.pictures.render_layouts import LAYOUTS, render_layout

TRUTH = "truth.json"
SKEWS = (0, 3, -5, 15)  # degrees
#: Layouts without columns of text, which are also read in perspective.
IN_PERSPECTIVE = ("one_column", "receipt", "table", "form", "poem")


class Picture(NamedTuple):
    """An encoded picture: a name for reports, the file, its text where that is known, its kind."""

    name: str
    data: bytes
    truth: tuple[Truth, ...] | None = None
    kind: str = ""

    @property
    def language(self) -> str:
        """Of a picture for evaluation, which its name ends with."""
        return Path(self.name).stem.rpartition("_")[2] if self.kind in KINDS else ""


def picture_options(pages: int) -> Options:
    """Which pictures are read; `pages` rendered ones unless told."""
    return {
        "--samples": (Path, Path("samples"), f"folder of pictures with {TRUTH}", "DIR"),
        "--no-samples": (bool, False, "leave the samples out"),
        "--pages": (at_least(0), pages, "rendered pages", "N"),
        "--seed": (int, 1000, "of the first rendered page"),
        "--images": ([Path], [], "further pictures", "PATH"),
    }


def gather(args: argparse.Namespace) -> list[Picture]:
    """The samples, then the further pictures, then the rendered pages.

    Raises:
        BenchError: a file cannot be read, or no picture is asked for.
    """
    if not args.no_samples and not (args.samples / TRUTH).is_file():
        raise BenchError(
            f"{args.samples / TRUTH} is missing; name the folder of the samples with --samples, "
            "or leave them out with --no-samples"
        )
    ours = [] if args.no_samples else read_labels(args.samples)
    pictures = [*ours, *map(read_picture, args.images), *rendered(args.seed, args.pages)]
    if not pictures:
        raise BenchError("there are no pictures: ask for --pages, or name some with --images")
    return pictures


def blank() -> Picture:
    """A white picture of 32x32 pixels, on which there is next to nothing to read."""
    pixels = np.full((32, 32, 3), 255, np.uint8)
    return Picture("blank.png", cv2.imencode(".png", pixels)[1].tobytes(), ())


def rendered(seed: int, count: int) -> list[Picture]:
    """So many rendered pages: one of each seed from `seed` on."""
    return [
        Picture(page.name, encode_page(page), page.lines, "pages")
        for page in map(render_page, range(seed, seed + count))
    ]


def evaluation(kinds: Sequence[str] | None, limit: int | None, seed: int) -> list[Picture]:
    """The pictures on which accuracy is measured, see `evaluation_pages`."""
    return [
        Picture(page.name, encode_page(page), page.lines, kind)
        for kind, page in evaluation_pages(kinds, limit, seed)
    ]


def layouts(count: int) -> list[Picture]:
    """So many pages of each layout whose order is known, each straight, skewed, in perspective."""
    found = []
    for seed, name in product(range(count), LAYOUTS):
        views: list[dict[str, Any]] = [{"skew": skew} for skew in SKEWS]
        views += [{"perspective": True}] if name in IN_PERSPECTIVE else []
        pages = [render_layout(name, seed, **view) for view in views]
        kind = f"layout {name}"
        found += [Picture(page.name, encode_page(page), page.lines, kind) for page in pages]
    return found


def read_picture(path: Path, truth: Sequence[Truth] | None = None) -> Picture:
    """A picture from a file, with what is written on it where that is known."""
    try:
        return Picture(path.name, path.read_bytes(), None if truth is None else tuple(truth))
    except OSError as error:
        raise BenchError(f"cannot read {path}: {error.strerror}") from error


def read_labels(folder: Path) -> list[Picture]:
    """The pictures that a folder's truth.json names, sorted by name.

    Raises:
        BenchError: there is no such file, it is not as described above, or a picture is missing.
    """
    path = folder / TRUTH
    try:
        truths = {
            name: [Truth(str(line["text"]), _box(line["box"])) for line in lines]
            for name, lines in json.loads(path.read_text("utf-8-sig")).items()
        }
    except OSError as error:
        raise BenchError(f"cannot read {path}: {error.strerror}") from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise BenchError(
            f"{path}: wanted is, for each picture's name, a list of lines with `text` and `box`, "
            f"four corners [x, y]; got {error!r}"
        ) from error
    return [read_picture(folder / name, truths[name]) for name in sorted(truths)]


def _box(corners: object) -> np.ndarray:
    return np.array(corners, np.float32).reshape(4, 2)
