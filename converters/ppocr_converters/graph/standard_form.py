"""Networks of any exporter in the one form that `compile` takes, seen to run in it.

That form: opset 13 or newer, float32 at both ends, one output, sizes free that differ from picture
to picture, and probabilities as the answer. Each network is run at two sizes, so that a size which
is only declared is told from one that the graph was computed for.
"""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import ModelProto, TensorProto, helper, version_converter

from ppocr_converters.catalogue.entries import Kind
from ppocr_converters.errors import ModelError
from ppocr_converters.graph import edit as graph
from ppocr_converters.graph.kinds import CLASSIFIERS, FREE_CLASSIFIERS, detect_kind
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

Shape = tuple[int, int, int, int]

#: The first opset in which weights are quantised by channel, and the one that older files get.
LOWEST_OPSET, LIFTED_TO = 13, 14
FLOATS = {"float32": TensorProto.FLOAT, "float16": TensorProto.FLOAT16}
FLOATS |= {"float64": TensorProto.DOUBLE}
#: What a network answers, but for the classes; a classifier only ["batch"].
ANSWERS: dict[Kind, list[str | int]] = {
    "det": ["batch", 1, "map_height", "map_width"],
    "rec": ["batch", "steps"],
}
#: The sizes of an input [N, 3, H, W] that differ from picture to picture, with their axes.
FREE: dict[Kind, dict[str, int]] = {
    "det": {"batch": 0, "height": 2, "width": 3},
    "rec": {"batch": 0, "width": 3},
    "cls": {"batch": 0},
    "page_orientation": {"batch": 0},
}
#: Heights of recognisers that do not say theirs, for a trial.
HEIGHTS = (48, 32)
#: How far rounding, in float16 too, takes an answer from probabilities.
ROUNDING = 0.02


@dataclass(frozen=True)
class Standard:
    """A network in the standard form.

    Attributes:
        height: of the input of a recogniser or classifier, None where nothing says it.
        facts: metadata by which a proof makes answers of the source those of the compiled model.
        changes: all that was done, a phrase each.
    """

    model: ModelProto
    kind: Kind
    height: int | None
    facts: dict[str, str]
    changes: list[str]


def standard_form(network: ModelProto, *, height: int | None = None) -> Standard:
    """Bring a network of any opset and exporter into the standard form, and see that it runs.

    `height` is that of a recogniser or classifier, where the graph is silent.

    Raises:
        ModelError: of none of the kinds, or of a form that cannot be brought into it; says why.
    """
    model, changes, facts = _lifted(network), list[str](), dict[str, str]()
    if (before := graph.opset(network)) < LOWEST_OPSET:
        changes.append(f"opset {before} becomes {LIFTED_TO}")
    kind, output = detect_kind(inputs(model), (known := known_outputs(model)))
    free = isinstance(inputs(model)[0].shape[2], str)
    if kind in FREE_CLASSIFIERS and height is None and free:
        height = FREE_CLASSIFIERS[kind]
        changes.append(f"its height is free: it is taken for PaddleOCR's of {height} pixels")
    if len(known) > 1:
        others = ", ".join(tensor.name for at, tensor in enumerate(known) if at != output)
        changes.append(f"the output {known[output].name} is served, not {others}")
        graph.keep_outputs(model, [known[output].name])
    changes += freed(kind, inputs(model)[0].shape)
    free_sizes(model, kind)
    changes += _cast_ends(model)
    answers = answers_to_noise(model, kind, height)
    if not are_probabilities(kind, answers):
        activation = "Sigmoid" if kind == "det" else "Softmax"
        facts["ppocr_activation"] = activation.lower()
        changes.append(f"{activation} is added: it answers numbers that are no probabilities")
        axis = {} if kind == "det" else {"axis": -1}
        _put_at_end(model, f"{outputs(model)[0].name}.raw", activation, **axis)
    shape = ANSWERS.get(kind, ["batch"]) + ([] if kind == "det" else [answers[0].shape[-1]])
    declared = helper.make_tensor_value_info(outputs(model)[0].name, TensorProto.FLOAT, shape)
    model.graph.output[0].CopyFrom(declared)
    if output:
        facts["ppocr_output"] = str(output)
    weights = {weight.data_type for weight in network.graph.initializer}
    ends = {tensor.dtype for tensor in (*inputs(network), known[output])}
    if TensorProto.FLOAT16 in weights or "float16" in ends:
        facts["ppocr_precision"] = "fp16"
    return Standard(model, kind, _height(model, kind, height), facts, changes)


def _lifted(network: ModelProto) -> ModelProto:
    """A copy in an opset that everything here works with."""
    model, before = copy.deepcopy(network), graph.opset(network)
    if before >= LOWEST_OPSET:
        return model
    given = {tensor.name for tensor in inputs(model)}
    for value in [value for value in model.graph.input if value.name not in given]:
        model.graph.input.remove(value)
    model.ir_version = max(model.ir_version, 8)  # older ones want weights among the inputs
    try:
        lifted = version_converter.convert_version(model, LIFTED_TO)
    except (version_converter.ConvertError, RuntimeError, ValueError) as error:
        reason = str(error).strip().splitlines()[-1]
        raise ModelError(
            f"it is written in opset {before}, which cannot be brought to {LIFTED_TO}: {reason}; "
            f"export it again with opset {LIFTED_TO}"
        ) from error
    helper.set_model_props(lifted, metadata(network))
    return lifted


def free_sizes(model: ModelProto, kind: Kind) -> None:
    """Let the input [N, 3, H, W] declare no size that differs from picture to picture."""
    given = inputs(model)[0]
    sizes = declared_sizes(kind, given.shape)
    dims = next(i for i in model.graph.input if i.name == given.name).type.tensor_type.shape.dim
    for what in sizes:
        dims[FREE[kind][what]].dim_param = what
    if sizes:
        del model.graph.value_info[:]
        answered = model.graph.output[0].type.tensor_type.shape.dim
        for dim, symbol in zip(answered, ANSWERS.get(kind, ["batch"]), strict=False):
            if isinstance(symbol, str):
                dim.dim_param = symbol


def freed(kind: Kind, shape: Sequence[Dimension]) -> list[str]:
    """What is said of the sizes that `free_sizes` sets free, if of any."""
    sizes = [f"{what} {size}" for what, size in declared_sizes(kind, shape).items()]
    return [f"{' and '.join(sizes)}, which it declares, are set free"] if sizes else []


def declared_sizes(kind: Kind, shape: Sequence[Dimension]) -> dict[str, int]:
    """Those sizes of an input [N, 3, H, W] that differ from picture to picture and are declared."""
    sizes = {what: shape[axis] for what, axis in FREE[kind].items()}
    return {what: size for what, size in sizes.items() if isinstance(size, int)}


def _cast_ends(model: ModelProto) -> Iterator[str]:
    """Cast where the network takes or answers another float than float32; says what is done."""
    for what, tensor in (("input", inputs(model)[0]), ("output", outputs(model)[0])):
        if tensor.dtype not in FLOATS:
            raise ModelError(
                f"its {what} {tensor} is not one of {', '.join(FLOATS)}; export the network with "
                f"float inputs and outputs"
            )
        if tensor.dtype == "float32":
            continue
        yield f"its {what} is cast from {tensor.dtype}"
        inner = f"{tensor.name}.{tensor.dtype}"
        if what == "output":
            _put_at_end(model, inner, "Cast", to=TensorProto.FLOAT)
        else:
            graph.rename_in_nodes(model.graph.node, {tensor.name: inner})
            cast = helper.make_node("Cast", [tensor.name], [inner], to=FLOATS[tensor.dtype])
            model.graph.node.insert(0, cast)
        for value in (*model.graph.input, *model.graph.output):
            if value.name == tensor.name:
                value.type.tensor_type.elem_type = TensorProto.FLOAT


def _put_at_end(model: ModelProto, inner: str, operator: str, **attributes: Any) -> None:
    """One more operator behind the output, which keeps its name; `inner` is what came out."""
    name = outputs(model)[0].name
    graph.rename_in_nodes(model.graph.node, {name: inner})
    model.graph.node.append(helper.make_node(operator, [inner], [name], **attributes))


def _height(model: ModelProto, kind: Kind, known: int | None) -> int | None:
    """The input height of a recogniser or classifier, pixels."""
    height = inputs(model)[0].shape[2]
    if kind == "det" or isinstance(height, str):
        return None if kind == "det" else known
    if known not in (None, height):
        raise ModelError(f"the input height is {height} in the model, but given as {known}")
    return height


def answers_to_noise(model: ModelProto, kind: Kind, height: int | None) -> list[np.ndarray]:
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
        if not (reason := _misfit(kind, shapes, answers)):
            return answers
        reasons.append(reason)
    raise ModelError(
        f"its graph cannot be run at other sizes than it was exported for ({reasons[0]}); export "
        f"it with dynamic batch, {'height and ' if kind == 'det' else ''}width"
    )


def _trial_shapes(given: Tensor, kind: Kind, height: int | None) -> Iterator[tuple[Shape, Shape]]:
    """Pairs of inputs to try, the likeliest first."""
    rows = given.shape[2] if isinstance(given.shape[2], int) else height
    if kind == "det":
        yield (2, 3, 64, 96), (1, 3, 96, 160)
    elif kind == "rec":
        for row in HEIGHTS if rows is None else (rows,):
            yield (2, 3, row, 160), (1, 3, row, 320)
    else:
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


def are_probabilities(kind: Kind, answers: Sequence[np.ndarray]) -> bool:
    """Whether answers lie between 0 and 1, and sum to 1 where they are of classes."""
    return all(
        answer.min() >= -ROUNDING
        and answer.max() <= 1 + ROUNDING
        and (kind == "det" or np.abs(answer.sum(axis=-1) - 1).max() <= ROUNDING)
        for answer in answers
    )
