"""Networks of any exporter in the one form that `compile` takes, seen to run in it.

That form: opset 13 or newer, float32 at both ends, one output, sizes free that differ from picture
to picture, and probabilities as the answer. Each network is run at two sizes, so that a size which
is only declared is told from one that the graph was computed for.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import ModelProto, TensorProto, helper, version_converter

from ppocr_converters.catalogue.entries import Kind
from ppocr_converters.errors import ModelError
from ppocr_converters.graph import edit as graph
from ppocr_converters.graph.kinds import detect_kind
from ppocr_converters.graph.onnx_model import (
    Dimension,
    Tensor,
    inputs,
    known_outputs,
    metadata,
    outputs,
)
from ppocr_engine.errors import EngineError
from ppocr_engine.machine import available_cores
from ppocr_engine.spec import GRAPH_AS_WRITTEN, EngineSpec

#: The first opset in which weights are quantised by channel, and the one that older files get.
LOWEST_OPSET, LIFTED_TO = 13, 14
#: The inputs of the classifiers that PaddleOCR publishes, by their height: the width, and whether
#: a crop keeps its ratio and is padded. A classifier learnt one size and takes no other. The first
#: learnt colours as OpenCV reads them, blue first; those of PaddleX, of lines and of pages, learnt
#: red first.
CLASSIFIERS = {48: (192, True), 80: (160, False), 224: (224, False)}
#: Those of them that are meant where a file declares no height.
FREE_CLASSIFIERS: dict[Kind, int] = {"cls": 48, "page_orientation": 224}
#: Heights of recognisers that do not say theirs, for a trial.
HEIGHTS = (48, 32)
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
#: How far rounding, in float16 too, takes an answer from probabilities.
ROUNDING = 0.02


@dataclass(frozen=True)
class Standard:
    """A network in the standard form.

    Attributes:
        model: the network.
        kind: of it.
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
    """Bring a network into the standard form, and see that it runs.

    Args:
        network: of any opset and exporter.
        height: of the input of a recogniser or classifier, where the graph is silent.

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
    model = _with_one_output(model, output)
    changes += freed(kind, inputs(model)[0].shape)
    model = free_sizes(model, kind)
    model, said = _float_ends(model)
    changes += said
    answers = _trial(model, kind, height)
    activation = "" if _is_probability(kind, answers) else ACTIVATIONS[kind]
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
            f"convert it again with --opset {LIFTED_TO}"
        ) from error
    helper.set_model_props(lifted, metadata(network))
    return lifted, [f"opset {before} becomes {LIFTED_TO}"]


def _with_one_output(model: ModelProto, output: int) -> ModelProto:
    kept = model.graph.output[output]
    if len(model.graph.output) > 1:
        del model.graph.output[:]
        model.graph.output.append(kept)
        model = graph.remove_unused(model)
    return model


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
        _rename(model, tensor.name, inner)
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


def _rename(model: ModelProto, old: str, new: str) -> None:
    """Give a tensor another name in all nodes; the graph's own ends keep theirs."""
    for node in model.graph.node:
        node.input[:] = [new if name == old else name for name in node.input]
        node.output[:] = [new if name == old else name for name in node.output]


def _trial(model: ModelProto, kind: Kind, height: int | None) -> list[np.ndarray]:
    """The answers to noise of two sizes, [2, ...] and [1, ...].

    Raises:
        ModelError: it does not run, or not at both sizes.
    """
    given = inputs(model)[0]
    with tempfile.TemporaryDirectory(prefix="ppocr-") as scratch:
        path = Path(scratch, "model.onnx")
        onnx.save(model, path)
        try:
            spec = EngineSpec(threads=available_cores(), graph_level=GRAPH_AS_WRITTEN)
            session = spec.open(path)
        except EngineError as error:
            raise ModelError(str(error).replace(f" {path}", " it")) from error
    reasons = []
    for shapes in _trial_shapes(given, kind, height):
        rng = np.random.default_rng(0)
        try:
            answers = [
                session({given.name: rng.uniform(-1, 1, shape).astype(np.float32)})[0]
                for shape in shapes
            ]
        except session.errors as error:
            reasons.append(str(error).strip().splitlines()[0])
            continue
        if reason := _misfit(kind, shapes, answers):
            reasons.append(reason)
        else:
            return answers
    raise ModelError(
        f"its graph cannot be run at other sizes than it was exported for ({reasons[0]}); export "
        f"it with dynamic batch, {'height and ' if kind == 'det' else ''}width"
    )


Shape = tuple[int, int, int, int]


def _trial_shapes(given: Tensor, kind: Kind, height: int | None) -> Iterator[tuple[Shape, Shape]]:
    """Pairs of inputs to try, the likeliest first."""
    rows = given.shape[2] if isinstance(given.shape[2], int) else height
    if kind == "det":
        yield (2, 3, 64, 96), (1, 3, 96, 160)
        return
    if kind == "rec":
        for row in HEIGHTS if rows is None else (rows,):
            yield (2, 3, row, 160), (1, 3, row, 320)
        return
    assert rows is not None
    of_pages = FREE_CLASSIFIERS["page_orientation"]
    widths = {
        height: width
        for height, (width, _) in CLASSIFIERS.items()
        if (height == of_pages) == (kind == "page_orientation")
    }
    width = widths.get(rows, 0)
    if given.shape[3] not in (width, str(given.shape[3])) or not width:
        known = " or ".join(f"{h}x{w}" for h, w in widths.items())
        raise ModelError(
            f"a classifier {rows} pixels high is not known that takes {given}; those "
            f"of PaddleOCR take {known} (height x width)"
        )
    yield (2, 3, rows, width), (1, 3, rows, width)


def _misfit(kind: Kind, shapes: Sequence[Shape], answers: Sequence[np.ndarray]) -> str:
    """Why answers do not belong to their inputs, "" if they do."""
    for shape, answer in zip(shapes, answers, strict=True):
        fits = answer.ndim == {"det": 4, "rec": 3}.get(kind, 2) and len(answer) == shape[0]
        if kind == "det":
            fits = fits and answer.shape[1:] == (1, *shape[2:])
        if not fits:
            return f"{list(shape)} is answered by {list(answer.shape)}"
        if not np.isfinite(answer).all():
            return f"{list(shape)} is answered by numbers that are not finite"
    if kind == "rec" and answers[0].shape[1] >= answers[1].shape[1]:
        return f"lines of two widths are both answered by {answers[0].shape[1]} steps"
    return ""


def _height(model: ModelProto, known: int | None) -> int | None:
    """The input height of a recogniser or classifier, pixels.

    Raises:
        ModelError: it is another one than is known.
    """
    height = inputs(model)[0].shape[2]
    if isinstance(height, str):
        return known
    if known not in (None, height):
        raise ModelError(f"the input height is {height} in the model, but given as {known}")
    return height


def _is_probability(kind: Kind, answers: Sequence[np.ndarray]) -> bool:
    """Whether answers lie between 0 and 1, and sum to 1 where they are of classes."""
    for answer in answers:
        if answer.min() < -ROUNDING or answer.max() > 1 + ROUNDING:
            return False
        if kind != "det" and np.abs(answer.sum(axis=-1) - 1).max() > ROUNDING:
            return False
    return True


def _activated(model: ModelProto, operator: str) -> ModelProto:
    """The network with one more operator at its end, under the name of its output."""
    name = outputs(model)[0].name
    raw = f"{name}.raw"
    _rename(model, name, raw)
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
