"""What is refused before a build begins, so that nothing is downloaded or converted in vain."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ppocr_converters.errors import RepositoryError
from ppocr_converters.repository.deployment_plan import Plan
from ppocr_converters.repository.manifest import MANIFEST, read_manifest
from ppocr_converters.repository.source import PROJECT, Steps
from ppocr_engine.errors import EngineError
from ppocr_engine.machine import has_bfloat16
from ppocr_engine.spec import ONNXRUNTIME

#: That the file of a network can have.
PRECISIONS = ("fp32", "fp16", "int8")


def check_plan(plan: Plan, precisions: Mapping[str, str]) -> None:
    """See that a plan can be built, and that its engines can run its networks in these precisions.

    Raises:
        RepositoryError: it cannot; says what to change.
    """
    if plan.unavailable:
        raise RepositoryError(f"{plan.name} cannot be built: " + "; ".join(plan.unavailable))
    engines = {n: one.engine for n, one in plan.models.items() if one.engine is not None}
    if any(engine.precision == "bf16" for engine in engines.values()) and (why := no_bfloat16()):
        raise RepositoryError(f"{plan.name} computes in bfloat16, and {why}")
    for name, precision in precisions.items():
        if precision not in PRECISIONS:
            raise RepositoryError(f"precision {precision!r}; allowed: {', '.join(PRECISIONS)}")
        engine = engines.get(name, ONNXRUNTIME)
        if precision != "fp32" and engine != ONNXRUNTIME:
            raise RepositoryError(
                f"{plan.name} runs {name} by {engine}, but a network in {precision} is made for "
                f"{ONNXRUNTIME}; choose the profile cpu, or leave the network in fp32"
            )


def file_precisions(plan: Plan, given: Mapping[str, str]) -> dict[str, str]:
    """The precision of each network's file by its name: as given, else as the plan has it.

    A name that is in neither is in fp32.
    """
    planned = {name: one.file_precision for name, one in plan.models.items()}
    return {name: one for name, one in {**planned, **given}.items() if one != "fp32"}


def no_bfloat16() -> str:
    """Why nothing can be computed, and so nothing proven, in bfloat16 here; "" where it can."""
    try:
        return (
            ""
            if has_bfloat16()
            else "this processor has none (neither AVX512-BF16 nor AMX); build on the machine "
            "that serves, or stay with float32, the default"
        )
    except EngineError as error:
        return str(error)


def check_target(out: Path, steps: Steps) -> None:
    """See that a build from these steps may replace what is at `out`.

    Raises:
        RepositoryError: it is no repository of this program, or was built from other steps.
    """
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
