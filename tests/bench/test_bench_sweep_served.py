"""A short sweep of the real server, and a plan made of it."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from ppocr_bench.cli import main
from ppocr_server.tritonserver.server import TritonServer

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One short line of text: quick to read."""
    pixels = np.full((64, 192, 3), 255, np.uint8)
    cv2.putText(pixels, "SWEEP 42", (12, 42), cv2.FONT_HERSHEY_SIMPLEX, 1.0, (0, 0, 0), 2)
    path = tmp_path_factory.mktemp("sweep") / "line.png"
    cv2.imwrite(str(path), pixels)
    return path


@pytest.fixture(scope="module")
def swept(server: TritonServer, picture: Path) -> Path:
    """The file with the result of two loads on both protocols."""
    out = picture.with_name("sweep.json")
    urls = ["--url", f"grpc://{server.grpc_url}", "--url", f"http://{server.http_url}"]
    watched = ["--pid", str(server.pid), "--metrics-url", f"http://{server.metrics_url}/metrics"]
    load = ["--concurrency", "1", "--request-rate", "3", "--seconds", "2"]
    pictures = ["--no-samples", "--images", str(picture)]
    command = ["sweep", *urls, *watched, *load, *pictures, "--label", "here"]
    assert main([*command, "--out", str(out)]) == 0
    return out


def test_every_load_on_every_protocol_has_its_figures(swept: Path) -> None:
    result = json.loads(swept.read_text("utf-8"))
    assert (result["verb"], result["ok"], result["settings"]["label"]) == ("sweep", True, "here")
    assert result["settings"]["models"]["det"]["instances"] >= 1
    points = result["tables"]["points"]["rows"]
    loads = [(point["protocol"], point["concurrency"], point["rate"]) for point in points]
    assert loads == [("grpc", 1, None), ("grpc", None, 3), ("http", 1, None), ("http", None, 3)]
    for point in points:
        assert (point["error"], point["failures"]) == (None, 0)
        assert point["requests"] > 0
        assert 0 < point["p50_ms"] <= point["p80_ms"] <= point["p90_ms"] <= point["p99_ms"]
        assert len(point["windows"]) == 3
        assert point["memory_mib"] > 100
        assert point["cores"] > 0


def test_every_step_has_its_share(swept: Path) -> None:
    result = json.loads(swept.read_text("utf-8"))["tables"]
    for point in result["points"]["rows"]:
        own = [row for row in result["steps"]["rows"] if row["at"] == point["at"]]
        steps = {row["step"]: row for row in own}
        assert {"det_preprocess", "det", "det_postprocess", "rec", "recognize"} <= set(steps)
        assert steps["det"]["calls"] == pytest.approx(1, rel=0.3)
        # The recogniser works within the step that asks it, and there was a line to read.
        assert steps["rec"]["calls"] == pytest.approx(1, rel=0.3)
        assert steps["recognize"]["work_ms"] > steps["rec"]["work_ms"] > 0
        assert all(row["cpu_ms"] > 0 for row in own)
        assert sum(row["cpu_ms"] for row in own) <= 1.01 * point["cpu_ms"]


def test_servers_are_planned_from_it(swept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    load = ["--rate", "100", "--lines", "1", "--hardware", "cpu-2", "--costs", str(swept)]
    assert main(["plan", "--json", *load]) == 0
    settings = json.loads(capsys.readouterr().out)["settings"]
    assert settings["measured_lines"] == pytest.approx(1, rel=0.3)
    assert settings["replicas"] == settings["working"] + 1 > 1
