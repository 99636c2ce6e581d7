"""How far a model of each precision may be from its source: the bounds in precisions.yml."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

import yaml

from ppocr_converters.errors import ConvertError


@dataclass(frozen=True)
class Tolerance:
    """The bounds of a proof; precisions.yml says what each means."""

    max_difference: float
    mean_difference: float
    overlap: float
    other_boxes: float
    other_texts: float
    other_spaces: float
    score: float
    false_boxes: float


NAMES = tuple(field.name for field in dataclasses.fields(Tolerance))


@cache
def precisions() -> Mapping[str, Tolerance]:
    """Every precision with its bounds, the exact one first."""
    text = resources.files(__package__).joinpath("precisions.yml").read_text("utf-8")
    return {name: Tolerance(**bounds) for name, bounds in yaml.safe_load(text).items()}


def tolerance_of(precision: str, given: Iterable[str] = ()) -> Tolerance:
    """The bounds of a precision in precisions.yml, some of them replaced: NAME=VALUE.

    Raises:
        ConvertError: no such precision or bound, or a value that is not allowed.
    """
    if precision not in precisions():
        raise ConvertError(
            f"no precision is called {precision!r}; there are {', '.join(precisions())}"
        )
    return dataclasses.replace(precisions()[precision], **dict(map(_parse, given)))


def loosest(tolerances: Iterable[Tolerance]) -> Tolerance:
    """The bounds of a set: for each, that of the model which may differ most."""
    rows = [dataclasses.asdict(tolerance) for tolerance in tolerances]
    loose = {name: (min if name == "overlap" else max)(r[name] for r in rows) for name in NAMES}
    return Tolerance(**loose)


def tolerance_for(
    facts: Mapping[str, str], engine: str, bounds: Sequence[str]
) -> tuple[str, Tolerance]:
    """The precision of a compiled model as an engine runs it, and how far that may differ.

    `facts` are its metadata. An engine, see `ENGINES`, may compute in a precision of its own.
    """
    stored, own = facts.get("ppocr_precision"), engine.partition("-")[2]
    precisions = [name for name in (stored, own) if name and name != "fp32"] or ["fp32"]
    return "+".join(precisions), loosest(tolerance_of(name, bounds) for name in precisions)


def _parse(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    if name not in NAMES:
        raise ConvertError(f"tolerance {text!r}: the bounds are {', '.join(NAMES)}, as NAME=VALUE")
    largest = 1000 if name == "false_boxes" else 1
    try:
        bound = float(value)
    except ValueError:
        bound = -1.0
    if not 0 <= bound <= largest:
        raise ConvertError(f"tolerance {text!r}: {name} takes a number from 0 to {largest}")
    return name, bound
