"""`ppocr-convert`: from Paddle OCR models to a repository that Triton serves, proven equal."""

from __future__ import annotations

import argparse
import errno
import io
import logging
import sys
from collections.abc import Sequence
from importlib import metadata

from ppocr_converters.commands.build import add_build
from ppocr_converters.commands.models import add_model_commands
from ppocr_converters.commands.repository import add_repository_commands
from ppocr_converters.errors import ConvertError
from ppocr_engine.environment import disable_telemetry
from ppocr_engine.errors import EngineError


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns 0 when it did its work, 1 when it could not."""
    arguments = _parser().parse_args(argv)
    disable_telemetry()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a file's name need not be UTF-8
            stream.reconfigure(errors="backslashreplace")
    logging.basicConfig(format="%(message)s", stream=sys.stderr)
    logging.getLogger("ppocr_converters").setLevel("WARNING" if arguments.quiet else "INFO")
    try:
        arguments.run(arguments)
    except (ConvertError, EngineError, OSError) as error:
        said = _told(error) if isinstance(error, OSError) else error
        print(f"ppocr-convert: {said}", file=sys.stderr)
        return 1
    return 0


def _told(error: OSError) -> str:
    """What is said of a full disk, or of a folder that cannot be written."""
    # A copy that fails has two files, and it is the second one that could not be written.
    path = error.filename2 or error.filename
    what = f"{path}: {error.strerror}" if path else str(error.strerror or error)
    if error.errno != errno.ENOSPC:
        return what
    return (
        f"{what}; what was built before is as it was. Free some space, or build elsewhere (--out)"
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="ppocr-convert", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    add_model_commands(commands)
    add_build(commands)
    add_repository_commands(commands)
    for one in (parser, *commands.choices.values()):
        one.add_argument(
            "--version", action="version", version=f"%(prog)s {metadata.version('ppocr-triton')}"
        )
    return parser
