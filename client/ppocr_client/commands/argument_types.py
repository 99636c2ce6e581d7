"""Types of command line arguments."""

from __future__ import annotations

import argparse
from collections.abc import Callable

SWITCH = {"true": True, "false": False}


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
