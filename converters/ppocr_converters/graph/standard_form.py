"""Networks of any exporter in the one form that `compile` takes, seen to run in it.

That form: opset 13 or newer, float32 at both ends, one output, sizes free that differ from picture
to picture, and probabilities as the answer. Each network is run at two sizes, so that a size which
is only declared is told from one that the graph was computed for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from onnx import ModelProto, TensorProto, helper, version_converter

from ppocr_converters.catalogue.entries import Kind
from ppocr_converters.errors import ModelError
from ppocr_converters.graph import edit as graph
from ppocr_converters.graph.kinds import FREE_CLASSIFIERS, detect_kind
from ppocr_converters.graph.onnx_model import Dimension, inputs, known_outputs, metadata, outputs
from ppocr_converters.graph.trial import answers_to_noise, are_probabilities

#: The first opset in which weights are quantised by channel, and the one that older files get.
LOWEST_OPSET, LIFTED_TO = 13, 14
FLOATS = {"float32": TensorProto.FLOAT, "float16": TensorProto.FLOAT16}
FLOATS |= {"float64": TensorProto.DOUBLE}
#: What turns an answer into probabilities, by kind.
ACTIVATIONS: dict[Kind, str] = {
    "det": "Sigmoid",
    "rec": "Softmax",
    "cls": "Softmax",
    "page_orientation": "Softmax",
}
SHAPES: dict[Kind, list[str | int]] = {
    "det": ["batch", 1, "map_height", "map_width"],
    "rec": ["batch", "steps"],
    "cls": ["batch"],
    "page_orientation": ["batch"],
}
#: The sizes of an input [N, 3, H, W] that differ from picture to picture, with their axes.
FREE: dict[Kind, dict[str, int]] = {
    "det": {"batch": 0, "height": 2, "width": 3},
    "rec": {"batch": 0, "width": 3},
    "cls": {"batch": 0},
    "page_orientation": {"batch": 0},
}


@dataclass(frozen=True)
class Standard:
    """A network in the standard form.

    Attributes:
        output: which of its outputs is served.
        activation: the operator that was added, "" where the answers are probabilities.
        height: of the input of a recogniser or classifier, None where nothing says it.
        half: whether it computes in float16, if only at its ends.
        changes: all that was done, a phrase each.
    """

    model: ModelProto
    kind: Kind
    output: int
    activation: str
    height: int | None
    half: bool
    changes: tuple[str, ...]


def standard_form(network: ModelProto, *, height: int | None = None) -> Standard:
    """Bring a network of any opset and exporter into the standard form, and see that it runs.

    `height` is that of a recogniser or classifier, where the graph is silent.

    Raises:
        ModelError: of none of the kinds, or of a form that cannot be brought into it; says why.
    """
    model, changes = _lifted(network)
    kind, output = detect_kind(inputs(model), (known := known_outputs(model)))
    free = isinstance(inputs(model)[0].shape[2], str)
    if kind in FREE_CLASSIFIERS and height is None and free:
        height = FREE_CLASSIFIERS[kind]
        changes.append(f"its height is free: it is taken for PaddleOCR's of {height} pixels")
    if len(known) > 1:
        others = ", ".join(tensor.name for at, tensor in enumerate(known) if at != output)
        changes += [f"the output {known[output].name} is served, not {others}"]
        model = graph.keep_outputs(model, [known[output].name])
    changes += freed(kind, inputs(model)[0].shape)
    model = free_sizes(model, kind)
    model, said = _float_ends(model)
    changes += said
    answers = answers_to_noise(model, kind, height)
    activation = "" if are_probabilities(kind, answers) else ACTIVATIONS[kind]
    if activation:
        model = _activated(model, activation)
        changes += [f"{activation} is added: it answers numbers that are no probabilities"]
    _declare(model, kind, answers[0].shape[-1])
    weights = {weight.data_type for weight in network.graph.initializer}
    ends = {tensor.dtype for tensor in (*inputs(network), known[output])}
    half = TensorProto.FLOAT16 in weights or "float16" in ends
    height = None if kind == "det" else _height(model, height)
    return Standard(model, kind, output, activation, height, half, tuple(changes))


def _lifted(network: ModelProto) -> tuple[ModelProto, list[str]]:
    """A copy in an opset that everything here works with."""
    before = graph.opset(network)
    if before >= LOWEST_OPSET:
        return graph.copy_model(network), []
    network = graph.copy_model(network)
    weights = {weight.name for weight in network.graph.initializer}
    given = [value for value in network.graph.input if value.name not in weights]
    del network.graph.input[:]
    network.graph.input.extend(given)
    network.ir_version = max(network.ir_version, 8)  # older ones want weights among the inputs
    try:
        lifted = version_converter.convert_version(network, LIFTED_TO)
    except (version_converter.ConvertError, RuntimeError, ValueError) as error:
        reason = str(error).strip().splitlines()[-1]
        raise ModelError(
            f"it is written in opset {before}, which cannot be brought to {LIFTED_TO}: {reason}; "
            f"export it again with opset {LIFTED_TO}"
        ) from error
    helper.set_model_props(lifted, metadata(network))
    return lifted, [f"opset {before} becomes {LIFTED_TO}"]


def free_sizes(model: ModelProto, kind: Kind) -> ModelProto:
    """A copy whose input [N, 3, H, W] declares no size that differs from picture to picture."""
    model = graph.copy_model(model)
    given = inputs(model)[0]
    dims = next(i for i in model.graph.input if i.name == given.name).type.tensor_type.shape.dim
    for what in declared_sizes(kind, given.shape):
        dims[FREE[kind][what]].dim_param = what
    if declared_sizes(kind, given.shape):
        del model.graph.value_info[:]
        answered = model.graph.output[0].type.tensor_type.shape.dim
        for dim, symbol in zip(answered, SHAPES[kind], strict=False):
            if isinstance(symbol, str):
                dim.dim_param = symbol
    return model


def freed(kind: Kind, shape: Sequence[Dimension]) -> list[str]:
    """What is said of the sizes that `free_sizes` sets free, if of any."""
    sizes = [f"{what} {size}" for what, size in declared_sizes(kind, shape).items()]
    return [f"{' and '.join(sizes)}, which it declares, are set free"] if sizes else []


def declared_sizes(kind: Kind, shape: Sequence[Dimension]) -> dict[str, int]:
    """Those sizes of an input [N, 3, H, W] that differ from picture to picture and are declared."""
    sizes = {what: shape[axis] for what, axis in FREE[kind].items()}
    return {what: size for what, size in sizes.items() if isinstance(size, int)}


def _float_ends(model: ModelProto) -> tuple[ModelProto, list[str]]:
    """Casts where the network takes or answers another float than float32."""
    (given, answered), changes = (inputs(model)[0], outputs(model)[0]), []
    for what, tensor in (("input", given), ("output", answered)):
        if tensor.dtype not in FLOATS:
            raise ModelError(
                f"its {what} {tensor} is not one of {', '.join(FLOATS)}; export the network with "
                f"float inputs and outputs"
            )
        if tensor.dtype == "float32":
            continue
        changes.append(f"its {what} is cast from {tensor.dtype}")
        inner = f"{tensor.name}.{tensor.dtype}"
        graph.rename_in_nodes(model, {tensor.name: inner})
        ends, to = ([tensor.name], [inner]), FLOATS[tensor.dtype]
        if what == "output":
            ends, to = ([inner], [tensor.name]), TensorProto.FLOAT
        cast = helper.make_node("Cast", *ends, to=to)
        model = graph.with_nodes(
            model,
            [cast, *model.graph.node] if what == "input" else [*model.graph.node, cast],
        )
        for value in (*model.graph.input, *model.graph.output):
            if value.name == tensor.name:
                value.type.tensor_type.elem_type = TensorProto.FLOAT
    return model, changes


def _height(model: ModelProto, known: int | None) -> int | None:
    """The input height of a recogniser or classifier, pixels."""
    height = inputs(model)[0].shape[2]
    if isinstance(height, str):
        return known
    if known not in (None, height):
        raise ModelError(f"the input height is {height} in the model, but given as {known}")
    return height


def _activated(model: ModelProto, operator: str) -> ModelProto:
    """The network with one more operator at its end, under the name of its output."""
    name = outputs(model)[0].name
    raw = f"{name}.raw"
    graph.rename_in_nodes(model, {name: raw})
    axis = {"axis": -1} if operator == "Softmax" else {}
    return graph.with_nodes(
        model, [*model.graph.node, helper.make_node(operator, [raw], [name], **axis)]
    )


def _declare(model: ModelProto, kind: Kind, classes: int) -> None:
    """Declare the output as it was seen."""
    shape = SHAPES[kind] + ([] if kind == "det" else [classes])
    name = outputs(model)[0].name
    del model.graph.output[:]
    model.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
