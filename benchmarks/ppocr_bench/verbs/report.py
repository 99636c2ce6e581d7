"""One HTML page, README tables and plots from the results that --out wrote."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ppocr_bench.cli import save
from ppocr_bench.errors import BenchError
from ppocr_bench.options import REQUIRED
from ppocr_bench.record import Result
from ppocr_bench.report import page

OPTIONS = {
    "results": ([Path], REQUIRED, "of any verbs, by --out", "RESULT.json"),
    "--out": (Path, REQUIRED, "the HTML page", "FILE"),
    "--markdown": (Path, None, "the same for a README", "FILE"),
    "--plots": (Path, None, "its charts as SVG files", "DIR"),
}


def run(args: argparse.Namespace) -> Result:
    """Read the results and write what is asked for."""
    try:
        sections = page.sections([read(path) for path in args.results])
    except (KeyError, TypeError, ValueError) as error:
        said = f"a result is not as `ppocr-bench` writes it now ({error!r}); measure again"
        raise BenchError(said) from error
    files = {args.out: page.html(sections)}
    if args.markdown is not None:
        files[args.markdown] = page.markdown(sections, args.plots, args.markdown)
    if args.plots is not None:
        files |= page.plots(sections, args.plots)
    for path, text in files.items():
        save(path, text)
    written = list(map(str, files))
    said = f"{len(args.results)} results are in {', '.join(written)}"
    return Result(said, settings={"files": written})


def read(path: Path) -> Mapping[str, Any]:
    """One result; BenchError where it cannot be read, or is not what a verb writes."""
    try:
        result = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise BenchError(f"cannot read {path}: {error.strerror}") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise BenchError(f"{path} is not JSON: {error}") from error
    if not isinstance(result, dict) or not {"verb", "tables"} <= result.keys():
        said = "it is not what this version's `ppocr-bench VERB --out FILE` writes"
        raise BenchError(f'{path} has no "verb" and "tables": {said}')
    return result
