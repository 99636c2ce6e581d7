"""The openvino stand-in inside the real tritonserver."""

from collections.abc import Iterator

import numpy as np
import pytest
from onnx import ModelProto, helper
from server_unit.stand_ins import infer, infer_at_once, log_of, stub_processes
from server_unit.tiny_models import FLOAT, add_model, config, graph_model, parameter, plus_one
from tritonclient.utils import InferenceServerException

from ppocr_engine.machine import has_bfloat16
from ppocr_server.tritonserver.server import TritonServer

pytestmark = pytest.mark.server
PADDED = parameter("ENABLE_BATCH_PADDING", "YES")


def plus_three_numbers() -> ModelProto:
    """Y = X + [1, 2, 3], float32 [N, W]: only W = 3 can be run."""
    return graph_model(
        [helper.make_node("Add", ["X", "three"], ["Y"])],
        {"X": (FLOAT, ["N", "W"])},
        {"Y": (FLOAT, ["N", 3])},
        [helper.make_tensor("three", FLOAT, [3], [1.0, 2.0, 3.0])],
    )


@pytest.fixture(scope="module")
def running(tmp_path_factory) -> Iterator[TritonServer]:
    repository = tmp_path_factory.mktemp("openvino")
    shared = PADDED + parameter("INFERENCE_NUM_THREADS", "2") + parameter("NUM_STREAMS", "2")
    add_model(repository, "pair", config("openvino", more=shared, count=2), plus_one())
    half = PADDED + parameter("HINT_BF16", "YES") + parameter("INFERENCE_NUM_THREADS", "1")
    add_model(repository, "half", config("openvino", more=half), plus_one())
    three = config("openvino", more=PADDED).replace(
        "TYPE_FP32 dims: [ -1 ] }\ninstance", "TYPE_FP32 dims: 3 }\ninstance"
    )
    add_model(repository, "three", three, plus_three_numbers())
    add_model(repository, "unpadded", config("openvino", batch=2), plus_one())
    add_model(repository, "whole", config("openvino", batch=0, dims="-1, -1"), plus_one())
    with TritonServer(repository, grace=0) as server:
        yield server


def test_every_instance_is_a_process_with_its_part_of_the_threads(running, client):
    assert client.get_model_config("pair", as_json=True)["config"]["backend"] == "openvino"
    assert len(stub_processes(running, "pair")) == 2
    for instance in ("pair_0_0", "pair_0_1"):
        line = log_of(running, instance)
        assert "Python stand-in for openvino" in line
        assert "INFERENCE_NUM_THREADS=1" in line
        assert "INFERENCE_PRECISION_HINT=f32" in line


def test_bfloat16_is_said_and_a_processor_without_it_named(running):
    assert "INFERENCE_PRECISION_HINT=bf16" in log_of(running, "half_0_0")
    assert ("HINT_BF16: this processor has no bfloat16" in running.log()) == (not has_bfloat16())


def test_only_the_bad_request_fails(client):
    with pytest.raises(InferenceServerException, match="openvino error in running infer") as caught:
        infer(client, "three", X=np.zeros((1, 2), np.float32))
    assert caught.value.status() == "StatusCode.INTERNAL"  # as of the C++ backend
    good = infer(client, "three", X=np.zeros((2, 3), np.float32))[0]
    assert good.tolist() == [[1.0, 2.0, 3.0]] * 2


def test_only_full_batches_are_run_unless_they_are_padded(client):
    """As in the C++ backend, which tells what to do."""
    row = np.ones((1, 3), np.float32)
    with pytest.raises(
        InferenceServerException, match=r"batch size '2', got '1'.*PADDING"
    ) as caught:
        infer(client, "unpadded", X=row)
    assert caught.value.status() == "StatusCode.INTERNAL"
    for name, rows in (("unpadded", 2), ("whole", 1), ("whole", 5), ("half", 1)):
        answer = infer(client, name, X=np.repeat(row, rows, axis=0))[0]
        assert answer.tolist() == [[2.0] * 3] * rows


def test_an_answer_is_not_touched_by_later_requests(client):
    """Equal shapes, at the same time: what OpenVINO writes anew must not be what is sent."""
    rows = [np.full((1, 5000), value, np.float32) for value in range(40)]
    for row, answer in zip(rows, infer_at_once(client, "pair", rows), strict=True):
        np.testing.assert_array_equal(answer, row + 1)
