"""The build: from model sources to a proven, complete repository, doing nothing twice."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from ppocr_converters.catalogue.entries import Kind
from ppocr_converters.catalogue.fetch import Supply
from ppocr_converters.files import digest_of, sha256_file, sha256_files
from ppocr_converters.paddle.convert import OPSET
from ppocr_converters.repository.build_checks import check_plan, check_target, file_precisions
from ppocr_converters.repository.deployment_plan import Plan, device_of
from ppocr_converters.repository.manifest import Manifest, make_once
from ppocr_converters.repository.memory import totals
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
        plan: instances, devices, batching and engine of every model.
        out: the folder to serve, `<work>/model_repository` by default; one that is there is
            replaced only by a complete one.
        precisions: of "det" and "rec", a name in precisions.yml each, in place of the plan's.
        bounds: NAME=VALUE in place of those of the precisions: how much the proof lets differ.
        source: the repository without weights to start from; by default the project's.
        replace_steps: whether a repository that was built from other steps may be replaced.
        opset: of the conversion.
        pictures: files to prove the reading on, and to calibrate int8 models on; by default
            rendered pages.
        supply: where models of the catalogue are fetched from.
    """

    work: Path
    ways: Sequence[Mapping[Kind, ModelChoice]]
    plan: Plan
    out: Path | None = None
    precisions: Mapping[str, str] = field(default_factory=dict)
    bounds: Sequence[str] = ()
    source: Path | None = None
    replace_steps: bool = False
    opset: int = OPSET
    pictures: Sequence[Path] = ()
    supply: Supply | None = None


@dataclass(frozen=True)
class Built:
    """A repository.

    Attributes:
        folder: where it is.
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
    from ppocr_converters.proof.kept import prove_served

    out = request.out or default_out(request.work)
    steps = find_steps(request.source)
    check_plan(request.plan, file_precisions(request.plan, request.precisions))
    check_target(out, steps, replace_steps=request.replace_steps)
    for way in request.ways:
        for kind, choice in way.items():
            check_choice(choice, kind)
    work = request.work / "onnx"
    models = _compiled(request, work, steps.folder)
    proofs = prove_served(
        models, request.plan, steps.folder, work, request.pictures, request.bounds
    )
    inputs = {
        "models": {name: digest_of(_record(model)) for name, model in models.items()},
        "plan": dataclasses.asdict(request.plan)["models"],
        "cores": request.plan.cores,
        "steps": steps.digest,
        "bounds": list(request.bounds),
        "pictures": [sha256_file(picture) for picture in request.pictures],
    }
    make = partial(_make, models=models, plan=request.plan, steps=steps)
    manifest, changed = make_once(str(out), out, inputs, make)
    return Built(out, manifest, proofs, changed)


def default_out(work: Path) -> Path:
    """Where a repository goes when nothing else is said."""
    return work / "model_repository"


def _compiled(request: BuildRequest, work: Path, source: Path) -> dict[str, CompiledModel]:
    """The models in the precisions asked for, each proven on its own."""
    sources = find_sources(request.ways, request.work / "models", request.supply)
    folders = _folders({kind: source.name for kind, source in sources.items()})
    models: dict[str, CompiledModel] = {
        kind: build_model(source, work / folders[kind], opset=request.opset)
        for kind, source in sources.items()
    }
    precisions = file_precisions(request.plan, request.precisions)
    lower = {name: one for name, one in precisions.items() if name in models}
    return {**models, **_lowered(request, models, lower, source)} if lower else models


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
    """Some of the models in a lower precision."""
    from ppocr_converters.graph.precision import Calibration, lower
    from ppocr_converters.proof.reading import planned_parameters

    stored = {name: model.file.model for name, model in models.items()}
    parameters = planned_parameters(source, stored, request.plan)
    lowered = {}
    for name, precision in precisions.items():
        model, calibration, label = models[name], None, precision
        if precision == "int8":
            device = device_of(request.plan, name)
            detector = models["det"].file.path
            calibration = Calibration(device, detector, parameters, request.pictures)
            label = f"{precision}-{device}"
        folder = model.folder.with_name(f"{model.folder.name}.{label}")
        lowered[name] = lower(model, folder, calibration, bounds=request.bounds)
    return lowered


def _record(model: CompiledModel) -> Manifest:
    """What a repository keeps of a model: all but the figures that were measured here."""
    kept = {name: value for name, value in model.manifest.items() if name != "proof"}
    return {**kept, "precision": model.manifest["proof"]["precision"]}


def _make(
    folder: Path, *, models: Mapping[str, CompiledModel], plan: Plan, steps: Steps
) -> Manifest:
    """Fill an empty folder with the repository."""
    from ppocr_converters.repository.layout import assemble

    logger.info("writing the repository")
    files = {name: model.file for name, model in models.items()}
    layout = assemble(folder, steps.folder, files, plan)
    return {
        "summary": (rows := [dataclasses.asdict(row) for row in layout.summary]),
        "expected": totals(rows),
        "buckets": layout.widths,
        "steps": {"source": steps.source, "digest": steps.digest},
        "models": {name: _record(model) for name, model in models.items()},
        "shapes": {
            name: [dataclasses.asdict(bucket) for bucket in buckets]
            for name, buckets in layout.shapes.items()
        },
        "files": sha256_files(folder),
    }
