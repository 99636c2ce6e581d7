"""Compiled models held against the models they were made from: pictures read by both."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from onnx import ModelProto

from ppocr_converters.graph.dictionary import class_names
from ppocr_converters.graph.kinds import expect_kind, kind_of
from ppocr_converters.graph.model_files import kind_at
from ppocr_converters.graph.onnx_model import OnnxFile, metadata
from ppocr_converters.proof.lines import ReadingProof, compare_readings
from ppocr_converters.proof.networks import compiled_network, plain_network
from ppocr_converters.proof.pictures import proof_pictures
from ppocr_converters.proof.tensors import compare_file, tolerance_for
from ppocr_converters.proof.tolerance import loosest, tolerance_of
from ppocr_converters.repository.configuration import configure
from ppocr_converters.repository.deployment_plan import ModelPlan, Plan, engine_of
from ppocr_converters.repository.manifest import tool_versions
from ppocr_converters.repository.served import STEPS, pipeline_of
from ppocr_engine.spec import engine_named
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
    are shown each picture at its own size, on canvases or not. Without `pictures` they are the
    project's own. `bounds` are NAME=VALUE, in place of those of the precisions in the set.

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


def prove_pairs(
    models: Mapping[str, Pair],
    source: Path,
    pictures: Sequence[Path] = (),
    bounds: Sequence[str] = (),
    *,
    engine: str = "onnxruntime",
) -> dict[str, Any]:
    """Compare compiled models with their sources: each on tensors, "det" with "rec" on pictures.

    For `pictures` and `bounds` see `prove_reading`; `engine` is a name in `ppocr_engine.spec`.

    Returns:
        As JSON can hold it: `proven`, `problems` (every bound that is not kept), `models`, the
        proof of each kind and of "reading", and the `versions` of all tools.

    Raises:
        ModelError: one is of another kind than it is given as.
    """
    spec = engine_named(engine)
    for kind, (compiled, origin) in models.items():
        expect_kind(kind_of(compiled.model), kind, str(compiled.path))
        expect_kind(kind_at(origin), kind, str(origin))
    tensors = {
        kind: compare_file(*pair, bounds=bounds, engine=spec) for kind, pair in models.items()
    }
    problems = [f"{kind}, {one}" for kind, proof in tensors.items() for one in proof.problems]
    proofs = {kind: dataclasses.asdict(proof) for kind, proof in tensors.items()}
    if {"det", "rec"} <= set(models):
        plan = Plan(f"the engine {engine}", dict.fromkeys(models, ModelPlan(engine=spec)))
        reading = prove_reading(models, source, plan, pictures, bounds)
        problems += reading.problems
        proofs["reading"] = dataclasses.asdict(reading)
    return {
        "proven": not problems,
        "problems": problems,
        "models": {
            kind: {"compiled": str(compiled.path), "source": str(origin)}
            for kind, (compiled, origin) in models.items()
        },
        **proofs,
        "versions": {**tool_versions(), "engine": engine},
    }
