"""Ready-made ONNX of three generations, as their packages hold it, is served and reads."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from work_folders import ONE_PICTURE

from ppocr_client import OcrClient
from ppocr_server.tritonserver.server import TritonServer

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "samples"
pytestmark = pytest.mark.server


FAMILIES = [
    pytest.param("ch_PP-OCRv3", marks=pytest.mark.nightly),
    pytest.param("PP-OCRv4_mobile", marks=pytest.mark.nightly),
    "PP-OCRv6_small",
]


@pytest.mark.parametrize("family", FAMILIES)
def test_ready_made_onnx_reads_every_sample(family, samples):
    out = ROOT / "build" / "families" / family
    command: list[str | Path] = [Path(sys.executable).parent / "ppocr-convert", "build", "--quiet"]
    command += ["--work", ROOT / "build", "--out", out]
    command += ["--det", f"{family}_det_onnx", "--rec", f"{family}_rec_onnx"]
    subprocess.run([*command, *ONE_PICTURE], check=True)
    with TritonServer(out) as server, OcrClient(f"grpc://{server.grpc_url}") as client:
        for name, texts in samples.items():
            read = [line.text.replace(" ", "") for line in client.read(SAMPLES / name).lines]
            assert read == [text.replace(" ", "") for text in texts], name
