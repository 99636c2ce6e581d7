"""Docling's own remote OCR, from its published package, reads scans by the model `docling`."""

import json
import subprocess
from pathlib import Path

import pytest
from originals import environment

from ppocr_server.tritonserver.server import TritonServer

ROOT = Path(__file__).parents[2]
#: Its remote OCR and PDF backend; without its local models, which would need PyTorch.
PACKAGE = "docling-slim[convert-core,format-pdf-pypdfium2,models-remote]==2.143.0"
SCRIPT = Path(__file__).with_name("read_with_docling.py")
PICTURES = ("poster_zh.jpg", "landscape.jpg")
pytestmark = [pytest.mark.server, pytest.mark.nightly]


@pytest.mark.parametrize("transport", ["grpc", "http"])
def test_docling_reads_scans(
    transport: str, server: TritonServer, samples: dict[str, list[str]]
) -> None:
    python = environment("docling", PACKAGE)
    url = server.grpc_url if transport == "grpc" else server.http_url
    files = [str(ROOT / "samples" / name) for name in PICTURES]
    for language, reads in (("english", True), ("klingon", False)):
        done = subprocess.run(
            [python, SCRIPT, transport, url, language, *files], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        for page in json.loads(done.stdout):
            texts = [cell["text"] for cell in page["cells"]]
            if reads:
                assert texts == samples.get(page["picture"], [])
                assert page["errors"] == []
            else:
                assert texts == []
                assert "the language is 'klingon'" in page["errors"][0]
