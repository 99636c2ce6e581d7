"""Types of command line arguments."""

from __future__ import annotations

import argparse

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


def whole(word: str) -> int:
    """A whole number from 1."""
    if not word.isdecimal() or int(word) < 1:
        raise argparse.ArgumentTypeError(f"{word!r} is not a whole number from 1")
    return int(word)
