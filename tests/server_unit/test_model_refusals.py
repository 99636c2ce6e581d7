"""Models that cannot be served: each named with its reason, all found in one start."""

import pytest
from onnx import ModelProto, helper
from server_unit.tiny_models import (
    STRING,
    add_model,
    config,
    graph_model,
    lookup,
    parameter,
    plus_one,
)

from ppocr_server.errors import ModelLoadError
from ppocr_server.tritonserver.diagnosis import failure_message
from ppocr_server.tritonserver.server import TritonServer

pytestmark = pytest.mark.server

ENSEMBLE = """
platform: "ensemble" max_batch_size: 0
input {{ name: "X" data_type: TYPE_FP32 dims: [ -1, -1 ] }}
output {{ name: "Y" data_type: TYPE_FP32 dims: [ -1, -1 ] }}
ensemble_scheduling {{ step {{ model_name: "{model}" model_version: -1
  input_map {{ key: "X" value: "X" }} output_map {{ key: "Y" value: "Y" }} }} }}
"""
RAISES = b"""
class TritonPythonModel:
    def initialize(self, args):
        raise ValueError("the dictionary has 6623 entries, the model 97 classes")
"""
SYNTAX = b"class TritonPythonModel:\n    def initialize(self, args:\n"
DIES = b"import os\nos._exit(3)\n"
MAGIC = "optimization { execution_accelerators { cpu_execution_accelerator { name: 'magic' } } }"
MODE, FAST = parameter("execution_mode", "7"), parameter("PERFORMANCE_HINT", "FAST")
SEQUENCE = "sequence_batching { direct { } }"
ON_GPUS = "instance_group { kind: KIND_CPU gpus: [ 0, 1 ] }"
FAILING_WARM_UP = (
    'model_warmup { name: "numbers" batch_size: 1 inputs { key: "X" '
    "value { data_type: TYPE_INT64 dims: 1 random_data: true } } }"
)
BARE = 'backend: "openvino" default_model_filename: "model.onnx"'
DAMAGED = plus_one().SerializeToString()[:40]
TEXT = graph_model(
    [helper.make_node("Identity", ["X"], ["Y"])],
    {"X": (STRING, ["N", "W"])},
    {"Y": (STRING, ["N", "W"])},
)
# name: (configuration, network, words that its reason must hold)
NETWORKS: dict[str, tuple[str, ModelProto | bytes, list[str]]] = {
    "input_name": (config().replace('"X"', '"IMAGE"'), plus_one(), ["'IMAGE'", "'X'", "input"]),
    "output_name": (config().replace('"Y"', '"MAP"'), plus_one(), ["'MAP'", "'Y'", "output"]),
    "data_type": (config(x="TYPE_UINT8"), plus_one(), ["'X'", "TYPE_UINT8", "TYPE_FP32"]),
    "rank": (config(dims="-1, 3"), plus_one(), ["'X'", "[-1, -1, 3]", "[-1, -1]"]),
    "dims": (config(dims="9"), plus_one(8), ["[-1, 9]", "[-1, 8]"]),
    "no_batch": (config(dims="8"), plus_one(8, batch=1), ["max_batch_size is 8", "[1, 8]"]),
    "text": (config(x="TYPE_STRING", y="TYPE_STRING"), TEXT, ["tensor(string)"]),
    "gpu": (config(kind="KIND_GPU"), plus_one(), ["KIND_GPU"]),
    "accelerator": (config(more=MAGIC), plus_one(), ["'magic'", "openvino"]),
    "mode": (config(more=MODE), plus_one(), ["execution_mode", "7"]),
    "sequence": (config(more=SEQUENCE), plus_one(), ["sequence batching"]),
    "cpu_with_gpus": (config(more=ON_GPUS), plus_one(), ["KIND_CPU", "gpus"]),
    "warm_up": (config(x="TYPE_INT64", dims="1", more=FAILING_WARM_UP), lookup(), ["warmup"]),
    "damaged": (config(), DAMAGED, ["damaged/1/model.onnx", "cannot load"]),
    "openvino_hint": (
        config("openvino", more=FAST),
        plus_one(),
        ["'PERFORMANCE_HINT' to be LATENCY/THROUGHPUT", "got fast"],
    ),
    "openvino_broken": (config("openvino"), b"no model at all", ["cannot load"]),
}
STEPS = {"raises": RAISES, "syntax": SYNTAX, "dies": DIES}


@pytest.fixture(scope="module")
def reasons(tmp_path_factory) -> dict[str, str]:
    """Reason by model of a repository in which nearly everything is broken."""
    repository = tmp_path_factory.mktemp("refusals")
    for name, (text, network, _) in NETWORKS.items():
        add_model(repository, name, text, network)
    for name, code in STEPS.items():
        add_model(repository, name, config("python"), code, "model.py")
    add_model(repository, "pipeline", ENSEMBLE.format(model="raises"))
    add_model(repository, "lonely", ENSEMBLE.format(model="nobody"))
    add_model(repository, "fine", config(), plus_one())
    server = TritonServer(repository, grace=0)
    with pytest.raises(ModelLoadError, match=r"^model '.*' failed to load: .*; also not") as caught:
        server.start()
    assert server.poll() is None
    return caught.value.reasons


@pytest.mark.parametrize("name", NETWORKS)
def test_the_reason_names_what_was_declared_and_what_is(name, reasons):
    assert all(word in reasons[name] for word in NETWORKS[name][2]), reasons[name]


def test_a_failed_step_has_its_own_reason(reasons):
    assert reasons["raises"] == "the dictionary has 6623 entries, the model 97 classes"
    assert reasons["syntax"].startswith("SyntaxError: ")
    assert "(model.py, line 2)" in reasons["syntax"]
    assert reasons["dies"]


def test_an_ensemble_comes_after_the_step_that_broke_it(reasons):
    order = list(reasons)
    assert order.index("raises") < order.index("pipeline")
    assert reasons["pipeline"] == "ensemble 'pipeline' depends on 'raises', which did not load"
    assert "nobody" in reasons["lonely"]


def test_a_good_model_is_not_blamed(reasons):
    assert "fine" not in reasons


def test_the_message_is_one_line_with_the_model_and_its_reason(reasons):
    broken = {name: reasons[name] for name in ("raises", "pipeline")}
    assert failure_message(broken) == (
        "model 'raises' failed to load: the dictionary has 6623 entries, the model 97 classes; "
        "also not loaded: 'pipeline'"
    )


def test_networks_without_declared_tensors_are_told_which_to_declare(tmp_path):
    add_model(tmp_path, "onnx", None, plus_one())
    add_model(tmp_path, "openvino", BARE, plus_one())
    with pytest.raises(ModelLoadError) as caught:
        TritonServer(tmp_path, grace=0).start()
    for name in ("onnx", "openvino"):
        reason = caught.value.reasons[name]
        assert reason.startswith("the configuration declares no input; give the name, data_type ")
        assert reason.endswith(": 'X'")
