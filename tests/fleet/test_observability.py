"""Metrics, rules, dashboard and traces, on a real server under a real Prometheus."""

import json
import re
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
import yaml
from fleet.copies import small_copy
from paths import ROOT, SAMPLES, SIGN
from serving import eventually
from web_server import listening

from ppocr_client import OcrClient, OcrError
from ppocr_server.tritonserver.ports import choose_ports
from ppocr_server.tritonserver.server import TritonServer

OBSERVABILITY = ROOT / "docker" / "observability"
DASHBOARD = OBSERVABILITY / "grafana" / "dashboards" / "ppocr.json"
TOLD = 5.0  # seconds after which every count of the steps has reached Triton
REQUEST_ID = "page-7"
MODELS = ("admit", "ocr")
NEEDS_GPU = ("nv_gpu_utilization", "nv_gpu_memory_used_bytes", "nv_gpu_power_usage")

Metrics = Counter[str]


def metrics_of(server: TritonServer) -> Metrics:
    """The server's numbers, by name and labels as they stand there."""
    with urllib.request.urlopen(f"http://{server.metrics_url}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    pairs = [line.rsplit(" ", 1) for line in lines if line and not line.startswith("#")]
    return Counter({name: float(value) for name, value in pairs})


@pytest.fixture(scope="module")
def collected() -> Iterator[tuple[str, list[bytes]]]:
    """The address of something that takes traces, and what it was sent."""
    bodies: list[bytes] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

    with listening(Collector) as port:
        yield f"http://127.0.0.1:{port}/v1/traces", bodies


@pytest.fixture(scope="module")
def watched(repository, collected, tmp_path_factory) -> Iterator[TritonServer]:
    """A server with one instance of everything and the traces of compose.yaml."""
    folder = small_copy(repository, tmp_path_factory.mktemp("watched") / "models")
    with TritonServer(folder, extra=trace_arguments(collected[0]), grace=5) as server:
        yield server


def trace_arguments(url: str) -> list[str]:
    """What compose.yaml starts Triton with, with every request traced and this address."""
    text = (ROOT / "docker" / "compose" / "compose.yaml").read_text(encoding="utf-8")
    text = re.sub(r"\$\{PPOCR_TRACE_LEVEL:-\w+\}", "TIMESTAMPS", text)
    text = re.sub(r"\$\{PPOCR_TRACE_RATE:-\d+\}", "1", text)
    words = yaml.safe_load(text)["services"]["cpu"]["command"]
    prefix = "--triton-argument="
    found = [word.removeprefix(prefix) for word in words if word.startswith(prefix)]
    return [re.sub(r"url=.*", f"url={url}", word) for word in found]


def refused(server: TritonServer, **more: Any) -> None:
    """A request that is refused: its picture is none."""
    image = {"name": "IMAGE", "shape": [1], "datatype": "BYTES", "data": ["x"]}
    body = json.dumps({"inputs": [image], **more}).encode()
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(f"http://{server.http_url}/v2/models/ocr/infer", body, timeout=30)


def send(server: TritonServer) -> None:
    """Three pictures with text, one without, and three requests that are refused."""
    with OcrClient(f"grpc://{server.grpc_url}", timeout=60) as client:
        for name in ("sign_vertical.jpg", "landscape.jpg", "sign_vertical.jpg"):
            client.read(SAMPLES / name)
        for wrong in (b"no picture", (SAMPLES / "landscape.jpg").read_bytes()[:2000]):
            with pytest.raises(OcrError):
                client.read(wrong)
        refused(server, parameters={"det_db_thresh": 7})
        client.read(SIGN)
    time.sleep(TOLD)


@pytest.mark.server
def test_counters_tell_what_was_sent(watched):
    before = metrics_of(watched)
    send(watched)
    change = metrics_of(watched)
    change.subtract(before)
    lines = len(json.loads((SAMPLES / "truth.json").read_text())["sign_vertical.jpg"])
    assert change["ppocr_pictures_total"] == 4
    assert change["ppocr_pictures_without_text_total"] == 1
    assert change["ppocr_lines_total"] == 3 * lines
    assert change['ppocr_rejected_total{reason="format"}'] == 1
    assert change['ppocr_rejected_total{reason="damaged"}'] == 1
    assert change['ppocr_rejected_total{reason="option"}'] == 1
    sizes = [(SAMPLES / name).stat().st_size for name in ("sign_vertical.jpg", "landscape.jpg")]
    assert change["ppocr_bytes_in_total"] == 3 * sizes[0] + sizes[1]
    assert change["ppocr_pixels_total"] > 100_000
    # What the rule of unread pages is made of.
    successes = [f'nv_inference_request_success{{model="{name}",version="1"}}' for name in MODELS]
    assert [change[name] for name in successes] == [7, 4]
    # Triton 2.51 counts a failed request of an ensemble twice, as docs/metrics.md says.
    failures = 'nv_inference_request_failure{model="ocr"'
    assert sum(value for name, value in change.items() if name.startswith(failures)) == 2 * 3
    crops = sum(value for name, value in change.items() if name.startswith("ppocr_crops_total"))
    assert crops >= 3 * lines


@pytest.mark.server
def test_log_names_the_request_that_is_refused(watched):
    refused(watched, id=REQUEST_ID)
    assert f"[request id: {REQUEST_ID}] IMAGE cannot be decoded" in watched.log()


@pytest.mark.server
def test_traces_arrive(watched, collected):
    with OcrClient(f"grpc://{watched.grpc_url}", timeout=60) as client:
        client.read(SIGN)
    assert eventually(lambda: b"det_postprocess" in b"".join(collected[1])), "no trace of it"
    assert b"ppocr-triton" in b"".join(collected[1])


def test_rules(program):
    promtool = str(program("promtool"))
    rules = map(str, OBSERVABILITY.glob("rules/*.yml"))
    subprocess.run([promtool, "check", "rules", *rules], check=True)
    subprocess.run([promtool, "test", "rules", str(OBSERVABILITY / "rules_test.yml")], check=True)
    subprocess.run([promtool, "check", "config", str(OBSERVABILITY / "prometheus.yml")], check=True)


@contextmanager
def running_prometheus(
    prometheus: Path, target: str, folder: Path
) -> Iterator[Callable[[str], Any]]:
    """A Prometheus with the project's rules that scrapes fast; yields what asks it."""
    config = yaml.safe_load((OBSERVABILITY / "prometheus.yml").read_text(encoding="utf-8"))
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = []
    for file in OBSERVABILITY.glob("rules/*.yml"):
        rules = yaml.safe_load(file.read_text(encoding="utf-8"))
        for group in rules["groups"]:
            group["interval"] = "1s"
        (folder / file.name).write_text(yaml.safe_dump(rules))
        config["rule_files"].append(file.name)
    job = next(job for job in config["scrape_configs"] if job["job_name"] == "triton")
    config["scrape_configs"] = [job]
    del job["dns_sd_configs"]
    job["static_configs"] = [{"targets": [target]}]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    port = choose_ports("127.0.0.1", {"prometheus": 0})["prometheus"]
    address = f"127.0.0.1:{port}"
    command = [str(prometheus), f"--config.file={folder}/prometheus.yml"]
    command += [f"--storage.tsdb.path={folder}/data", f"--web.listen-address={address}"]

    def ask(expression: str) -> Any:
        query = urllib.parse.urlencode({"query": expression})
        with urllib.request.urlopen(f"http://{address}/api/v1/query?{query}", timeout=10) as answer:
            return json.load(answer)["data"]["result"]

    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        yield ask
    finally:
        process.terminate()
        process.wait(20)


def expressions() -> dict[str, str]:
    """Every expression of the dashboard with its panel's title, for all jobs."""
    panels = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    found = {
        target["expr"].replace("$job", ".+"): panel["title"]
        for panel in panels
        for target in panel.get("targets", [])
    }
    assert len(found) == sum(len(panel.get("targets", [])) for panel in panels)
    return found


@pytest.mark.server
def test_no_panel_is_empty(watched, program, tmp_path):
    with running_prometheus(program("prometheus"), watched.metrics_url, tmp_path) as ask:
        deadline = time.monotonic() + 40
        empty = expressions()
        while time.monotonic() < deadline and any(
            title for expr, title in empty.items() if not expr.startswith(NEEDS_GPU)
        ):
            send(watched)
            try:
                empty = {expr: title for expr, title in empty.items() if not ask(expr)}
            except urllib.error.URLError:  # it is still starting
                continue
    assert [expr for expr in empty if not expr.startswith(NEEDS_GPU)] == []


def test_dashboard_is_whole():
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    places = [panel["gridPos"] for panel in panels]
    cells = [
        (x, y)
        for place in places
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells)), "panels lie on one another"
    assert max(x for x, _ in cells) == 23
    for panel in panels:
        assert panel["type"] == "row" or panel["description"]
