"""Pictures read by a set of compiled models and by the models they were made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from onnx import ModelProto

from ppocr_converters.graph.dictionary import class_names
from ppocr_converters.graph.onnx_model import OnnxFile, metadata
from ppocr_converters.proof.lines import ReadingProof, compare_readings
from ppocr_converters.proof.networks import compiled_network, plain_network
from ppocr_converters.proof.pictures import proof_pictures
from ppocr_converters.proof.tensors import tolerance_for
from ppocr_converters.proof.tolerance import loosest, tolerance_of
from ppocr_converters.repository.configuration import configure
from ppocr_converters.repository.deployment_plan import Plan, engine_of
from ppocr_converters.repository.served import STEPS, pipeline_of
from ppocr_pipeline.resize import NONE

#: A compiled file, and the Paddle folder or ONNX file that it was made from.
Pair = tuple[OnnxFile, Path]


def prove_reading(
    models: Mapping[str, Pair],
    source: Path,
    plan: Plan,
    pictures: Sequence[Path] = (),
    bounds: Sequence[str] = (),
) -> ReadingProof:
    """Read pictures with compiled models and with their sources, as the plan would serve them.

    The options are those that are served, but no line is dropped for its score. The source models
    are shown each picture at its own size, on canvases or not.

    Args:
        models: for "det", "rec" and perhaps "cls".
        source: the repository whose configurations and steps are served.
        plan: engines, widths, batch sizes and options.
        pictures: files to read; by default rendered pages.
        bounds: NAME=VALUE in place of those of the precisions in the set.

    Raises:
        RepositoryError: a configuration of the source has a value that is not allowed.
    """
    stored = {name: file.model for name, (file, _) in models.items()}
    engines = {name: engine_of(plan, name) for name in models}
    characters = class_names(metadata(stored["rec"]))
    parameters = planned_parameters(source, stored, plan) | {"drop_score": "0"}
    tolerances = [
        tolerance_for(metadata(stored[name]), str(engine), bounds)[1]
        for name, engine in engines.items()
    ]
    if parameters.get("det_canvases", NONE) != NONE:
        tolerances.append(tolerance_of("canvas", bounds))
    plain = {name: plain_network(path, file.model) for name, (file, path) in models.items()}
    expected = pipeline_of({**parameters, "det_canvases": NONE}, plain, characters)
    served = {name: compiled_network(models[name][0].path, engines[name]) for name in models}
    compiled = pipeline_of(parameters, served, characters)
    chosen = proof_pictures(pictures, turned="cls" in models)
    return compare_readings(expected.read, compiled.read, chosen, loosest(tolerances))


def planned_parameters(
    source: Path, models: Mapping[str, ModelProto], plan: Plan
) -> dict[str, str]:
    """What the steps' configurations say of options, limits, widths and batch sizes, as built."""
    configs = configure(source, models, plan)
    return {
        name: value.string_value
        for step in STEPS
        for name, value in configs[step].parameters.items()
    }
