"""Values of options that argparse has no type for."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def at_least(low: int) -> Callable[[str], int]:
    """A type for whole numbers from `low` on."""

    def parse(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = low - 1
        if number < low:
            raise argparse.ArgumentTypeError(f"{text!r} is no whole number from {low} on")
        return number

    return parse


def positive(text: str) -> float:
    """A type for numbers above 0."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
    return number


def list_of(parse: Callable[[str], T]) -> Callable[[str], list[T]]:
    """A type for several values with commas between them."""
    return lambda text: [parse(part) for part in text.split(",")]
