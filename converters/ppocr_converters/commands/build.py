"""`build`: from names, folders or a config.yml to a repository that is served."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ppocr_converters.commands import arguments as common
from ppocr_converters.errors import ConvertError

if TYPE_CHECKING:
    from ppocr_converters.catalogue.entries import Kind
    from ppocr_converters.repository.build import Built
    from ppocr_converters.repository.deployment_plan import Plan
    from ppocr_converters.repository.models import ModelChoice

#: In place of a classifier: none is built in.
NO_MODEL = "none"
OF_SET = ""  # of `--cls` alone
PROFILE, FAST = "cpu", "cpu-openvino-bf16"
#: What can be said beside a config.yml; it stands for all other options of `build`.
WITH_CONFIG = frozenset(
    {"config", "opt", "out", "work", "source", "images", "from_wheel", "from_dir", "mirror"}
    | {"json", "quiet", "run"}
)


def add_build(commands: Any) -> None:
    """Add the command of this file."""
    build = common.add_command(commands, "build", run_build, "all of it: a repository to serve")
    build.add_argument("--config", type=Path, metavar="FILE", help="a Paddle Serving config.yml")
    common.add_opt(build)
    common.add_set(build)
    text = "name, folder or ONNX file (that of the set)"
    build.add_argument("--det", metavar="MODEL", help=text)
    build.add_argument("--rec", metavar="MODEL", help=text)
    text = f"finds pages that are turned: as --det, or {NO_MODEL}"
    build.add_argument("--cls", nargs="?", const=OF_SET, metavar="MODEL", help=text)
    text = "finds pages that are turned, for orientation=page: as --det (none)"
    build.add_argument("--page-orientation", metavar="MODEL", help=text)
    build.add_argument("--out", type=Path, help="default WORK/model_repository")
    text = "for all models (%(default)s)"
    build.add_argument("--work", type=Path, default=common.WORK, help=text)
    text = "repository without weights to start from, with steps of your own"
    build.add_argument("--source", type=Path, metavar="FOLDER", help=text)
    _add_serving(build)
    common.add_dictionary(build)
    build.add_argument("--height", type=int, help="of a recogniser's input, where it is silent")
    for prefix, networks in (("", "det and rec"), ("det-", "det"), ("rec-", "rec")):
        text = f"of the file of {networks}, proven too (by the profile: fp16 on a GPU, fp32 else)"
        build.add_argument(f"--{prefix}precision", choices=["fp32", "fp16", "int8"], help=text)
    common.add_proof(build)
    common.add_supply(build)


def _add_serving(build: argparse.ArgumentParser) -> None:
    add = build.add_argument_group("how it is served").add_argument
    add("--profile", help=f"of instances, threads and engines ({PROFILE})")
    add("--fast", action="store_true", help=f"compute in bfloat16: short for --profile {FAST}")
    add("--cores", type=int, metavar="N", help="of the machine that serves (those of this one)")
    for kind in ("det", "rec"):
        add(f"--{kind}-concurrency", type=int, metavar="N", help=f"instances of the {kind} Op")
    text = "sizes that pictures are placed on for the detector, or none (by the profile)"
    add("--det-canvases", metavar="HxW,…", help=text)
    text = "pictures that are read or wait at a time (by the number of instances)"
    add("--max-requests", type=int, metavar="N", help=text)


def run_build(arguments: argparse.Namespace) -> None:
    """Build a repository."""
    from ppocr_converters.files import only_one
    from ppocr_converters.proof.tolerance import tolerance_of

    tolerance_of("fp32", arguments.tolerance)  # a bound that is none is refused at once
    with only_one(arguments.work):
        built = _build_from_config(arguments) if arguments.config else _build_from_names(arguments)
    manifest, proofs = built.manifest, dict(built.proofs)
    lines = [f"{built.folder} {'is built' if built.changed else 'is up to date'}"]
    lines += [f"  {_summary_line(row)}" for row in manifest["summary"]]
    expected, widths = manifest["expected"], manifest["buckets"]
    lines.append(
        f"  expected: {expected['memory_mib']} MiB and {expected['shared_mib']} MiB of shared "
        f"memory; lines in {len(widths)} widths from {widths[0]} to {widths[-1]} pixels"
    )
    lines += [f"  {common.proof_line(name, proof)}" for name, proof in proofs.items()]
    lines += [f"  {line}" for line in precision_lines(built)]
    common.show(arguments, {**manifest, "proofs": proofs}, "\n".join(lines))


def _summary_line(row: dict[str, Any]) -> str:
    line = f"{row['model']:16} {row['backend']} {row['precision']}".rstrip().ljust(30)
    if row["instances"]:
        size = "GPU" if row["memory_mib"] is None else f"{row['memory_mib']} MiB"
        line += f" {row['instances']:2} x {row['threads']} thread(s), {size}"
    return line.rstrip()


def precision_lines(built: Built) -> list[str]:
    """What bfloat16 or int8 would give and cost, where the networks run on a CPU in float32."""
    from ppocr_converters.repository.build import no_bfloat16

    rows = {row["model"]: row for row in built.manifest["summary"]}
    if any(
        rows[name]["kind"] != "KIND_CPU"
        or rows[name]["precision"]
        or built.proofs[name]["precision"] != "fp32"
        for name in ("det", "rec")
    ):
        return []
    if why := no_bfloat16():
        return [
            f"computes in float32; --fast (bfloat16) is not possible here: {why}",
            "--precision int8 takes less processor time, and now and then gives another text; its "
            "proof bounds this",
        ]
    return [
        "computes in float32; --fast (bfloat16) is possible here: it takes less processor time, "
        "and now and then gives another text or space, within proven bounds"
    ]


def _build_from_config(arguments: argparse.Namespace) -> Built:
    from ppocr_converters.repository.serving_config.service import build_service, load_service

    left_out: tuple[object, ...] = (None, False, [])
    given = [n for n, v in vars(arguments).items() if n not in WITH_CONFIG and v not in left_out]
    if given := [f"--{name.replace('_', '-')}" for name in given]:
        raise ConvertError(f"{', '.join(given)} cannot go with --config, which says it all")
    service = load_service(arguments.config, arguments.opt)
    return build_service(service, arguments.work, **_common(arguments))


def _build_from_names(arguments: argparse.Namespace) -> Built:
    from ppocr_converters.catalogue.entries import find_set
    from ppocr_converters.repository.build import BuildRequest, build

    if arguments.opt:
        raise ConvertError("--opt changes what a config.yml says; name one with --config")
    request = BuildRequest(
        arguments.work,
        [_choices(arguments, way) for way in find_set(arguments.set).ways],
        _plan(arguments),
        bounds=arguments.tolerance,
        **_common(arguments),
    )
    return build(request)


def _choices(arguments: argparse.Namespace, models: Mapping[Kind, str]) -> dict[Kind, ModelChoice]:
    """The models of one way to get a set, those that a user names in their place."""
    from ppocr_converters.repository.models import ModelChoice

    of_rec = (arguments.dict, False if arguments.no_space else None, arguments.height)
    names = {kind: getattr(arguments, kind) or name for kind, name in models.items()}
    if arguments.page_orientation is not None:
        names["page_orientation"] = arguments.page_orientation
    return {
        kind: ModelChoice(name, *(of_rec if kind == "rec" else ()))
        for kind, name in names.items()
        if (kind, name) != ("cls", NO_MODEL)
    }


def _common(arguments: argparse.Namespace) -> dict[str, Any]:
    """What is the same with and without a config.yml, as fields of `BuildRequest`."""
    from ppocr_converters.proof.pictures import find_pictures

    return {
        "out": arguments.out,
        "source": arguments.source,
        "pictures": find_pictures(arguments.images),
        "supply": common.supply_of(arguments),
    }


def _plan(arguments: argparse.Namespace) -> Plan:
    from ppocr_converters.repository.deployment_plan import load_profile

    if arguments.fast and arguments.profile not in (None, FAST):
        raise ConvertError(
            f"--fast is --profile {FAST}, but --profile is {arguments.profile}; leave one out"
        )
    counts = {"det": arguments.det_concurrency, "rec": arguments.rec_concurrency}
    given = {op: count for op, count in counts.items() if count is not None}
    name = FAST if arguments.fast else arguments.profile or PROFILE
    plan = load_profile(name, given, cores=arguments.cores)
    plan = plan.with_parameter("det_preprocess", "det_canvases", arguments.det_canvases)
    for kind in counts:
        if precision := getattr(arguments, f"{kind}_precision") or arguments.precision:
            plan = plan.with_model(kind, file_precision=precision)
    return plan.with_parameter("admit", "max_requests", arguments.max_requests)
