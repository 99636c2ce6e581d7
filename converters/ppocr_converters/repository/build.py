"""The build: from model sources to a proven, complete repository, doing nothing twice."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ppocr_converters.files import digest_of, new_folder, sha256_file, sha256_files
from ppocr_converters.paddle.convert import OPSET
from ppocr_converters.repository.build_checks import check_plan, check_target
from ppocr_converters.repository.deployment_plan import Plan, device_of
from ppocr_converters.repository.manifest import (
    MANIFEST,
    Manifest,
    code_digest,
    is_current,
    read_manifest,
    tool_versions,
    write_manifest,
)
from ppocr_converters.repository.memory import totals
from ppocr_converters.repository.model_build import CompiledModel, build_model
from ppocr_converters.repository.model_source import ModelSource
from ppocr_converters.repository.source import Steps, find_steps

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class BuildRequest:
    """What to build.

    Attributes:
        out: the folder to serve; one that is there is replaced only by a complete one.
        work: where converted and compiled models are kept, a folder each.
        models: "det", "rec" and, for lines that are upside down, "cls".
        plan: instances, devices, batching and engine of every model.
        precisions: of "det" and "rec", a name in precisions.yml each; "fp32" where not given.
        bounds: NAME=VALUE in place of those of the precisions: how much the proof lets differ.
        source: the repository without weights to start from; by default the project's.
        replace_steps: whether a repository that was built from other steps may be replaced.
        opset: of the conversion.
        pictures: files to prove the reading on, and to calibrate int8 models on; by default
            rendered pages.
    """

    out: Path
    work: Path
    models: Mapping[str, ModelSource]
    plan: Plan
    precisions: Mapping[str, str] = field(default_factory=dict)
    bounds: Sequence[str] = ()
    source: Path | None = None
    replace_steps: bool = False
    opset: int = OPSET
    pictures: Sequence[Path] = ()


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

    Raises:
        ConvertError: any step failed; `out` is as it was.
    """
    from ppocr_converters.proof.kept import prove_served

    steps = find_steps(request.source)
    check_plan(request.plan, request.precisions)
    check_target(request.out, steps, replace_steps=request.replace_steps)
    models = _compiled(request)
    proofs = prove_served(
        models, request.plan, steps.folder, request.work, request.pictures, request.bounds
    )
    inputs = _inputs(request, models, steps)
    manifest = read_manifest(request.out / MANIFEST)
    if manifest is not None and is_current(manifest, inputs, request.out):
        logger.info("%s is up to date", request.out)
        return Built(request.out, manifest, proofs, changed=False)
    with new_folder(request.out) as fresh:
        manifest = {"inputs": inputs, **_make(fresh, models, request.plan, steps)}
        write_manifest(fresh / MANIFEST, manifest)
    return Built(request.out, manifest, proofs, changed=True)


def _compiled(request: BuildRequest) -> dict[str, CompiledModel]:
    """The models in the precisions asked for, each proven on its own."""
    models = {
        name: build_model(source, request.work / source.name, opset=request.opset)
        for name, source in request.models.items()
    }
    detector = models["det"].path
    for name, precision in request.precisions.items():
        if precision == "fp32":
            continue
        from ppocr_converters.graph.precision import lower

        device = device_of(request.plan, name)
        label = precision if precision == "fp16" else f"{precision}-{device}"
        folder = models[name].path.parent
        models[name] = lower(
            models[name],
            folder.with_name(f"{folder.name}.{label}"),
            precision,
            device=device,
            detector=detector,
            pictures=request.pictures,
            bounds=request.bounds,
        )
    return models


def _inputs(
    request: BuildRequest, models: Mapping[str, CompiledModel], steps: Steps
) -> dict[str, Any]:
    return {
        "models": {name: digest_of(_record(model)) for name, model in models.items()},
        "plan": dataclasses.asdict(request.plan)["models"],
        "cores": request.plan.cores,
        "steps": steps.digest,
        "bounds": list(request.bounds),
        "pictures": [sha256_file(picture) for picture in request.pictures],
        "tools": tool_versions(),
        "code": code_digest(),
    }


def _record(model: CompiledModel) -> Manifest:
    """What a repository keeps of a model: all but the figures that were measured here."""
    kept = {name: value for name, value in model.manifest.items() if name != "proof"}
    return {**kept, "precision": model.manifest["proof"]["precision"]}


def _make(folder: Path, models: Mapping[str, CompiledModel], plan: Plan, steps: Steps) -> Manifest:
    """Fill an empty folder with the repository."""
    from ppocr_converters.repository.layout import assemble

    logger.info("writing the repository")
    layout = assemble(
        folder, steps.folder, {name: model.path for name, model in models.items()}, plan
    )
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
