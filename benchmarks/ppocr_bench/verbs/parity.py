"""The served pipeline reads what PaddleOCR's own pipeline reads, line for line."""

from __future__ import annotations

import argparse
import difflib
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
from tqdm import tqdm

from ppocr_bench.peers.children import RUNNERS, children
from ppocr_bench.peers.environments import PADDLEOCR, ensure_environment
from ppocr_bench.pictures import Picture, gather, picture_options
from ppocr_bench.record import Line, Result, Table
from ppocr_bench.target import TARGET, serving
from ppocr_client import OcrClient
from ppocr_pipeline.decode import decode_image
from ppocr_pipeline.formats import read_header
from ppocr_pipeline.limits import Limits

# Boxes and texts must be equal. Scores are means of float32 softmax values that two libraries
# compute in another order: 0.0005 was the largest difference on 4,283 lines.
SCORE_TOLERANCE = 1e-3
FOLDER = Path("build/models")
MODELS = {
    "--det-model": (Path, FOLDER / "PP-OCRv4_mobile_det", "Paddle folder of the detector", "DIR"),
    "--rec-model": (Path, FOLDER / "PP-OCRv4_mobile_rec", "and of the recogniser", "DIR"),
    "--dictionary": (Path, None, "its characters (default: dictionary.txt in its folder)", "FILE"),
    "--rec-height": (int, 48, "its input height, pixels"),
}
OPTIONS = {
    **TARGET,
    **picture_options(8),
    **MODELS,
    "--environment": (Path, Path("build/paddleocr-env"), "PaddleOCR's, made if missing", "DIR"),
    "--paddleocr-python": (Path, None, "Python that has paddleocr 2.10.0 already", "FILE"),
}


class Compared(NamedTuple):
    """One picture: equal lines, the largest difference of their scores, and the other lines."""

    name: str
    equal: int
    score_difference: float
    served_only: list[Line]
    paddleocr_only: list[Line]


def run(args: argparse.Namespace) -> Result:
    """Read every picture both ways."""
    pictures = gather(args)
    with serving(args) as found, OcrClient(found.urls[0]) as client:
        progress = tqdm(pictures, unit="picture", disable=None)
        results = [client.read(picture.data, rec_padding="paddle") for picture in progress]
    served = [[Line(one.text, one.box.tolist(), one.score) for one in r.lines] for r in results]
    python = args.paddleocr_python or ensure_environment(PADDLEOCR, args.environment)
    models = ["--det-model", args.det_model, "--rec-model", args.rec_model]
    dictionary = ["--dictionary", args.dictionary or args.rec_model / "dictionary.txt"]
    options = [*models, *dictionary, "--rec-height", str(args.rec_height)]
    with tempfile.TemporaryDirectory(prefix="ppocr-bench-") as folder:
        paths = [plain_file(picture, Path(folder, str(i))) for i, picture in enumerate(pictures)]
        # PaddleOCR looks for models under the home folder first.
        command = [python, RUNNERS / "run_paddleocr.py", *options]
        with children(1, command, {"HOME": folder}) as (ask, _, versions):
            theirs = list(map(ask, paths))
    names = [picture.name for picture in pictures]
    return judge([compare(*both) for both in zip(names, served, theirs, strict=True)], versions)


def plain_file(picture: Picture, path: Path) -> Path:
    """A file that PaddleOCR decodes to the pixels that the server reads.

    By design a transparent picture and one with EXIF orientation are decoded otherwise here
    (PaddleOCR lays on white, and ignores the orientation): PaddleOCR gets their pixels as PNG.
    """
    header = read_header(picture.data, Limits())
    if not header.alpha and header.orientation == 1:
        path.write_bytes(picture.data)
    else:
        path.write_bytes(cv2.imencode(".png", decode_image(picture.data))[1].tobytes())
    return path


def compare(name: str, served: Sequence[Line], paddleocr: Sequence[Line]) -> Compared:
    """Put the two readings of a picture side by side, in their order."""
    ours, theirs = ([(one.text, str(one.box)) for one in lines] for lines in (served, paddleocr))
    matcher = difflib.SequenceMatcher(None, ours, theirs, autojunk=False)
    found = Compared(name, 0, 0.0, [], [])
    for kind, a, a_end, b, b_end in matcher.get_opcodes():
        if kind == "equal":
            pairs = zip(served[a:a_end], paddleocr[b:b_end], strict=True)
            largest = max(abs(mine.score - other.score) for mine, other in pairs)
            difference = max(found.score_difference, largest)
            found = found._replace(equal=found.equal + a_end - a, score_difference=difference)
        else:
            found.served_only.extend(served[a:a_end])
            found.paddleocr_only.extend(paddleocr[b:b_end])
    return found


def judge(pictures: Sequence[Compared], versions: dict[str, str]) -> Result:
    """It passes where no line differs, and no score by more than the tolerance."""
    rows = [
        {
            "picture": one.name,
            "equal": one.equal,
            "different": max(len(one.served_only), len(one.paddleocr_only)),
            "score_difference": one.score_difference,
        }
        for one in pictures
    ]
    differences = [
        {"picture": one.name, "read_by": reader, "line": line.text, "score": line.score}
        | {"corners": " ".join(f"{x:g},{y:g}" for x, y in line.box)}
        for one in pictures
        for reader, lines in (("server", one.served_only), ("PaddleOCR", one.paddleocr_only))
        for line in lines
    ]
    equal = sum(one.equal for one in pictures)
    different = sum(max(map(len, one[3:])) for one in pictures)
    scores = max((one.score_difference for one in pictures), default=0.0)
    keys = ["picture", "equal", "different", "score_difference"]
    columns = ["picture", "read_by", "line", "score", "corners"] if differences else []
    return Result(
        f"{equal} lines equal, {different} different in {len(pictures)} pictures, scores within "
        f"{scores:.6f} (allowed {SCORE_TOLERANCE:g})",
        ok=not different and scores <= SCORE_TOLERANCE,
        settings={"versions": versions, "equal": equal, "different": different, "scores": scores},
        tables={
            "pictures": Table(rows, keys),
            "differences": Table(differences, columns, "Lines that only one of the two read"),
        },
    )
