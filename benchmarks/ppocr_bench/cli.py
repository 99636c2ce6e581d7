"""`ppocr-bench`: measure the served pipeline, and hold it to what it is compared with.

Exit codes: 0 measured, and as it must be; 1 not as it must be, or not measurable; 2 wrong usage.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Sequence

from ppocr_bench import accuracy, consistency, endpoint, latency, parity
from ppocr_bench.errors import BenchError
from ppocr_bench.report import Report

VERBS = (parity, accuracy, latency, consistency, endpoint)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one benchmark and return the exit code."""
    args = build_parser().parse_args(argv)
    logging.basicConfig(format="%(message)s", level=logging.INFO, stream=sys.stderr)
    from ppocr_client.errors import OcrError
    from ppocr_converters.errors import ConvertError
    from ppocr_server.errors import ServerError

    try:
        report: Report = args.run(args)
    except (BenchError, ConvertError, OcrError, ServerError) as error:
        print(f"ppocr-bench: {error}", file=sys.stderr)
        return 1
    if args.json:
        print(json.dumps(report.to_dict(), ensure_ascii=False, indent=1))
    else:
        print("\n".join(report.lines()))
    return 0 if report.ok else 1


def build_parser() -> argparse.ArgumentParser:
    """The command line; the first line of a verb's module is its name and its purpose."""
    parser = argparse.ArgumentParser(
        prog="ppocr-bench",
        description="Measure the served pipeline, and hold it to what it is compared with.",
    )
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    for module in VERBS:
        name, _, purpose = str(module.__doc__).partition(": ")
        verb = verbs.add_parser(name, help=purpose, description=purpose)
        verb.add_argument("--json", action="store_true", help="print one JSON object")
        module.add_arguments(verb)
        verb.set_defaults(run=module.run)
    return parser
