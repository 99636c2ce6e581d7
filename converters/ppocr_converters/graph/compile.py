"""Graph compile: a network that takes and answers what a server should carry.

A PP-OCR network takes normalised float pictures and answers probabilities of every class. Served
like that, a float picture (4 bytes for each channel of each pixel) goes in, and 6,625 floats for
each time step come out. Here the arithmetic moves into the graph: uint8 pixels go in as they lie
in memory, and the best class with its probability comes out.

    det: DET_INPUT uint8 [N, H, W, 3]                             -> PROBABILITY float32 [N, H, W]
    rec: CROPS uint8 [N, height, W, 3], WIDTHS int32 [N, 1]       -> INDICES int32 [N, T],
                                                                     PROBABILITIES float32 [N, T]
    cls: CROPS uint8 [N, 48, 192, 3], WIDTHS int32 [N, 1]          -> INDICES int32 [N, 1],
         or CROPS uint8 [N, 80, 160, 3] alone                         PROBABILITIES float32 [N, 1]

The node choices were measured with ONNX Runtime on one core: transposing bytes before the cast is
7 times faster than normalising in NHWC; BatchNormalization is one pass where Mul and Add are two
(4.6 against 6.9 ms for 960x960); TopK with k = 1 is exactly ArgMax and ReduceMax in one pass (4.3
against 6.5 ms for 8 x 40 x 6625). The normalisation is not folded into the first convolution: its
padding is 0 after normalisation, so that the borders would differ.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import reduce

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from ppocr_converters.catalogue.entries import Kind, Normalisation
from ppocr_converters.errors import DictionaryError, ModelError
from ppocr_converters.graph import batchnorm_folding as affine
from ppocr_converters.graph import edit as graph
from ppocr_converters.graph.dictionary import check_dictionary
from ppocr_converters.graph.onnx_model import (
    class_count,
    expect_kind,
    input_height,
    inputs,
    is_compiled,
    kind_of,
    metadata,
    outputs,
)

#: The inputs of the direction classifiers that PaddleOCR publishes, by their height: the width, and
#: whether a crop keeps its ratio and is padded. A classifier learnt one size and takes no other.
#: The first learnt colours as OpenCV reads them, blue first; the second, of PaddleX, red first.
CLASSIFIERS = {48: (192, True), 80: (160, False)}
DIRECTIONS = ("0", "180")  # the classes of such a classifier
PREFIX = "ppocr."  # of every tensor added here: no exporter uses it
LOWEST_OPSET = 11
HIGHEST_IR = 9  # the newest IR version that the oldest supported server reads


def compile_model(
    network: ModelProto,
    normalisation: Mapping[Kind, Normalisation],
    *,
    name: str,
    kind: Kind | None = None,
    characters: Sequence[str] = (),
    space: bool = True,
    height: int | None = None,
    source_sha256: str = "",
) -> ModelProto:
    """Compile a converted network for serving.

    Args:
        network: the ONNX network as it was converted, float32 [N, 3, H, W] to probabilities.
        normalisation: mean and std of each kind.
        name: the model's name, for its metadata.
        kind: what the model must be; by default it is read from the graph.
        characters: of a recogniser, in class order, without blank and space; by default those in
            the network's own metadata.
        space: whether the recogniser has a space as its last class.
        height: of the input of a recogniser or classifier, pixels, where the graph is silent.
        source_sha256: the digest of the files that the network came from, for the metadata.

    Returns:
        The compiled model, its dictionary and all else a server must know in its metadata.

    Raises:
        ModelError: of another kind, compiled already, or too old.
        DictionaryError: the characters do not fit the classes.
    """
    found = _checked_kind(network, kind, name)
    norm = normalisation[found]
    facts = {
        "ppocr_kind": found,
        "ppocr_name": name,
        "ppocr_source_sha256": source_sha256,
        "ppocr_mean": ",".join(map(repr, norm.mean)),
        "ppocr_std": ",".join(map(repr, norm.std)),
    }
    model = tidy(network)
    if found == "det":
        model = _compile_det(model, norm)
    else:
        rows = input_height(network, height)
        classes = class_count(network)
        facts |= {"ppocr_height": str(rows), "ppocr_classes": str(classes)}
        if found == "rec":
            characters = characters or _stored_characters(network, name, classes)
            check_dictionary(characters, space, classes)
            facts |= {"character": "\n".join(characters), "use_space_char": str(space).lower()}
        model = (_compile_rec if found == "rec" else _compile_cls)(model, norm, rows)
    return _finish(model, facts)


def _checked_kind(network: ModelProto, kind: Kind | None, name: str) -> Kind:
    """The kind of a network that can be compiled.

    Raises:
        ModelError: it is of another kind than the one given, compiled already, or too old.
    """
    if is_compiled(network):
        raise ModelError(f"{name} is compiled already; give the network it was made from")
    if graph.opset(network) < LOWEST_OPSET:
        raise ModelError(
            f"{name} is written in opset {graph.opset(network)}, {LOWEST_OPSET} or newer is "
            f"needed; convert it again with --opset 14"
        )
    found = kind_of(network)
    expect_kind(found, kind, name)
    if found == "cls" and (classes := class_count(network)) != len(DIRECTIONS):
        raise ModelError(
            f"{name} has {classes} classes; a direction classifier of text lines has "
            f"{len(DIRECTIONS)}: {', '.join(DIRECTIONS)} degrees"
        )
    return found


def _stored_characters(network: ModelProto, name: str, classes: int) -> list[str]:
    """The characters in a network's own metadata, where some exporters put them."""
    stored = metadata(network).get("character")
    if stored is None:
        raise DictionaryError(
            f"no dictionary came with {name}, which has {classes} classes; give it with --dict"
        )
    return stored.removesuffix("\n").split("\n")


def tidy(model: ModelProto) -> ModelProto:
    """Clean a graph up without changing what it computes, in the order in which passes help."""
    passes: tuple[Callable[[ModelProto], ModelProto], ...] = (
        graph.constants_to_initializers,
        graph.fold_constants,
        graph.remove_identities,
        affine.fold_forward,
        affine.fold_backward,
        graph.remove_unused,
    )
    return reduce(lambda current, one_pass: one_pass(current), passes, model)


def _compile_det(model: ModelProto, norm: Normalisation) -> ModelProto:
    nodes, weights = _normalise("DET_INPUT", inputs(model)[0].name, norm)
    squeeze = _over_axis(
        "Squeeze", outputs(model)[0].name, "PROBABILITY", 1, graph.opset(model), weights
    )
    return _with_ends(
        model,
        [*nodes, *model.graph.node, squeeze],
        weights,
        [("DET_INPUT", TensorProto.UINT8, ["batch", "height", "width", 3])],
        [("PROBABILITY", TensorProto.FLOAT, ["batch", "map_height", "map_width"])],
    )


def _compile_rec(model: ModelProto, norm: Normalisation, height: int) -> ModelProto:
    """A recogniser: rows of any width, whose padding is masked, to a class for each step."""
    opset, answer, weights = graph.opset(model), outputs(model)[0].name, Weights()
    nodes = _crops(model, norm, weights, padded=True)
    best, index = f"{PREFIX}best", f"{PREFIX}index"
    after = [
        *_best_class(answer, 2, best, index, weights),
        _over_axis("Squeeze", index, "INDICES", 2, opset, weights),
        _over_axis("Squeeze", best, "PROBABILITIES", 2, opset, weights),
    ]
    steps = ["batch", "steps"]
    return _with_ends(
        model,
        [*nodes, *model.graph.node, *after],
        weights,
        [
            ("CROPS", TensorProto.UINT8, ["batch", height, "width", 3]),
            ("WIDTHS", TensorProto.INT32, ["batch", 1]),
        ],
        [("INDICES", TensorProto.INT32, steps), ("PROBABILITIES", TensorProto.FLOAT, steps)],
    )


def _compile_cls(model: ModelProto, norm: Normalisation, height: int) -> ModelProto:
    """A classifier: rows of its one size, padded or not, to one class."""
    if height not in CLASSIFIERS:
        known = " or ".join(f"{h}x{w}" for h, (w, _) in CLASSIFIERS.items())
        raise ModelError(
            f"a direction classifier {height} pixels high is not known; those of PaddleOCR take "
            f"{known} (height x width)"
        )
    width, padded = CLASSIFIERS[height]
    weights = Weights()
    nodes = _crops(model, norm, weights, padded=padded)
    best = _best_class(outputs(model)[0].name, 1, "PROBABILITIES", "INDICES", weights)
    widths: list[Port] = [("WIDTHS", TensorProto.INT32, ["batch", 1])]
    one: Sequence[str | int] = ["batch", 1]
    return _with_ends(
        model,
        [*nodes, *model.graph.node, *best],
        weights,
        [("CROPS", TensorProto.UINT8, ["batch", height, width, 3]), *(widths if padded else [])],
        [("INDICES", TensorProto.INT32, one), ("PROBABILITIES", TensorProto.FLOAT, one)],
    )


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
    cast.input[0], cast.output[0] = pixels, values
    transpose.input[0], transpose.output[0] = values, target
    for node in nodes:
        if node.op_type == "Shape" and node.input[0] == pixels:
            node.input[0] = values
    return graph.sort_nodes(model)


def classifier_parameters(model: ModelProto) -> dict[str, str]:
    """What `recognize` must know of a compiled classifier: its size, and how crops are fitted."""
    crops, *widths = inputs(model)
    _, height, width, _ = crops.shape
    return {
        "cls_height": str(height),
        "cls_width": str(width),
        "cls_resize": "pad" if widths else "stretch",
    }


Weights = dict[str, np.ndarray]


def _normalise(pixels: str, target: str, norm: Normalisation) -> tuple[list[NodeProto], Weights]:
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


def _crops(
    model: ModelProto, norm: Normalisation, weights: Weights, *, padded: bool
) -> list[NodeProto]:
    """What turns CROPS (and WIDTHS) into the network's own input."""
    target, normalised = inputs(model)[0].name, f"{PREFIX}normalised"
    nodes, added = _normalise("CROPS", normalised, norm)
    weights |= added
    if padded:
        return nodes + _mask("CROPS", "WIDTHS", normalised, target, graph.opset(model), weights)
    weights[f"{PREFIX}red_first"] = np.array([2, 1, 0], np.int64)
    swap = helper.make_node("Gather", [normalised, f"{PREFIX}red_first"], [target], axis=1)
    return [*nodes, swap]


def _mask(
    pixels: str, widths: str, source: str, target: str, opset: int, weights: Weights
) -> list[NodeProto]:
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
        _over_axis("Unsqueeze", inside, inside4, (1, 2), opset, weights),
        helper.make_node("Cast", [inside4], [mask], to=TensorProto.FLOAT),
        helper.make_node("Mul", [source, mask], [target]),
    ]


def _best_class(scores: str, axis: int, best: str, index: str, weights: Weights) -> list[NodeProto]:
    """ArgMax (the first of equals, int32) and the maximum over the last axis, as one TopK."""
    weights[f"{PREFIX}k"] = np.array([1], np.int64)
    wide = f"{PREFIX}index64"
    return [
        helper.make_node("TopK", [scores, f"{PREFIX}k"], [best, wide], axis=axis),
        helper.make_node("Cast", [wide], [index], to=TensorProto.INT32),
    ]


def _over_axis(
    op_type: str,
    source: str,
    target: str,
    axes: int | tuple[int, ...],
    opset: int,
    weights: Weights,
) -> NodeProto:
    """A Squeeze or Unsqueeze; its axes are an attribute before opset 13 and an input since."""
    axes = (axes,) if isinstance(axes, int) else axes
    if opset < 13:
        return helper.make_node(op_type, [source], [target], axes=axes)
    name = f"{PREFIX}axes_{'_'.join(map(str, axes))}"
    weights[name] = np.array(axes, np.int64)
    return helper.make_node(op_type, [source, name], [target])


Port = tuple[str, int, Sequence[str | int]]


def _with_ends(
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


def _finish(model: ModelProto, facts: Mapping[str, str]) -> ModelProto:
    """Store the facts, pin the IR version, and let the checker see the result."""
    model = graph.remove_unused(model)
    model.ir_version = min(model.ir_version, HIGHEST_IR)
    model.producer_name, model.producer_version = "ppocr-convert", ""
    del model.metadata_props[:]
    helper.set_model_props(model, dict(facts))
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ModelError(f"the compiled graph is not valid ONNX: {error}") from error
    return model
