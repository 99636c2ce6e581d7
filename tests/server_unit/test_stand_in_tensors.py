"""What a stand-in can load, and how it merges requests: few runs, errors where they belong."""

import importlib
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppocr_engine import onnxruntime_session, openvino_session
from ppocr_engine.errors import EngineError
from ppocr_engine.session import Array, Feeds, Session, Tensor, graph_tensors
from ppocr_engine.spec import EngineSpec
from ppocr_server.backends.common.tensors import Answer, check_complete, check_tensors, run_requests

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


def test_a_configuration_without_tensors_is_told_which_to_declare():
    with pytest.raises(EngineError, match=r"declares no input; give .* in config\.pbtxt, .*: 'X'"):
        check_tensors("input", [], GRAPH, 4)


@pytest.fixture
def stand_in(monkeypatch) -> Any:
    """The module, which only Triton can import as it is."""
    monkeypatch.setitem(sys.modules, "triton_python_backend_utils", ModuleType("pb"))
    return importlib.import_module("ppocr_server.backends.common.stand_in")


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
def test_what_cannot_be_done_is_refused(stand_in, tmp_path, backend, config):
    with pytest.raises(EngineError, match=rf"not supported by .*{backend}"):
        stand_in.open_session(backend, tmp_path, config, "CPU", 0)


@pytest.mark.parametrize(("kind", "device"), [("CPU", 0), ("GPU", 0), ("GPU", 1)])
def test_each_instance_opens_its_network_on_its_own_device(
    stand_in, monkeypatch, tmp_path, kind, device
):
    (tmp_path / "model.onnx").touch()
    opened: list[EngineSpec] = []

    def open_one(spec: EngineSpec, _: Path) -> Session:
        opened.append(spec)
        return Session({}, {}, {}, lambda feeds, wanted: {}, (), str, "")

    monkeypatch.setattr(EngineSpec, "open", open_one)
    config = {"instance_group": [{"kind": "KIND_GPU", "gpus": [0, 1]}]}
    stand_in.open_session("onnxruntime", tmp_path, config, kind, device)
    assert [(spec.device, spec.device_id) for spec in opened] == [(kind.lower(), device)]


class Recorder:
    """Y = X + 1; fails for a batch that holds a negative value."""

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []

    def __call__(self, feeds: Feeds) -> Mapping[str, Array]:
        x = feeds["X"].astype(np.float32)
        self.shapes.append(x.shape)
        if x.min(initial=0) < 0:
            raise ValueError(f"negative: {x.min()}")
        return {"Y": x + 1}


def rows(count: int, width: int, value: float) -> Feeds:
    return {"X": np.full((count, width), value, np.float32)}


def answer(requests: list[Feeds], run: Recorder, *, batching: bool = True) -> list[Answer]:
    return run_requests(requests, run, batching=batching, errors=(ValueError,))


def test_equal_shapes_are_one_run_and_others_are_not():
    run = Recorder()
    requests = [rows(1, 4, 1), rows(2, 5, 2), rows(3, 4, 3)]
    answers = answer(requests, run)
    assert sorted(run.shapes) == [(2, 5), (4, 4)]
    for request, result in zip(requests, answers, strict=True):
        assert not isinstance(result, Exception)
        np.testing.assert_array_equal(result["Y"], request["X"].astype(np.float32) + 1)


def test_without_batching_every_request_is_a_run():
    run = Recorder()
    answer([rows(1, 4, 1), rows(1, 4, 2)], run, batching=False)
    assert run.shapes == [(1, 4), (1, 4)]


def test_a_graph_that_loses_the_batch_is_an_error_not_a_wrong_answer():
    def run(feeds: Feeds) -> Mapping[str, Array]:
        return {"Y": feeds["X"].sum(axis=0)}

    for result in run_requests(
        [rows(2, 4, 1), rows(3, 4, 1)], run, batching=True, errors=(ValueError,)
    ):
        assert isinstance(result, ValueError)
        assert "does not keep the batch dimension" in str(result)


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.sampled_from([1, 4, 7]), st.integers(-1, 2)), max_size=12
    )
)
def test_every_answer_is_the_one_got_alone(plan):
    requests = [rows(*item) for item in plan]
    together = answer(requests, Recorder())
    for request, result in zip(requests, together, strict=True):
        (alone,) = answer([request], Recorder())
        if isinstance(alone, Exception):
            assert isinstance(result, Exception)
        else:
            assert not isinstance(result, Exception)
            np.testing.assert_array_equal(result["Y"], alone["Y"])
