"""`ppocr-bench`: measure the served pipeline, and hold it to what it is compared with.

Exit codes: 0 measured, and as it must be; 1 not as it must be, or not measurable; 2 wrong usage.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Sequence
from importlib import import_module, metadata
from pathlib import Path

from ppocr_bench.options import add_options
from ppocr_bench.record import BenchError
from ppocr_engine.environment import disable_telemetry

#: Each is a module in `verbs`, loaded only when it is asked for.
VERBS = {
    "parity": "the served pipeline reads what PaddleOCR's own pipeline reads, line for line",
    "accuracy": "boxes, texts, order and words against what is known, beside other readers",
    "latency": "what one request takes, beside the bare networks on the same tensors",
    "sweep": "throughput and latency under rising load, over every port; processor time by step",
    "consistency": "many clients get, to the byte, the answers that one gets alone",
    "overload": "far more requests than can be served; the peak is kept, the rest refused at once",
    "peers": "the same pictures and weights through every way to serve them, side by side",
    "tune": "how this machine is used best for these pictures, as a `triton:` section",
    "machine": "`tune` and `sweep` of a machine in one file, which `report` compares with others'",
    "gpu": "a bundle for a GPU machine without a network: answers, load, and the networks' bound",
    "report": "one HTML page from the results that --out wrote",
}
#: Old names, and the words that stand for them now.
OLD = {
    "lines": "latency --no-samples --pages 0 --rounds 5 --lines 1,10,50,100,300,1000",
    "endpoint": "sweep --protocol grpc,paddle-rpc,paddle-http --blank --rounds 7 --seconds 2 "
    "--concurrency 8",
    "gateway": "sweep --protocol grpc,gateway --concurrency 1",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one benchmark and return the exit code."""
    disable_telemetry()
    try:
        return _run(sys.argv[1:] if argv is None else list(argv))
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("ppocr"):
            raise  # a fault of this project, not of its installation
        advice = "install what benchmarks need: pip install 'ppocr-triton[bench]', or in a checkout"
        print(f"ppocr-bench: no package {error.name}; {advice} '.[bench]'", file=sys.stderr)
        return 1


def _run(words: Sequence[str]) -> int:
    if words and words[0] in OLD:
        words = [*OLD[words[0]].split(), *words[1:]]
        print(f"ppocr-bench: this is now `{' '.join(words)}`", file=sys.stderr)
    args = build_parser(next(iter(words), "")).parse_args(words)
    logging.basicConfig(format="%(message)s", level=logging.INFO, stream=sys.stderr)
    from ppocr_bench.machine import describe, describe_lines
    from ppocr_bench.record import save
    from ppocr_client.errors import OcrError
    from ppocr_converters.errors import ConvertError
    from ppocr_engine.errors import EngineError
    from ppocr_server.errors import ServerError

    machine, options = describe(), {key: value for key, value in vars(args).items() if key != "run"}
    about = {"verb": args.verb, "title": VERBS[args.verb], "machine": machine}
    try:
        result = args.run(args)
        whole = {**about, "options": options, **result.to_dict()}
        text = json.dumps(whole, ensure_ascii=False, indent=1, default=str)
        if args.save is not None:
            save(args.save, text)
    except (BenchError, ConvertError, EngineError, OcrError, ServerError) as error:
        print(f"ppocr-bench: {error}", file=sys.stderr)
        return 1
    print(text if args.json else "\n".join([*describe_lines(machine), "", *result.lines()]))
    return 1 if result.ok is False else 0


def build_parser(wanted: str) -> argparse.ArgumentParser:
    """The command line, with the options of the wanted verb alone."""
    parser = argparse.ArgumentParser(
        prog="ppocr-bench",
        description="Measure the served pipeline, and hold it to what it is compared with.",
    )
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    for name, said in VERBS.items():
        verb = verbs.add_parser(name, help=said)
        if name != wanted:
            continue
        module = import_module(f"ppocr_bench.verbs.{name}")
        verb.description = str(module.__doc__)
        verb.add_argument("--json", action="store_true", help="print one JSON object")
        verb.set_defaults(run=module.run, verb=name, save=None)
        if "--out" not in module.OPTIONS:
            verb.add_argument("--out", type=Path, dest="save", metavar="FILE", help="for `report`")
        add_options(verb, module.OPTIONS)
    for one in (parser, *verbs.choices.values()):
        one.add_argument(
            "--version", action="version", version=f"%(prog)s {metadata.version('ppocr-triton')}"
        )
    return parser
