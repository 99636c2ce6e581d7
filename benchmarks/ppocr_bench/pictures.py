"""The pictures that are read: samples, rendered pages, and the user's own, with what is on them.

truth.json holds an object: for each picture's name a list of lines with `text` and `box` ([4][2],
pixels, clockwise from top-left). Label.txt is what PPOCRLabel writes and PaddleOCR trains from: on
each line a picture's path, a tab, and a JSON list of lines with `transcription` and `points`. Paths
in it begin in its folder or in the one above.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from ppocr_bench.errors import BenchError
from ppocr_bench.options import Options, at_least
from ppocr_converters.pictures.render import encode_page, render_pages

TRUTH, LABEL = "truth.json", "Label.txt"
#: Transcriptions of lines that nobody can read: neither found nor missed counts.
UNREADABLE = ("###", "*")


class Truth(NamedTuple):
    """A line that is known to be on a picture; `counts` is False where nobody can read it.

    `box` is float32 [4, 2], pixels of the upright picture, clockwise from top-left.
    """

    text: str
    box: np.ndarray
    counts: bool = True


class Picture(NamedTuple):
    """An encoded picture: a name for reports, the file, and its text where that is known."""

    name: str
    data: bytes
    truth: tuple[Truth, ...] | None = None


def picture_options(pages: int) -> Options:
    """Which pictures are read; `pages` rendered ones unless told."""
    labels = "further pictures with their truth: folders with truth.json or PaddleOCR's Label.txt"
    return {
        "--samples": (Path, Path("samples"), "folder of sample pictures with truth.json", "DIR"),
        "--no-samples": (bool, False, "leave the samples out"),
        "--pages": (at_least(0), pages, "rendered pages", "N"),
        "--seed": (int, 1000, "of the first rendered page"),
        "--images": ([Path], [], "further pictures", "PATH"),
        "--labels": ([Path], [], labels, "PATH"),
    }


def gather(args: argparse.Namespace) -> list[Picture]:
    """The samples, then the rendered pages, then the labelled and the further pictures.

    Raises:
        BenchError: a file cannot be read, or no picture is asked for.
    """
    if not args.no_samples and not (args.samples / TRUTH).is_file():
        raise BenchError(
            f"{args.samples / TRUTH} is missing; name the folder of the samples with --samples, "
            "or leave them out with --no-samples"
        )
    ours = [] if args.no_samples else read_labels(args.samples / TRUTH)
    labelled = [picture for path in args.labels for picture in read_labels(path)]
    files = [read_picture(path) for path in args.images]
    pictures = [*ours, *rendered(args.seed, args.pages), *labelled, *files]
    if not pictures:
        raise BenchError("there are no pictures: ask for --pages, or name --labels or --images")
    return pictures


def rendered(seed: int, count: int, lines: int = 20) -> list[Picture]:
    """Rendered pages of so many lines: one of each seed from `seed` on."""
    return [
        Picture(page.name, encode_page(page), tuple(Truth(one.text, one.box) for one in page.lines))
        for page in render_pages(seed, count, lines)
    ]


def read_picture(path: Path, truth: Sequence[Truth] | None = None) -> Picture:
    """A picture from a file, with what is written on it where that is known."""
    try:
        return Picture(path.name, path.read_bytes(), None if truth is None else tuple(truth))
    except OSError as error:
        raise BenchError(f"cannot read {path}: {error.strerror}") from error


def read_labels(path: Path) -> list[Picture]:
    """The pictures of a label file, or of the one in a folder, sorted by name.

    Raises:
        BenchError: there is no label file, it is not one, or a picture is missing.
    """
    if path.is_dir():
        files = [path / name for name in (TRUTH, LABEL) if (path / name).is_file()]
        if not files:
            raise BenchError(f"{path} has neither {TRUTH} nor {LABEL}; name the file itself")
        path = files[0]
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BenchError(f"cannot read {path}: {error}") from error
    read = _truth_json if path.suffix == ".json" else _label_txt
    return sorted(read(path, text), key=lambda picture: picture.name)


def _truth_json(path: Path, text: str) -> list[Picture]:
    truths = _json(text, str(path))
    if not isinstance(truths, dict):
        raise BenchError(f"{path}: an object with a list of lines for each picture is wanted")
    return [
        read_picture(path.parent / name, _lines(lines, "text", "box", f"{path}, {name}"))
        for name, lines in truths.items()
    ]


def _label_txt(path: Path, text: str) -> list[Picture]:
    pictures = []
    for number, row in enumerate(text.splitlines(), 1):
        where = f"{path}, line {number}"
        name, tab, labels = row.partition("\t")
        if not row.strip():
            continue
        if not tab or not labels.lstrip().startswith("["):
            raise BenchError(
                f"{where}: wanted is a picture's path, a tab and a JSON list with transcription "
                f"and points of each line; got {row[:60]!r}"
            )
        lines = _lines(_json(labels, where), "transcription", "points", where)
        folder = path.parent
        places = [folder / name, folder.parent / name, folder / Path(name).name]
        found = next((place for place in places if place.is_file()), None)
        if found is None:
            raise BenchError(f"{where}: there is no picture {' nor '.join(map(str, places))}")
        pictures.append(read_picture(found, lines))
    return pictures


def _json(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise BenchError(f"{where} is not JSON: {error}") from error


def _lines(lines: Any, text: str, corners: str, where: str) -> list[Truth]:
    """The lines of one picture; `text` and `corners` are the keys of both."""
    found = []
    for line in lines:
        if not isinstance(line, Mapping) or not {text, corners} <= line.keys():
            raise BenchError(f"{where}: a line needs {text!r} and {corners!r}; got {line!r}")
        counts = line[text] not in UNREADABLE and not line.get("difficult", False)
        found.append(Truth(line[text], _box(line[corners], where), counts))
    return found


def _box(corners: Any, where: str) -> np.ndarray:
    """float32 [4, 2]; of a polygon with more corners the smallest rectangle around it."""
    try:
        points = np.array(corners, np.float32)
    except (TypeError, ValueError):
        points = np.empty(0, np.float32)
    if points.ndim != 2 or points.shape[1] != 2 or len(points) < 4:
        raise BenchError(f"{where}: wanted are four or more corners [x, y]; got {corners!r}")
    return points if len(points) == 4 else cv2.boxPoints(cv2.minAreaRect(points))
