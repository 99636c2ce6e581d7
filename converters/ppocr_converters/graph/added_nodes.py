"""The nodes that `compile` puts around a network: from pixels to its input, and to best classes.

The choices were measured with ONNX Runtime on one core: transposing bytes before the cast is 7
times faster than normalising in NHWC; BatchNormalization is one pass where Mul and Add are two (4.6
against 6.9 ms for 960x960); TopK with k = 1 is exactly ArgMax and ReduceMax in one pass (4.3
against 6.5 ms for 8 x 40 x 6625). The normalisation is not folded into the first convolution: its
padding is 0 after normalisation, so that the borders would differ.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from ppocr_converters.catalogue.entries import Normalisation
from ppocr_converters.graph import edit as graph
from ppocr_converters.graph.onnx_model import inputs

PREFIX = "ppocr."  # of every tensor added here: no exporter uses it
#: Weights of the added nodes by their names.
Weights = dict[str, np.ndarray]
#: An input or output: its name, type and shape.
Port = tuple[str, int, Sequence[str | int]]


def normalise_pixels(
    pixels: str, target: str, norm: Normalisation
) -> tuple[list[NodeProto], Weights]:
    """uint8 NHWC pixels to float32 NCHW (pixel / 255 - mean) / std: one pass after the cast."""
    weights = {
        f"{PREFIX}one": np.ones(3, np.float32),
        f"{PREFIX}zero": np.zeros(3, np.float32),
        f"{PREFIX}mean": (np.array(norm.mean) * 255).astype(np.float32),
        f"{PREFIX}variance": ((np.array(norm.std) * 255) ** 2).astype(np.float32),
    }
    planes, floats = f"{PREFIX}planes", f"{PREFIX}floats"
    nodes = [
        helper.make_node("Transpose", [pixels], [planes], perm=[0, 3, 1, 2]),
        helper.make_node("Cast", [planes], [floats], to=TensorProto.FLOAT),
        helper.make_node("BatchNormalization", [floats, *weights], [target], epsilon=0.0),
    ]
    return nodes, weights


def crops_to_input(
    model: ModelProto, norm: Normalisation, weights: Weights, *, padded: bool
) -> list[NodeProto]:
    """What turns CROPS (and WIDTHS) into the network's own input."""
    target, normalised = inputs(model)[0].name, f"{PREFIX}normalised"
    nodes, added = normalise_pixels("CROPS", normalised, norm)
    weights |= added
    if padded:
        return nodes + _mask("CROPS", "WIDTHS", normalised, target, weights)
    weights[f"{PREFIX}red_first"] = np.array([2, 1, 0], np.int64)
    swap = helper.make_node("Gather", [normalised, f"{PREFIX}red_first"], [target], axis=1)
    return [*nodes, swap]


def _mask(pixels: str, widths: str, source: str, target: str, weights: Weights) -> list[NodeProto]:
    """Zero the columns from each row's width on, in normalised values: PaddleOCR's padding."""
    weights |= {
        f"{PREFIX}width_axis": np.array(2, np.int64),
        f"{PREFIX}first": np.array(0, np.int64),
        f"{PREFIX}step": np.array(1, np.int64),
    }
    shape, width, columns = f"{PREFIX}shape", f"{PREFIX}width", f"{PREFIX}columns"
    columns32, inside, inside4 = f"{PREFIX}columns32", f"{PREFIX}inside", f"{PREFIX}inside4"
    mask = f"{PREFIX}mask"
    return [
        helper.make_node("Shape", [pixels], [shape]),
        helper.make_node("Gather", [shape, f"{PREFIX}width_axis"], [width], axis=0),
        helper.make_node("Range", [f"{PREFIX}first", width, f"{PREFIX}step"], [columns]),
        helper.make_node("Cast", [columns], [columns32], to=TensorProto.INT32),
        helper.make_node("Less", [columns32, widths], [inside]),
        over_axis("Unsqueeze", inside, inside4, (1, 2), weights),
        helper.make_node("Cast", [inside4], [mask], to=TensorProto.FLOAT),
        helper.make_node("Mul", [source, mask], [target]),
    ]


def best_class(scores: str, axis: int, best: str, index: str, weights: Weights) -> list[NodeProto]:
    """ArgMax (the first of equals, int32) and the maximum over the last axis, as one TopK."""
    weights[f"{PREFIX}k"] = np.array([1], np.int64)
    wide = f"{PREFIX}index64"
    return [
        helper.make_node("TopK", [scores, f"{PREFIX}k"], [best, wide], axis=axis),
        helper.make_node("Cast", [wide], [index], to=TensorProto.INT32),
    ]


def over_axis(
    op_type: str,
    source: str,
    target: str,
    axes: int | tuple[int, ...],
    weights: Weights,
) -> NodeProto:
    """A Squeeze or Unsqueeze as of opset 13."""
    axes = (axes,) if isinstance(axes, int) else axes
    name = f"{PREFIX}axes_{'_'.join(map(str, axes))}"
    weights[name] = np.array(axes, np.int64)
    return helper.make_node(op_type, [source, name], [target])


def with_ends(
    model: ModelProto,
    nodes: Sequence[NodeProto],
    weights: Weights,
    given: Sequence[Port],
    answered: Sequence[Port],
) -> ModelProto:
    """Replace the nodes, inputs and outputs of a model, and add weights."""
    initializers = [numpy_helper.from_array(value, name) for name, value in weights.items()]
    new_graph = helper.make_graph(
        nodes,
        model.graph.name or "ppocr",
        [helper.make_tensor_value_info(*port) for port in given],
        [helper.make_tensor_value_info(*port) for port in answered],
        [*model.graph.initializer, *initializers],
    )
    result = ModelProto()
    result.CopyFrom(model)
    result.graph.CopyFrom(new_graph)
    return result


def cast_first(model: ModelProto) -> ModelProto:
    """The same model with its pixels cast before they are transposed, as TensorRT needs it.

    TensorRT takes uint8 at a network's inputs only, and only to convert it to floats. On a CPU it
    costs 3 % of a detector's time to transpose floats in place of bytes. The result is the same to
    the bit: what is moved and what is converted does not depend on each other.
    """
    model = graph.copy_model(model)
    pixels = inputs(model)[0].name
    nodes = list(model.graph.node)
    transpose = next(n for n in nodes if n.op_type == "Transpose" and n.input[0] == pixels)
    cast = next(n for n in nodes if n.op_type == "Cast" and n.input[0] == transpose.output[0])
    values, target = f"{PREFIX}values", cast.output[0]
    # Each in the other's place, so that the nodes stay in order.
    transpose.CopyFrom(helper.make_node("Cast", [pixels], [values], to=TensorProto.FLOAT))
    cast.CopyFrom(helper.make_node("Transpose", [values], [target], perm=[0, 3, 1, 2]))
    for node in nodes:
        if node.op_type == "Shape" and node.input[0] == pixels:
            node.input[0] = values
    return model
