"""The tracer's block: its lines, and the figures in them; the traces of `use_profile`."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from cases import cases
from server_unit.stand_ins import infer
from tritonclient.grpc import InferenceServerClient

from ppocr_server.configured import Configured, profile_arguments
from ppocr_server.paddle_serving.concurrency_limit import ConcurrencyLimit
from ppocr_server.paddle_serving.settings import EndpointSettings
from ppocr_server.paddle_serving.tracer import Records, tracer_block
from ppocr_server.tritonserver.server import TritonServer


def block(records: Records) -> list[str]:
    limit = ConcurrencyLimit(workers=20, max_waiting=1000)
    limit.waiting = 4
    return list(tracer_block(records, limit, 2.0))


def test_the_services_figures():
    assert (
        block(Records([float(n) for n in range(100, 0, -1)], ["7", "9"]))
        == cases(__file__)["block"]
    )


def test_nothing_to_tell_is_not_told():
    assert not any(line.startswith("DAGExecutor") for line in block(Records()))


@pytest.mark.server
def test_use_profile_writes_traces_and_says_where(small_repository, tmp_path, caplog):
    service: Any = SimpleNamespace(document={"dag.use_profile": True})
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
