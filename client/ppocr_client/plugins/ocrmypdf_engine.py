"""The OCR engine of OCRmyPDF 17.

OCRmyPDF finds it by `ocrmypdf_entry_point` once the package is installed. It is used where
`--ppocr-url` is given, and leaves every other run as it is. `ppocr_client.plugins.ocrmypdf` makes
it the only engine.
"""

from __future__ import annotations

import logging
import math
import os
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from ocrmypdf import hookimpl
from ocrmypdf.exceptions import (
    BadArgsError,
    ExitCodeException,
    InputFileError,
    MissingDependencyError,
)
from ocrmypdf.hocrtransform import Baseline, BoundingBox, OcrClass, OcrElement
from ocrmypdf.pluginspec import OcrEngine, OrientationConfidence
from pydantic import BaseModel

from ppocr_client.client import OcrClient
from ppocr_client.errors import AccessDenied, ImageError, ModelNotFound, OcrError, ServerUnavailable
from ppocr_client.exports.pdf import STRAIGHT
from ppocr_client.exports.xml import bounds, to_hocr
from ppocr_client.lines import TALL, Line
from ppocr_client.results import OcrResult
from ppocr_client.transport.base import Tls

if TYPE_CHECKING:
    from ocrmypdf import OcrOptions

# OCRmyPDF sends as many pages as it has workers. A busy server refuses some of them at once, and
# the timeout of a page, not a number of tries, says how long it waits for its turn.
RETRIES = 1000
CONFIDENT = 15.0  # OCRmyPDF's "very confident"; the server names an angle by a clear majority alone
READY_TIMEOUT = 10.0  # seconds for the server's first answer
DESCENT = 0.2  # of a line's height, below its baseline
LONG = 5  # widths of a box over its height from which it tells the page's slope

log = logging.getLogger(__name__)


class PpocrOptions(BaseModel):
    """The engine's options; OCRmyPDF fills them in from `--ppocr-…`."""

    url: str | None = None
    model: str = "ocr"
    token: str | None = None
    ca: str | None = None
    timeout: float = 180.0


@hookimpl
def register_options() -> dict[str, type[BaseModel]]:
    """The engine's options and their namespace."""
    return {"ppocr": PpocrOptions}


@hookimpl
def add_options(parser: ArgumentParser) -> None:
    """Add the options to OCRmyPDF's command line."""
    group = parser.add_argument_group("PaddleOCR on Triton", "Read with a ppocr-triton server")
    group.add_argument(
        "--ppocr-url",
        metavar="URL",
        help="read with this server: grpc://HOST:PORT, http://HOST:PORT, grpcs:// or https://",
    )
    group.add_argument(
        "--ppocr-model", metavar="NAME", default="ocr", help="the pipeline's name on the server"
    )
    group.add_argument(
        "--ppocr-token",
        metavar="TOKEN",
        help="sent as 'Authorization: Bearer TOKEN' (default: the environment's PPOCR_TOKEN)",
    )
    group.add_argument("--ppocr-ca", metavar="PEM", help="certificate authorities to trust")
    group.add_argument(
        "--ppocr-timeout",
        metavar="S",
        type=float,
        default=180.0,
        help="seconds for each page, waiting for a busy server included",
    )


@hookimpl
def check_options(options: OcrOptions) -> None:
    """Refuse before the first page, with an exit code, options or a server that cannot work."""
    if not chosen(options):
        return
    if options.pdf_renderer == "sandwich":
        raise BadArgsError("--pdf-renderer sandwich is Tesseract's own; use auto or fpdf2")
    with _as_ocrmypdf_errors(), _client(options) as client:
        client.wait_ready(READY_TIMEOUT)


@hookimpl
def get_ocr_engine(options: OcrOptions | None) -> OcrEngine | None:
    """The engine where it is chosen; None leaves the choice to the others."""
    return PpocrEngine() if options is not None and chosen(options) else None


def chosen(options: OcrOptions) -> bool:
    """Whether a run names a server, and no other engine."""
    return options.ppocr.url is not None and options.ocr_engine == "auto"


class PpocrEngine(OcrEngine):
    """Reads pages with a ppocr-triton server.

    Its methods raise OCRmyPDF's own errors, which end the program with a message and an exit code.
    """

    @staticmethod
    def version() -> str:
        """The version of this package."""
        return version("ppocr-triton")

    @staticmethod
    def creator_tag(options: OcrOptions) -> str:
        """What the PDF file names as its creator."""
        return f"PaddleOCR on Triton (ppocr-triton {version('ppocr-triton')})"

    def __str__(self) -> str:
        return f"ppocr-triton {version('ppocr-triton')}"

    @staticmethod
    def languages(options: OcrOptions) -> set[str]:
        """None: the server's models decide, and OCRmyPDF checks `--language` against no list."""
        return set()

    @staticmethod
    def get_orientation(input_file: Path, options: OcrOptions) -> OrientationConfidence:
        """How a page is turned, as the server says; not at all where it has no classifier."""
        return OrientationConfidence(_read(input_file, options).angle, CONFIDENT)

    @staticmethod
    def get_deskew(input_file: Path, options: OcrOptions) -> float:
        """The counter-clockwise turn, in degrees, that makes the page's lines level."""
        with _as_ocrmypdf_errors(), _client(options) as client:
            return _slope_angle(client.detect(input_file).boxes)

    @staticmethod
    def supports_generate_ocr() -> bool:
        """Yes: results are passed on as OCRmyPDF's own elements."""
        return True

    @staticmethod
    def generate_ocr(
        input_file: Path, options: OcrOptions, page_number: int = 0
    ) -> tuple[OcrElement, str]:
        """A page, counted from 0, as an `ocr_page` of lines in reading order, and their text."""
        result = _read(input_file, options)
        width, height = result.extent
        page = OcrElement(
            OcrClass.PAGE,
            bbox=BoundingBox(0, 0, width, height),
            page_number=page_number,
            children=[_line_element(line) for line in result.lines if line.text],
        )
        return page, result.text

    @staticmethod
    def generate_hocr(
        input_file: Path, output_hocr: Path, output_text: Path, options: OcrOptions
    ) -> None:
        """Read a page into an hOCR file and a text file."""
        result = _read(input_file, options)
        output_hocr.write_text(to_hocr([result], names=[input_file.name]), "utf-8")
        output_text.write_text(result.text, "utf-8")

    @staticmethod
    def generate_pdf(
        input_file: Path, output_pdf: Path, output_text: Path, options: OcrOptions
    ) -> None:
        """Not offered: OCRmyPDF lays the text itself; `check_options` refuses `sandwich`."""
        raise BadArgsError("--pdf-renderer sandwich is Tesseract's own; use auto or fpdf2")


def _client(options: OcrOptions) -> OcrClient:
    given: PpocrOptions = options.ppocr
    try:
        return OcrClient(
            given.url or "",
            model=given.model,
            timeout=given.timeout,
            retries=RETRIES,
            token=given.token or os.environ.get("PPOCR_TOKEN"),
            tls=Tls(given.ca) if given.ca else None,
        )
    except (ValueError, OSError) as error:
        raise BadArgsError(f"--ppocr-url, --ppocr-timeout or --ppocr-ca: {error}") from error


def _read(picture: Path, options: OcrOptions) -> OcrResult:
    with _as_ocrmypdf_errors(), _client(options) as client:
        result = client.read(picture, return_words=True)
    for warning in result.warnings:
        log.warning("%s", warning)
    return result


@contextmanager
def _as_ocrmypdf_errors() -> Iterator[None]:
    try:
        yield
    except ImageError as error:
        raise InputFileError(str(error)) from error
    except (ServerUnavailable, ModelNotFound, AccessDenied) as error:
        raise MissingDependencyError(str(error)) from error
    except OcrError as error:
        raise ExitCodeException(str(error)) from error


def _slope_angle(boxes: npt.NDArray[np.float32]) -> float:
    """The slope of a page's lines in degrees: the median of its long boxes, weighted by length.

    It is above 0 where lines fall to the right; 0 without long boxes. `boxes` are float32
    [N, 4, 2], pixels, clockwise from top-left.
    """
    along = (boxes[:, 1] - boxes[:, 0] + boxes[:, 2] - boxes[:, 3]) / 2
    down = boxes[:, 3] - boxes[:, 0]
    widths = np.hypot(*along.T)
    along, widths = (kept[widths >= LONG * np.hypot(*down.T)] for kept in (along, widths))
    if not len(along):
        return 0.0
    angles = np.degrees(np.arctan2(along[:, 1], along[:, 0]))
    order = np.argsort(angles)
    total = np.cumsum(widths[order])
    return float(angles[order][np.searchsorted(total, total[-1] / 2)])


def _line_element(line: Line) -> OcrElement:
    """A line; one that is much higher than wide is read downwards."""
    upright = BoundingBox(*bounds(line))
    words = [
        OcrElement(
            OcrClass.WORD, bbox=BoundingBox(*bounds(part)), text=part.text, confidence=part.score
        )
        for part in line.parts
    ]
    top_left, top_right, _, bottom_left = line.box.astype(float)
    (across, climb), thickness = top_right - top_left, math.dist(bottom_left, top_left)
    turned = -90 * round(math.atan2(climb, across) / (math.pi / 2))  # counter-clockwise
    if turned or thickness >= TALL * across:
        angle = float(turned or -90)
        return OcrElement(OcrClass.LINE, bbox=upright, textangle=angle, children=words)
    slope, bottom = climb / across, float(bottom_left[1])
    if abs(slope) > STRAIGHT:
        slope, bottom = 0.0, float(line.box[:, 1].mean() + thickness / 2)
    # OCRmyPDF measures the baseline from the bottom left of the line's box, and takes what is above
    # for the size of the letters: the box stands where the line begins, as high as its letters.
    start = BoundingBox(upright.left, bottom - thickness, upright.right, bottom)
    baseline = Baseline(slope, -DESCENT * thickness)
    return OcrElement(OcrClass.LINE, bbox=start, baseline=baseline, children=words)
