"""A short sweep of the real server and its old ports, and the sweep's parts."""

import base64
import json
import re
import subprocess
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
from paths import ROOT, SAMPLES

from ppocr_bench import clients
from ppocr_bench.cli import main
from ppocr_bench.clients import Turn, between, gpus, joined, read_metrics, steps, totals
from ppocr_bench.pictures import Picture, blank
from ppocr_bench.record import Answer, BenchError, Run
from ppocr_bench.target import OLD_PORTS, Serving, endpoint
from ppocr_bench.verbs.sweep import point, protocol_of

#: Triton's metrics in its own format; there is no GPU here to ask.
METRICS = Path(__file__).with_name("metrics.txt").read_text("utf-8")


def test_the_line_of_the_page_writes_each_picture_with_its_length_before_it(tmp_path):
    page, out = (ROOT / "docs" / "compare.md").read_text("utf-8"), tmp_path / "pictures.json"
    (line,) = re.findall(r"^python3 -c '.+?build/pictures\.json$", page, re.MULTILINE | re.DOTALL)
    line = line.replace("build/pictures.json", str(out))
    subprocess.run(["sh", "-c", line], cwd=ROOT, check=True)
    rows = [row["IMAGE"] for row in json.loads(out.read_text("utf-8"))["data"]]
    files = [path.read_bytes() for path in SAMPLES.glob("*.[jp][pn]g")]
    expected = {len(data).to_bytes(4, "little") + data for data in files}
    assert {base64.b64decode(row["b64"]) for row in rows} == expected
    assert all(row["shape"] == [1] for row in rows)


def test_steps_are_told_for_a_picture():
    (step,) = steps(between({}, totals(METRICS))).values()
    assert (step["calls"], step["batch"], step["queue_ms"]) == (2, 3, 4)
    assert step["work_ms"] == pytest.approx(0.2 + 10 + 0.4)
    assert between(totals(METRICS), totals(METRICS))["rec"] == Counter()


def test_metrics_of_gpus():
    found = {"gpus": 2, "gpu_percent": pytest.approx(71.5), "gpu_memory_mib": 3 * 2**10}
    assert gpus(METRICS) == found
    assert gpus("nv_cpu_utilization 0.4") == {}


def test_metrics_that_are_not_there_are_an_error():
    for url in ("http://127.0.0.1:9/metrics", "no address"):
        with pytest.raises(BenchError, match="--metrics-url"):
            read_metrics(url)


def turn(answers: int, milliseconds: float) -> Turn:
    """A second with so many answers, each after the same time."""
    sent = [Answer(n, "OK", 0.9 - milliseconds / 1e3, 0.9) for n in range(answers)]
    return Turn(Run(0.0, 1.0, sent, {"det": 0.5}), {}, 1.0, {"memory_mib": 1})


def test_rounds_of_a_load_are_taken_together():
    even = point("grpc", 4, [turn(10, 100), turn(11, 100)])
    assert (even["pictures_per_second"], even["rounds"]) == (10.5, [10, 11])
    assert (even["requests"], even["p99_ms"]) == (21, pytest.approx(100))
    assert even["cpu_ms"] == pytest.approx(1000 / 21)
    assert even["cores"] == pytest.approx(0.5)
    assert point("grpc", 4, [turn(10, 100), "it broke"])["error"] == "it broke"


def test_only_what_can_be_measured_is_measured():
    assert protocol_of("paddle-rpc://a:1") == "paddle-rpc"
    for url in ("grpcs://a:1", "a:1"):
        with pytest.raises(BenchError, match="://HOST:PORT"):
            protocol_of(url)


def test_loads_of_several_processes_count_where_all_of_them_ask():
    answers = [Answer(n, "OK", n, n + 1.0) for n in range(3)]
    run = joined([Run(0.5, 3.5, answers[:2]), Run(1.5, 4.0, answers[2:])], {"det": 1.0})
    assert (run.begin, run.end, len(run.answers), run.cpu) == (1.5, 3.5, 3, {"det": 1.0})
    assert len(run.counted()) == 2
    apart = joined([Run(0.0, 1.0, []), Run(2.0, 3.0, [])], {})
    assert (apart.begin, apart.end) == (0.0, 3.0)


@pytest.mark.server
def test_many_clients_ask_from_several_processes(server, monkeypatch):
    monkeypatch.setattr(clients, "available_cores", lambda: 4)
    with clients.client_processes() as pool:
        assert clients.shares_of(17, pool) == [9, 8]
        assert clients.shares_of(7, pool) == [7]
        load = clients.Load(f"grpc://{server.grpc_url}", [blank()])
        found = clients.take(Serving([], server.pid), load, 17, 0.2, pool)
        wrong = clients.Load(load.url, [Picture("no picture", b"text")])
        refused = clients.take(Serving([]), wrong, 1, 0.0, pool)
    assert set(found.run.statuses) == {"OK"}
    assert len(found.run.answers) > 17
    assert min(found.held["client_cpu_ms"], found.run.cpu["det"]) > 0
    told = point("grpc", 1, [refused])
    assert told["failed"] == len(refused.run.answers)
    assert "JPEG" in told["error"]


@pytest.fixture(scope="module")
def swept(server, tmp_path_factory) -> Path:
    """The file with the result of a load on all protocols, with one short line of text to read."""
    folder = tmp_path_factory.mktemp("sweep")
    pixels = np.full((64, 192, 3), 255, np.uint8)
    cv2.putText(pixels, "SWEEP 42", (12, 42), cv2.FONT_HERSHEY_SIMPLEX, 1.0, (0, 0, 0), 2)
    cv2.imwrite(str(folder / "line.png"), pixels)
    grpc, out = f"grpc://{server.grpc_url}", folder / "sweep.json"
    with endpoint(grpc) as old:
        urls = [grpc, f"http://{server.http_url}", *(old.urls[one] for one in OLD_PORTS)]
        command = ["sweep", *(word for url in urls for word in ("--url", url))]
        command += [
            "--pid",
            str(server.pid),
            "--metrics-url",
            f"http://{server.metrics_url}/metrics",
        ]
        command += ["--concurrency", "1", "--seconds", "1", "--rounds", "2"]
        command += ["--no-samples", "--images", str(folder / "line.png"), "--out", str(out)]
        assert main(command) == 0
    return out


@pytest.mark.server
def test_every_protocol_has_its_figures(swept):
    result = json.loads(swept.read_text("utf-8"))
    assert (result["verb"], result["ok"]) == ("sweep", True)
    points = result["tables"]["points"]["rows"]
    assert [one["protocol"] for one in points] == ["grpc", "http", "paddle-rpc", "paddle-http"]
    for one in points:
        assert one["error"] is None
        assert one["requests"] > 0
        assert 0 < one["p50_ms"] <= one["p80_ms"] <= one["p90_ms"] <= one["p99_ms"]
        assert len(one["rounds"]) == 2
        assert one["memory_mib"] > 100
        assert one["cores"] > 0


@pytest.mark.server
def test_every_step_has_its_share(swept):
    rows = json.loads(swept.read_text("utf-8"))["tables"]["steps"]["rows"]
    found = {row["step"]: row for row in rows}
    assert {"det_preprocess", "det", "det_postprocess", "rec", "recognize"} <= set(found)
    assert found["det"]["calls"] == pytest.approx(1, rel=0.3)
    # The recogniser works within the step that asks it, and there was a line to read.
    assert found["rec"]["calls"] == pytest.approx(1, rel=0.3)
    assert found["recognize"]["work_ms"] > found["rec"]["work_ms"] > 0
    assert all(row["cpu_ms"] > 0 for row in rows)


@pytest.mark.server
def test_what_stands_before_a_server_started_here_is_measured(repository, capsys):
    load = ["--concurrency", "2", "--rounds", "1", "--seconds", "0.5"]
    load += ["--protocol", "grpc,paddle-rpc,paddle-http,gateway", "--blank"]
    command = ["sweep", "--json", "--repository", str(repository), *load]
    assert main(command) == 0
    points = json.loads(capsys.readouterr().out)["tables"]["points"]["rows"]
    assert [one["protocol"] for one in points] == ["grpc", "paddle-rpc", "paddle-http", "gateway"]
    assert min(one["pictures_per_second"] for one in points) > 0
    assert min(one["client_cpu_ms"] for one in points) > 0
    assert points[0].get("front_cpu_ms") is None
    assert min(one["front_cpu_ms"] for one in points[1:]) > 0
