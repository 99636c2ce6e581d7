"""Traces become rows that Chrome's tracing page and Perfetto can draw."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from server_unit.stand_ins import infer
from tritonclient.grpc import InferenceServerClient

from ppocr_server.cli import main
from ppocr_server.configured import Configured, profile_arguments
from ppocr_server.errors import ServerError
from ppocr_server.paddle_serving.settings import EndpointSettings
from ppocr_server.timeline.chrome import lanes_of
from ppocr_server.timeline.traces import read_traces
from ppocr_server.tritonserver.server import TritonServer

STAMPS = (
    "REQUEST_START",
    "QUEUE_START",
    "COMPUTE_START",
    "COMPUTE_INPUT_END",
    "COMPUTE_OUTPUT_START",
    "COMPUTE_END",
    "REQUEST_END",
)


def rows(
    number: int, model: str, parent: int | None, request: str, *at: int
) -> list[dict[str, Any]]:
    """A trace as Triton writes it: microseconds in, nanoseconds out, ensembles without compute."""
    names = STAMPS if len(at) == len(STAMPS) else ("REQUEST_START", "REQUEST_END")
    head: dict[str, Any] = {"id": number, "model_name": model, "model_version": 1}
    if request:
        head["request_id"] = request
    if parent is not None:
        head["parent_id"] = parent
    stamps = [
        {"id": number, "timestamps": [{"name": name, "ns": 5_000_000_000 + 1000 * time}]}
        for name, time in zip(names, at, strict=True)
    ]
    return [head, *stamps]


TRACES = [
    *rows(2, "det_preprocess", 1, "77", 0, 0, 1, 2, 8, 9, 9),
    # The next step begins before this one is told of as ended.
    *rows(3, "det", 1, "77", 10, 10, 11, 12, 20, 24, 25),
    *rows(4, "det_postprocess", 1, "77", 22, 22, 23, 24, 28, 29, 29),
    *rows(5, "recognize", 1, "77", 30, 30, 32, 33, 90, 91, 91),
    *rows(6, "rec", 5, "77", 40, 40, 41, 42, 60, 61, 61),
    *rows(7, "rec", 5, "77", 41, 41, 45, 46, 70, 71, 71),
    *rows(8, "rec", 10, "", 41, 41, 45, 46, 70, 71, 71),  # in one batch with 7; its parent is lost
    *rows(1, "ocr", None, "77", 0, 92),
]


@pytest.fixture
def timeline(tmp_path: Path) -> list[dict[str, Any]]:
    first, second = tmp_path / "trace.json.0", tmp_path / "trace.json.1"
    first.write_text(json.dumps(TRACES[:20]))
    second.write_text(json.dumps(TRACES[20:]))
    out = tmp_path / "timeline.json"
    assert main(["timeline", str(second), str(first), "-o", str(out)]) == 0
    events: list[dict[str, Any]] = json.loads(out.read_text())["traceEvents"]
    return events


def names(events: list[dict[str, Any]], kind: str) -> list[str]:
    return [event["args"]["name"] for event in events if event["name"] == kind]


def test_a_row_for_each_op_instance_and_request(timeline: list[dict[str, Any]]) -> None:
    assert names(timeline, "process_name") == ["Op det", "Op rec", "requests"]
    assert names(timeline, "thread_name") == [
        "det_preprocess #1",
        "det #1",
        "det_postprocess #1",
        "recognize #1",
        "rec #1",
        "rec #2",
        "request 77",
        "request 77, at the same time",
        "trace 8",
    ]


def test_every_slice_fits_into_the_one_around_it(timeline: list[dict[str, Any]]) -> None:
    by_row: dict[tuple[int, int], list[dict[str, Any]]] = {}
    for event in timeline:
        if event["ph"] == "X":
            by_row.setdefault((event["pid"], event["tid"]), []).append(event)
    for events in by_row.values():
        open_until: list[float] = []
        for event in sorted(events, key=lambda event: (event["ts"], -event["dur"])):
            while open_until and open_until[-1] <= event["ts"]:
                open_until.pop()
            end = event["ts"] + event["dur"]
            assert not open_until or end <= open_until[-1], event
            open_until.append(end)


def test_a_batch_is_one_slice_of_its_instance(timeline: list[dict[str, Any]]) -> None:
    (batch,) = [event for event in timeline if event["name"] == "2 requests"]
    assert batch["args"]["requests"] == ["request 77", "trace 8"]
    assert (batch["ts"], batch["dur"]) == (45.0, 26.0)


def test_the_graph_of_an_op_ends_at_zero(timeline: list[dict[str, Any]]) -> None:
    counts = [event["args"] for event in timeline if event["ph"] == "C" and event["pid"] == 2]
    assert max(count["computing"] for count in counts) == 4
    assert counts[-1] == {"waiting": 0, "computing": 0}


def test_lanes() -> None:
    assert lanes_of([(0, 10), (5, 8), (8, 9), (9, 20), (10, 11)]) == [0, 1, 1, 1, 0]
    assert lanes_of([]) == []


@pytest.mark.parametrize("content", ["[", '{"a": 1}', "[1]", '[{"b": 2}]'])
def test_what_is_no_trace_file_is_named(tmp_path: Path, content: str) -> None:
    file = tmp_path / "trace.json"
    file.write_text(content)
    with pytest.raises(ServerError, match=r"trace\.json"):
        read_traces([file])


def test_the_command_says_what_is_wrong(tmp_path: Path, capsys: Any) -> None:
    assert main(["timeline", str(tmp_path / "none.json")]) == 1
    assert "No such file" in capsys.readouterr().err
    empty = tmp_path / "empty.json"
    empty.write_text("[]")
    assert main(["timeline", str(empty), "-o", str(tmp_path / "out.json")]) == 1
    assert "no request" in capsys.readouterr().err


@pytest.mark.server
def test_use_profile_writes_traces_and_says_where(
    small_repository: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    service: Any = SimpleNamespace(endpoints=SimpleNamespace(profile=True))
    arguments = profile_arguments(Configured(service, EndpointSettings()), tmp_path / "logs")
    file = tmp_path / "logs" / "triton.trace"
    assert f"{file}.0" in caplog.text
    assert "ppocr-serve timeline" in caplog.text
    with (
        TritonServer(small_repository, extra=arguments) as server,
        InferenceServerClient(server.grpc_url) as client,
    ):
        infer(client, "small", X=np.zeros((1, 1), np.float32))
    (trace,) = read_traces(tmp_path.glob("logs/triton.trace.*"))
    assert trace.model == "small"
    assert trace.computed
