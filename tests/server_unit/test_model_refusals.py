"""Models that cannot be served: each named with its reason, all found in one start."""

from __future__ import annotations

import pytest
from onnx import helper
from server_unit.tiny_models import STRING, add_model, config, graph_model, parameter, plus_one

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
PYTHON_STEP = config().replace("onnxruntime", "python")
RAISES = b"""
class TritonPythonModel:
    def initialize(self, args):
        raise ValueError("the dictionary has 6623 entries, the model 97 classes")
"""
SYNTAX = b"class TritonPythonModel:\n    def initialize(self, args:\n"
DIES = b"import os\nos._exit(3)\n"

MAGIC = "optimization { execution_accelerators { cpu_execution_accelerator { name: 'magic' } } }"
# name: (configuration, words that its reason must hold)
NETWORKS = {
    "input_name": (config().replace('"X"', '"IMAGE"'), ["'IMAGE'", "'X'", "input"]),
    "output_name": (config().replace('"Y"', '"MAP"'), ["'MAP'", "'Y'", "output"]),
    "data_type": (config(x="TYPE_UINT8"), ["'X'", "TYPE_UINT8", "TYPE_FP32"]),
    "rank": (config(dims="-1, 3"), ["'X'", "[-1, -1, 3]", "[-1, -1]"]),
    "gpu": (config(kind="KIND_GPU"), ["KIND_GPU"]),
    "accelerator": (config(more=MAGIC), ["'magic'", "openvino"]),
    "mode": (config(more=parameter("execution_mode", "7")), ["execution_mode", "7"]),
    "sequence": (config(more="sequence_batching { direct { } }"), ["sequence batching"]),
}


@pytest.fixture(scope="module")
def reasons(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Reason by model of a repository in which nearly everything is broken."""
    repository = tmp_path_factory.mktemp("refusals")
    for name, (text, _) in NETWORKS.items():
        add_model(repository, name, text, plus_one())
    add_model(repository, "dims", config(dims="9"), plus_one(8))
    add_model(repository, "no_batch", config(dims="8"), plus_one(8, batch=1))
    add_model(repository, "damaged", config(), plus_one().SerializeToString()[:40])
    text = graph_model(
        [helper.make_node("Identity", ["X"], ["Y"])],
        {"X": (STRING, ["N", "W"])},
        {"Y": (STRING, ["N", "W"])},
    )
    add_model(repository, "text", config(x="TYPE_STRING", y="TYPE_STRING"), text)
    add_model(repository, "raises", PYTHON_STEP, RAISES, "model.py")
    add_model(repository, "syntax", PYTHON_STEP, SYNTAX, "model.py")
    add_model(repository, "dies", PYTHON_STEP, DIES, "model.py")
    add_model(repository, "pipeline", ENSEMBLE.format(model="raises"))
    add_model(repository, "lonely", ENSEMBLE.format(model="nobody"))
    add_model(repository, "fine", config(), plus_one())
    openvino = config(more='default_model_filename: "model.onnx"').replace(
        "onnxruntime", "openvino"
    )
    hint = openvino + parameter("PERFORMANCE_HINT", "FAST")
    add_model(repository, "openvino_hint", hint, plus_one())
    add_model(repository, "openvino_broken", openvino, b"no model at all")
    server = TritonServer(repository, grace=0)
    with pytest.raises(ModelLoadError, match=r"^model '.*' failed to load: .*; also not") as caught:
        server.start()
    assert server.poll() is None
    return caught.value.reasons


@pytest.mark.parametrize("name", NETWORKS)
def test_the_reason_names_what_was_declared_and_what_is(name: str, reasons: dict[str, str]) -> None:
    assert all(word in reasons[name] for word in NETWORKS[name][1]), reasons[name]


def test_a_wrong_dimension_names_both_shapes(reasons: dict[str, str]) -> None:
    assert "[-1, 9]" in reasons["dims"]
    assert "[-1, 8]" in reasons["dims"]


def test_batching_a_graph_of_fixed_batch(reasons: dict[str, str]) -> None:
    assert "max_batch_size is 8" in reasons["no_batch"]
    assert "[1, 8]" in reasons["no_batch"]


def test_a_damaged_file_is_named(reasons: dict[str, str]) -> None:
    assert "damaged/1/model.onnx" in reasons["damaged"]
    assert "cannot load" in reasons["damaged"]


def test_strings_are_refused(reasons: dict[str, str]) -> None:
    assert "tensor(string)" in reasons["text"]


def test_an_exception_in_a_step_is_told_without_its_trace(reasons: dict[str, str]) -> None:
    assert reasons["raises"] == "the dictionary has 6623 entries, the model 97 classes"


def test_a_syntax_error_names_file_and_line(reasons: dict[str, str]) -> None:
    assert reasons["syntax"].startswith("SyntaxError: ")
    assert "(model.py, line 2)" in reasons["syntax"]


def test_a_step_that_dies_has_a_reason(reasons: dict[str, str]) -> None:
    assert reasons["dies"]


def test_an_ensemble_comes_after_the_step_that_broke_it(reasons: dict[str, str]) -> None:
    order = list(reasons)
    assert order.index("raises") < order.index("pipeline")
    assert reasons["pipeline"] == "ensemble 'pipeline' depends on 'raises', which did not load"
    assert "nobody" in reasons["lonely"]


def test_a_good_model_is_not_blamed(reasons: dict[str, str]) -> None:
    assert "fine" not in reasons


def test_the_message_is_one_line_with_the_model_and_its_reason(reasons: dict[str, str]) -> None:
    broken = {name: reasons[name] for name in ("raises", "pipeline")}
    assert failure_message(broken) == (
        "model 'raises' failed to load: the dictionary has 6623 entries, the model 97 classes; "
        "also not loaded: 'pipeline'"
    )


def test_openvino_models_have_reasons_too(reasons: dict[str, str]) -> None:
    assert "PERFORMANCE_HINT is 'FAST'" in reasons["openvino_hint"]
    assert "cannot load" in reasons["openvino_broken"]
