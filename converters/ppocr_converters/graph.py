"""Exact clean-up of ONNX graphs: every function takes a model and returns a new, equal one.

PP-OCR networks carry chains of constant scale and shift nodes (batch normalisation, the learnable
affine blocks of the v4 and v5 backbones) around their convolutions. ONNX Runtime folds only some
of them; each one left is a full pass over a feature map. The passes here fold them into the
convolution weights, in float64, and touch nothing whose result would change at a border.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import reduce

import numpy as np
import numpy.typing as npt
import onnx
from onnx import ModelProto, NodeProto, helper, numpy_helper

Array = npt.NDArray[np.generic]
Vector = npt.NDArray[np.float64]
Pass = Callable[[ModelProto], ModelProto]

#: A scale smaller than this is not divided by.
SMALLEST_SCALE = 1e-6


def attributes(node: NodeProto) -> dict[str, object]:
    """The attributes of a node as plain Python values."""
    return {a.name: helper.get_attribute_value(a) for a in node.attribute}


def opset(model: ModelProto) -> int:
    """The version of the standard operator set that a model is written in."""
    return max(o.version for o in model.opset_import if o.domain in ("", "ai.onnx"))


def tidy(model: ModelProto) -> ModelProto:
    """Apply every pass of this module, in the order in which they help each other."""
    passes: tuple[Pass, ...] = (
        constants_to_initializers,
        fold_constants,
        remove_identities,
        fold_affine_forward,
        fold_affine_backward,
        remove_unused,
    )
    return reduce(lambda current, one_pass: one_pass(current), passes, model)


def constants_to_initializers(model: ModelProto) -> ModelProto:
    """Turn `Constant` nodes into initializers, where weights belong."""
    model = _copy(model)
    kept = []
    for node in model.graph.node:
        value = attributes(node).get("value") if node.op_type == "Constant" else None
        if isinstance(value, onnx.TensorProto):
            value.name = node.output[0]
            model.graph.initializer.append(value)
        else:
            kept.append(node)
    return _with_nodes(model, kept)


def fold_constants(model: ModelProto) -> ModelProto:
    """Compute, once and now, every small integer node whose inputs are all constants."""
    from onnx.reference import ReferenceEvaluator

    model = _copy(model)
    known = _constants(model)
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
    return _with_nodes(model, kept)


def remove_identities(model: ModelProto) -> ModelProto:
    """Drop multiplications by exactly 1 and additions of exactly 0 that keep the shape."""
    model = _copy(model)
    known = _constants(model)
    outputs = {o.name for o in model.graph.output}
    neutral = {"Mul": 1.0, "Add": 0.0}
    renamed: dict[str, str] = {}
    kept = []
    for node in model.graph.node:
        node.input[:] = [renamed.get(name, name) for name in node.input]
        data, constant = _operands(node, known)
        is_neutral = (
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
    return _with_nodes(model, kept)


@dataclass(frozen=True)
class _Affine:
    """y = scale * x + shift, per channel: float64 vectors of length 1 or C."""

    scale: Vector
    shift: Vector

    def then(self, after: _Affine) -> _Affine:
        """The affine map that applies this one first and `after` second."""
        return _Affine(self.scale * after.scale, self.shift * after.scale + after.shift)


def fold_affine_forward(model: ModelProto) -> ModelProto:
    """Fold scales and shifts that follow a convolution into its weights: exact at any border."""
    model = _copy(model)
    while True:
        known, readers = _constants(model), _readers(model)
        nodes = list(model.graph.node)
        for node in nodes:
            follower = readers.get(node.output[0], [])
            if not _is_convolution(node, known) or len(follower) != 1:
                continue
            affine = _as_affine(follower[0], known, node.output[0])
            if affine is None or follower[0].output[0] == node.output[0]:
                continue
            _scale_outputs(model, node, affine, known)
            node.output[0] = follower[0].output[0]
            nodes.remove(follower[0])
            break
        else:
            return model
        model = _with_nodes(model, nodes)


def fold_affine_backward(model: ModelProto) -> ModelProto:
    """Fold scales and shifts that only feed one convolution into its weights.

    With padding the shift must stay (the border is padded with 0, not with the shift), so there
    `scale * x + shift` becomes `x + shift / scale` and only the scale is folded.
    """
    model = _copy(model)
    done: set[str] = set()
    while True:
        known, readers, writers = _constants(model), _readers(model), _writers(model)
        nodes = list(model.graph.node)
        for node in nodes:
            if node.output[0] in done or node.op_type != "Conv" or not _is_convolution(node, known):
                continue
            done.add(node.output[0])
            chain = _affine_chain(node.input[0], writers, readers, known)
            if chain and _absorb(model, nodes, node, chain, known):
                break
        else:
            return model
        model = _with_nodes(model, nodes)


def remove_unused(model: ModelProto) -> ModelProto:
    """Drop nodes and initializers that no output needs, and stale intermediate shapes."""
    model = _copy(model)
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
    return _with_nodes(model, reversed(kept))


def _copy(model: ModelProto) -> ModelProto:
    copied = ModelProto()
    copied.CopyFrom(model)
    return copied


def _with_nodes(model: ModelProto, nodes: Iterable[NodeProto]) -> ModelProto:
    """Replace the nodes of `model` (in place) and return it."""
    nodes = list(nodes)
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model


def _constants(model: ModelProto) -> dict[str, Array]:
    return {i.name: numpy_helper.to_array(i) for i in model.graph.initializer}


def _readers(model: ModelProto) -> dict[str, list[NodeProto]]:
    """Who reads each tensor; a graph output counts as one more, nameless, reader."""
    readers: dict[str, list[NodeProto]] = {}
    for node in model.graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    for output in model.graph.output:
        readers.setdefault(output.name, []).append(NodeProto())
    return readers


def _writers(model: ModelProto) -> dict[str, NodeProto]:
    return {name: node for node in model.graph.node for name in node.output}


def _operands(node: NodeProto, known: dict[str, Array]) -> tuple[str | None, Array | None]:
    """The variable and the constant operand of a node with exactly one of each."""
    variables = [name for name in node.input if name not in known]
    constants = [known[name] for name in node.input if name in known]
    if len(variables) != 1 or len(constants) != 1:
        return None, None
    return variables[0], constants[0]


def _is_convolution(node: NodeProto, known: dict[str, Array]) -> bool:
    """Whether the weights of a convolution can be edited: constant, float32, group understood."""
    if node.op_type not in {"Conv", "ConvTranspose"}:
        return False
    if any(name not in known for name in node.input[1:] if name):
        return False
    group = attributes(node).get("group", 1)
    return known[node.input[1]].dtype == np.float32 and (node.op_type == "Conv" or group == 1)


def _channel_vector(constant: Array) -> Vector | None:
    """A constant of shape [], [1] or [1, C, 1, 1] (or [C, 1, 1]) as a float64 vector."""
    if constant.dtype != np.float32:
        return None
    if constant.size == 1 and constant.ndim <= 4:
        return constant.astype(np.float64).reshape(1)
    if constant.ndim in (3, 4) and constant.shape[-3] == constant.size:
        return constant.astype(np.float64).reshape(-1)
    return None


def _as_affine(node: NodeProto, known: dict[str, Array], data: str) -> _Affine | None:
    """Read a node applied to the NCHW tensor `data` as a per-channel affine map."""
    if node.op_type == "BatchNormalization" and all(n in known for n in node.input[1:]):
        epsilon = float(attributes(node).get("epsilon", 1e-5))  # type: ignore[arg-type]
        gamma, beta, mean, variance = (known[n].astype(np.float64) for n in node.input[1:5])
        scale = gamma / np.sqrt(variance + epsilon)
        return _Affine(scale, beta - mean * scale)
    if node.op_type not in {"Mul", "Add"}:
        return None
    variable, constant = _operands(node, known)
    vector = None if constant is None else _channel_vector(constant)
    if variable != data or vector is None:
        return None
    if node.op_type == "Mul":
        return _Affine(vector, np.zeros(1))
    return _Affine(np.ones(1), vector)


def _affine_chain(
    name: str,
    writers: dict[str, NodeProto],
    readers: dict[str, list[NodeProto]],
    known: dict[str, Array],
) -> list[tuple[NodeProto, _Affine]]:
    """The affine nodes, first to last, that lead to `name` and feed nothing else."""
    chain: list[tuple[NodeProto, _Affine]] = []
    while name in writers and len(readers[name]) == 1:
        node = writers[name]
        data = node.input[0] if node.op_type == "BatchNormalization" else _operands(node, known)[0]
        affine = None if data is None else _as_affine(node, known, data)
        if data is None or affine is None:
            break
        chain.insert(0, (node, affine))
        name = data
    return chain


def _absorb(
    model: ModelProto,
    nodes: list[NodeProto],
    conv: NodeProto,
    chain: list[tuple[NodeProto, _Affine]],
    known: dict[str, Array],
) -> bool:
    """Fold a chain that leads to `conv` into it; False where that would not save a pass."""
    whole = reduce(_Affine.then, (affine for _, affine in chain))
    padded = any(attributes(conv).get("pads", ())) or "auto_pad" in attributes(conv)  # type: ignore[arg-type]
    first, last = chain[0][0], chain[-1][0]
    source = _operands(first, known)[0] or first.input[0]
    shifted = bool(np.any(whole.shift))
    if padded and shifted:
        if len(chain) < 2 or np.any(np.abs(whole.scale) < SMALLEST_SCALE):
            return False
        _scale_inputs(model, conv, _Affine(whole.scale, np.zeros(1)), known)
        rest = (whole.shift / whole.scale).astype(np.float32)
        shape = (-1, 1, 1) if rest.size > 1 else (1,)
        name = _add_initializer(model, f"{last.output[0]}.shift", rest.reshape(shape))
        added = helper.make_node("Add", [source, name], [last.output[0]])
        nodes.insert(nodes.index(last), added)
    else:
        _scale_inputs(model, conv, whole, known)
        conv.input[0] = source
    for node, _ in chain:
        nodes.remove(node)
    return True


def _scale_outputs(
    model: ModelProto, conv: NodeProto, affine: _Affine, known: dict[str, Array]
) -> None:
    """Make a convolution compute `affine(conv(x))`."""
    weight = known[conv.input[1]].astype(np.float64)
    axis = 0 if conv.op_type == "Conv" else 1
    shape = [1] * weight.ndim
    shape[axis] = -1
    bias = _bias(conv, known, weight.shape[axis])
    _set_weights(
        model,
        conv,
        weight * affine.scale.reshape(shape),
        bias * affine.scale + affine.shift,
    )


def _scale_inputs(
    model: ModelProto, conv: NodeProto, affine: _Affine, known: dict[str, Array]
) -> None:
    """Make a `Conv` compute `conv(affine(x))`; the shift is only exact without padding."""
    weight = known[conv.input[1]].astype(np.float64)
    outputs, inputs_per_group = weight.shape[:2]
    group = int(attributes(conv).get("group", 1))  # type: ignore[call-overload]
    channels = inputs_per_group * group
    scale = np.broadcast_to(affine.scale, channels).reshape(group, 1, inputs_per_group, 1)
    shift = np.broadcast_to(affine.shift, channels).reshape(group, 1, inputs_per_group, 1)
    grouped = weight.reshape(group, outputs // group, inputs_per_group, -1)
    added = (grouped * shift).sum(axis=(2, 3)).reshape(-1)
    bias = _bias(conv, known, outputs) + added
    _set_weights(model, conv, (grouped * scale).reshape(weight.shape), bias)


def _bias(conv: NodeProto, known: dict[str, Array], channels: int) -> Vector:
    if len(conv.input) > 2 and conv.input[2]:
        return known[conv.input[2]].astype(np.float64)
    return np.zeros(channels)


def _set_weights(model: ModelProto, conv: NodeProto, weight: Vector, bias: Vector) -> None:
    """Give a convolution weights of its own: another node may share the old ones."""
    stem = conv.output[0]
    weight_name = _add_initializer(model, f"{stem}.weight", weight.astype(np.float32))
    bias_name = _add_initializer(model, f"{stem}.bias", bias.astype(np.float32))
    conv.input[:] = [conv.input[0], weight_name, bias_name]


def _add_initializer(model: ModelProto, stem: str, value: Array) -> str:
    """Add a weight under an unused name that starts with `stem`."""
    used = Counter(i.name for i in model.graph.initializer)
    name, serial = stem, 0
    while used[name]:
        serial += 1
        name = f"{stem}.{serial}"
    model.graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
    return name
