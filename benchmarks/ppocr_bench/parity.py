"""parity: the served pipeline reads what PaddleOCR's own pipeline reads, line for line."""

from __future__ import annotations

import argparse
import difflib
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ppocr_bench.pictures import Picture, add_picture_arguments, gather
from ppocr_bench.target import add_target_arguments, target

# Boxes and texts must be equal. Scores are means of float32 softmax values that two libraries
# compute in another order: 0.0005 was the largest difference on 4,283 lines.
SCORE_TOLERANCE = 1e-3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this verb."""
    add_target_arguments(parser)
    add_picture_arguments(parser, pages=8)
    models = Path("build/models")
    parser.add_argument("--det-model", type=Path, default=models / "PP-OCRv4_mobile_det")
    parser.add_argument("--rec-model", type=Path, default=models / "PP-OCRv4_mobile_rec")
    parser.add_argument(
        "--dictionary",
        type=Path,
        metavar="FILE",
        help="the recogniser's characters (default: dictionary.txt in its folder)",
    )
    parser.add_argument("--rec-height", type=int, default=48, help="default: %(default)s pixels")
    parser.add_argument(
        "--environment",
        type=Path,
        default=Path("build/paddleocr-env"),
        metavar="DIR",
        help="where PaddleOCR is installed if it is not there yet (default: %(default)s)",
    )
    parser.add_argument(
        "--paddleocr-python",
        type=Path,
        metavar="FILE",
        help="Python of an environment that has paddleocr 2.10.0 already",
    )


@dataclass(frozen=True)
class Line:
    """One line as either pipeline read it; `box` is [4][2]."""

    text: str
    score: float
    box: list[list[float]]

    def same(self) -> tuple[str, str]:
        """What must be equal: the text and the corners."""
        return self.text, str(self.box)

    def __str__(self) -> str:
        corners = " ".join(f"{x:g},{y:g}" for x, y in self.box)
        return f"{self.text!r} {self.score:.4f} at {corners}"


@dataclass(frozen=True)
class Compared:
    """One picture.

    Attributes:
        name: of the picture.
        equal: lines with the same box and text in both.
        score_difference: the largest of these lines.
        served_only, paddleocr_only: the other lines.
    """

    name: str
    equal: int
    score_difference: float
    served_only: list[Line]
    paddleocr_only: list[Line]

    @property
    def different(self) -> int:
        """How many lines differ."""
        return max(len(self.served_only), len(self.paddleocr_only))


@dataclass(frozen=True)
class Parity:
    """The result; `versions` are PaddleOCR's and those of what it uses."""

    versions: dict[str, str]
    pictures: list[Compared]

    @property
    def equal(self) -> int:
        """Lines with the same box and text."""
        return sum(picture.equal for picture in self.pictures)

    @property
    def different(self) -> int:
        """Lines that differ."""
        return sum(picture.different for picture in self.pictures)

    @property
    def score_difference(self) -> float:
        """The largest difference of a score."""
        return max((picture.score_difference for picture in self.pictures), default=0.0)

    @property
    def ok(self) -> bool:
        """No line differs, and no score by more than the tolerance."""
        return not self.different and self.score_difference <= SCORE_TOLERANCE

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON can hold it."""
        counts = {"equal": self.equal, "different": self.different}
        scores = {"score_difference": self.score_difference, "score_tolerance": SCORE_TOLERANCE}
        return {"ok": self.ok, **counts, **scores, **asdict(self)}

    def lines(self) -> list[str]:
        """Counts, and every difference."""
        shown = ["  ".join(f"{name} {version}" for name, version in self.versions.items())]
        for picture in self.pictures:
            shown.append(
                f"{picture.name}: {picture.equal} equal, {picture.different} different, "
                f"scores within {picture.score_difference:.6f}"
            )
            shown += [f"  served only:    {line}" for line in picture.served_only]
            shown += [f"  PaddleOCR only: {line}" for line in picture.paddleocr_only]
        shown.append(
            f"{'PASS' if self.ok else 'FAIL'}: {self.equal} lines equal, {self.different} "
            f"different in {len(self.pictures)} pictures, scores within "
            f"{self.score_difference:.6f} (allowed {SCORE_TOLERANCE:g})"
        )
        return shown


def run(args: argparse.Namespace) -> Parity:
    """Read every picture both ways."""
    from ppocr_bench.children import RUNNERS, children
    from ppocr_bench.environments import PADDLEOCR, ensure_environment

    pictures = gather(args)
    served = read_served(args, pictures)
    python = args.paddleocr_python or ensure_environment(PADDLEOCR, args.environment)
    models = ["--det-model", args.det_model, "--rec-model", args.rec_model]
    dictionary = ["--dictionary", args.dictionary or args.rec_model / "dictionary.txt"]
    options = [*models, *dictionary, "--rec-height", str(args.rec_height)]
    with tempfile.TemporaryDirectory(prefix="ppocr-bench-") as folder:
        paths = [plain_file(picture, Path(folder, str(i))) for i, picture in enumerate(pictures)]
        command = [python, RUNNERS / "run_paddleocr.py", *options]
        # PaddleOCR looks for models under the home folder first.
        with children(1, command, {"HOME": folder}) as (paddleocr, versions):
            theirs = [[Line(*line) for line in paddleocr.ask(path)] for path in paths]
    return Parity(
        versions,
        [
            compare(picture.name, *lines)
            for picture, *lines in zip(pictures, served, theirs, strict=True)
        ],
    )


def read_served(args: argparse.Namespace, pictures: Sequence[Picture]) -> list[list[Line]]:
    """Read the pictures through the server with PaddleOCR's own padding."""
    from tqdm import tqdm

    from ppocr_client import OcrClient

    with target(args) as urls, OcrClient(urls[0]) as client:
        progress = tqdm(pictures, unit="picture", disable=None)
        results = [client.read(picture.data, rec_padding="paddle") for picture in progress]
    return [
        [Line(line.text, line.score, line.box.tolist()) for line in result.lines]
        for result in results
    ]


def plain_file(picture: Picture, path: Path) -> Path:
    """A file that PaddleOCR decodes to the pixels that the server reads.

    By design a transparent picture and one with EXIF orientation are decoded otherwise here
    (PaddleOCR lays on white, and ignores the orientation): PaddleOCR gets their pixels as PNG.
    """
    import cv2

    from ppocr_pipeline.decode import decode_image
    from ppocr_pipeline.formats import read_header
    from ppocr_pipeline.limits import Limits

    header = read_header(picture.data, Limits())
    if not header.alpha and header.orientation == 1:
        path.write_bytes(picture.data)
    else:
        path.write_bytes(cv2.imencode(".png", decode_image(picture.data))[1].tobytes())
    return path


def compare(name: str, served: Sequence[Line], paddleocr: Sequence[Line]) -> Compared:
    """Put the two readings of a picture side by side, in their order."""
    keys = [line.same() for line in served], [line.same() for line in paddleocr]
    matcher = difflib.SequenceMatcher(None, *keys, autojunk=False)
    pairs: list[tuple[Line, Line]] = []
    ours: list[Line] = []
    theirs: list[Line] = []
    for kind, a, a_end, b, b_end in matcher.get_opcodes():
        if kind == "equal":
            pairs += list(zip(served[a:a_end], paddleocr[b:b_end], strict=True))
        else:
            ours += served[a:a_end]
            theirs += paddleocr[b:b_end]
    difference = max((abs(mine.score - other.score) for mine, other in pairs), default=0.0)
    return Compared(name, len(pairs), difference, ours, theirs)
