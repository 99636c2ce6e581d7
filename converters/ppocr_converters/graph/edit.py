"""Small exact passes over ONNX graphs, and what such passes share.

Every pass takes a model and returns a new one that computes the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import ModelProto, NodeProto, helper, numpy_helper

from ppocr_converters.errors import ModelError

Array = npt.NDArray[Any]
CHANNELS_LAST = [0, 2, 1]  # of the transposition from [N, C, T] to [N, T, C]


def attributes(node: NodeProto) -> dict[str, Any]:
    """The attributes of a node as plain Python values."""
    return {a.name: helper.get_attribute_value(a) for a in node.attribute}


def opset(model: ModelProto) -> int:
    """The version of the standard operator set that a model is written in."""
    return max(o.version for o in model.opset_import if o.domain in ("", "ai.onnx"))


def constants_to_initializers(model: ModelProto) -> ModelProto:
    """Turn `Constant` nodes into initializers, where weights belong."""
    model = copy_model(model)
    kept = []
    for node in model.graph.node:
        value = attributes(node).get("value") if node.op_type == "Constant" else None
        if isinstance(value, onnx.TensorProto):
            value.name = node.output[0]
            model.graph.initializer.append(value)
        else:
            kept.append(node)
    return with_nodes(model, kept)


def fold_constants(model: ModelProto) -> ModelProto:
    """Compute, once and now, every small integer node whose inputs are all constants."""
    from onnx.reference import ReferenceEvaluator

    model = copy_model(model)
    known = constants(model)
    kept = []
    for node in model.graph.node:
        inputs = [name for name in node.input if name]
        if inputs and node.op_type in {"Cast", "Concat"} and all(n in known for n in inputs):
            outputs = ReferenceEvaluator(node).run(None, {n: known[n] for n in inputs})
            for name, value in zip(node.output, outputs, strict=True):
                known[name] = np.asarray(value)
                model.graph.initializer.append(numpy_helper.from_array(known[name], name))
        else:
            kept.append(node)
    return with_nodes(model, kept)


def remove_identities(model: ModelProto) -> ModelProto:
    """Drop `Identity`, and factors of 1 and additions of 0 that keep the shape."""
    model = copy_model(model)
    known = constants(model)
    outputs = {o.name for o in model.graph.output}
    neutral = {"Mul": 1.0, "Add": 0.0}
    renamed: dict[str, str] = {}
    kept = []
    for node in model.graph.node:
        node.input[:] = [renamed.get(name, name) for name in node.input]
        data, constant = operands(node, known)
        if node.op_type == "Identity":
            data = node.input[0]
        is_neutral = node.op_type == "Identity" or (
            node.op_type in neutral
            and constant is not None
            and constant.size == 1
            and constant.ndim <= 1
            and constant.item() == neutral[node.op_type]
        )
        if data is not None and is_neutral and node.output[0] not in outputs:
            renamed[node.output[0]] = data
        else:
            kept.append(node)
    return with_nodes(model, kept)


def remove_unused(model: ModelProto) -> ModelProto:
    """Drop nodes and initializers that no output needs, and stale intermediate shapes."""
    model = copy_model(model)
    needed = {o.name for o in model.graph.output}
    kept: list[NodeProto] = []
    for node in reversed(model.graph.node):
        if needed.intersection(node.output):
            kept.append(node)
            needed.update(node.input)
    weights = [i for i in model.graph.initializer if i.name in needed]
    del model.graph.initializer[:]
    model.graph.initializer.extend(weights)
    del model.graph.value_info[:]
    return with_nodes(model, reversed(kept))


def keep_rows_equal(model: ModelProto) -> ModelProto:
    """Let lines that are read together be answered as each of them alone, bit for bit.

    ONNX Runtime moves a transposition behind the mean over channels that reads it. Of a single line
    that mean adds up in another order than of several. Nothing is moved across a Reshape, even one
    to the same shape.
    """
    model = copy_model(model)
    known, used_by = constants(model), readers(model)
    nodes = []
    for node in model.graph.node:
        nodes.append(node)
        last = node.op_type == "Transpose" and attributes(node).get("perm") == CHANNELS_LAST
        if last and any(_is_mean_of_channels(one, known) for one in used_by[node.output[0]]):
            answer, node.output[0] = node.output[0], f"{node.output[0]}.transposed"
            shape = add_initializer(model, f"{answer}.shape", np.array([0, 0, -1], np.int64))
            nodes.append(helper.make_node("Reshape", [node.output[0], shape], [answer]))
    return with_nodes(model, nodes)


def _is_mean_of_channels(node: NodeProto, known: dict[str, Array]) -> bool:
    """Whether a node is the mean over the last axis of three; a newer one reads its axes."""
    if node.op_type != "ReduceMean":
        return False
    axes = known.get(node.input[1]) if len(node.input) > 1 else attributes(node).get("axes")
    return axes is not None and list(axes) in ([-1], [2])


def keep_outputs(model: ModelProto, names: Sequence[str]) -> ModelProto:
    """Keep these outputs, in this order, and what they need.

    Raises:
        ModelError: the model has no such output.
    """
    there = {output.name: output for output in model.graph.output}
    unknown = [name for name in names if name not in there]
    if unknown:
        raise ModelError(
            f"the model has no output {', '.join(unknown)}; its outputs are {', '.join(there)}"
        )
    kept = [there[name] for name in names]
    model = copy_model(model)
    del model.graph.output[:]
    model.graph.output.extend(kept)
    return remove_unused(model)


def rename(model: ModelProto, names: Mapping[str, str]) -> ModelProto:
    """Rename tensors, inputs and outputs among them."""
    model = rename_in_nodes(copy_model(model), names)
    for value in (*model.graph.input, *model.graph.output, *model.graph.value_info):
        value.name = names.get(value.name, value.name)
    return model


def rename_in_nodes(model: ModelProto, names: Mapping[str, str]) -> ModelProto:
    """Rename tensors in all nodes of a model (in place); the graph's own ends keep theirs."""
    for node in model.graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    return model


def copy_model(model: ModelProto) -> ModelProto:
    """A copy that can be edited in place."""
    copied = ModelProto()
    copied.CopyFrom(model)
    return copied


def with_nodes(model: ModelProto, nodes: Iterable[NodeProto]) -> ModelProto:
    """Replace the nodes of `model` (in place) and return it."""
    nodes = list(nodes)
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model


def constants(model: ModelProto) -> dict[str, Array]:
    """Every weight of a model by its name."""
    return {i.name: numpy_helper.to_array(i) for i in model.graph.initializer}


def readers(model: ModelProto) -> dict[str, list[NodeProto]]:
    """Who reads each tensor; a graph output counts as one more, nameless, reader."""
    found: dict[str, list[NodeProto]] = {}
    for node in model.graph.node:
        for name in node.input:
            found.setdefault(name, []).append(node)
    for output in model.graph.output:
        found.setdefault(output.name, []).append(NodeProto())
    return found


def writers(model: ModelProto) -> dict[str, NodeProto]:
    """Which node writes each tensor."""
    return {name: node for node in model.graph.node for name in node.output}


def operands(node: NodeProto, known: dict[str, Array]) -> tuple[str | None, Array | None]:
    """The variable and the constant operand of a node with exactly one of each."""
    variables = [name for name in node.input if name not in known]
    values = [known[name] for name in node.input if name in known]
    if len(variables) != 1 or len(values) != 1:
        return None, None
    return variables[0], values[0]


def add_initializer(model: ModelProto, stem: str, value: Array) -> str:
    """Add a weight under an unused name that starts with `stem`."""
    used = Counter(i.name for i in model.graph.initializer)
    name, serial = stem, 0
    while used[name]:
        serial += 1
        name = f"{stem}.{serial}"
    model.graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
    return name
