"""Convolutions of a network with what stands around them, in fewer passes over its feature maps.

Constant scales and shifts (batch normalisation, and the learnable affine blocks of PP-OCRv4 and v5)
are folded into weights: ONNX Runtime folds only some, and each one left is a full pass. This
computes in float64 and touches nothing whose result would change at a border. Measured on one core,
PP-OCRv4 mobile: det 1x960x960 357 -> 287 ms, rec 8x48x320 286 -> 233 ms.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce

import numpy as np
import numpy.typing as npt
from onnx import ModelProto, NodeProto, helper

from ppocr_converters.graph import edit
from ppocr_converters.graph.edit import Array

Vector = npt.NDArray[np.float64]
Weights = dict[str, Array]

#: A scale smaller than this is not divided by.
SMALLEST_SCALE = 1e-6
BLOCK = 2  # sides of both kernels, and both strides, of a detector's end


@dataclass(frozen=True)
class _Affine:
    """y = scale * x + shift, per channel: float64 vectors of length 1 or C."""

    scale: Vector
    shift: Vector

    def then(self, after: _Affine) -> _Affine:
        """The affine map that applies this one first and `after` second."""
        return _Affine(self.scale * after.scale, self.shift * after.scale + after.shift)


def fold_forward(model: ModelProto) -> None:
    """Fold scales and shifts that follow a convolution into its weights: exact at any border."""
    known = edit.constants(model)
    for node in list(model.graph.node):
        while _is_convolution(node, known):
            used_by = edit.readers(model)[node.output[0]]
            affine = _as_affine(used_by[0], known, node.output[0]) if len(used_by) == 1 else None
            if affine is None:
                break
            _scale_outputs(model, node, affine, known)
            node.output[0] = used_by[0].output[0]
            model.graph.node.remove(used_by[0])


def fold_backward(model: ModelProto) -> None:
    """Fold scales and shifts that only feed one convolution into its weights.

    With padding the shift must stay (the border is padded with 0, not with the shift), so there
    `scale * x + shift` becomes `x + shift / scale` and only the scale is folded.
    """
    known = edit.constants(model)
    for node in list(model.graph.node):
        if node.op_type == "Conv" and _is_convolution(node, known):
            _absorb(model, node, known)


def _is_convolution(node: NodeProto, known: Weights) -> bool:
    """Whether the weights of a convolution can be edited: constant, float32, group understood."""
    if node.op_type not in {"Conv", "ConvTranspose"}:
        return False
    if any(name not in known for name in node.input[1:] if name):
        return False
    group = edit.attributes(node).get("group", 1)
    return known[node.input[1]].dtype == np.float32 and (node.op_type == "Conv" or group == 1)


def _channel_vector(constant: Array) -> Vector | None:
    """A constant of shape [], [1] or [1, C, 1, 1] (or [C, 1, 1]) as a float64 vector."""
    one = constant.size == 1 and constant.ndim <= 4
    channels = constant.ndim in (3, 4) and constant.shape[-3] == constant.size
    if constant.dtype != np.float32 or not (one or channels):
        return None
    return constant.astype(np.float64).reshape(-1)


def _as_affine(node: NodeProto, known: Weights, data: str) -> _Affine | None:
    """Read a node applied to the NCHW tensor `data` as a per-channel affine map."""
    if node.op_type == "BatchNormalization" and all(n in known for n in node.input[1:]):
        epsilon = float(edit.attributes(node).get("epsilon", 1e-5))
        gamma, beta, mean, variance = (known[n].astype(np.float64) for n in node.input[1:5])
        scale = gamma / np.sqrt(variance + epsilon)
        return _Affine(scale, beta - mean * scale)
    variable, constant = edit.operands(node, known)
    vector = None if constant is None else _channel_vector(constant)
    if variable != data or vector is None or node.op_type not in {"Mul", "Add"}:
        return None
    if node.op_type == "Mul":
        return _Affine(vector, np.zeros(1))
    return _Affine(np.ones(1), vector)


def _affine_chain(
    model: ModelProto, name: str, known: Weights
) -> tuple[str, list[tuple[NodeProto, _Affine]]]:
    """The affine nodes, first to last, that lead to `name` and feed nothing else; their input."""
    made_by, used_by = edit.writers(model), edit.readers(model)
    chain: list[tuple[NodeProto, _Affine]] = []
    while name in made_by and len(used_by[name]) == 1:
        node = made_by[name]
        of_batch = node.op_type == "BatchNormalization"
        data = node.input[0] if of_batch else edit.operands(node, known)[0]
        affine = None if data is None else _as_affine(node, known, data)
        if data is None or affine is None or _is_gelu(made_by.get(data), made_by):
            break
        chain.insert(0, (node, affine))
        name = data
    return name, chain


def _is_gelu(node: NodeProto | None, made_by: Mapping[str, NodeProto]) -> bool:
    """Whether a node is the product `x * (1 + erf(x / sqrt(2)))`.

    The 0.5 behind it stays where it is: with it ONNX Runtime and OpenVINO compute GELU in one pass.
    """
    if node is None or node.op_type != "Mul":
        return False
    sums = [made_by[name] for name in node.input if name in made_by]
    terms = [name for one in sums if one.op_type == "Add" for name in one.input]
    return any(name in made_by and made_by[name].op_type == "Erf" for name in terms)


def _absorb(model: ModelProto, conv: NodeProto, known: Weights) -> None:
    """Fold what leads to `conv` alone into it, where that saves a pass."""
    source, chain = _affine_chain(model, conv.input[0], known)
    if not chain:
        return
    whole = reduce(_Affine.then, (affine for _, affine in chain))
    given = edit.attributes(conv)
    if (any(given.get("pads", ())) or "auto_pad" in given) and np.any(whole.shift):
        if len(chain) < 2 or np.any(np.abs(whole.scale) < SMALLEST_SCALE):
            return
        _scale_inputs(model, conv, _Affine(whole.scale, np.zeros(1)), known)
        rest = (whole.shift / whole.scale).astype(np.float32)
        shape = (-1, 1, 1) if rest.size > 1 else (1,)
        name = edit.add_initializer(model, f"{conv.input[0]}.shift", rest.reshape(shape))
        added = helper.make_node("Add", [source, name], [conv.input[0]])
        model.graph.node.insert(list(model.graph.node).index(chain[-1][0]), added)
    else:
        _scale_inputs(model, conv, whole, known)
        conv.input[0] = source
    for node, _ in chain:
        model.graph.node.remove(node)


def _scale_outputs(model: ModelProto, conv: NodeProto, affine: _Affine, known: Weights) -> None:
    """Make a convolution compute `affine(conv(x))`."""
    weight = known[conv.input[1]].astype(np.float64)
    axis = 0 if conv.op_type == "Conv" else 1
    shape = [1] * weight.ndim
    shape[axis] = -1
    bias = _bias(conv, known, weight.shape[axis]) * affine.scale + affine.shift
    _set_weights(model, conv, weight * affine.scale.reshape(shape), bias, known)


def _scale_inputs(model: ModelProto, conv: NodeProto, affine: _Affine, known: Weights) -> None:
    """Make a `Conv` compute `conv(affine(x))`; the shift is only exact without padding."""
    weight = known[conv.input[1]].astype(np.float64)
    outputs, inputs_per_group = weight.shape[:2]
    group = int(edit.attributes(conv).get("group", 1))
    shape, channels = (group, 1, inputs_per_group, 1), inputs_per_group * group
    scale, shift = (
        np.broadcast_to(one, channels).reshape(shape) for one in (affine.scale, affine.shift)
    )
    grouped = weight.reshape(group, outputs // group, inputs_per_group, -1)
    bias = _bias(conv, known, outputs) + (grouped * shift).sum(axis=(2, 3)).reshape(-1)
    _set_weights(model, conv, (grouped * scale).reshape(weight.shape), bias, known)


def _bias(conv: NodeProto, known: Weights, channels: int) -> Vector:
    if len(conv.input) > 2 and conv.input[2]:
        return known[conv.input[2]].astype(np.float64)
    return np.zeros(channels)


def _set_weights(
    model: ModelProto, conv: NodeProto, weight: Array, bias: Array, known: Weights
) -> None:
    """Give a convolution weights of its own: another node may share the old ones."""
    for place, (part, value) in enumerate((("weight", weight), ("bias", bias)), 1):
        name = edit.add_initializer(model, f"{conv.output[0]}.{part}", value.astype(np.float32))
        known[name] = value.astype(np.float32)
        conv.input[place:] = [name]


def flatten_head(model: ModelProto) -> None:
    """ConvTranspose, Relu, ConvTranspose to one channel as Conv, Relu, Conv, DepthToSpace.

    A transposed convolution whose stride is its kernel makes a block of pixels of one pixel alone:
    it is a 1x1 convolution whose channels are laid out as pixels. Here each of the channels between
    becomes four, one for each pixel of a block, and each of these answers four pixels; all other
    products of the second convolution are with 0: the sums stay. On a CPU, ONNX Runtime and
    OpenVINO take half to two thirds of the time: they compute more, but no map between is written
    at twice the height and width.
    """
    known, made_by, used_by = edit.constants(model), edit.writers(model), edit.readers(model)
    nodes = list(model.graph.node)
    for last in [node for node in nodes if _makes_blocks(node, known)]:
        relu = made_by.get(last.input[0], NodeProto())
        first = made_by.get(relu.input[0], NodeProto()) if relu.op_type == "Relu" else NodeProto()
        weight, bias = (known[name] for name in last.input[1:])
        if not _makes_blocks(first, known) or len(bias) > 1:
            continue
        if any(len(used_by[one]) > 1 for one in (*first.output, *relu.output)):
            continue
        before, before_bias = (known[name] for name in first.input[1:])
        pixels = BLOCK * BLOCK
        # Channel (i, j, m) is the old channel m at row i, column j of its block.
        wide = before.transpose(2, 3, 1, 0).reshape(-1, len(before), 1, 1)
        _make_pointwise(model, first, wide, np.tile(before_bias, pixels), known)
        # Pixel (2 i + k, 2 j + l) of a block of 4x4 is pixel (k, l) that channel (i, j, ·) makes.
        spread = np.einsum("ia,jb,mkl->ikjlabm", np.eye(BLOCK), np.eye(BLOCK), weight[:, 0])
        answer, last.output[0] = last.output[0], f"{last.output[0]}.channels"
        spread, biases = spread.reshape(pixels * pixels, -1, 1, 1), np.repeat(bias, pixels * pixels)
        _make_pointwise(model, last, spread, biases, known)
        laid_out = helper.make_node("DepthToSpace", last.output, [answer], blocksize=pixels)
        nodes.insert(nodes.index(last) + 1, laid_out)
    edit.set_nodes(model, nodes)


def _makes_blocks(node: NodeProto, known: Weights) -> bool:
    """Whether a node makes 2x2 pixels of each pixel, with constant weights and a bias."""
    if node.op_type != "ConvTranspose" or not _is_convolution(node, known):
        return False
    given, block = edit.attributes(node), [BLOCK, BLOCK]
    plain = all(node.input) and len(node.input) == 3
    plain = plain and not any([*given.get("pads", ()), *given.get("output_padding", ())])
    plain = plain and set(given.get("dilations", ())) <= {1} and "output_shape" not in given
    shape = list(known[node.input[1]].shape[2:])
    return plain and shape == block and list(given.get("strides", ())) == block


def _make_pointwise(
    model: ModelProto, node: NodeProto, weight: Array, bias: Array, known: Weights
) -> None:
    """Make a transposed convolution a 1x1 convolution with these weights."""
    _set_weights(model, node, weight, bias, known)
    node.CopyFrom(helper.make_node("Conv", node.input, node.output, kernel_shape=[1, 1]))
