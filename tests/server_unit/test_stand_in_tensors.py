"""What a stand-in can load: tensors that fit the graph's, fields that it serves, its device."""

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from ppocr_engine import onnxruntime_session, openvino_session
from ppocr_engine.errors import EngineError
from ppocr_engine.session import Session, Tensor, graph_tensors
from ppocr_engine.spec import EngineSpec
from ppocr_server.backends.common.tensors import (
    check_complete,
    check_tensors,
    declarations,
    supports_batching,
)

GRAPH = {"X": Tensor("X", "TYPE_UINT8", (-1, -1, -1, 3))}


def entry(name: str = "X", data_type: str = "TYPE_UINT8", **more: Any) -> dict[str, Any]:
    return {"name": name, "data_type": data_type, "dims": [-1, -1, 3], **more}


def test_symbolic_dimensions_are_variable():
    nodes = [("X", "tensor(float)", ["N", None, 3])]
    assert graph_tensors(nodes, onnxruntime_session.TRITON_TYPES, "onnxruntime") == {
        "X": Tensor("X", "TYPE_FP32", (-1, -1, 3))
    }


@pytest.mark.parametrize(
    ("kind", "types"),
    [
        ("tensor(string)", onnxruntime_session.TRITON_TYPES),
        ("tensor(bfloat16)", onnxruntime_session.TRITON_TYPES),
        ("seq(tensor(float))", onnxruntime_session.TRITON_TYPES),
        ("string", openvino_session.TRITON_TYPES),
        ("bf16", openvino_session.TRITON_TYPES),
    ],
)
def test_types_that_are_not_served(kind, types):
    with pytest.raises(EngineError) as caught:
        graph_tensors([("X", kind, [])], types, "some engine")
    assert "'X'" in str(caught.value)
    assert kind in str(caught.value)


@pytest.mark.parametrize(
    ("declared", "shape", "batch"),
    [
        (entry(), (-1, -1, -1, 3), 4),
        (entry(dims=[48, 320, 3]), (-1, -1, -1, 3), 4),
        (entry(dims=[-1, -1, -1, 3]), (-1, -1, -1, 3), 0),
        (entry(dims=[2, 3], reshape={"shape": [2, 1, 3]}), (-1, -1, -1, 3), 4),
        (entry(dims=[1]), (), 0),  # a scalar
    ],
)
def test_what_fits(declared, shape, batch):
    assert check_tensors("input", [declared], {"X": Tensor("X", "TYPE_UINT8", shape)}, batch) == [
        "X"
    ]


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        (entry("IMAGE"), ["'IMAGE'", "'X'"]),
        (entry(data_type="TYPE_FP32"), ["TYPE_FP32", "TYPE_UINT8"]),
        (entry(dims=[-1, -1, 4]), ["[-1, -1, -1, 4]", "[-1, -1, -1, 3]"]),
        (entry(dims=[-1, 3]), ["[-1, -1, 3]", "[-1, -1, -1, 3]"]),
        (entry(dims=[-1, -1, -1]), ["[-1, -1, -1, -1]", "[-1, -1, -1, 3]"]),
        (entry(reshape={"shape": [7, 3]}), ["[-1, 7, 3]"]),
        (entry(optional=True), ["optional"]),  # which a batching model cannot have
        (entry(allow_ragged_batch=True), ["ragged"]),
    ],
)
def test_what_does_not_fit_is_named(declared, words):
    with pytest.raises(EngineError) as caught:
        check_tensors("input", [declared], GRAPH, 4)
    assert all(word in str(caught.value) for word in words), caught.value


def test_an_input_left_out_is_named():
    graph = {**GRAPH, "WIDTHS": Tensor("WIDTHS", "TYPE_INT32", (-1, 1))}
    with pytest.raises(EngineError, match=r"needs input 'WIDTHS'.*declares 'X'"):
        check_complete(graph, ["X"])


def test_declarations_leave_the_batch_out():
    tensors = [Tensor("A", "TYPE_FP32", (-1, -1, 3)), Tensor("B", "TYPE_FP32", ())]
    assert supports_batching(tensors[:1])
    assert not supports_batching(tensors)
    assert declarations("input", tensors[:1], 4)[0]["dims"] == [-1, 3]
    assert [item["dims"] for item in declarations("input", tensors, 0)] == [[-1, -1, 3], [1]]


def test_one_value_a_row_cannot_be_filled_in():
    with pytest.raises(EngineError, match="output 'S' is one value a row"):
        declarations("output", [Tensor("S", "TYPE_FP32", (-1,))], 4)


@pytest.mark.parametrize("backend", ["onnxruntime", "openvino"])
@pytest.mark.parametrize(
    "config",
    [
        {"sequence_batching": {"direct": {}, "max_sequence_idle_microseconds": 1}},
        {"batch_input": [{"kind": "BATCH_ELEMENT_COUNT"}]},
        {"batch_output": [{"kind": "BATCH_SCATTER_WITH_INPUT_SHAPE"}]},
        {"model_transaction_policy": {"decoupled": True}},
    ],
)
def test_what_cannot_be_done_is_refused(monkeypatch, backend, config):
    monkeypatch.setitem(sys.modules, "triton_python_backend_utils", ModuleType("pb"))
    from ppocr_server.backends.common.stand_in import refuse_unsupported

    with pytest.raises(EngineError, match=rf"not supported by .*{backend}"):
        refuse_unsupported(config, backend)


@pytest.mark.parametrize(("kind", "device"), [("CPU", 0), ("GPU", 0), ("GPU", 1)])
def test_each_instance_opens_its_network_on_its_own_device(monkeypatch, tmp_path, kind, device):
    monkeypatch.setitem(sys.modules, "triton_python_backend_utils", ModuleType("pb"))
    from ppocr_server.backends.onnxruntime.model import TritonPythonModel

    (tmp_path / "model.onnx").touch()
    opened: list[EngineSpec] = []

    def open_one(spec: EngineSpec, _: Path) -> Session:
        opened.append(spec)
        return Session({}, {}, {}, lambda feeds, wanted: {}, (), str, "")

    monkeypatch.setattr(EngineSpec, "open", open_one)
    config = {"instance_group": [{"kind": "KIND_GPU", "gpus": [0, 1]}]}
    TritonPythonModel.open_session(tmp_path, config, kind=kind, device=device)
    assert [(spec.device, spec.device_id) for spec in opened] == [(kind.lower(), device)]
