"""Tiny ONNX models and model repositories, made for one test."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import onnx
from onnx import TensorProto, helper

FLOAT, INT64, STRING = TensorProto.FLOAT, TensorProto.INT64, TensorProto.STRING
Shape = Sequence[int | str]


def graph_model(
    nodes: Sequence[onnx.NodeProto],
    inputs: Mapping[str, tuple[int, Shape]],
    outputs: Mapping[str, tuple[int, Shape]],
    initializers: Sequence[onnx.TensorProto] = (),
) -> onnx.ModelProto:
    """A checked model of the given nodes; an input named like an initializer is optional."""
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(name, *spec) for name, spec in inputs.items()],
        [helper.make_tensor_value_info(name, *spec) for name, spec in outputs.items()],
        initializers,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    return model


def plus_one(
    width: int | str = "W", batch: int | str = "N", *, added: float = 1.0
) -> onnx.ModelProto:
    """Y = X + 1, or another number, float32 [N, W]."""
    return graph_model(
        [helper.make_node("Add", ["X", "one"], ["Y"])],
        {"X": (FLOAT, [batch, width])},
        {"Y": (FLOAT, [batch, width])},
        [helper.make_tensor("one", FLOAT, [1], [added])],
    )


def batch_size() -> onnx.ModelProto:
    """Y = the number of rows of the run, once for every value of X, float32 [N, W]."""
    return graph_model(
        [
            helper.make_node("Shape", ["X"], ["shape"]),
            helper.make_node("Gather", ["shape", "zero"], ["rows"]),
            helper.make_node("Cast", ["rows"], ["rows_f"], to=FLOAT),
            helper.make_node("Sub", ["X", "X"], ["nothing"]),
            helper.make_node("Add", ["nothing", "rows_f"], ["Y"]),
        ],
        {"X": (FLOAT, ["N", "W"])},
        {"Y": (FLOAT, ["N", "W"])},
        [helper.make_tensor("zero", INT64, [1], [0])],
    )


def lookup() -> onnx.ModelProto:
    """Y = table[X] for X in 0..3, int64 [N, 1] to float32 [N, 1]; other indices are errors."""
    return graph_model(
        [helper.make_node("Gather", ["table", "X"], ["Y"])],
        {"X": (INT64, ["N", 1])},
        {"Y": (FLOAT, ["N", 1])},
        [helper.make_tensor("table", FLOAT, [4], [0.0, 10.0, 20.0, 30.0])],
    )


def config(
    backend: str = "onnxruntime",
    *,
    x: str = "TYPE_FP32",
    y: str = "TYPE_FP32",
    batch: int = 8,
    dims: str = "-1",
    count: int = 1,
    kind: str = "KIND_CPU",
    more: str = "",
) -> str:
    """A complete config.pbtxt for a model from X to Y; networks are read from model.onnx."""
    if backend == "openvino":
        more = f'default_model_filename: "model.onnx"\n{more}'
    return (
        f'backend: "{backend}"\nmax_batch_size: {batch}\n'
        f'input {{ name: "X" data_type: {x} dims: [ {dims} ] }}\n'
        f'output {{ name: "Y" data_type: {y} dims: [ {dims} ] }}\n'
        f"instance_group {{ kind: {kind} count: {count} }}\n{more}\n"
    )


def parameter(key: str, value: str) -> str:
    return f'parameters {{ key: "{key}" value {{ string_value: "{value}" }} }}\n'


def add_model(
    repository: Path,
    name: str,
    config_text: str | None,
    content: onnx.ModelProto | bytes | None = None,
    file_name: str = "model.onnx",
) -> None:
    """Write one model into a repository; without content it has an empty version folder."""
    version = repository / name / "1"
    version.mkdir(parents=True)
    if config_text is not None:
        (version.parent / "config.pbtxt").write_text(config_text)
    if content is not None:
        data = content if isinstance(content, bytes) else content.SerializeToString()
        (version / file_name).write_bytes(data)
