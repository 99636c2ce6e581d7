"""The sweep's parts: what goes into perf_analyzer, and what is read from it and from Triton.

The outputs are recorded from perf_analyzer 2.50.0 and tritonserver as they are used here.
"""

import argparse
import base64
import contextlib
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from ppocr_bench.errors import BenchError
from ppocr_bench.perf_analyzer import (
    Load,
    find_perf_analyzer,
    input_data,
    match_library,
    parse,
    reason,
)
from ppocr_bench.processes import held_to
from ppocr_bench.server_statistics import (
    Server,
    describe_model,
    gpu_metrics,
    read_totals,
    steps_between,
)
from ppocr_bench.verbs.sweep import choose_urls, server_cores

CSV = """\
Concurrency,Inferences/Second,Client Send,Network+Server Send/Recv,Server Queue,\
Server Compute Input,Server Compute Infer,Server Compute Output,Client Recv,\
p50 latency,p80 latency,p90 latency,p95 latency,p99 latency,request/response,response wait
4,109.509,1179,12477,4,131,19780,729,0,23071,47523,65897,101396,144079,1179,33103
"""
SAID = """\
Request concurrency: 4
  Pass [1] throughput: 97.4285 infer/sec. p80 latency: 56848 usec
  Pass [2] throughput: 121.949 infer/sec. p80 latency: 38775 usec
  Pass [3] throughput: 108.965 infer/sec. p80 latency: 36931 usec
  Client:
    Request count: 426
    Throughput: 109.509 infer/sec
"""
LATE = """\
  Client:
    Request count: 333
    Avg send request rate: 607.81 infer/sec
    [WARNING] Perf Analyzer was not able to keep up with the desired request rate. 68.17% of the \
requests were delayed.
"""
REFUSED = """\
Failed to maintain requested inference load. \
Worker thread(s) failed to generate concurrent requests.
Thread [0] had error: in ensemble 'ocr', rec_padding is 'padle'; allowed: one of crop, paddle

Thread [1] had error: in ensemble 'ocr', rec_padding is 'padle'; allowed: one of crop, paddle
"""
OVER_HTTP = {
    "name": "rec",
    "inference_count": 60,
    "execution_count": 20,
    "inference_stats": {
        "success": {"count": 20, "ns": 1},
        "fail": {"count": 0, "ns": 0},
        "queue": {"count": 20, "ns": 40_000_000},
        "compute_input": {"count": 20, "ns": 2_000_000},
        "compute_infer": {"count": 20, "ns": 100_000_000},
        "compute_output": {"count": 20, "ns": 4_000_000},
    },
}


def test_a_picture_is_sent_with_its_length_before_it() -> None:
    rows = json.loads(input_data([b"first", b"second picture"]))["data"]
    sent = [base64.b64decode(row["IMAGE"]["b64"]) for row in rows]
    assert sent == [b"\5\0\0\0first", b"\16\0\0\0second picture"]
    assert all(row["IMAGE"]["shape"] == [1] for row in rows)


def test_a_measurement_is_read() -> None:
    found = parse(CSV, SAID, stable=True)
    assert found["pictures_per_second"] == pytest.approx(109.509)
    assert found["mean_ms"] == pytest.approx(34.282)
    assert [found[f"p{n}_ms"] for n in (50, 80, 90, 99)] == [23.071, 47.523, 65.897, 144.079]
    assert (found["requests"], found["delayed"]) == (426, 0.0)
    assert found["windows"] == [97.4285, 121.949, 108.965]
    assert found["stable"]
    assert not parse(CSV, SAID, stable=False)["stable"]


def test_requests_that_were_sent_late_are_counted() -> None:
    assert parse(CSV, LATE, stable=False)["delayed"] == pytest.approx(0.6817)


def test_the_reason_of_a_failure_is_the_servers() -> None:
    assert reason(REFUSED, 99).endswith("rec_padding is 'padle'; allowed: one of crop, paddle")
    nothing = "No valid requests recorded within time interval. Please use a larger time window."
    assert "--seconds" in reason(nothing, 3)
    assert "ended with 7" in reason("", 7)


def test_windows_are_long_enough_for_answers() -> None:
    assert Load(concurrency=8).window(throughput=2.0) == 8
    assert Load(rate=0.5).window(throughput=2.0) == 8
    assert Load(rate=50).window(throughput=2.0) == 2


def test_libraries_are_found_under_longer_names() -> None:
    files = [Path(name) for name in ("libb64-98cb6333.so.0d", "libcudart-09529672.so.12.6.77")]
    assert match_library("libb64.so.0d", files) == files[0]
    assert match_library("libcudart.so.12", files) == files[1]
    assert match_library("libcudart.so.1", files) is None
    assert match_library("libz.so.1", files) is None


def test_a_missing_library_is_named_with_its_package(tmp_path: Path) -> None:
    """A script stands for a binary on a system that lacks a library Triton's wheel lacks too."""
    binary = tmp_path / "perf_analyzer"
    said = "error while loading shared libraries: libz.so.1: cannot open shared object file"
    binary.write_text(f"#!/bin/sh\necho '{said}' >&2; exit 127\n")
    binary.chmod(0o755)
    (tmp_path / "links").mkdir()
    with pytest.raises(BenchError, match=r"libz\.so\.1: apt install zlib1g"):
        find_perf_analyzer(binary, tmp_path / "links")
    with pytest.raises(BenchError, match="not an executable file"):
        find_perf_analyzer(tmp_path / "none", tmp_path / "links")


def test_statistics_of_both_protocols_are_one() -> None:
    parts = OVER_HTTP["inference_stats"]
    assert isinstance(parts, dict)
    over_grpc = {
        "name": "rec",
        "inference_count": "60",
        "execution_count": "20",
        "inference_stats": {
            part: {field: str(number) for field, number in values.items() if number}
            for part, values in parts.items()
        },
    }
    assert read_totals(over_grpc) == read_totals(OVER_HTTP)
    assert read_totals(OVER_HTTP)["inferences"] == 60


@pytest.mark.parametrize("protocol", ["grpc", "http"])
def test_a_server_that_is_gone_is_an_error(protocol: str) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        server = Server(f"{protocol}://127.0.0.1:{unused.getsockname()[1]}")
        with contextlib.closing(server), pytest.raises(BenchError, match="gives no statistics"):
            server.totals()


def test_steps_are_told_for_a_picture() -> None:
    nothing = read_totals({"name": "rec"})
    pictures = read_totals({"name": "ocr", "inference_stats": {"success": {"count": "10"}}})
    before = {"rec": nothing, "ocr": nothing, "detect": nothing}
    after = {"rec": read_totals(OVER_HTTP), "ocr": pictures, "detect": nothing}
    (step,) = steps_between(before, after).values()
    assert (step["calls"], step["batch"], step["queue_ms"]) == (2, 3, 4)
    assert step["work_ms"] == pytest.approx(0.2 + 10 + 0.4)


def test_how_a_model_is_served() -> None:
    config = {
        "backend": "openvino",
        "max_batch_size": 8,
        "instance_group": [{"count": 2}, {"count": 1}],
        "parameters": {"NUM_STREAMS": {"string_value": "2"}},
    }
    assert describe_model(config) == {
        "engine": "openvino",
        "instances": 3,
        "max_batch_size": 8,
        "parameters": {"NUM_STREAMS": "2"},
    }
    assert describe_model({"platform": "ensemble"})["engine"] == "ensemble"


def test_metrics_of_gpus() -> None:
    """Triton's metrics in its own format; there is no GPU here to ask."""
    text = (
        "# TYPE nv_gpu_utilization gauge\n"
        'nv_gpu_utilization{gpu_uuid="GPU-1"} 0.93\n'
        'nv_gpu_utilization{gpu_uuid="GPU-2"} 0.5\n'
        'nv_gpu_memory_used_bytes{gpu_uuid="GPU-1"} 3221225472.000000\n'
        "nv_cpu_utilization 0.4\n"
    )
    found = gpu_metrics(text)
    assert found == {"gpus": 2, "gpu_percent": pytest.approx(71.5), "gpu_memory_mib": 3 * 2**10}
    assert gpu_metrics("nv_cpu_utilization 0.4") == {}


def test_processes_are_held_to_cores() -> None:
    own = os.sched_getaffinity(0)
    first = {min(own)}
    with held_to(first):
        seen = subprocess.check_output(
            [sys.executable, "-c", "import os; print(os.sched_getaffinity(0))"], text=True
        )
    assert seen.strip() == str(first)
    assert os.sched_getaffinity(0) == own


def test_only_what_can_be_measured_is_measured() -> None:
    urls = ["grpc://a:1", "http://a:2"]
    assert choose_urls(urls, "http") == ["http://a:2"]
    assert choose_urls(urls, "both") == urls
    with pytest.raises(BenchError, match="speaks it"):
        choose_urls(urls[:1], "http")
    with pytest.raises(BenchError, match="grpc://HOST:PORT"):
        choose_urls(["grpcs://a:1"], "both")


def test_cores_of_a_server_that_runs_already_cannot_be_chosen() -> None:
    with pytest.raises(BenchError, match="leave --url out"):
        server_cores(argparse.Namespace(cores=1, url=["grpc://a:1"]))
    with pytest.raises(BenchError, match="lets us use"):
        server_cores(argparse.Namespace(cores=100_000, url=None))
