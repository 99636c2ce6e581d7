"""The build: from model names to a proven, complete repository, doing nothing twice."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ppocr_converters.errors import RepositoryError
from ppocr_converters.files import new_folder, sha256_files
from ppocr_converters.paddle.convert import OPSET
from ppocr_converters.proof.engine_selection import choose
from ppocr_converters.repository.deployment_plan import (
    ModelPlan,
    Plan,
    device_of,
    refuse_unavailable,
    settle,
)
from ppocr_converters.repository.manifest import (
    MANIFEST,
    Manifest,
    code_digest,
    digest_of,
    is_current,
    read_manifest,
    tool_versions,
    write_manifest,
)
from ppocr_converters.repository.memory import totals
from ppocr_converters.repository.model_build import Origin, Prepared, prepare
from ppocr_converters.repository.source import source_repository
from ppocr_engine.spec import ONNXRUNTIME

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Built:
    """A repository: its folder, its manifest, and whether it had to be made."""

    folder: Path
    manifest: Manifest
    changed: bool


def build(
    out: Path,
    work: Path,
    det: Origin,
    rec: Origin,
    plan: Plan,
    *,
    cls: Origin | None = None,
    precisions: Mapping[str, str] | None = None,
    bounds: Sequence[str] = (),
    source: Path | None = None,
    opset: int = OPSET,
    pictures: Sequence[Path] = (),
) -> Built:
    """Build a repository at `out`; one that is there is replaced only by a complete one.

    Args:
        out: the folder to serve.
        work: where converted and compiled models are kept, a folder each.
        det: the detector.
        rec: the recogniser.
        plan: instances, devices, batching and engine of every model.
        cls: the direction classifier; without one lines that are upside down stay so.
        precisions: of "det" and "rec", a name in precisions.yml each; "fp32" where not given.
        bounds: NAME=VALUE in place of those of the precisions: how much the proof lets differ.
        source: the repository without weights to start from; by default the project's.
        opset: of the conversion.
        pictures: files to prove the reading on, and to calibrate int8 models on; by default
            rendered pages.

    Raises:
        ConvertError: any step failed; `out` is as it was.
    """
    if out.exists() and any(out.iterdir()) and not (out / MANIFEST).is_file():
        raise RepositoryError(
            f"{out} is not empty and was not built by ppocr-convert (it has no {MANIFEST}); "
            f"choose another folder with --out, or remove it"
        )
    refuse_unavailable(plan)
    source = source or source_repository()
    origins = {"det": det, "rec": rec} | ({} if cls is None else {"cls": cls})
    models = {
        name: prepare(origin, work / origin.name, opset=opset) for name, origin in origins.items()
    }
    models = _lowered(models, precisions or {}, plan, pictures, bounds)
    choice = choose(models, _exact_engines(plan, precisions or {}), source, work, pictures, bounds)
    plan, proof = choice.plan, choice.proof
    inputs = _inputs(models, plan, source, proof)
    manifest = read_manifest(out / MANIFEST)
    if manifest is not None and is_current(manifest, inputs, out):
        logger.info("%s is up to date", out)
        return Built(out, manifest, changed=False)
    with new_folder(out) as fresh:
        made = _make(fresh, models, plan, source)
        manifest = {"inputs": inputs, **made, "engine": choice.report, "proof": proof}
        write_manifest(fresh / MANIFEST, manifest)
    return Built(out, manifest, changed=True)


def _lowered(
    models: Mapping[str, Prepared],
    precisions: Mapping[str, str],
    plan: Plan,
    pictures: Sequence[Path],
    bounds: Sequence[str],
) -> dict[str, Prepared]:
    """The models in the precisions asked for, each proven on its own."""
    result = dict(models)
    for name, precision in precisions.items():
        if precision == "fp32":
            continue
        from ppocr_converters.graph.precision import lower

        device = device_of(plan, name)
        label = precision if precision == "fp16" else f"{precision}-{device}"
        folder = models[name].path.parent
        result[name] = lower(
            models[name],
            folder.with_name(f"{folder.name}.{label}"),
            precision,
            device=device,
            detector=models["det"].path,
            pictures=pictures,
            bounds=bounds,
        )
    return result


def _exact_engines(plan: Plan, precisions: Mapping[str, str]) -> Plan:
    """The plan in which networks of lower precision stay with the engine that they are made for.

    Raises:
        RepositoryError: the plan has another one for such a network.
    """
    lowered = [name for name, precision in precisions.items() if precision != "fp32"]
    planned = {name: plan.models[name].engines for name in lowered if name in plan.models}
    for name, engines in planned.items():
        if engines and ONNXRUNTIME not in engines:
            raise RepositoryError(
                f"{plan.name} runs {name} by {engines[0]}, but a network in {precisions[name]} is "
                f"made for {ONNXRUNTIME}; choose the profile cpu-onnxruntime, or leave the "
                f"network in fp32"
            )
    return settle(plan, {name: ONNXRUNTIME for name, engines in planned.items() if engines})


def _inputs(
    models: Mapping[str, Prepared], plan: Plan, source: Path, proof: Manifest
) -> dict[str, Any]:
    return {
        "models": {name: digest_of(model.manifest) for name, model in models.items()},
        "proof": digest_of(proof),
        "plan": dataclasses.asdict(plan)["models"],
        "cores": plan.cores,
        "source": digest_of(sha256_files(source, ignore=(MANIFEST,))),
        "tools": tool_versions(),
        "code": code_digest(),
    }


def _make(folder: Path, models: Mapping[str, Prepared], plan: Plan, source: Path) -> Manifest:
    """Fill an empty folder with the repository."""
    from ppocr_converters.repository.layout import assemble, served_buckets, served_widths

    logger.info("assembling the repository")
    networks = {name: model.path for name, model in models.items()}
    summary = assemble(folder, source, networks, plan)
    return {
        "summary": (rows := [dataclasses.asdict(row) for row in summary]),
        "expected": totals(rows),
        "buckets": served_widths(folder),
        "models": {name: model.manifest for name, model in models.items()},
        "shapes": {
            name: [dataclasses.asdict(bucket) for bucket in served_buckets(folder, name, shapes)]
            for name in networks
            if (shapes := plan.models.get(name, ModelPlan()).shapes) is not None
        },
        "files": sha256_files(folder),
    }
