"""Weights that change on disk while they are served."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import tritonclient.grpc as grpcclient
from server_unit.stand_ins import infer
from server_unit.tiny_models import add_model, config, plus_one
from serving import ask

from ppocr_server.tritonserver.server import TritonServer

pytestmark = pytest.mark.server
EXPLICIT = ("--model-control-mode=explicit", "--load-model=*")
ENGINES = ("onnxruntime", "openvino")


@pytest.fixture(scope="module")
def running(tmp_path_factory) -> Iterator[tuple[TritonServer, Path]]:
    """A server that an operator tells what to load, and its repository."""
    repository = tmp_path_factory.mktemp("weights")
    for engine in ENGINES:
        add_model(repository, engine, config(engine, batch=1), plus_one())
    with TritonServer(repository, grace=0, extra=EXPLICIT) as server:
        yield server, repository


@pytest.fixture
def added(running) -> Iterator[Callable[[str], float]]:
    """What a model adds to its input."""
    with grpcclient.InferenceServerClient(running[0].grpc_url) as client:
        yield lambda model: float(infer(client, model, X=np.zeros((1, 1), np.float32))[0][0, 0])


def load(server: TritonServer, model: str) -> str:
    """Ask for a model to be loaded again; the reason where that is refused."""
    path = f"/v2/repository/models/{model}/load"
    status, answer = ask(server.http_url, "POST", path, headers=server.security.headers)
    return "" if status == 200 else str(json.loads(answer)["error"])


@pytest.mark.parametrize("model", ENGINES)
def test_what_is_loaded_stays_until_something_better_is(model, running, added):
    server, repository = running
    weights = repository / model / "1" / "model.onnx"
    assert added(model) == 1.0

    with weights.open("r+b") as file:  # in place: the same file that the server read
        file.write(b"\0" * weights.stat().st_size)
    assert added(model) == 1.0
    weights.write_bytes(plus_one().SerializeToString()[:-20])
    assert added(model) == 1.0

    reason = load(server, model)
    assert f"cannot load {weights}" in reason
    assert added(model) == 1.0

    weights.write_bytes(plus_one(added=2.0).SerializeToString())
    assert added(model) == 1.0
    assert load(server, model) == ""
    assert added(model) == 2.0
