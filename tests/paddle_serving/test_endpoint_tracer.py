"""The tracer's block: its lines, and the figures in them; the traces of `use_profile`."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from server_unit.stand_ins import infer
from tritonclient.grpc import InferenceServerClient

from ppocr_server.configured import Configured, profile_arguments
from ppocr_server.paddle_serving.concurrency_limit import ConcurrencyLimit
from ppocr_server.paddle_serving.settings import OCR_OPS, EndpointSettings
from ppocr_server.paddle_serving.tracing.records import Records
from ppocr_server.paddle_serving.tracing.tracer import pending_of, phases_of, since
from ppocr_server.paddle_serving.tracing.tracer_block import Counts, tracer_block
from ppocr_server.tritonserver.server import TritonServer

MS = 1_000_000
CHANGE = {
    "det_preprocess": Counts(10, 10 * MS, 20 * MS, 5 * MS, 30 * MS),
    "det": Counts(10, 100 * MS, 1000 * MS, 5 * MS, 800 * MS),
    "det_postprocess": Counts(10, 0, 30 * MS, 0, 30 * MS),
    "recognize": Counts(10, 0, 3000 * MS, 0, 3000 * MS),
    "rec": Counts(40, 500 * MS, 2000 * MS, 100 * MS, 1000 * MS),
}
INSTANCES = {"det_preprocess": 1, "det": 4, "det_postprocess": 1, "recognize": 2, "rec": 2}
LIMIT = ConcurrencyLimit(workers=20, max_waiting=1000)
LIMIT.waiting = 4
PENDING = {"det": 2, "rec": 5}


Phases = dict[str, dict[str, float]]


def block(
    records: Records, change: dict[str, Counts] = CHANGE, phases: Phases | None = None
) -> list[str]:
    return list(
        tracer_block(OCR_OPS, change, INSTANCES, phases or {}, records, LIMIT, PENDING, 2.0)
    )


def figures(lines: list[str], op: str) -> dict[str, float]:
    start = lines.index(f"Op({op}):") + 1
    found = {}
    for line in lines[start:]:
        match = re.fullmatch(r"\t(\w+)\[([\d.e-]+)( ms)?\]", line)
        if match is None:
            break
        found[match[1]] = round(float(match[2]), 6)
    return found


def test_an_ops_times_are_for_each_picture() -> None:
    lines = block(Records())
    assert lines[0] == "==================== TRACER ======================"
    assert figures(lines, "det") == {
        "in": 11.0,
        "prep": 2.0,
        "midp": 100.0,
        "postp": 3.0,
        "out": 1.0,
        "idle": 0.9,  # det: 0.8 s of 4 instances in 2 s
    }
    # The calls of `rec` took 2600 of the 3000 ms of `recognize`.
    assert figures(lines, "rec") == {
        "in": 50.0,
        "prep": 40.0,
        "midp": 200.0,
        "out": 10.0,
        "idle": 0.25,
    }


def test_a_steps_own_counters_divide_its_time() -> None:
    phases = {"recognize": {"crop": 0.5, "read": 2.25, "decode": 0.25}}
    assert figures(block(Records(), phases=phases), "rec") == {
        "in": 50.0,
        "prep": 50.0,  # a sixth of the 300 ms of `recognize`
        "midp": 200.0,
        "postp": 25.0,
        "out": 10.0,
        "idle": 0.25,
    }
    untold = block(Records(), phases={"recognize": {"crop": 0.0, "read": 0.0, "decode": 0.0}})
    assert untold == block(Records())


METRICS = """
# TYPE ppocr_step_seconds_total counter
ppocr_step_seconds_total{model="recognize",phase="crop"} 0.5
ppocr_step_seconds_total{model="recognize",phase="decode"} 2.5e-05
nv_inference_pending_request_count{model="rec",version="1"} 5
"""


def test_phases_and_queues_are_read_from_tritons_metrics() -> None:
    told = {"crop": 0.5, "decode": 2.5e-05}
    assert phases_of(METRICS) == {"recognize": told}
    assert pending_of(METRICS) == {"rec": 5}
    assert since({"crop": 0.25, "decode": 0.0}, told) == {"crop": 0.25, "decode": 2.5e-05}
    for before in (told, {"crop": 7.0, "decode": 0.0}, {}):  # no news, a new Triton, the first
        assert since(before, told) == told


def test_the_services_figures() -> None:
    lines = block(Records([float(n) for n in range(100, 0, -1)], ["7", "9"]))
    start = lines.index("DAGExecutor:")
    assert lines[start + 1 : start + 15] == [
        "\tQuery count[100]",
        "\tQPS[50.0 q/s]",
        "\tSucc[0.98]",
        "\tError req[7, 9]",
        "\tLatency:",
        "\t\tave[50.5 ms]",
        "\t\t.50[51.0 ms]",
        "\t\t.60[61.0 ms]",
        "\t\t.70[71.0 ms]",
        "\t\t.80[81.0 ms]",
        "\t\t.90[91.0 ms]",
        "\t\t.95[96.0 ms]",
        "\t\t.99[100.0 ms]",
        "Channel (server worker num[20]):",
    ]


def test_queue_lengths() -> None:
    assert block(Records())[-3:] == [
        "\tendpoint(In: ['client'], Out: ['endpoint']) size[4/1000]",
        "\tdet(In: ['endpoint'], Out: ['det']) size[2/0]",
        "\trec(In: ['det'], Out: ['rec']) size[5/0]",
    ]


def test_nothing_to_tell_is_not_told() -> None:
    lines = block(Records(), {"det": Counts()})
    assert not any(line.startswith(("Op", "DAGExecutor")) for line in lines)


@pytest.mark.server
def test_use_profile_writes_traces_and_says_where(
    small_repository: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    service: Any = SimpleNamespace(endpoints=SimpleNamespace(profile=True))
    arguments = profile_arguments(Configured(service, EndpointSettings()), tmp_path / "logs")
    file = tmp_path / "logs" / "triton.trace"
    assert f"{file}.0" in caplog.text
    with (
        TritonServer(small_repository, extra=arguments) as server,
        InferenceServerClient(server.grpc_url) as client,
    ):
        infer(client, "small", X=np.zeros((1, 1), np.float32))
    rows = [row for path in tmp_path.glob("logs/triton.trace.*") for row in _read(path)]
    assert [row["model_name"] for row in rows if "model_name" in row] == ["small"]
    stamps = {stamp["name"]: stamp["ns"] for row in rows for stamp in row.get("timestamps", ())}
    assert stamps["REQUEST_START"] < stamps["COMPUTE_START"] < stamps["COMPUTE_END"]


def _read(path: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(path.read_text("utf-8"))
    return rows
