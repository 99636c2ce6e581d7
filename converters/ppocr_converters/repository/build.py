"""The build: from model sources to a proven, complete repository, doing nothing twice."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ppocr_converters.catalogue.entries import Kind
from ppocr_converters.catalogue.fetch import Supply
from ppocr_converters.errors import ConvertError, ModelError, ProofError, RepositoryError
from ppocr_converters.files import digest_of, sha256_file, sha256_files
from ppocr_converters.repository.deployment_plan import Plan
from ppocr_converters.repository.manifest import MANIFEST, Manifest, make_once, read_manifest
from ppocr_converters.repository.models import (
    CompiledModel,
    ModelChoice,
    build_model,
    check_choice,
    find_sources,
)
from ppocr_converters.repository.source import PROJECT, Steps, find_steps
from ppocr_engine.errors import EngineError
from ppocr_engine.machine import has_bfloat16
from ppocr_engine.spec import ONNXRUNTIME

logger = logging.getLogger(__name__)

#: That the file of a network can have.
PRECISIONS = ("fp32", "fp16", "int8")
NO_BFLOAT16 = (
    "this processor has none (neither AVX512-BF16 nor AMX); build on the machine that serves, or "
    "stay with float32, the default"
)


@dataclass(frozen=True)
class BuildRequest:
    """What to build.

    Attributes:
        work: where fetched, converted and compiled models are kept, a folder each.
        ways: to get the models, the best first; each has "det", "rec" and, for lines that are
            upside down, "cls". See `find_sources`.
        out: the folder to serve, `<work>/model_repository` by default; one that is there is
            replaced only by a complete one.
        bounds: NAME=VALUE in place of those of the precisions: how much the proof lets differ.
        source: the repository without weights to start from; by default the project's.
        pictures: files to prove the reading on, and to calibrate int8 models on; by default
            rendered pages.
    """

    work: Path
    ways: Sequence[Mapping[Kind, ModelChoice]]
    plan: Plan
    out: Path | None = None
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

    plan, pictures, work = request.plan, request.pictures, request.work / "onnx"
    out = request.out or request.work / "model_repository"
    steps = find_steps(request.source)
    check_plan(plan)
    _check_target(out, steps)
    for way in request.ways:
        for kind, choice in way.items():
            check_choice(choice, kind)
    models = _compiled(request, work, steps.folder)
    try:
        proofs = prove_served(models, plan, steps.folder, work, pictures, request.bounds)
    except ProofError as error:
        raise _refusal(models, {"set": error}) from error
    inputs = {
        "models": {name: digest_of(_record(model)) for name, model in models.items()},
        "plan": {name: repr(one) for name, one in plan.models.items()},
        "cores": plan.cores,
        "steps": steps.digest,
        "bounds": list(request.bounds),
        "pictures": [sha256_file(picture) for picture in pictures],
    }
    make = partial(_make, models=models, plan=plan, steps=steps)
    manifest, changed = make_once(str(out), out, inputs, make)
    return Built(out, manifest, proofs, changed)


def check_plan(plan: Plan) -> None:
    """See that a plan can be built, and that its engines can run its networks."""
    if plan.unavailable:
        raise RepositoryError(f"{plan.name} cannot be built: " + "; ".join(plan.unavailable))
    for name, model in plan.models.items():
        engine, precision = model.engine or ONNXRUNTIME, model.file_precision
        if engine.precision == "bf16" and (why := no_bfloat16()):
            raise RepositoryError(f"{plan.name} computes in bfloat16, and {why}")
        if precision not in PRECISIONS:
            raise RepositoryError(f"precision {precision!r}; allowed: {', '.join(PRECISIONS)}")
        if precision != "fp32" and engine != ONNXRUNTIME:
            raise RepositoryError(
                f"{plan.name} runs {name} by {engine}, but a network in {precision} is made for "
                f"{ONNXRUNTIME}; choose the profile cpu, or leave the network in fp32"
            )


def no_bfloat16() -> str:
    """Why nothing can be computed, and so nothing proven, in bfloat16 here; "" where it can."""
    try:
        possible = has_bfloat16()
    except EngineError as error:
        return str(error)
    return "" if possible else NO_BFLOAT16


def _check_target(out: Path, steps: Steps) -> None:
    """See that a build from these steps may replace what is at `out`."""
    if out.exists() and not (out / MANIFEST).is_file() and (out.is_file() or any(out.iterdir())):
        raise RepositoryError(
            f"{out} is not empty and was not built by ppocr-convert (it has no {MANIFEST}); "
            f"choose another folder with --out, or remove it"
        )
    made_from = (read_manifest(out / MANIFEST) or {}).get("steps", {"source": PROJECT})
    other = made_from["source"]
    # Steps that are named are meant.
    if PROJECT == steps.source != other and made_from["digest"] != steps.digest:
        raise RepositoryError(
            f"{out} was built from the steps in {other}; this build would replace them by the "
            f"project's own. To keep them, build with --source {other}; to give them up, "
            f"remove {out} first"
        )


def _compiled(request: BuildRequest, work: Path, source: Path) -> dict[str, CompiledModel]:
    """The models in the precisions asked for, each proven on its own."""
    sources = find_sources(request.ways, request.work / "models", request.supply)
    folders = _folders({kind: source.name for kind, source in sources.items()})
    models = _each(sources, lambda kind: build_model(sources[kind], work / folders[kind]), kept={})
    lower = [name for name in models if request.plan[name].file_precision != "fp32"]
    return {**models, **_lowered(request, models, lower, source)} if lower else models


def _folders(names: Mapping[Kind, str]) -> dict[Kind, str]:
    """The folder of each model: its name, with its kind where two files have the same name."""
    known = list(names.values())
    return {k: name if known.count(name) == 1 else f"{name}.{k}" for k, name in names.items()}


def _each(
    names: Iterable[str], make: Callable[[Any], CompiledModel], kept: Mapping[str, CompiledModel]
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
        raise _refusal({**kept, **made}, refused)
    return made


def _refusal(
    kept: Mapping[str, CompiledModel], refused: Mapping[str, ConvertError]
) -> ConvertError:
    """What ends a build: what was refused and why, and what the next one need not make again."""
    lines = [f"{name}: refused: {error}" for name, error in refused.items()]
    lines += [
        f"{name}: {model.source.name} is proven, and kept in {model.folder}"
        for name, model in kept.items()
        if name not in refused
    ]
    return ConvertError("nothing is built\n" + "\n".join(f"  {line}" for line in lines))


def _lowered(
    request: BuildRequest, models: Mapping[str, CompiledModel], names: Iterable[str], source: Path
) -> dict[str, CompiledModel]:
    """Models brought to the precision that the plan has for their files."""
    from ppocr_converters.graph.precision import Calibration, lower
    from ppocr_converters.proof.prove import planned_parameters

    stored = {name: model.file.model for name, model in models.items()}
    parameters = planned_parameters(source, stored, request.plan)

    def make(name: str) -> CompiledModel:
        model, calibration, label = models[name], None, request.plan[name].file_precision
        if label == "int8":
            device = request.plan[name].device
            detector = models["det"].file.path
            calibration = Calibration(device, detector, parameters, request.pictures)
            label = f"int8-{device}"
        folder = model.folder.with_name(f"{model.folder.name}.{label}")
        return lower(model, folder, calibration, bounds=request.bounds)

    return _each(names, make, models)


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
