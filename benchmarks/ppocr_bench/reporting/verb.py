"""report: one HTML page, README tables and plots from the results that --out wrote."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ppocr_bench.errors import BenchError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this verb."""
    parser.add_argument(
        "results", nargs="+", type=Path, metavar="RESULT.json", help="of any verbs, by --out"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the HTML page")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="the same for a README")
    parser.add_argument("--plots", type=Path, metavar="DIR", help="its charts as SVG files")


@dataclass(frozen=True)
class Written:
    """The result: the files that were written, and how many results went into them."""

    files: list[Path]
    results: int

    @property
    def ok(self) -> bool:
        """Writing is all there is to do."""
        return True

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON can hold it."""
        return {"files": [str(file) for file in self.files], "results": self.results}

    def lines(self) -> list[str]:
        """The files."""
        return [f"{self.results} results are in {', '.join(map(str, self.files))}"]


def run(args: argparse.Namespace) -> Written:
    """Read the results and write what is asked for.

    Raises:
        BenchError: a file is no result, or one cannot be written.
    """
    from ppocr_bench.reporting import page
    from ppocr_bench.reporting.sections import sections

    results = [read(path) for path in args.results]
    shown = sections(results)
    files = [args.out]
    try:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(page.html(shown, subtitle(results)), "utf-8")
        if args.markdown is not None:
            plots = None if args.plots is None else page.relative(args.plots, args.markdown)
            args.markdown.parent.mkdir(parents=True, exist_ok=True)
            args.markdown.write_text(page.markdown(shown, plots), "utf-8")
            files.append(args.markdown)
        if args.plots is not None:
            files += page.write_plots(shown, args.plots)
    except OSError as error:
        raise BenchError(f"cannot write {error.filename}: {error.strerror}") from error
    return Written(files, len(results))


def read(path: Path) -> Mapping[str, Any]:
    """One result.

    Raises:
        BenchError: it cannot be read, or is not what a verb writes.
    """
    try:
        result = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise BenchError(f"cannot read {path}: {error.strerror}") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise BenchError(f"{path} is not JSON: {error}") from error
    if not isinstance(result, dict) or "verb" not in result:
        raise BenchError(
            f'{path} has no "verb": it is not what `ppocr-bench VERB --out FILE` writes'
        )
    return result


def subtitle(results: Sequence[Mapping[str, Any]]) -> str:
    """The verbs, and the processors they ran on."""
    verbs = dict.fromkeys(str(result["verb"]) for result in results)
    machines = [result["machine"] for result in results if result.get("machine")]
    places = dict.fromkeys(
        f"{machine['processor']}, {machine['cores']} cores" for machine in machines
    )
    return " · ".join([", ".join(verbs), *places])
