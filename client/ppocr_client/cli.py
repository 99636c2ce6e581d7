"""The command `ppocr-client`.

Exit codes: 0 all pictures were read, 1 some were not, 2 the command line is wrong.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from ppocr_client.client import DEFAULT_URL, OcrClient
from ppocr_client.draw import DrawError, draw_result
from ppocr_client.errors import OcrError, OptionError
from ppocr_client.options import OPTIONS, Option, request_parameters
from ppocr_client.pictures import read_image
from ppocr_client.results import Line, OcrResult
from ppocr_client.transport import parse_url

SWITCH = {"true": True, "false": False}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = build_parser()
    args = parser.parse_args(argv)
    try:
        parse_url(args.url)
        request_parameters(given_options(args))
    except (ValueError, OptionError) as error:
        parser.error(str(error))
    if args.draw is not None and len(args.images) > 1:
        if args.draw.suffix:
            parser.error(
                f"--draw {args.draw} is one file for {len(args.images)} pictures; name a folder"
            )
        if len({path.name for path in args.images}) < len(args.images):
            parser.error("--draw cannot keep pictures of the same name apart; read them one by one")
    return read(args)


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="ppocr-client", description="Read text from pictures with PaddleOCR on Triton."
    )
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    verb = verbs.add_parser(
        "read",
        help="read pictures and print their text",
        description="Read pictures and print one line for each line of text: the text, its score "
        "and the corners of its box, separated by tabs.",
    )
    verb.add_argument("images", nargs="+", type=Path, metavar="IMAGE", help="a picture's file")
    verb.add_argument("--url", default=DEFAULT_URL, help="grpc://HOST:PORT or http://HOST:PORT")
    verb.add_argument("--model", default="ocr", help="the pipeline's name on the server")
    verb.add_argument(
        "--timeout", type=seconds, default=60.0, metavar="S", help="seconds for each picture"
    )
    verb.add_argument(
        "--wait", type=seconds, metavar="S", help="wait so many seconds for the server to be ready"
    )
    verb.add_argument(
        "--json", action="store_true", help="print one JSON object a picture, each on its own line"
    )
    verb.add_argument(
        "--draw",
        type=Path,
        metavar="OUT.png",
        help="draw boxes and texts into this file, or for several pictures into this folder",
    )
    verb.add_argument("--font", type=Path, metavar="FILE", help="the font to draw with")
    options = verb.add_argument_group(
        "options of the pipeline (the server's defaults if not given)"
    )
    for name, option in OPTIONS.items():
        add_option(options, name, option)
    return parser


def add_option(group: argparse._ArgumentGroup, name: str, option: Option) -> None:
    """Add `--name` for one of the pipeline's options."""
    flag = "--" + name.replace("_", "-")
    text = f"{option.help}: {option.allowed}"
    if option.type is bool:
        words = "|".join(SWITCH)
        group.add_argument(flag, type=switch, metavar=words, help=f"{option.help}: {words}")
    elif option.type is str:
        group.add_argument(flag, choices=option.words, help=option.help)
    else:
        group.add_argument(flag, type=option.type, metavar="N", help=text)


def switch(word: str) -> bool:
    """The value of "true" or "false"."""
    if word not in SWITCH:
        raise argparse.ArgumentTypeError(f"{word!r} is neither true nor false")
    return SWITCH[word]


def seconds(word: str) -> float:
    """A number of seconds above 0."""
    try:
        number = float(word)
    except ValueError:
        number = 0.0
    if not number > 0:
        raise argparse.ArgumentTypeError(f"{word!r} is not a number of seconds above 0")
    return number


def given_options(args: argparse.Namespace) -> dict[str, object]:
    """The pipeline's options that the command line sets."""
    values = {name: getattr(args, name) for name in OPTIONS}
    return {name: value for name, value in values.items() if value is not None}


def read(args: argparse.Namespace) -> int:
    """Read all pictures, print what they say, and list those that failed."""
    failures: list[tuple[Path, str]] = []
    with OcrClient(args.url, model=args.model, timeout=args.timeout) as client:
        try:
            if args.wait is not None:
                client.wait_ready(args.wait)
        except OcrError as error:
            print(f"ppocr-client: {error}", file=sys.stderr)
            return 1
        for path in args.images:
            try:
                data = read_image(path)
                result = client.read(data, **given_options(args))  # type: ignore[arg-type]
                if args.draw is not None:
                    draw(path, data, result, args)
                show(path, result, args)
            except (OcrError, OSError, DrawError) as error:
                failures.append((path, str(error)))
                if args.json:
                    print(json.dumps({"image": str(path), "error": str(error)}, ensure_ascii=False))
    for path, reason in failures:
        print(f"ppocr-client: {path}: {reason}", file=sys.stderr)
    if failures and len(args.images) > 1:
        print(f"ppocr-client: {len(failures)} of {len(args.images)} failed", file=sys.stderr)
    return 1 if failures else 0


def show(path: Path, result: OcrResult, args: argparse.Namespace) -> None:
    """Print one picture's result."""
    if args.json:
        print(json.dumps({"image": str(path), **result.to_dict()}, ensure_ascii=False))
        return
    if len(args.images) > 1:
        print(f"== {path}")
    for line in result.lines:
        print(row(line))


def row(line: Line) -> str:
    """A line of text as one row: text, score and corners."""
    corners = " ".join(f"{x:g},{y:g}" for x, y in line.box.tolist())
    return f"{line.text}\t{line.score:.3f}\t{corners}"


def draw(path: Path, data: bytes, result: OcrResult, args: argparse.Namespace) -> None:
    """Write one picture's drawing to the file, or into the folder, that `--draw` names."""
    folder = args.draw.is_dir() or not args.draw.suffix
    target = args.draw / f"{path.name}.png" if folder else args.draw
    target.parent.mkdir(parents=True, exist_ok=True)
    draw_result(data, result, font=args.font).save(target)
