"""`ppocr-serve timeline`: Triton's traces as a file for Chrome's tracing page and Perfetto."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from ppocr_server.errors import ServerError
from ppocr_server.paddle_serving.settings import OCR_OPS
from ppocr_server.timeline.chrome import chrome_events
from ppocr_server.timeline.traces import read_traces


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the timeline; returns 0, or 1 where the traces cannot be read or hold no request."""
    parser = argparse.ArgumentParser(
        prog="ppocr-serve timeline",
        description="Turn Triton's traces into a timeline: a row for each Op, instance and "
        "request. Open it in chrome://tracing or in Perfetto.",
    )
    add = parser.add_argument
    add("traces", nargs="+", type=Path, metavar="TRACE", help="a file of traces from Triton")
    text, default = "the timeline (default: %(default)s)", Path("timeline.json")
    add("-o", "--output", type=Path, default=default, metavar="FILE", help=text)
    add("--json", action="store_true", help="say what was written as JSON")
    options = parser.parse_args(arguments)
    try:
        traces = read_traces(options.traces)
        if not traces:
            raise ServerError("the traces hold no request that has ended")
        events = list(chrome_events(traces, OCR_OPS))
        text = json.dumps({"displayTimeUnit": "ms", "traceEvents": events}, ensure_ascii=False)
        options.output.write_text(text, encoding="utf-8")
    except (ServerError, OSError) as error:
        print(f"ppocr-serve timeline: {error}", file=sys.stderr)
        return 1
    requests = sum(trace.parent is None for trace in traces)
    if options.json:
        print(json.dumps({"output": str(options.output), "requests": requests}))
    else:
        print(f"{options.output}: {requests} requests; open it in chrome://tracing or Perfetto")
    return 0
