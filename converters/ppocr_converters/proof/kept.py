"""Proofs that are kept: made once for everything that they depend on."""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from ppocr_converters.errors import ProofError
from ppocr_converters.files import sha256_file
from ppocr_converters.graph.onnx_model import load_onnx
from ppocr_converters.proof.reading import prove_reading, served_plan
from ppocr_converters.proof.tensors import prove_file
from ppocr_converters.repository.deployment_plan import Plan, engine_of
from ppocr_converters.repository.manifest import (
    Manifest,
    code_digest,
    read_manifest,
    tool_versions,
    write_manifest,
)
from ppocr_converters.repository.model_build import CompiledModel
from ppocr_engine.machine import processor
from ppocr_engine.spec import EngineSpec

logger = logging.getLogger(__name__)


def prove_served(
    models: Mapping[str, CompiledModel],
    plan: Plan,
    source: Path,
    work: Path,
    pictures: Sequence[Path] = (),
    bounds: Sequence[str] = (),
) -> dict[str, Manifest]:
    """Prove a set as it will be served: each network by its engine, then all of them on pictures.

    Args:
        models: "det", "rec" and, where there is one, "cls".
        plan: engines, threads, widths and batch sizes.
        source: the repository whose configurations are served.
        work: where proofs are kept.
        pictures: files to read; by default rendered pages.
        bounds: NAME=VALUE in place of those of the precisions in the set.

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
    folder = model.path.parent
    inputs = {"model": model.manifest["files"], "bounds": list(bounds), **_circumstances([engine])}

    def prove() -> Manifest:
        logger.info("proving %s by %s", model.source.name, engine)
        proof = prove_file(model.path, model.source.path, bounds=bounds, engine=engine)
        return dataclasses.asdict(proof)

    return _kept(folder.with_name(f"{folder.name}.{engine}-{engine.threads}.json"), inputs, prove)


def _prove_set(
    models: Mapping[str, CompiledModel],
    engines: Mapping[str, EngineSpec],
    plan: Plan,
    source: Path,
    work: Path,
    pictures: Sequence[Path],
    bounds: Sequence[str],
) -> Manifest:
    """Prove that a set reads as the models that it was made from."""
    stored = {name: load_onnx(model.path) for name, model in models.items()}
    spelled = {name: f"{engine}-{engine.threads}" for name, engine in engines.items()}
    inputs = {
        "models": {name: model.manifest["files"] for name, model in models.items()},
        "engines": spelled,
        "lines": dataclasses.asdict(served_plan(stored, source, plan)),
        "pictures": [sha256_file(picture) for picture in pictures],
        "bounds": list(bounds),
        **_circumstances(engines.values()),
    }

    def prove() -> Manifest:
        logger.info("reading pictures with the source models and with the compiled ones")
        pairs = {name: (model.path, model.source.path) for name, model in models.items()}
        proof, _ = prove_reading(pairs, source, plan, pictures, bounds)
        if proof.problems:
            raise ProofError("the set of compiled models", proof.problems + proof.differences)
        return dataclasses.asdict(proof)

    label = "+".join(model.path.parent.name for model in models.values())
    return _kept(work / f"{label}.{'+'.join(spelled.values())}.json", inputs, prove)


def _circumstances(engines: Iterable[EngineSpec]) -> Manifest:
    """What a proof depends on beside models, pictures and bounds.

    ONNX Runtime's float32 is the same on every processor, within what the bounds allow.
    """
    exact = all(str(engine) == "onnxruntime" for engine in engines)
    return {
        "processor": {} if exact else processor(),
        "tools": tool_versions(),
        "code": code_digest(),
    }


def _kept(path: Path, inputs: Manifest, prove: Callable[[], Manifest]) -> Manifest:
    """The figures in a file, where they are of these inputs; else proven now, and kept there."""
    inputs = json.loads(json.dumps(inputs))
    known = read_manifest(path)
    if known is None or known.get("inputs") != inputs:
        known = {"inputs": inputs, "proof": prove()}
        write_manifest(path, known)
    figures: Manifest = known["proof"]
    return figures
