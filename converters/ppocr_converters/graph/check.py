"""What a model is, and what would go wrong with it, which is tried out and thrown away."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from onnx import ModelProto

from ppocr_converters.catalogue.entries import Kind
from ppocr_converters.errors import ConvertError
from ppocr_converters.graph.compile import HIGHEST_IR, NO_HEIGHT
from ppocr_converters.graph.dictionary import check_dictionary, find_characters
from ppocr_converters.graph.edit import opset
from ppocr_converters.graph.kinds import KIND_NAMES, detect_kind, find_model, kind_of
from ppocr_converters.graph.onnx_model import (
    Tensor,
    class_count,
    inputs,
    is_compiled,
    known_outputs,
    load_onnx,
    metadata,
    outputs,
)
from ppocr_converters.graph.standard_form import freed, standard_form
from ppocr_converters.paddle.convert import PADDLE2ONNX, VERSIONS, convert, is_at_hand
from ppocr_converters.paddle.inference_yml import SETTINGS
from ppocr_converters.paddle.model_folder import PaddleModel, check_weights
from ppocr_converters.paddle.program import Program, read_program
from ppocr_converters.repository.models import ModelSource
from ppocr_converters.repository.serving_config.prototxt import read_prototxt


@dataclass
class Report:
    """What is known of a model.

    Attributes:
        weights: variables in a Paddle weights file.
        height: of the input of a recogniser or classifier, where it is fixed.
        characters: in the dictionary, without blank and space.
        dictionary: where it comes from.
        mean: of the pixels, blue, green, red, where the model's own files say it.
        aliases: what Paddle Serving calls inputs and outputs, by their names in the graph.
        notes: what else is worth knowing, a sentence each, as are `problems`.
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
    dictionary: str | None = None
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    thresholds: dict[str, float | str] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @contextmanager
    def noting(self) -> Iterator[None]:
        """Make what ends the block one of the problems."""
        try:
            yield
        except ConvertError as error:
            self.problems.append(str(error))


def check(source: ModelSource) -> Report:
    """Explain what a model is made from: a folder in Paddle's format or an ONNX file.

    Raises:
        ModelError: it cannot be read at all; everything less is listed in `problems`.
    """
    found, own = find_model(source.path), source.own
    report = _check_onnx(found, source) if isinstance(found, Path) else _check_paddle(found, source)
    if own.kind is not None and report.kind not in (None, own.kind):
        report.problems.append(f"{SETTINGS} beside it is that of {KIND_NAMES[own.kind]}")
    report.height = report.height or own.height
    report.thresholds = dict(own.thresholds)
    if own.normalisation is not None:
        report.mean, report.std = own.normalisation.mean, own.normalisation.std
    if own.height not in (None, report.height):
        report.problems.append(
            f"{SETTINGS} says {own.height} pixels high, the network takes {report.height}"
        )
    return report


def _check_onnx(path: Path, source: ModelSource) -> Report:
    model = load_onnx(path)
    facts, compiled = metadata(model), is_compiled(model)
    report = Report(str(path), "ONNX, compiled for serving" if compiled else "ONNX")
    report.opset, report.ir_version = opset(model), model.ir_version
    report.inputs, report.outputs = _told(inputs(model)), _told(outputs(model))
    if compiled:
        report.kind = kind_of(model)
        report.classes = int(facts["ppocr_classes"]) if "ppocr_classes" in facts else None
        report.height = int(facts["ppocr_height"]) if "ppocr_height" in facts else None
        report.characters = len(facts["character"].split("\n")) if "character" in facts else None
        return report
    with report.noting():
        _find_kind(report, inputs(model), known_outputs(model))
        _try_out(report, model, source.height)
    if report.kind == "rec":  # a classifier's characters are its labels
        _check_dictionary(report, source, facts.get("character"))
    if report.ir_version > HIGHEST_IR:
        report.notes.append(
            f"IR version {report.ir_version} is newer than older servers read; `compile` writes "
            f"{HIGHEST_IR}"
        )
    return report


def _check_paddle(model: PaddleModel, source: ModelSource) -> Report:
    program = read_program(model.program)
    report = Report(str(model.program.parent), model.description)
    report.inputs, report.outputs = _told(program.inputs), _told(program.outputs)
    with report.noting():
        report.weights = check_weights(model, program)
        program.require_float(model.program.parent)
    if model.conf is not None:
        _check_conf(report, model.conf, program)
    with report.noting():
        _find_kind(report, program.inputs, program.outputs)
        if not report.problems:
            _try_conversion(report, model, program, source.height)
    if report.kind == "rec":
        _check_dictionary(report, source)
    return report


def _try_conversion(
    report: Report, model: PaddleModel, program: Program, height: int | None
) -> None:
    """Convert a model into a folder that is thrown away, where the converter is at hand."""
    assert report.kind is not None
    tool = f"{PADDLE2ONNX} {VERSIONS[model.format]}"
    report.notes += freed(report.kind, program.inputs[0].shape)
    if not is_at_hand(model.format):
        report.notes.append(f"{tool} converts such; it is not here yet, so it was not tried")
        return
    with tempfile.TemporaryDirectory(prefix="ppocr-") as scratch:
        made = convert(model.program.parent, Path(scratch, "model.onnx"))
        report.notes.insert(0, f"{tool} converts it")
        _try_out(report, load_onnx(made), height)


def _try_out(report: Report, network: ModelProto, height: int | None) -> None:
    """Do to a network what `compile` does first."""
    standard = standard_form(network, height=height)
    report.notes += standard.changes
    if standard.kind != "det":
        report.height = standard.height
        report.classes = class_count(standard.model)
        if standard.height is None:
            report.problems.append(NO_HEIGHT)


def _check_conf(report: Report, path: Path, program: Program) -> None:
    """Hold Paddle Serving's names against those of the program."""
    with report.noting():
        conf = read_prototxt(path.parent)
        report.aliases = {v.name: v.alias_name for v in (*conf.feed_var, *conf.fetch_var)}
    there = sorted({tensor.name for tensor in (*program.inputs, *program.outputs)})
    report.problems += [
        f"{path.name} names {name}, the program has {', '.join(there)}"
        for name in report.aliases
        if name not in there
    ]


def _told(tensors: Sequence[Tensor]) -> list[str]:
    return [str(tensor) for tensor in tensors]


def _find_kind(report: Report, given: Sequence[Tensor], answered: Sequence[Tensor]) -> None:
    """Tell the kind, classes and height of a network; a ModelError where it is of none."""
    report.kind, output = detect_kind(given, answered)
    shape, answer = given[0].shape, answered[output].shape
    if report.kind != "det":
        report.height = shape[2] if isinstance(shape[2], int) else None
        report.classes = answer[-1] if isinstance(answer[-1], int) else None


def _check_dictionary(report: Report, source: ModelSource, stored: str | None = None) -> None:
    """Hold the characters that `compile` takes against the classes."""
    with report.noting():
        report.dictionary, characters = find_characters(source, stored, report.classes)
        report.characters = len(characters)
        if report.classes is not None:
            check_dictionary(characters, source.space, report.classes)
