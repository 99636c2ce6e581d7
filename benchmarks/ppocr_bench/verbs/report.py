"""One HTML page from the results that --out wrote: verdicts, charts, tables and machines."""

from __future__ import annotations

import argparse
from pathlib import Path

from ppocr_bench.errors import BenchError
from ppocr_bench.options import REQUIRED
from ppocr_bench.record import Result, read_result, save
from ppocr_bench.report.page import html

OPTIONS = {
    "results": ([Path], REQUIRED, "of any verbs, by --out", "RESULT.json"),
    "--out": (Path, REQUIRED, "the HTML page", "FILE"),
}


def run(args: argparse.Namespace) -> Result:
    """Read the results and write the page."""
    try:
        page = html([read_result(path) for path in args.results])
    except (KeyError, TypeError, ValueError) as error:
        said = f"a result is not as `ppocr-bench` writes it now ({error!r}); measure again"
        raise BenchError(said) from error
    save(args.out, page)
    return Result(f"{len(args.results)} results are in {args.out}")
