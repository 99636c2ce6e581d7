"""The stand-in backend inside the real tritonserver, one model for every field."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from onnx import helper
from server_unit.stand_ins import MERGE_TWO, infer, infer_at_once, log_of, stub_processes
from server_unit.tiny_models import (
    FLOAT,
    add_model,
    batch_size,
    config,
    graph_model,
    lookup,
    parameter,
    plus_one,
)
from tritonclient.utils import InferenceServerException

from ppocr_server.tritonserver.server import TritonServer

pytestmark = pytest.mark.server

# Of three requests the first waits a second for others, the second is the queue's last.
QUEUE = (
    "dynamic_batching { preferred_batch_size: 8 max_queue_delay_microseconds: 1000000 "
    "default_queue_policy { max_queue_size: 1 } }"
)
IMPATIENT = QUEUE.replace("max_queue_size: 1", "default_timeout_microseconds: 100000")
TWO_OUTPUTS = (
    'backend: "onnxruntime" max_batch_size: 0\n'
    'input { name: "X" data_type: TYPE_FP32 dims: -1 }\n'
    'input { name: "B" data_type: TYPE_FP32 dims: 1 optional: true }\n'
    'output { name: "Y" data_type: TYPE_FP32 dims: -1 }\n'
    'output { name: "Z" data_type: TYPE_FP32 dims: -1 }\n'
)
RESHAPED = (
    'backend: "onnxruntime" max_batch_size: 4\n'
    'input { name: "X" data_type: TYPE_FP32 dims: [ 2, 2 ] reshape { shape: [ 4 ] } }\n'
    'output { name: "Y" data_type: TYPE_FP32 dims: [ 2, 2 ] reshape { shape: [ 4 ] } }\n'
)


def two_outputs() -> Any:
    """Y = X + B and Z = X * B, float32 [W], where B is 5 unless given."""
    return graph_model(
        [helper.make_node("Add", ["X", "B"], ["Y"]), helper.make_node("Mul", ["X", "B"], ["Z"])],
        {"X": (FLOAT, ["W"]), "B": (FLOAT, [1])},
        {"Y": (FLOAT, ["W"]), "Z": (FLOAT, ["W"])},
        [helper.make_tensor("B", FLOAT, [1], [5.0])],
    )


@pytest.fixture(scope="module")
def running(tmp_path_factory) -> Iterator[TritonServer]:
    repository = tmp_path_factory.mktemp("fields")
    one = parameter("intra_op_thread_count", "1")
    add_model(repository, "pair", config(count=2, more=one), plus_one())
    threads = parameter("intra_op_thread_count", "3") + parameter("enable_mem_arena", "0")
    add_model(repository, "threads", config(more=threads), plus_one())
    add_model(repository, "merged", config(more=one + MERGE_TWO), batch_size())
    add_model(repository, "lookup", config(x="TYPE_INT64", dims="1", more=MERGE_TWO), lookup())
    more = "optimization { graph { level: 2 } }" + parameter("execution_mode", "1")
    add_model(repository, "level", config(more=more), plus_one())
    add_model(repository, "auto", config(kind="KIND_AUTO"), plus_one())
    add_model(repository, "queue", config(more=QUEUE), plus_one())
    add_model(repository, "impatient", config(more=IMPATIENT), plus_one())
    named = config(more='default_model_filename: "other.onnx"')
    add_model(repository, "named", named, plus_one(), "other.onnx")
    add_model(repository, "two_outputs", TWO_OUTPUTS, two_outputs())
    add_model(repository, "reshaped", RESHAPED, plus_one(4))
    with TritonServer(repository, grace=0) as server:
        yield server


def test_every_instance_of_the_onnxruntime_backend_is_a_process(running, client):
    found = client.get_model_config("pair", as_json=True)["config"]
    assert (found["platform"], found["backend"]) == ("onnxruntime_onnx", "onnxruntime")
    assert len(stub_processes(running, "pair")) == 2
    assert len(stub_processes(running, "named")) == 1


def test_instances_answer_at_the_same_time(client):
    rows = [np.full((1, 4), value, np.float32) for value in range(20)]
    for row, answer in zip(rows, infer_at_once(client, "pair", rows), strict=True):
        np.testing.assert_array_equal(answer, row + 1)


def test_threads_are_those_asked_for(running):
    def threads(model: str) -> int:
        return len(list((stub_processes(running, model)[0] / "task").iterdir()))

    # Of three threads the caller's own is one, so there are two more than with one.
    assert threads("threads") == threads("pair") + 2


def test_concurrent_requests_are_one_run(client):
    answers = infer_at_once(client, "merged", [np.zeros((1, 3), np.float32)] * 2)
    assert [answer.tolist() for answer in answers] == [[[2.0] * 3]] * 2


def test_in_a_merged_run_only_the_bad_request_fails(client):
    def ask(index: int) -> str:
        try:
            return str(infer(client, "lookup", X=np.array([[index]]))[0].tolist())
        except InferenceServerException as error:
            return f"{error.status()} {error.message()}"

    with ThreadPoolExecutor(2) as pool:
        good, bad = pool.map(ask, [2, 77])
    assert good == "[[20.0]]"
    assert "INTERNAL onnx runtime error 2: " in bad  # as of the C++ backend
    assert "77" in bad


@pytest.mark.parametrize(
    ("model", "said"), [("queue", "Exceeds maximum queue size"), ("impatient", "timeout expired")]
)
def test_queue_policies_hold(client, model, said):
    """They are Triton's own, and nothing of them is left to a backend."""

    def ask(_: int) -> str:
        try:
            return str(infer(client, model, X=np.ones((1, 2), np.float32))[0].tolist())
        except InferenceServerException as error:
            return str(error.message())

    with ThreadPoolExecutor(4) as pool:
        answers = [*pool.map(ask, range(4))]
    refused = [answer for answer in answers if said in answer]
    assert refused, answers
    assert set(answers) - {*refused} <= {"[[2.0, 2.0]]"}


def test_an_instance_of_any_kind_is_on_the_cpu_where_there_is_no_gpu(client):
    (group,) = client.get_model_config("auto", as_json=True)["config"]["instance_group"]
    assert group["kind"] == "KIND_CPU"
    row = np.ones((1, 4), np.float32)
    np.testing.assert_array_equal(infer(client, "auto", X=row)[0], row + 1)


def test_graph_level_and_execution_mode_arrive(running):
    line = log_of(running, "level_0_0")
    assert "ORT_DISABLE_ALL" in line
    assert "ORT_PARALLEL" in line
    assert "ORT_ENABLE_ALL" in log_of(running, "named_0_0")


def test_only_requested_outputs_are_sent_and_an_optional_input_replaces_its_initializer(client):
    values, b = np.array([1, 2], np.float32), np.array([10], np.float32)
    assert infer(client, "two_outputs", ("Z",), X=values)[0].tolist() == [5.0, 10.0]
    y, z = infer(client, "two_outputs", ("Y", "Z"), X=values, B=b)
    assert (y.tolist(), z.tolist()) == ([11.0, 12.0], [10.0, 20.0])


def test_reshape(client):
    values = np.arange(4, dtype=np.float32).reshape(1, 2, 2)
    np.testing.assert_array_equal(infer(client, "reshaped", X=values)[0], values + 1)


def test_an_answer_is_not_touched_by_later_requests(client):
    first = infer(client, "named", X=np.full((1, 4), 1, np.float32))[0]
    infer(client, "named", X=np.full((1, 4), 9, np.float32))
    assert first.tolist() == [[2.0] * 4]
