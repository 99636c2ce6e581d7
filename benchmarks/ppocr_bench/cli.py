"""`ppocr-bench`: measure the served pipeline, and hold it to what it is compared with.

Exit codes: 0 measured, and as it must be; 1 not as it must be, or not measurable; 2 wrong usage.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from ppocr_bench import accuracy, consistency, endpoint, latency, lines, parity, sweep
from ppocr_bench.errors import BenchError
from ppocr_bench.overload import verb as overload
from ppocr_bench.peers import verb as peers
from ppocr_bench.plan import verb as plan
from ppocr_bench.report import Report
from ppocr_bench.reporting import verb as report
from ppocr_bench.soak import verb as soak
from ppocr_bench.tune import verb as tune
from ppocr_engine.environment import disable_telemetry

MEASURING = (
    parity,
    accuracy,
    latency,
    sweep,
    consistency,
    overload,
    soak,
    endpoint,
    peers,
    lines,
    tune,
    plan,
)
VERBS = (*MEASURING, report)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one benchmark and return the exit code."""
    disable_telemetry()
    args = build_parser().parse_args(argv)
    logging.basicConfig(format="%(message)s", level=logging.INFO, stream=sys.stderr)
    from ppocr_client.errors import OcrError
    from ppocr_converters.errors import ConvertError
    from ppocr_engine.errors import EngineError
    from ppocr_server.errors import ServerError

    try:
        result: Report = args.run(args)
        as_json = to_json(args.verb, result)
        if args.save is not None:
            save(args.save, as_json)
    except (BenchError, ConvertError, EngineError, OcrError, ServerError) as error:
        print(f"ppocr-bench: {error}", file=sys.stderr)
        return 1
    if args.json:
        print(as_json)
    else:
        print("\n".join(result.lines()))
    return 0 if result.ok else 1


def to_json(verb: str, result: Report) -> str:
    """What `ppocr-bench report` reads."""
    return json.dumps({"verb": verb, **result.to_dict()}, ensure_ascii=False, indent=1)


def save(path: Path, text: str) -> None:
    """Write a file; a folder that is missing is made.

    Raises:
        BenchError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n", "utf-8")
    except OSError as error:
        raise BenchError(f"--out {path} cannot be written: {error.strerror}") from error


def build_parser() -> argparse.ArgumentParser:
    """The command line; the first line of a verb's module is its name and its purpose."""
    parser = argparse.ArgumentParser(
        prog="ppocr-bench",
        description="Measure the served pipeline, and hold it to what it is compared with.",
    )
    parser.set_defaults(save=None)
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    for module in VERBS:
        name, _, purpose = str(module.__doc__).partition(": ")
        verb = verbs.add_parser(name, help=purpose, description=purpose)
        verb.add_argument("--json", action="store_true", help="print one JSON object")
        if module in MEASURING:
            verb.add_argument(
                "--out", type=Path, dest="save", metavar="FILE", help="write it there, for `report`"
            )
        module.add_arguments(verb)
        verb.set_defaults(run=module.run, verb=name)
    return parser
