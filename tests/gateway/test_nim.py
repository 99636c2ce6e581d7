"""POST /v1/ocr: what clients of NVIDIA's NIM for image OCR send."""

import base64
import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gateway.conftest import gateway_process
from originals import environment
from paths import SAMPLES
from serving import ask

from ppocr_client import OcrClient
from ppocr_client.exports.markdown import paragraphs

POSTER = (SAMPLES / "poster_zh.jpg").read_bytes()
BLANK = (SAMPLES / "landscape.jpg").read_bytes()
JSON = {"Content-Type": "application/json"}
pytestmark = pytest.mark.server


def url(data: bytes) -> str:
    # nv-ingest says image/png whatever it sends.
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"


def post(address: str, *pictures: bytes, path: str = "/v1/ocr", **fields: Any) -> tuple[int, Any]:
    body = {"input": [{"type": "image_url", "url": url(one)} for one in pictures], **fields}
    return sent(address, body, path)


def sent(address: str, body: Any, path: str = "/v1/ocr") -> tuple[int, Any]:
    status, answer = ask(address, "POST", path, json.dumps(body), JSON)
    return status, json.loads(answer)


def test_sentences_are_the_lines_of_the_client(gateway, server):
    levels = ["sentence", "sentence"]
    for path in ("/v1/ocr", "/v1/infer"):
        status, found = post(gateway, POSTER, BLANK, path=path, merge_levels=levels)
        assert (status, [one["index"] for one in found["data"]]) == (200, [0, 1])
        assert found["data"][1]["text_detections"] == []
        size = (len(POSTER) + len(BLANK)) / 2**20
        assert found["usage"] == {"images_size_mb": pytest.approx(size)}
    with OcrClient(f"grpc://{server.grpc_url}") as client:
        result, info = client.read(POSTER), client.server_info()
    assert found["model"] == info.recognizer
    listed = json.loads(ask(gateway, "GET", "/v1/models")[1])
    assert [one["id"] for one in listed["data"]] == [info.recognizer]
    for detection, line in zip(found["data"][0]["text_detections"], result.lines, strict=True):
        assert detection["text_prediction"]["text"] == line.text
        assert detection["text_prediction"]["confidence"] == pytest.approx(line.score)
        points = [
            (point["x"] * 720, point["y"] * 960) for point in detection["bounding_box"]["points"]
        ]
        assert points == pytest.approx(line.box)


def test_words_are_those_of_the_client(gateway, server):
    status, found = post(gateway, POSTER, BLANK, merge_levels=["word", "paragraph"])
    assert (status, found["data"][1]["text_detections"]) == (200, [])
    with OcrClient(f"grpc://{server.grpc_url}") as client:
        words = client.read(POSTER, return_words=True).words
    read = [one["text_prediction"]["text"] for one in found["data"][0]["text_detections"]]
    assert read == [word.text for word in words]


def test_paragraphs_hold_the_lines_that_belong_together(gateway, server):
    status, found = post(gateway, POSTER)
    assert status == 200
    with OcrClient(f"grpc://{server.grpc_url}") as client:
        expected = paragraphs(client.read(POSTER))
    assert max(map(len, expected)) > 1
    for detection, lines in zip(found["data"][0]["text_detections"], expected, strict=True):
        text = detection["text_prediction"]["text"]
        assert text == "\n".join(line.text for line in lines)
        corners = np.concatenate([line.box for line in lines]) / (720, 960)
        points = detection["bounding_box"]["points"]
        for axis, name in enumerate("xy"):
            ends = [point[name] for point in points]
            assert min(ends) == pytest.approx(corners[:, axis].min())
            assert max(ends) == pytest.approx(corners[:, axis].max())


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"input": []}, "input: List should have"),
        ({"input": [{"type": "text", "url": url(BLANK)}]}, "type"),
        ({"input": [{"type": "image_url", "url": "http://127.0.0.1/a.png"}]}, "no data URI"),
        ({"input": [{"type": "image_url", "url": "data:image/png;base64,%%"}]}, "not base64"),
        ({"input": [{"type": "image_url", "url": url(b"no picture")}]}, "[0]: IMAGE"),
        ({"input": [{"type": "image_url", "url": url(BLANK)}], "merge_levels": ["page"]}, "'word'"),
        (
            {"input": [{"type": "image_url", "url": url(BLANK)}], "merge_levels": ["sentence"] * 2},
            "2 entries for 1 pictures",
        ),
    ],
)
def test_what_cannot_be_read_is_refused(body, said, gateway):
    status, answer = sent(gateway, body)
    assert status == (400 if said == "[0]: IMAGE" else 422)
    assert said in answer["detail"]


def test_health_needs_no_token_but_reading_does(server, tmp_path):
    (tmp_path / "token").write_text("s" * 32)
    token = ("--token-file", str(tmp_path / "token"))
    with gateway_process(f"grpc://{server.grpc_url}", *token) as gateway:
        for path, expected in (("live", {"live": True}), ("ready", {"ready": True})):
            status, answer = ask(gateway, "GET", f"/v1/health/{path}")
            assert (status, json.loads(answer)) == (200, expected)
        assert post(gateway, BLANK)[0] == 401
        assert ask(gateway, "GET", "/v1/models")[0] == 401


PICTURES = ("poster_zh.jpg", "landscape.jpg")
SCRIPT = Path(__file__).parent / "published" / "read_with_nv_ingest.py"
PACKAGES = (
    "nv-ingest-api==26.3.0",
    "opencv-python-headless",
    "pillow",
    "requests",
    "tritonclient[grpc]",
)


@pytest.mark.nightly
def test_nv_ingest_reads_pictures(gateway, server):
    python = environment("nv_ingest", *PACKAGES)
    files = [str(SAMPLES / name) for name in PICTURES]
    done = subprocess.run(
        [python, SCRIPT, f"http://{gateway}/v1/ocr", *files], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    with OcrClient(f"grpc://{server.grpc_url}") as client:
        result = client.read(files[0])
    (boxes, texts, scores), blank = found["sentence"]
    assert texts == [line.text for line in result.lines]
    assert scores == pytest.approx([line.score for line in result.lines])
    assert [corner for box in boxes for corner in box] == [
        pytest.approx(corner) for line in result.lines for corner in line.box.tolist()
    ]
    assert len(found["paragraph"][0][1]) == len(paragraphs(result))
    assert blank == [[], [], []]
