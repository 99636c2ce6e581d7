"""Proofs that are kept: made once for everything that they depend on."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from ppocr_converters.errors import ProofError
from ppocr_converters.files import sha256_file
from ppocr_converters.graph.onnx_model import metadata
from ppocr_converters.proof.reading import planned_parameters, prove_reading
from ppocr_converters.proof.tensors import compare_file, precision_of
from ppocr_converters.repository.deployment_plan import Plan, engine_of
from ppocr_converters.repository.manifest import Manifest, read_manifest, whole, write_manifest
from ppocr_converters.repository.model_build import CompiledModel
from ppocr_engine.machine import processor
from ppocr_engine.spec import EngineSpec

logger = logging.getLogger(__name__)

#: What the parameters begin with that only a recogniser's steps look at.
OF_RECOGNISER = ("rec_", "languages")


def prove_served(
    models: Mapping[str, CompiledModel],
    plan: Plan,
    source: Path,
    work: Path,
    pictures: Sequence[Path] = (),
    bounds: Sequence[str] = (),
) -> dict[str, Manifest]:
    """Prove a set as it will be served: each network by its engine, then all of them on pictures.

    Proofs are kept in `work`; for `pictures` and `bounds` see `prove_reading`.

    Returns:
        The figures of the tensors by network, and those of "reading".

    Raises:
        ProofError: a bound is not kept.
        ModelError: an engine cannot run a network here.
    """
    engines = {name: engine_of(plan, name) for name in models}
    proofs = {name: _prove_network(models[name], engines[name], bounds) for name in models}
    return {**proofs, "reading": _prove_set(models, engines, plan, source, work, pictures, bounds)}


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


def _prove_set(
    models: Mapping[str, CompiledModel],
    engines: Mapping[str, EngineSpec],
    plan: Plan,
    source: Path,
    work: Path,
    pictures: Sequence[Path],
    bounds: Sequence[str],
) -> Manifest:
    stored = {name: model.file.model for name, model in models.items()}
    spelled = {name: f"{engine}-{engine.threads}" for name, engine in engines.items()}
    parameters = planned_parameters(source, stored, plan)
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
        "precisions": {name: precision_of(metadata(model)) for name, model in stored.items()},
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
    inputs = {**common, "models": files, "parameters": parameters}
    return _kept(work / f"{label}.{'+'.join(spelled.values())}.json", inputs, prove)


def _processor(engines: Iterable[EngineSpec]) -> Manifest:
    """The processor where a proof depends on it.

    ONNX Runtime's float32 is the same on every processor, within what the bounds allow.
    """
    return {} if all(str(engine) == "onnxruntime" for engine in engines) else processor()


def _kept(path: Path, inputs: Manifest, prove: Callable[[], Manifest]) -> Manifest:
    """The figures in a file, where they are of these inputs; else proven now, and kept there.

    A refusal is kept as well: what was read once and differs is not read again.
    """
    if (figures := _recall(path, inputs)) is None:
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
