"""Types of command line arguments, and their help."""

from __future__ import annotations

import argparse
from collections.abc import Callable

NO_DEFAULT: tuple[object, ...] = (None, False, [], argparse.SUPPRESS)
SWITCH = {"true": True, "false": False}


class HelpFormatter(argparse.HelpFormatter):
    """Adds the default of an option to its help, if it has one that the help does not name."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        text = action.help or ""
        if not action.option_strings or "default" in text or action.default in NO_DEFAULT:
            return text
        return f"{text} (default: %(default)s)"


def switch(word: str) -> bool:
    """The value of "true" or "false"."""
    if word not in SWITCH:
        raise argparse.ArgumentTypeError(f"{word!r} is neither true nor false")
    return SWITCH[word]


def above_zero(word: str) -> float:
    """A number above 0."""
    try:
        number = float(word)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{word!r} is not a number above 0")
    return number


def at_least(low: int) -> Callable[[str], int]:
    """A type for whole numbers from `low` on."""

    def parse(word: str) -> int:
        if not word.strip().isdecimal() or int(word) < low:
            raise argparse.ArgumentTypeError(f"{word!r} is not a whole number from {low} on")
        return int(word)

    return parse


whole = at_least(1)
