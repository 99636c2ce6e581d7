"""The comparison with PaddleOCR's own pipeline, and the comparison itself."""

import json

import cv2
import numpy as np
import pytest
from paths import ROOT, SAMPLES

from ppocr_bench.cli import main
from ppocr_bench.pictures import Picture, read_labels
from ppocr_bench.record import Result
from ppocr_bench.verbs.parity import compare, judge, plain_file
from ppocr_pipeline.decode import decode_image
from ppocr_pipeline.pipeline import Line


def line(text: str, score: float = 0.9, at: int = 0, left: float = 0.0) -> Line:
    """A line; each place `at` is below the one before."""
    top, bottom = 10.0 * at, 10.0 * at + 5
    corners = [[left, top], [90.0, top], [90.0, bottom], [0.0, bottom]]
    return Line(text, score, np.array(corners, np.float32), 0.0)


def judged(paddleocr: list[Line], served: list[Line]) -> Result:
    return judge(["page"], [compare(paddleocr, served)], {})


A, B, C = line("a"), line("b", at=1), line("c", at=2)


@pytest.mark.parametrize(
    ("paddleocr", "served", "equal", "different"),
    [
        ([], [], 0, 0),
        ([A, B], [A, B], 2, 0),
        pytest.param([A, C], [A, B, C], 2, 1, id="a line too many"),
        pytest.param([line("a", left=1)], [A], 0, 1, id="a moved corner"),
        pytest.param([line("B", at=1)], [B], 0, 1, id="another text"),
    ],
)
def test_lines_must_be_equal(paddleocr, served, equal, different):
    found = judged(paddleocr, served)
    assert (found.settings["equal"], found.settings["different"]) == (equal, different)
    assert found.ok is not bool(different)


@pytest.mark.parametrize(("score", "ok"), [(0.9004, True), (0.91, False)])
def test_scores_may_differ_a_little(score, ok):
    found = judged([line("a", score)], [A])
    assert found.ok is ok
    assert found.settings["scores"] == pytest.approx(score - 0.9)


def test_differences_are_shown():
    text = "\n".join(judged([line("theirs")], [line("mine")]).lines())
    assert "mine" in text
    assert "theirs" in text
    assert "FAIL: 0 lines equal, 1 different" in text


def test_paddleocr_gets_the_pixels_that_the_server_reads(tmp_path):
    transparent = np.zeros((20, 30, 4), np.uint8)
    transparent[5:10, 5:20] = (10, 20, 30, 255)
    files = [picture for picture in read_labels(SAMPLES) if picture.name.endswith(".jpg")]
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


@pytest.mark.nightly
@pytest.mark.paddle
@pytest.mark.server
def test_samples_and_pages_are_read_as_paddleocr_reads_them(server, capsys):
    command = ["parity", "--json", "--url", f"grpc://{server.grpc_url}", "--pages", "2"]
    folders = ["--samples", SAMPLES, "--environments", ROOT / "build"]
    folders += ["--models", ROOT / "build" / "models"]
    code = main([*command, *map(str, folders)])
    report = json.loads(capsys.readouterr().out)
    assert report["settings"]["different"] == 0, report
    assert report["settings"]["equal"] > 80
    assert report["settings"]["versions"]["paddleocr"] == "2.10.0"
    assert code == 0
