"""The default set, and ready-made ONNX of older generations as packages hold it, read."""

import subprocess
import sys
from pathlib import Path

import pytest
from paths import ROOT, SAMPLES
from work_folders import ONE_PICTURE

from ppocr_bench.scoring import fold
from ppocr_client import OcrClient
from ppocr_server.tritonserver.server import TritonServer

pytestmark = pytest.mark.server


FAMILIES = {
    "default": [],
    "ch_PP-OCRv3": ["--det", "ch_PP-OCRv3_det_onnx", "--rec", "ch_PP-OCRv3_rec_onnx"],
    "PP-OCRv4_mobile": ["--det", "PP-OCRv4_mobile_det_onnx", "--rec", "PP-OCRv4_mobile_rec_onnx"],
    "PP-OCRv6_tiny": ["--set", "tiny"],
}
RARELY = pytest.mark.nightly


@pytest.mark.parametrize(
    "family", [pytest.param(name, marks=[RARELY] * (name != "default")) for name in FAMILIES]
)
def test_a_built_family_reads_every_sample(family, samples):
    out = ROOT / "build" / "families" / family
    command: list[str | Path] = [Path(sys.executable).parent / "ppocr-convert", "build", "--quiet"]
    command += ["--work", ROOT / "build", "--out", out]
    subprocess.run([*command, *FAMILIES[family], *ONE_PICTURE], check=True)
    with TritonServer(out) as server, OcrClient(f"grpc://{server.grpc_url}") as client:
        for name, texts in samples.items():
            read = [fold(line.text) for line in client.read(SAMPLES / name).lines]
            assert read == [*map(fold, texts)], name
        first = client.read(SAMPLES / "poster_zh.jpg").lines[0]
    if family == "default":
        corner = ",".join(map(str, first.box.tolist()[0]))
        for page in ("README.md", "README_CN.md"):
            printed = f'"text":"{first.text}","score":…,"box":[[{corner}],…'
            assert printed in (ROOT / page).read_text("utf-8"), page
