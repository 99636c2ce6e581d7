"""What a model is, and what would go wrong with it, without converting it."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ppocr_converters.catalogue import Kind
from ppocr_converters.compile import HIGHEST_IR, LOWEST_OPSET
from ppocr_converters.dictionary import check_dictionary, read_dictionary
from ppocr_converters.errors import ConvertError, DictionaryError, ModelError
from ppocr_converters.fetch import DICTIONARY
from ppocr_converters.graph import opset
from ppocr_converters.onnx_model import (
    Tensor,
    detect_kind,
    fixed_dimensions,
    inputs,
    is_compiled,
    kind_of,
    load_onnx,
    metadata,
    outputs,
)
from ppocr_converters.paddle_model import (
    FORMAT_NAMES,
    PaddleModel,
    count_weights,
    find_paddle_model,
)


@dataclass
class Report:
    """What is known of a model.

    Attributes:
        path: the folder or file.
        format: in words.
        kind: det, rec or cls, or None where the shapes are of none of them.
        inputs: of the network.
        outputs: of the network.
        opset: of an ONNX file.
        ir_version: of an ONNX file.
        weights: variables in a Paddle weights file.
        classes: of a recogniser or classifier.
        height: of the input of a recogniser or classifier, where it is fixed.
        characters: in the dictionary, without blank and space.
        problems: what would go wrong, a sentence each.
    """

    path: str
    format: str
    kind: Kind | None = None
    inputs: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    opset: int | None = None
    ir_version: int | None = None
    weights: int | None = None
    classes: int | None = None
    height: int | None = None
    characters: int | None = None
    problems: list[str] = field(default_factory=list)


def check(path: Path, *, dictionary: Path | None = None, space: bool = True) -> Report:
    """Explain a model: a folder in Paddle's format or an ONNX file.

    Args:
        path: the model.
        dictionary: of a recogniser, in place of the one that comes with it.
        space: whether the recogniser was trained with use_space_char.

    Raises:
        ModelError: it cannot be read at all; everything less is listed in `problems`.
    """
    if path.is_dir():
        report = _check_paddle(find_paddle_model(path))
        beside = path / DICTIONARY
        dictionary = dictionary or (beside if beside.is_file() else None)
    else:
        report = _check_onnx(path, space)
    if report.kind == "rec" and report.characters is None:
        _check_dictionary(report, dictionary, space)
    return report


def _check_onnx(path: Path, space: bool) -> Report:
    model = load_onnx(path)
    facts = metadata(model)
    compiled = is_compiled(model)
    report = Report(str(path), "ONNX, compiled for serving" if compiled else "ONNX")
    report.opset, report.ir_version = opset(model), model.ir_version
    _describe(report, inputs(model), outputs(model))
    if compiled:
        report.kind = kind_of(model)
        report.classes = int(facts["ppocr_classes"]) if "ppocr_classes" in facts else None
        report.height = int(facts["ppocr_height"]) if "ppocr_height" in facts else None
        report.characters = len(facts["character"].split("\n")) if "character" in facts else None
        return report
    _find_kind(report, inputs(model), outputs(model))
    if "character" in facts:
        _check_characters(report, facts["character"].split("\n"), space)
    if report.opset < LOWEST_OPSET:
        report.problems.append(f"opset {report.opset} is too old: {LOWEST_OPSET} is needed")
    if report.ir_version > HIGHEST_IR:
        report.problems.append(
            f"IR version {report.ir_version} is newer than {HIGHEST_IR}, which older servers "
            f"refuse; `compile` writes {HIGHEST_IR}"
        )
    return report


def _check_paddle(model: PaddleModel) -> Report:
    report = Report(str(model.program.parent), FORMAT_NAMES[model.format])
    try:
        report.weights = count_weights(model.weights)
    except ModelError as error:
        report.problems.append(str(error))
    if model.format != "pdmodel":
        report.problems.append("the pinned paddle2onnx reads .pdmodel programs only")
        return report
    given, answered = _program_ends(model.program)
    _describe(report, given, answered)
    _find_kind(report, given, answered)
    return report


def _program_ends(program: Path) -> tuple[list[Tensor], list[Tensor]]:
    """The inputs and outputs of a Paddle 2 program, from its feed and fetch operators."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # paddle asks for ccache
            from paddle.base.proto import framework_pb2
    except ImportError as error:
        raise ConvertError(
            f"reading a Paddle program needs Paddle ({error}); pip install 'ppocr-triton[convert]'"
        ) from error
    from google.protobuf.message import DecodeError

    description = framework_pb2.ProgramDesc()
    try:
        description.ParseFromString(program.read_bytes())
    except DecodeError as error:
        raise ModelError(f"{program} is truncated or is not a Paddle program") from error
    block = description.blocks[0]
    variables = {variable.name: variable.type for variable in block.vars}

    def tensors(op_type: str, side: str) -> list[Tensor]:
        ends = [op for op in block.ops if op.type == op_type]
        names = [
            port.arguments[0]
            for op in ends
            for port in getattr(op, side)
            if port.parameter in ("Out", "X")
        ]
        return [_variable(name, variables[name]) for name in names]

    return tensors("feed", "outputs"), tensors("fetch", "inputs")


def _variable(name: str, kind: Any) -> Tensor:
    # Newer Paddle calls the same field dense_tensor.
    holder = kind.dense_tensor if hasattr(kind, "dense_tensor") else kind.lod_tensor
    return Tensor(name, "float32", tuple("?" if d < 0 else d for d in holder.tensor.dims))


def _describe(report: Report, given: Sequence[Tensor], answered: Sequence[Tensor]) -> None:
    """Fill in what inputs and outputs say, and what is wrong with them."""
    report.inputs = [str(tensor) for tensor in given]
    report.outputs = [str(tensor) for tensor in answered]


def _find_kind(report: Report, given: Sequence[Tensor], answered: Sequence[Tensor]) -> None:
    """Tell the kind, classes and height of a network, and what is fixed that must not be."""
    if len(given) != 1 or not answered:
        report.problems.append(f"a PP-OCR network has 1 input; this one has {len(given)}")
        return
    shape, answer = given[0].shape, answered[0].shape
    try:
        report.kind = detect_kind(shape, answer)
    except ModelError as error:
        report.problems.append(str(error))
        return
    fixed = fixed_dimensions(report.kind, shape)
    if fixed:
        report.problems.append(f"fixed {' and '.join(fixed)}: it reads pictures of that shape only")
    if report.kind != "det":
        report.height = shape[2] if isinstance(shape[2], int) else None
        report.classes = answer[-1] if isinstance(answer[-1], int) else None


def _check_dictionary(report: Report, dictionary: Path | None, space: bool) -> None:
    """Read a dictionary and hold it against the classes of a recogniser."""
    if dictionary is None:
        report.problems.append("no dictionary came with it; give one with --dict")
        return
    try:
        _check_characters(report, read_dictionary(dictionary), space)
    except DictionaryError as error:
        report.problems.append(str(error))


def _check_characters(report: Report, characters: Sequence[str], space: bool) -> None:
    """Hold characters against the classes of a recogniser."""
    report.characters = len(characters)
    if report.classes is None:
        return
    try:
        check_dictionary(characters, space, report.classes)
    except DictionaryError as error:
        report.problems.append(str(error))
