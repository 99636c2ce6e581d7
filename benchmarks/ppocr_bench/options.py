"""Options of the verbs: a table of them becomes arguments, whose help ends with the default."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

T = TypeVar("T")

#: By flag (or the name of a positional): type, default, help, and what the value is called in it.
#: The type may also be `bool` for a switch, or a list with the type of one of several values.
Options = Mapping[str, tuple[Any, ...]]
#: The default of an option that must be given.
REQUIRED = object()


def add_options(parser: argparse._ActionsContainer, options: Options) -> None:
    """Add a table of options to a parser."""
    for flag, (kind, default, said, *metavar) in options.items():
        named: dict[str, Any] = {"type": kind, "default": default, "help": said}
        if kind is bool:
            named = {"action": "store_true", "help": said}
        elif isinstance(kind, list):
            named |= {"action": "extend", "nargs": "+", "type": kind[0]}
        if default is REQUIRED:
            named |= {"default": None} | ({"required": True} if flag.startswith("-") else {})
        elif kind is not bool and default not in (None, []):
            shown = ",".join(map(str, default)) if isinstance(default, list) else default
            named["help"] += f" (default: {shown})"
        parser.add_argument(flag, **named, **({"metavar": metavar[0]} if metavar else {}))


def one_of(names: Sequence[str]) -> Callable[[str], str]:
    """A type for one of several names."""

    def parse(text: str) -> str:
        if text not in names:
            raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join(names)}")
        return text

    return parse


def list_of(parse: Callable[[str], T]) -> Callable[[str], list[T]]:
    """A type for several values with commas between them."""
    return lambda text: [parse(part) for part in text.split(",")]
