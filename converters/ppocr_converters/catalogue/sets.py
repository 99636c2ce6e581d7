"""Sets of models that are built together, read from `sets.yml`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

import yaml

from ppocr_converters.catalogue.entries import Kind, suggestion
from ppocr_converters.errors import CatalogueError


@dataclass(frozen=True)
class ModelSet:
    """A detector, a recogniser and a line classifier that belong together.

    Attributes:
        name: of the set.
        about: what it is, a sentence.
        ways: to get it, the best first: the name of each model in the catalogue by its kind.
        default: whether it is built where none is named.
    """

    name: str
    about: str
    ways: Sequence[Mapping[Kind, str]]
    default: bool = False


@cache
def model_sets() -> Mapping[str, ModelSet]:
    """Every set by its name."""
    text = resources.files(__package__).joinpath("sets.yml").read_text("utf-8")
    return {name: ModelSet(name, **one) for name, one in yaml.safe_load(text).items()}


def find_set(name: str | None) -> ModelSet:
    """A set by its name, None for the default one.

    Raises:
        CatalogueError: no such set; those there are are named.
    """
    sets = model_sets()
    if name is None:
        return next(one for one in sets.values() if one.default)
    if name in sets:
        return sets[name]
    hint = suggestion(name, sets) or f"there are {', '.join(sets)}"
    raise CatalogueError(f"no set is called {name!r}; {hint}")
