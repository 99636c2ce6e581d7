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


def given(*pictures: bytes) -> list[dict[str, str]]:
    # nv-ingest says image/png whatever it sends.
    texts = (f"data:image/png;base64,{base64.b64encode(one).decode()}" for one in pictures)
    return [{"type": "image_url", "url": text} for text in texts]


def post(address: str, *pictures: bytes, path: str = "/v1/ocr", **fields: Any) -> tuple[int, Any]:
    body = json.dumps({"input": given(*pictures), **fields})
    status, answer = ask(address, "POST", path, body, JSON)
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
        points = detection["bounding_box"]["points"]
        assert [(at["x"] * 720, at["y"] * 960) for at in points] == pytest.approx(line.box)


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
        points = np.array([[at["x"], at["y"]] for at in detection["bounding_box"]["points"]])
        assert points.min(axis=0) == pytest.approx(corners.min(axis=0))
        assert points.max(axis=0) == pytest.approx(corners.max(axis=0))


@pytest.mark.parametrize(
    ("fields", "status", "said"),
    [
        ({"input": []}, 422, "input: List should have"),
        ({"input": [{"type": "text", "url": ""}]}, 422, "type"),
        ({"input": [{"type": "image_url", "url": "http://127.0.0.1/a.png"}]}, 422, "no data URI"),
        ({"input": [{"type": "image_url", "url": "data:;base64,%%"}]}, 422, "not base64"),
        ({"input": given(b"no picture")}, 400, "[0]: IMAGE"),
        ({"merge_levels": ["page"]}, 422, "'word'"),
        ({"merge_levels": ["sentence"] * 2}, 422, "2 entries for 1 pictures"),
    ],
)
def test_what_cannot_be_read_is_refused(fields, status, said, gateway):
    answered, answer = post(gateway, BLANK, **fields)
    assert (answered, said in answer["detail"]) == (status, True), answer


def test_health_needs_no_token_but_reading_does(server, tmp_path):
    (tmp_path / "token").write_text("s" * 32)
    token = ("--token-file", str(tmp_path / "token"))
    with gateway_process(f"grpc://{server.grpc_url}", *token) as gateway:
        for path, expected in (("live", {"live": True}), ("ready", {"ready": True})):
            status, answer = ask(gateway, "GET", f"/v1/health/{path}")
            assert (status, json.loads(answer)) == (200, expected)
        assert post(gateway, BLANK)[0] == 401
        assert ask(gateway, "GET", "/v1/models")[0] == 401


@pytest.mark.nightly
def test_nv_ingest_reads_pictures(gateway, server):
    beside = ("opencv-python-headless", "pillow", "requests", "tritonclient[grpc]")
    python = environment("nv_ingest", "nv-ingest-api==26.3.0", *beside)
    script = Path(__file__).parent / "published" / "read_with_nv_ingest.py"
    files = [str(SAMPLES / name) for name in ("poster_zh.jpg", "landscape.jpg")]
    command = [python, script, f"http://{gateway}/v1/ocr", *files]
    done = subprocess.run(command, capture_output=True, text=True)
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
