"""The comparison with PaddleOCR's own pipeline, and the comparison itself."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from ppocr_bench.cli import main
from ppocr_bench.pictures import Picture, read_labels
from ppocr_bench.record import Line
from ppocr_bench.verbs.parity import Compared, compare, judge, plain_file
from ppocr_pipeline.decode import decode_image
from ppocr_server.tritonserver.server import TritonServer

ROOT = Path(__file__).parents[2]
CORNERS = [[0.0, 0.0], [9.0, 0.0], [9.0, 5.0], [0.0, 5.0]]


def line(text: str, score: float = 0.9, corners: list[list[float]] = CORNERS) -> Line:
    return Line(text, corners, score)


def test_equal_readings_are_equal() -> None:
    both = [line("a"), line("b")]
    assert compare("page", both, both) == Compared("page", 2, 0.0, [], [])
    assert judge([compare("page", [], [])], {}).ok


def test_a_line_too_many_is_one_difference() -> None:
    found = compare("page", [line("a"), line("b"), line("c")], [line("a"), line("c")])
    assert (found.equal, len(found.paddleocr_only)) == (2, 0)
    assert found.served_only == [line("b")]


def test_a_moved_corner_and_another_text_are_differences() -> None:
    moved = [[1.0, 0.0], *CORNERS[1:]]
    found = compare("page", [line("a"), line("b")], [line("a", corners=moved), line("B")])
    assert (found.equal, len(found.served_only), len(found.paddleocr_only)) == (0, 2, 2)


@pytest.mark.parametrize(("score", "ok"), [(0.9004, True), (0.91, False)])
def test_scores_may_differ_a_little(score: float, ok: bool) -> None:
    report = judge([compare("page", [line("a", 0.9)], [line("a", score)])], {})
    assert report.ok is ok
    assert report.settings["scores"] == pytest.approx(score - 0.9)


def test_differences_are_shown() -> None:
    text = "\n".join(judge([compare("page", [line("mine")], [line("theirs")])], {}).lines())
    assert "mine" in text
    assert "theirs" in text
    assert "FAIL: 0 lines equal, 1 different" in text


def test_paddleocr_gets_the_pixels_that_the_server_reads(tmp_path: Path) -> None:
    transparent = np.zeros((20, 30, 4), np.uint8)
    transparent[5:10, 5:20] = (10, 20, 30, 255)
    files = [picture for picture in read_labels(ROOT / "samples") if picture.name.endswith(".jpg")]
    files.append(Picture("alpha.png", cv2.imencode(".png", transparent)[1].tobytes()))
    turned = 0
    for index, picture in enumerate(files):
        path = plain_file(picture, tmp_path / str(index))
        # How PaddleOCR decodes a file: no orientation, and alpha would stay.
        pixels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        upright = decode_image(picture.data)
        assert np.array_equal(pixels, upright), picture.name
        turned += path.read_bytes() != picture.data
    assert turned == 2  # photo_exif.jpg and alpha.png


@pytest.mark.paddle
@pytest.mark.server
def test_samples_and_pages_are_read_as_paddleocr_reads_them(
    server: TritonServer, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["parity", "--json", "--url", f"grpc://{server.grpc_url}", "--pages", "2"]
    folders = ["--samples", ROOT / "samples", "--environment", ROOT / "build" / "paddleocr-env"]
    models = ROOT / "build" / "models"
    folders += ["--det-model", models / "PP-OCRv4_mobile_det"]
    folders += ["--rec-model", models / "PP-OCRv4_mobile_rec"]
    code = main([*command, *map(str, folders)])
    report = json.loads(capsys.readouterr().out)
    assert report["settings"]["different"] == 0, report
    assert report["settings"]["equal"] > 80
    assert report["settings"]["versions"]["paddleocr"] == "2.10.0"
    assert code == 0
