"""Sets of models that are built together, read from `sets.yml`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any

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
    """

    name: str
    about: str
    ways: tuple[Mapping[Kind, str], ...]


def model_sets() -> Mapping[str, ModelSet]:
    """Every set by its name."""
    sets = _table()["sets"]
    return {name: ModelSet(name, s["about"], tuple(s["ways"])) for name, s in sets.items()}


def default_set() -> str:
    """The name of the set that is built where none is named."""
    name: str = _table()["default"]
    return name


def find_set(name: str | None) -> ModelSet:
    """A set by its name, None for the default one.

    Raises:
        CatalogueError: no such set; those there are are named.
    """
    sets, name = model_sets(), default_set() if name is None else name
    if name in sets:
        return sets[name]
    hint = suggestion(name, sets) or f"there are {', '.join(sets)}"
    raise CatalogueError(f"no set is called {name!r}; {hint}")


@lru_cache(maxsize=1)
def _table() -> dict[str, Any]:
    text = resources.files(__package__).joinpath("sets.yml").read_text("utf-8")
    table: dict[str, Any] = yaml.safe_load(text)
    return table
