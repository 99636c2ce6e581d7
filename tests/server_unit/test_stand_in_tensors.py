"""Declared tensors against the graph's: what fits, and what is said when it does not."""

from __future__ import annotations

from typing import Any

import pytest

from ppocr_engine import onnxruntime_session, openvino_session
from ppocr_engine.errors import EngineError
from ppocr_engine.session import Tensor, graph_tensors
from ppocr_server.backends.common.tensors import (
    check_complete,
    check_tensors,
    declarations,
    supports_batching,
)

GRAPH = {"X": Tensor("X", "TYPE_UINT8", (-1, -1, -1, 3))}


def entry(name: str = "X", data_type: str = "TYPE_UINT8", **more: Any) -> dict[str, Any]:
    return {"name": name, "data_type": data_type, "dims": [-1, -1, 3], **more}


def refusal(declared: dict[str, Any], batch: int = 4, kind: str = "input") -> str:
    with pytest.raises(EngineError) as caught:
        check_tensors(kind, [declared], GRAPH, batch)
    return str(caught.value)


def test_symbolic_dimensions_are_variable() -> None:
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
def test_types_that_are_not_served(kind: str, types: dict[str, str]) -> None:
    with pytest.raises(EngineError) as caught:
        graph_tensors([("X", kind, [])], types, "some engine")
    assert "'X'" in str(caught.value)
    assert kind in str(caught.value)


def test_equal_and_narrower_shapes_fit() -> None:
    assert check_tensors("input", [entry()], GRAPH, 4) == ["X"]
    assert check_tensors("input", [entry(dims=[48, 320, 3])], GRAPH, 4) == ["X"]
    assert check_tensors("input", [entry(dims=[-1, -1, -1, 3])], GRAPH, 0) == ["X"]


def test_a_wrong_name_names_both() -> None:
    text = refusal(entry("IMAGE"))
    assert "'IMAGE'" in text
    assert "'X'" in text


def test_a_wrong_type_names_both() -> None:
    text = refusal(entry(data_type="TYPE_FP32"))
    assert "TYPE_FP32" in text
    assert "TYPE_UINT8" in text


@pytest.mark.parametrize("dims", [[-1, -1, 4], [-1, 3], [-1, -1, -1]])
def test_a_wrong_shape_names_both(dims: list[int]) -> None:
    text = refusal(entry(dims=dims))
    assert str([-1, *dims]) in text
    assert "[-1, -1, -1, 3]" in text


def test_reshape_counts_instead_of_dims() -> None:
    declared = entry(dims=[2, 3], reshape={"shape": [2, 1, 3]})
    assert check_tensors("input", [declared], GRAPH, 4) == ["X"]
    assert "[-1, 7, 3]" in refusal(entry(reshape={"shape": [7, 3]}))


def test_batching_needs_a_variable_first_dimension() -> None:
    graph = {"X": Tensor("X", "TYPE_UINT8", (1, 3))}
    with pytest.raises(EngineError, match=r"max_batch_size is 4.*'X' has shape"):
        check_tensors("input", [entry(dims=[3])], graph, 4)


def test_a_scalar_may_be_declared_as_one() -> None:
    graph = {"X": Tensor("X", "TYPE_UINT8", ())}
    assert check_tensors("input", [entry(dims=[1])], graph, 0) == ["X"]


def test_optional_inputs_and_batching_exclude_each_other() -> None:
    assert "optional" in refusal(entry(optional=True))


def test_ragged_batches_are_refused() -> None:
    assert "ragged" in refusal(entry(allow_ragged_batch=True))


def test_an_input_left_out_is_named() -> None:
    graph = {**GRAPH, "WIDTHS": Tensor("WIDTHS", "TYPE_INT32", (-1, 1))}
    with pytest.raises(EngineError, match=r"needs input 'WIDTHS'.*declares 'X'"):
        check_complete(graph, ["X"])


def test_declarations_leave_the_batch_out() -> None:
    tensors = [Tensor("A", "TYPE_FP32", (-1, -1, 3)), Tensor("B", "TYPE_FP32", ())]
    assert supports_batching(tensors[:1])
    assert not supports_batching(tensors)
    assert declarations("input", tensors[:1], 4)[0]["dims"] == [-1, 3]
    assert [item["dims"] for item in declarations("input", tensors, 0)] == [[-1, -1, 3], [1]]


def test_one_value_a_row_cannot_be_filled_in() -> None:
    with pytest.raises(EngineError, match="output 'S' is one value a row"):
        declarations("output", [Tensor("S", "TYPE_FP32", (-1,))], 4)
