"""The build: from model sources to a proven, complete repository, doing nothing twice."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from ppocr_converters.catalogue.entries import Kind
from ppocr_converters.catalogue.fetch import Supply
from ppocr_converters.errors import ConvertError, ModelError, ProofError
from ppocr_converters.files import digest_of, sha256_file, sha256_files
from ppocr_converters.repository.build_checks import check_plan, check_target, file_precisions
from ppocr_converters.repository.deployment_plan import Plan, device_of
from ppocr_converters.repository.manifest import Manifest, make_once
from ppocr_converters.repository.model_build import CompiledModel, build_model
from ppocr_converters.repository.model_source import ModelChoice, check_choice, find_sources
from ppocr_converters.repository.source import Steps, find_steps

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class BuildRequest:
    """What to build.

    Attributes:
        work: where fetched, converted and compiled models are kept, a folder each.
        ways: to get the models, the best first; each has "det", "rec" and, for lines that are
            upside down, "cls". See `find_sources`.
        out: the folder to serve, `<work>/model_repository` by default; one that is there is
            replaced only by a complete one.
        precisions: of "det" and "rec", a name in precisions.yml each, in place of the plan's.
        bounds: NAME=VALUE in place of those of the precisions: how much the proof lets differ.
        source: the repository without weights to start from; by default the project's.
        pictures: files to prove the reading on, and to calibrate int8 models on; by default
            rendered pages.
    """

    work: Path
    ways: Sequence[Mapping[Kind, ModelChoice]]
    plan: Plan
    out: Path | None = None
    precisions: Mapping[str, str] = field(default_factory=dict)
    bounds: Sequence[str] = ()
    source: Path | None = None
    pictures: Sequence[Path] = ()
    supply: Supply | None = None


@dataclass(frozen=True)
class Built:
    """A repository.

    Attributes:
        manifest: what it was made from and holds; the same on every machine of an architecture,
            numbers of instances aside.
        proofs: the figures that were measured on this machine: of each network, and of "reading".
        changed: whether it had to be made.
    """

    folder: Path
    manifest: Manifest
    proofs: Mapping[str, Manifest]
    changed: bool


def build(request: BuildRequest) -> Built:
    """Build a repository, or find that the one that is there is what was asked for.

    All that can be refused is refused before anything is fetched.

    Raises:
        ConvertError: any step failed; `out` is as it was.
    """
    from ppocr_converters.proof.prove import prove_served

    out = request.out or request.work / "model_repository"
    steps = find_steps(request.source)
    check_plan(request.plan, file_precisions(request.plan, request.precisions))
    check_target(out, steps)
    for way in request.ways:
        for kind, choice in way.items():
            check_choice(choice, kind)
    work = request.work / "onnx"
    models = _compiled(request, work, steps.folder)
    try:
        proofs = prove_served(
            models, request.plan, steps.folder, work, request.pictures, request.bounds
        )
    except ProofError as error:
        raise refusal(models, {"set": error}) from error
    inputs = {
        "models": {name: digest_of(_record(model)) for name, model in models.items()},
        "plan": {name: repr(one) for name, one in request.plan.models.items()},
        "cores": request.plan.cores,
        "steps": steps.digest,
        "bounds": list(request.bounds),
        "pictures": [sha256_file(picture) for picture in request.pictures],
    }
    make = partial(_make, models=models, plan=request.plan, steps=steps)
    manifest, changed = make_once(str(out), out, inputs, make)
    return Built(out, manifest, proofs, changed)


def _compiled(request: BuildRequest, work: Path, source: Path) -> dict[str, CompiledModel]:
    """The models in the precisions asked for, each proven on its own."""
    sources = find_sources(request.ways, request.work / "models", request.supply)
    folders = _folders({kind: source.name for kind, source in sources.items()})
    models = _each(sources, lambda kind: build_model(sources[kind], work / folders[kind]), kept={})
    precisions = file_precisions(request.plan, request.precisions)
    lower = {name: one for name, one in precisions.items() if name in models}
    return {**models, **_lowered(request, models, lower, source)} if lower else models


def _each(
    names: Iterable[str],
    make: Callable[[Any], CompiledModel],
    kept: Mapping[str, CompiledModel],
) -> dict[str, CompiledModel]:
    """Make several models; where some are refused the others are made, and all of it is told."""
    made: dict[str, CompiledModel] = {}
    refused: dict[str, ConvertError] = {}
    for name in names:
        try:
            made[name] = make(name)
        except (ModelError, ProofError) as error:
            refused[name] = error
    if refused:
        raise refusal({**kept, **made}, refused)
    return made


def refusal(kept: Mapping[str, CompiledModel], refused: Mapping[str, ConvertError]) -> ConvertError:
    """What ends a build: what was refused and why, and what the next one need not make again."""
    lines = [f"{name}: refused: {error}" for name, error in refused.items()]
    lines += [
        f"{name}: {model.source.name} is proven, and kept in {model.folder}"
        for name, model in kept.items()
        if name not in refused
    ]
    return ConvertError("nothing is built\n" + "\n".join(f"  {line}" for line in lines))


def _folders(names: Mapping[Kind, str]) -> dict[Kind, str]:
    """The folder of each model: its name, with its kind where two files have the same name."""
    known = list(names.values())
    return {k: name if known.count(name) == 1 else f"{name}.{k}" for k, name in names.items()}


def _lowered(
    request: BuildRequest,
    models: Mapping[str, CompiledModel],
    precisions: Mapping[str, str],
    source: Path,
) -> dict[str, CompiledModel]:
    from ppocr_converters.graph.precision import Calibration, lower
    from ppocr_converters.proof.prove import planned_parameters

    stored = {name: model.file.model for name, model in models.items()}
    parameters = planned_parameters(source, stored, request.plan)

    def make(name: str) -> CompiledModel:
        precision = precisions[name]
        model, calibration, label = models[name], None, precision
        if precision == "int8":
            device = device_of(request.plan, name)
            detector = models["det"].file.path
            calibration = Calibration(device, detector, parameters, request.pictures)
            label = f"{precision}-{device}"
        folder = model.folder.with_name(f"{model.folder.name}.{label}")
        return lower(model, folder, calibration, bounds=request.bounds)

    return _each(precisions, make, models)


def _record(model: CompiledModel) -> Manifest:
    """What a repository keeps of a model: all but the figures that were measured here."""
    kept = {name: value for name, value in model.manifest.items() if name != "proof"}
    return {**kept, "precision": model.manifest["proof"]["precision"]}


def _make(
    folder: Path, *, models: Mapping[str, CompiledModel], plan: Plan, steps: Steps
) -> Manifest:
    from ppocr_converters.repository.layout import assemble

    logger.info("writing the repository")
    files = {name: model.file for name, model in models.items()}
    return {
        **assemble(folder, steps.folder, files, plan),
        "steps": {"source": steps.source, "digest": steps.digest},
        "models": {name: _record(model) for name, model in models.items()},
        "files": sha256_files(folder),
    }
