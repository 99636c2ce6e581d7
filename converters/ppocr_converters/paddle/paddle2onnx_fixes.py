"""Repairs of graphs as paddle2onnx writes them: what it gets wrong, and names and versions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, helper, numpy_helper

from ppocr_converters.graph.edit import copy_model, with_nodes

ONE = "ppocr.one_dimension"


def scalars_to_vectors(model: ModelProto) -> ModelProto:
    """Give every scalar that is concatenated one dimension.

    paddle2onnx 2 takes the pieces of a computed shape, slices whose axis Paddle squeezed away, as
    they are; `Concat` takes no scalars, and ONNX Runtime refuses the file.
    """
    model = copy_model(model)
    while True:
        ranks = _ranks(model)
        parts = [
            (node, place)
            for node in model.graph.node
            if node.op_type == "Concat"
            for place, name in enumerate(node.input)
            if ranks.get(name) == 0
        ]
        if not parts:
            return model
        if all(i.name != ONE for i in model.graph.initializer):
            shape = numpy_helper.from_array(np.array([1], np.int64), ONE)
            model.graph.initializer.append(shape)
        _insert_reshapes(model, parts)


def _ranks(model: ModelProto) -> dict[str, int]:
    """The number of dimensions of each tensor where it can be told."""
    graph = onnx.shape_inference.infer_shapes(model).graph
    ranks = {
        value.name: len(value.type.tensor_type.shape.dim)
        for value in (*graph.value_info, *graph.input, *graph.output)
        if value.type.tensor_type.HasField("shape")
    }
    return ranks | {weight.name: len(weight.dims) for weight in graph.initializer}


def _insert_reshapes(model: ModelProto, parts: Sequence[tuple[NodeProto, int]]) -> None:
    nodes = list(model.graph.node)
    for node, place in parts:
        name = f"{node.output[0]}.part{place}"
        reshape = helper.make_node("Reshape", [node.input[place], ONE], [name])
        nodes.insert(nodes.index(node), reshape)
        node.input[place] = name
    with_nodes(model, nodes)
