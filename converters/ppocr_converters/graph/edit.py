"""Small exact passes over ONNX graphs, and what such passes share. All edit a model in place."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import ModelProto, NodeProto, helper, numpy_helper

from ppocr_converters.errors import ModelError

Array = npt.NDArray[Any]
CHANNELS_LAST = [0, 2, 1]  # of the transposition from [N, C, T] to [N, T, C]
NEUTRAL = {"Mul": 1.0, "Add": 0.0}


def attributes(node: NodeProto) -> dict[str, Any]:
    """The attributes of a node as plain Python values."""
    return {a.name: helper.get_attribute_value(a) for a in node.attribute}


def opset(model: ModelProto) -> int:
    """The version of the standard operator set that a model is written in."""
    return max(o.version for o in model.opset_import if o.domain in ("", "ai.onnx"))


def constants_to_initializers(model: ModelProto) -> None:
    """Turn `Constant` nodes into initializers, where weights belong."""
    kept = []
    for node in model.graph.node:
        value = attributes(node).get("value") if node.op_type == "Constant" else None
        if isinstance(value, onnx.TensorProto):
            value.name = node.output[0]
            model.graph.initializer.append(value)
        else:
            kept.append(node)
    set_nodes(model, kept)


def fold_constants(model: ModelProto) -> None:
    """Compute, once and now, every small integer node whose inputs are all constants."""
    from onnx.reference import ReferenceEvaluator

    known, kept = constants(model), []
    for node in model.graph.node:
        inputs = [name for name in node.input if name]
        if inputs and node.op_type in {"Cast", "Concat"} and known.keys() >= set(inputs):
            (value,) = ReferenceEvaluator(node).run(None, {n: known[n] for n in inputs})
            name, known[node.output[0]] = node.output[0], np.asarray(value)
            model.graph.initializer.append(numpy_helper.from_array(known[name], name))
        else:
            kept.append(node)
    set_nodes(model, kept)


def remove_identities(model: ModelProto) -> None:
    """Drop `Identity`, and factors of 1 and additions of 0 that keep the shape."""
    known, outputs = constants(model), {o.name for o in model.graph.output}
    renamed: dict[str, str] = {}
    kept = []
    for node in model.graph.node:
        node.input[:] = [renamed.get(name, name) for name in node.input]
        data = _passed_on(node, known)
        if data is not None and node.output[0] not in outputs:
            renamed[node.output[0]] = data
        else:
            kept.append(node)
    set_nodes(model, kept)


def _passed_on(node: NodeProto, known: dict[str, Array]) -> str | None:
    """The tensor that a node answers as it came, None where it changes anything."""
    if node.op_type == "Identity":
        return node.input[0]
    data, constant = operands(node, known)
    if constant is None or constant.shape not in ((), (1,)):
        return None
    return data if constant.item() == NEUTRAL.get(node.op_type) else None


def remove_unused(model: ModelProto) -> None:
    """Drop nodes and initializers that no output needs, and stale intermediate shapes."""
    needed = {o.name for o in model.graph.output}
    kept: list[NodeProto] = []
    for node in reversed(model.graph.node):
        if needed.intersection(node.output):
            kept.append(node)
            needed.update(node.input)
    weights = [i for i in model.graph.initializer if i.name in needed]
    del model.graph.initializer[:], model.graph.value_info[:]
    model.graph.initializer.extend(weights)
    set_nodes(model, reversed(kept))


def keep_rows_equal(model: ModelProto) -> None:
    """Let lines that are read together be answered as each of them alone, bit for bit.

    ONNX Runtime moves a transposition behind the mean over channels that reads it. Of a single line
    that mean adds up in another order than of several. Nothing is moved across a Reshape, even one
    to the same shape.
    """
    known, used_by = constants(model), readers(model)
    nodes = []
    for node in model.graph.node:
        nodes.append(node)
        last = node.op_type == "Transpose" and attributes(node).get("perm") == CHANNELS_LAST
        if last and any(_is_mean_of_channels(one, known) for one in used_by[node.output[0]]):
            answer, node.output[0] = node.output[0], f"{node.output[0]}.transposed"
            shape = add_initializer(model, f"{answer}.shape", np.array([0, 0, -1], np.int64))
            nodes.append(helper.make_node("Reshape", [node.output[0], shape], [answer]))
    set_nodes(model, nodes)


def _is_mean_of_channels(node: NodeProto, known: dict[str, Array]) -> bool:
    """Whether a node is the mean over the last axis of three; a newer one reads its axes."""
    if node.op_type != "ReduceMean":
        return False
    axes = known.get(node.input[1]) if len(node.input) > 1 else attributes(node).get("axes")
    return axes is not None and list(axes) in ([-1], [2])


def keep_outputs(model: ModelProto, names: Sequence[str]) -> None:
    """Keep these outputs, in this order, and what they need.

    Raises:
        ModelError: the model has no such output.
    """
    there = {output.name: output for output in model.graph.output}
    if unknown := [name for name in names if name not in there]:
        raise ModelError(
            f"the model has no output {', '.join(unknown)}; its outputs are {', '.join(there)}"
        )
    del model.graph.output[:]
    model.graph.output.extend(there[name] for name in names)
    remove_unused(model)


def rename(model: ModelProto, names: Mapping[str, str]) -> None:
    """Rename tensors, inputs and outputs among them."""
    rename_in_nodes(model.graph.node, names)
    for value in (*model.graph.input, *model.graph.output, *model.graph.value_info):
        value.name = names.get(value.name, value.name)


def rename_in_nodes(nodes: Iterable[NodeProto], names: Mapping[str, str]) -> None:
    """Rename tensors in nodes alone: the graph's own ends keep their names."""
    for node in nodes:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]


def set_nodes(model: ModelProto, nodes: Iterable[NodeProto]) -> None:
    """Replace the nodes of a model."""
    nodes = list(nodes)
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def constants(model: ModelProto) -> dict[str, Array]:
    """Every weight of a model by its name."""
    return {i.name: numpy_helper.to_array(i) for i in model.graph.initializer}


def readers(model: ModelProto) -> defaultdict[str, list[NodeProto]]:
    """Who reads each tensor; a graph output counts as one more, nameless, reader."""
    found = defaultdict[str, list[NodeProto]](list)
    for node in model.graph.node:
        for name in node.input:
            found[name].append(node)
    for output in model.graph.output:
        found[output.name].append(NodeProto())
    return found


def writers(model: ModelProto) -> dict[str, NodeProto]:
    """Which node writes each tensor."""
    return {name: node for node in model.graph.node for name in node.output}


def operands(node: NodeProto, known: dict[str, Array]) -> tuple[str | None, Array | None]:
    """The variable and the constant operand of a node with exactly one of each."""
    variables = [name for name in node.input if name not in known]
    values = [known[name] for name in node.input if name in known]
    return (variables[0], values[0]) if len(variables) == len(values) == 1 else (None, None)


def add_initializer(model: ModelProto, stem: str, value: Array) -> str:
    """Add a weight under an unused name that starts with `stem`."""
    used = {i.name for i in model.graph.initializer}
    names = (f"{stem}.{serial}" if serial else stem for serial in count())
    name = next(name for name in names if name not in used)
    model.graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
    return name
