"""`prove`: compiled models held against what they were made from."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ppocr_converters.commands import arguments as common
from ppocr_converters.errors import ConvertError

KINDS = ("det", "rec", "cls", "page_orientation")
#: Those of `ppocr_engine.spec.ENGINES`, named here so that help is instant.
ENGINES = ("onnxruntime", "openvino", "openvino-bf16", "cuda", "tensorrt")


def add_prove(commands: Any) -> None:
    """Add the command of this file."""
    text = "compare compiled models with what they were made from"
    prove = common.add_command(commands, "prove", run_prove, text)
    for kind in KINDS:
        prove.add_argument(
            f"--{kind.replace('_', '-')}",
            nargs=2,
            type=Path,
            metavar=("COMPILED", "SOURCE"),
            help="compiled ONNX file, and the Paddle folder or ONNX file it was made from",
        )
    common.add_proof(prove)
    prove.add_argument(
        "--engine",
        choices=ENGINES,
        default="onnxruntime",
        help="of the compiled models; cuda and tensorrt are ONNX Runtime's (%(default)s)",
    )


def run_prove(arguments: argparse.Namespace) -> None:
    """Hold compiled models against their originals."""
    from ppocr_converters.errors import ProofError
    from ppocr_converters.graph.onnx_model import OnnxFile
    from ppocr_converters.proof.pictures import find_pictures
    from ppocr_converters.proof.prove import prove_pairs
    from ppocr_converters.repository.source import source_repository

    given = {kind: getattr(arguments, kind) for kind in KINDS}
    pairs = {kind: (OnnxFile(pair[0]), pair[1]) for kind, pair in given.items() if pair is not None}
    if not pairs:
        raise ConvertError("nothing to prove; give --det, --rec or --cls with two paths each")
    common.check_tolerance(arguments)
    facts = prove_pairs(
        pairs,
        source_repository(),
        find_pictures(arguments.images),
        arguments.tolerance,
        engine=arguments.engine,
    )
    proofs = {name: facts[name] for name in (*pairs, "reading") if name in facts}
    common.show(
        arguments,
        facts,
        "\n".join(common.proof_line(name, proof) for name, proof in proofs.items()),
    )
    if facts["problems"]:
        differences = proofs.get("reading", {}).get("differences", [])
        raise ProofError("the set of compiled models", facts["problems"] + differences)
