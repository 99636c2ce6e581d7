"""The end of a detector as 1x1 convolutions: its maps of the full side are laid out once, at last.

A transposed convolution whose stride is its kernel makes a block of pixels of one pixel alone. Two
of them with Relu between are therefore two 1x1 convolutions, whose channels are laid out as pixels.
On a CPU, ONNX Runtime and OpenVINO run those in half to two thirds of the time: they compute more,
but no map between is written at twice the height and width.
"""

from __future__ import annotations

import numpy as np
from onnx import ModelProto, NodeProto, helper

from ppocr_converters.graph import edit
from ppocr_converters.graph.edit import Array

BLOCK = 2  # sides of both kernels, and both strides


def flatten_head(model: ModelProto) -> ModelProto:
    """ConvTranspose, Relu, ConvTranspose to one channel as Conv, Relu, Conv, DepthToSpace.

    Each of the channels between becomes four, one for each pixel of a block, and each of these
    answers four pixels. All other products of the second convolution are with 0: the sums stay.
    """
    model = edit.copy_model(model)
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
        _replace(model, first, wide, np.tile(before_bias, pixels))
        # Pixel (2 i + k, 2 j + l) of a block of 4x4 is pixel (k, l) that channel (i, j, ·) makes.
        spread = np.einsum("ia,jb,mkl->ikjlabm", np.eye(BLOCK), np.eye(BLOCK), weight[:, 0])
        spread = spread.reshape(pixels * pixels, -1, 1, 1).astype(np.float32)
        answer, last.output[0] = last.output[0], f"{last.output[0]}.channels"
        _replace(model, last, spread, np.repeat(bias, pixels * pixels))
        laid_out = helper.make_node("DepthToSpace", last.output, [answer], blocksize=pixels)
        nodes.insert(nodes.index(last) + 1, laid_out)
    return edit.with_nodes(model, nodes)


def _makes_blocks(node: NodeProto, known: dict[str, Array]) -> bool:
    """Whether a node makes 2x2 pixels of each pixel, with constant weights and a bias."""
    if node.op_type != "ConvTranspose" or len(node.input) < 3:
        return False
    if not all(name in known for name in node.input[1:]):
        return False
    given, block = edit.attributes(node), [BLOCK, BLOCK]
    plain = not any([*given.get("pads", ()), *given.get("output_padding", ())])
    plain = plain and set(given.get("dilations", ())) <= {1}
    plain = plain and given.get("group", 1) == 1 and "output_shape" not in given
    shape = list(known[node.input[1]].shape[2:])
    return plain and shape == block and list(given.get("strides", ())) == block


def _replace(model: ModelProto, node: NodeProto, weight: Array, bias: Array) -> None:
    """Make a transposed convolution a 1x1 convolution with these weights."""
    names = (
        edit.add_initializer(model, f"{node.output[0]}.{part}", value)
        for part, value in (("weight", weight), ("bias", bias))
    )
    inputs = [node.input[0], *names]
    node.CopyFrom(helper.make_node("Conv", inputs, node.output, kernel_shape=[1, 1]))
