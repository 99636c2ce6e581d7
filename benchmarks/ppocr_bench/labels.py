"""Pictures with what is written on them, from truth.json or PaddleOCR's Label.txt.

truth.json holds an object: for each picture's name a list of lines with `text` and `box` ([4][2],
pixels, clockwise from top-left). Label.txt is what PPOCRLabel writes and PaddleOCR trains from: on
each line a picture's path, a tab, and a JSON list of lines with `transcription` and `points`. Paths
in it begin in its folder or in the one above.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ppocr_bench.errors import BenchError
from ppocr_bench.pictures import Picture, Truth, read_picture

if TYPE_CHECKING:
    import numpy as np

TRUTH, LABEL = "truth.json", "Label.txt"
#: Transcriptions of lines that nobody can read: neither found nor missed counts.
UNREADABLE = ("###", "*")


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
        read_picture(path.parent / name, _lines(lines, ("text", "box"), f"{path}, {name}"))
        for name, lines in truths.items()
    ]


def _label_txt(path: Path, text: str) -> list[Picture]:
    pictures = []
    for number, row in enumerate(text.splitlines(), 1):
        if not row.strip():
            continue
        where = f"{path}, line {number}"
        name, tab, labels = row.partition("\t")
        if not tab or not labels.lstrip().startswith("["):
            raise BenchError(
                f"{where}: wanted is a picture's path, a tab and a JSON list with transcription "
                f"and points of each line; got {row[:60]!r}"
            )
        lines = _lines(_json(labels, where), ("transcription", "points"), where)
        pictures.append(read_picture(_find(path.parent, name, where), lines))
    return pictures


def _json(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise BenchError(f"{where} is not JSON: {error}") from error


def _find(folder: Path, name: str, where: str) -> Path:
    places = [folder / name, folder.parent / name, folder / Path(name).name]
    for place in places:
        if place.is_file():
            return place
    raise BenchError(f"{where}: there is no picture {' nor '.join(map(str, places))}")


def _lines(lines: Any, keys: tuple[str, str], where: str) -> list[Truth]:
    """The lines of one picture; `keys` name the text and the corners."""
    text, corners = keys
    found = []
    for line in lines:
        if not isinstance(line, Mapping) or not {text, corners} <= line.keys():
            raise BenchError(f"{where}: a line needs {text!r} and {corners!r}; got {line!r}")
        counts = line[text] not in UNREADABLE and not line.get("difficult", False)
        found.append(Truth(line[text], _box(line[corners], where), counts))
    return found


def _box(corners: Sequence[Sequence[float]], where: str) -> np.ndarray:
    """float32 [4, 2]; of a polygon with more corners the smallest rectangle around it."""
    import numpy as np

    try:
        points = np.array(corners, np.float32)
    except (TypeError, ValueError):
        points = np.empty(0, np.float32)
    if points.ndim != 2 or points.shape[1] != 2 or len(points) < 4:
        raise BenchError(f"{where}: wanted are four or more corners [x, y]; got {corners!r}")
    if len(points) == 4:
        return points
    import cv2

    return cv2.boxPoints(cv2.minAreaRect(points))
