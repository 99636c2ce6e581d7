"""Compiled models proven against the models they were made from; a build keeps its proofs."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from onnx import ModelProto

from ppocr_converters.errors import ProofError
from ppocr_converters.files import sha256_file
from ppocr_converters.graph.dictionary import class_names
from ppocr_converters.graph.kinds import expect_kind, kind_at, kind_of
from ppocr_converters.graph.onnx_model import OnnxFile, metadata
from ppocr_converters.proof.lines import ReadingProof, compare_readings
from ppocr_converters.proof.networks import compiled_network, plain_network
from ppocr_converters.proof.pictures import proof_pictures
from ppocr_converters.proof.tensors import compare_file
from ppocr_converters.proof.tolerance import loosest, tolerance_for, tolerance_of
from ppocr_converters.repository.configuration import STEPS, configure, pipeline_of
from ppocr_converters.repository.deployment_plan import ModelPlan, Plan
from ppocr_converters.repository.manifest import (
    Manifest,
    read_manifest,
    tool_versions,
    whole,
    write_manifest,
)
from ppocr_converters.repository.models import CompiledModel
from ppocr_engine.machine import processor
from ppocr_engine.spec import EngineSpec, engine_named
from ppocr_pipeline.resize import NONE

logger = logging.getLogger(__name__)

#: A compiled file, and the Paddle folder or ONNX file that it was made from.
Pair = tuple[OnnxFile, Path]
#: What the parameters begin with that only a recogniser's steps look at.
OF_RECOGNISER = ("rec_", "languages")


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
    engines = {name: plan[name].served_by for name in models}
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
    pictures: Sequence[Path],
    bounds: Sequence[str],
    engine: str,
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


def prove_served(
    models: Mapping[str, CompiledModel],
    plan: Plan,
    source: Path,
    work: Path,
    pictures: Sequence[Path],
    bounds: Sequence[str],
) -> dict[str, Manifest]:
    """Prove a set as it will be served: each network by its engine, then all of them on pictures.

    Proofs are kept in `work`; for `pictures` and `bounds` see `prove_reading`.

    Returns:
        The figures of the tensors by network, and those of "reading".

    Raises:
        ProofError: a bound is not kept.
        ModelError: an engine cannot run a network here.
    """
    engines = {name: plan[name].served_by for name in models}
    proofs = {name: _prove_network(models[name], engines[name], bounds) for name in models}
    stored = {name: model.file.model for name, model in models.items()}
    parameters = planned_parameters(source, stored, plan)
    spelled = {name: f"{engine}-{engine.threads}" for name, engine in engines.items()}
    common = {
        "engines": spelled,
        "pictures": [sha256_file(picture) for picture in pictures],
        "bounds": list(bounds),
        "processor": _processor(engines.values()),
    }
    files = {name: model.manifest["files"] for name, model in models.items()}
    # What a box depends on, and its bounds: another recogniser changes nothing of it.
    of_boxes = {
        **common,
        "models": {name: digests for name, digests in files.items() if name != "rec"},
        "precisions": {n: metadata(model).get("ppocr_precision") for n, model in stored.items()},
        "parameters": {n: v for n, v in parameters.items() if not n.startswith(OF_RECOGNISER)},
    }
    boxes = models["det"].folder.with_name(f"{models['det'].folder.name}.boxes.json")

    def prove() -> Manifest:
        _recall(boxes, of_boxes)
        logger.info("reading pictures with the source models and with the compiled ones")
        pairs = {name: (model.file, model.source.path) for name, model in models.items()}
        proof = prove_reading(pairs, source, plan, pictures, bounds)
        if not proof.problems:
            return dataclasses.asdict(proof)
        error = ProofError("the set of compiled models", proof.problems + proof.differences)
        if proof.of_boxes:
            _keep(boxes, of_boxes, error)
        raise error

    label = "+".join(model.folder.name for model in models.values())
    path = work / f"{label}.{'+'.join(spelled.values())}.json"
    reading = _kept(path, {**common, "models": files, "parameters": parameters}, prove)
    return {**proofs, "reading": reading}


def _prove_network(model: CompiledModel, engine: EngineSpec, bounds: Sequence[str]) -> Manifest:
    """Prove that an engine answers as the network that a model was made from.

    By ONNX Runtime on a CPU the model itself was proven when it was compiled.
    """
    if str(engine) == "onnxruntime" and not bounds:
        figures: Manifest = model.manifest["proof"]
        return figures
    inputs = {
        "model": model.manifest["files"],
        "bounds": list(bounds),
        "processor": _processor([engine]),
    }

    def prove() -> Manifest:
        logger.info("proving %s by %s", model.source.name, engine)
        proof = compare_file(model.file, model.source.path, bounds=bounds, engine=engine)
        return dataclasses.asdict(proof.require(model.file))

    name = f"{model.folder.name}.{engine}-{engine.threads}.json"
    return _kept(model.folder.with_name(name), inputs, prove)


def _processor(engines: Iterable[EngineSpec]) -> Manifest:
    """The processor where a proof depends on it.

    ONNX Runtime's float32 is the same on every processor, within what the bounds allow.
    """
    return {} if all(str(engine) == "onnxruntime" for engine in engines) else processor()


def _kept(path: Path, inputs: Manifest, prove: Callable[[], Manifest]) -> Manifest:
    """The figures in a file, where they are of these inputs; else proven now, and kept there.

    A refusal is kept as well: what was read once and differs is not read again.
    """
    figures = _recall(path, inputs)
    if figures is None:
        try:
            figures = prove()
        except ProofError as error:
            _keep(path, inputs, error)
            raise
        _keep(path, inputs, figures)
    return figures


def _recall(path: Path, inputs: Manifest) -> Manifest | None:
    """The figures that were kept of these inputs; a refusal that was kept is raised."""
    known = read_manifest(path)
    if known is None or known.get("inputs") != whole(inputs):
        return None
    if "refused" in known:
        raise ProofError(*known["refused"])
    figures: Manifest = known["proof"]
    return figures


def _keep(path: Path, inputs: Manifest, result: Manifest | ProofError) -> None:
    if isinstance(result, ProofError):
        found: Manifest = {"refused": [result.subject, result.differences]}
    else:
        found = {"proof": result}
    write_manifest(path, {"inputs": whole(inputs), **found})
