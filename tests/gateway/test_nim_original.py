"""nv-ingest's client of NVIDIA's NIM for image OCR, from its published package, reads pictures."""

import json
import subprocess
from pathlib import Path

import pytest
from originals import environment

from ppocr_client import OcrClient
from ppocr_client.exports.markdown import paragraphs
from ppocr_server.tritonserver.server import TritonServer

SAMPLES = Path(__file__).parents[2] / "samples"
PICTURES = ("poster_zh.jpg", "landscape.jpg")
SCRIPT = Path(__file__).parent / "published" / "read_with_nv_ingest.py"
PACKAGES = (
    "nv-ingest-api==26.3.0",
    "opencv-python-headless",
    "pillow",
    "requests",
    "tritonclient[grpc]",
)
pytestmark = [pytest.mark.server, pytest.mark.nightly]


def test_nv_ingest_reads_pictures(gateway: str, server: TritonServer) -> None:
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
