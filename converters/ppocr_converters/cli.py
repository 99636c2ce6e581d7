"""`ppocr-convert`: from Paddle models to a repository that Triton serves."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from ppocr_converters.errors import ConvertError

DET, REC = "PP-OCRv4_mobile_det", "PP-OCRv4_mobile_rec"
BUILD = Path("build")


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
    return 0


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--json", action="store_true", help="print JSON for machines")
    common.add_argument("--quiet", action="store_true", help="no progress on stderr")
    parser = argparse.ArgumentParser(prog="ppocr-convert", description=__doc__)
    verbs = parser.add_subparsers(required=True, metavar="COMMAND")

    build = verbs.add_parser("build", parents=[common], help="all of it: a repository to serve")
    build.set_defaults(run=_build)
    build.add_argument("--det", default=DET, help="name, folder or ONNX file (%(default)s)")
    build.add_argument("--rec", default=REC, help="name, folder or ONNX file (%(default)s)")
    build.add_argument("--out", type=Path, default=BUILD / "model_repository")
    build.add_argument("--work", type=Path, default=BUILD, help="for fetched and converted models")
    build.add_argument("--source", type=Path, help="repository without weights to start from")
    build.add_argument("--profile", default="cpu")
    build.add_argument("--det-concurrency", type=int, metavar="N")
    build.add_argument("--rec-concurrency", type=int, metavar="N")
    return parser


def _build(arguments: argparse.Namespace) -> None:
    from ppocr_converters.prepare import find_origin
    from ppocr_converters.profiles import load_profile
    from ppocr_converters.repository import build

    counts = {"det": arguments.det_concurrency, "rec": arguments.rec_concurrency}
    profile = load_profile(
        arguments.profile, {op: count for op, count in counts.items() if count is not None}
    )
    models = arguments.work / "models"
    built = build(
        arguments.out,
        arguments.work / "onnx",
        find_origin(arguments.det, models, kind="det"),
        find_origin(arguments.rec, models, kind="rec"),
        profile,
        source=arguments.source,
    )
    if arguments.json:
        print(json.dumps(built.manifest, ensure_ascii=False, indent=2))
        return
    print(f"{built.folder} {'is built' if built.changed else 'is up to date'}:")
    for row in built.manifest["summary"]:
        print(f"  {row['model']:16} {row['backend']:12} {row['instances']:3} x {row['threads']}")
