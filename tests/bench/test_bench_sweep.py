"""The sweep's parts: figures of a load, what Triton counts, and what perf_analyzer is given."""

import argparse
import base64
import contextlib
import json
import os
import socket
import subprocess
import sys

import pytest

from ppocr_bench.errors import BenchError
from ppocr_bench.processes import held_to
from ppocr_bench.record import Answer, Run
from ppocr_bench.server_statistics import (
    Server,
    describe_model,
    gpu_metrics,
    read_totals,
    steps_between,
)
from ppocr_bench.verbs.input_data import input_data
from ppocr_bench.verbs.sweep import choose_urls, figures, server_cores

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


def test_windows_that_differ_are_no_stable_measurement() -> None:
    answers = [Answer(n, "OK", 9.0 + n, 10.5 + n) for n in range(6)]
    even = figures(Run(10.0, 16.0, answers), windows=3, spread=15)
    assert (even["pictures_per_second"], even["requests"]) == (1.0, 6)
    assert (even["windows"], even["stable"]) == ([1.0, 1.0, 1.0], True)
    assert even["mean_ms"] == even["p50_ms"] == even["p99_ms"] == 1500
    uneven = figures(Run(10.0, 16.0, answers[:5]), windows=3, spread=15)
    assert (uneven["windows"], uneven["stable"]) == ([1.0, 1.0, 0.5], False)
    assert figures(Run(10.0, 16.0, answers[:5]), windows=3, spread=70)["stable"]
    with pytest.raises(BenchError, match="--seconds"):
        figures(Run(10.0, 16.0, []), windows=3, spread=15)


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
