"""The served pipeline reads what PaddleOCR's own pipeline reads, line for line."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
from tqdm import tqdm

from ppocr_bench.peers.children import children, ensure_environment, read_line
from ppocr_bench.pictures import Picture, gather, picture_options
from ppocr_bench.record import Result, Table
from ppocr_bench.target import TARGET, serving
from ppocr_client import OcrClient
from ppocr_converters.proof.lines import Comparison, compare_lines
from ppocr_pipeline.decode import decode_image
from ppocr_pipeline.formats import read_header
from ppocr_pipeline.limits import Limits
from ppocr_pipeline.pipeline import Line

# Boxes and texts must be equal. Scores are means of float32 softmax values that two libraries
# compute in another order: 0.0005 was the largest difference on 4,283 lines.
SCORE_TOLERANCE = 1e-3
DET, REC = "PP-OCRv4_mobile_det", "PP-OCRv4_mobile_rec"
OPTIONS = {
    **TARGET,
    **picture_options(8),
    "--models": (Path, Path("build/models"), f"the folder of {DET} and {REC}", "DIR"),
    "--environments": (Path, Path("build"), "where PaddleOCR is installed", "DIR"),
}


def run(args: argparse.Namespace) -> Result:
    """Read every picture both ways."""
    pictures = gather(args)
    with serving(args) as found, OcrClient(found.urls[0]) as client:
        progress = tqdm(pictures, unit="picture", disable=None)
        results = [
            client.read(
                picture.data,
                det_limit_type="max",
                rec_padding="paddle",
                reading_order="rows",
                orientation="off",
            )
            for picture in progress
        ]
    served = [[read_line(one.text, one.score, one.box) for one in r.lines] for r in results]
    python = ensure_environment("paddleocr", args.environments / "paddleocr-env")
    models = args.models.absolute()
    settings = {"det_model": models / DET, "rec_model": models / REC}
    with tempfile.TemporaryDirectory(prefix="ppocr-bench-") as folder:
        paths = [plain_file(picture, Path(folder, str(i))) for i, picture in enumerate(pictures)]
        with children(1, python, "paddleocr", settings) as (ask, _, versions):
            theirs = list(map(ask, paths))
    names = [picture.name for picture in pictures]
    return judge(names, list(map(compare, theirs, served)), versions)


def compare(paddleocr: Sequence[Line], served: Sequence[Line]) -> Comparison:
    """Hold what the server reads on a picture to what PaddleOCR reads."""
    return compare_lines(paddleocr, served, score=SCORE_TOLERANCE)


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


def judge(names: Sequence[str], pictures: Sequence[Comparison], versions: dict[str, str]) -> Result:
    """It passes where no line differs, and no score by more than the tolerance."""
    rows: list[dict[str, Any]] = []
    differences: list[dict[str, str]] = []
    for name, one in zip(names, pictures, strict=True):
        # There may be several of one line.
        other = {(d.what == "extra", d.number) for d in one.differences if d.what != "score"}
        equal = one.lines - sum(not extra for extra, _ in other)
        row = {"picture": name, "equal": equal, "different": len(other)}
        rows.append({**row, "score_difference": one.score})
        differences += [{"picture": name, "served": d.sentence} for d in one.differences]
    equal, different = (sum(row[key] for row in rows) for key in ("equal", "different"))
    scores = max((one.score for one in pictures), default=0.0)
    other_lines = Table(differences, ["picture", "served"] if differences else [], "Differences")
    return Result(
        f"{equal} lines equal, {different} different in {len(pictures)} pictures, scores within "
        f"{scores:.6f} (allowed {SCORE_TOLERANCE:g})",
        ok=not differences,
        settings={"versions": versions, "equal": equal, "different": different, "scores": scores},
        tables={"pictures": Table(rows, list(rows[0])), "differences": other_lines},
    )
