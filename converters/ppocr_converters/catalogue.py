"""The catalogue: every model known by name, read from `catalogue.yml`."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import yaml

from ppocr_converters.errors import CatalogueError

Kind = Literal["det", "rec", "cls"]
ORIGINS = ("wheel", "archive", "url")


@dataclass(frozen=True)
class FileSpec:
    """A file as it was recorded: its name, size in bytes and SHA-256."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Source:
    """A place that holds the files of an entry.

    Attributes:
        origin: "wheel", "archive" or "url".
        address: a pip requirement, or an http(s) address.
        folder: where the files lie inside the wheel or archive.
    """

    origin: str
    address: str
    folder: str


@dataclass(frozen=True)
class Asset:
    """Files that belong together, and where to get them."""

    name: str
    files: tuple[FileSpec, ...]
    sources: tuple[Source, ...]

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(file.size for file in self.files)


@dataclass(frozen=True)
class Normalisation:
    """value = (pixel / 255 - mean) / std, per channel in the order the channels come."""

    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True)
class Model:
    """A model of the catalogue.

    Attributes:
        asset: its files.
        kind: det, rec or cls.
        aliases: other names of it.
        languages: that it reads.
        licence: of its weights.
        dictionary: of a recogniser.
        space: whether a recogniser has a space as its last class.
        height: of the input of a recogniser or classifier, pixels, where its graph is silent.
    """

    asset: Asset
    kind: Kind
    aliases: tuple[str, ...]
    languages: tuple[str, ...]
    licence: str
    dictionary: Asset | None
    space: bool
    height: int | None

    @property
    def name(self) -> str:
        """The name under which the model is fetched, stored and served."""
        return self.asset.name


@dataclass(frozen=True)
class Catalogue:
    """All models by name, and how each kind of model is fed."""

    models: Mapping[str, Model]
    kinds: Mapping[Kind, Normalisation]

    def find(self, name: str) -> Model:
        """Look a model up by its name or an alias.

        Raises:
            CatalogueError: no such model; the nearest name is given.
        """
        names = {alias: m for m in self.models.values() for alias in (m.name, *m.aliases)}
        if name in names:
            return names[name]
        near = difflib.get_close_matches(name, names, n=1)
        hint = f"did you mean {near[0]!r}?" if near else "`ppocr-convert list` shows all names"
        raise CatalogueError(f"no model is called {name!r}; {hint}")


@lru_cache(maxsize=1)
def catalogue() -> Catalogue:
    """The catalogue that comes with the package."""
    text = resources.files("ppocr_converters").joinpath("catalogue.yml").read_text("utf-8")
    return parse_catalogue(text)


def load_catalogue(path: Path) -> Catalogue:
    """A catalogue of the user's own, in the same form."""
    return parse_catalogue(path.read_text("utf-8"))


def parse_catalogue(text: str) -> Catalogue:
    """Read a catalogue.

    Raises:
        CatalogueError: an entry lacks something or names what does not exist.
    """
    try:
        data = yaml.safe_load(text)
        dictionaries = {n: _asset(n, entry) for n, entry in data["dictionaries"].items()}
        models = {n: _model(n, entry, dictionaries) for n, entry in data["models"].items()}
        kinds = {
            kind: Normalisation(tuple(entry["mean"]), tuple(entry["std"]))
            for kind, entry in data["kinds"].items()
        }
    except (yaml.YAMLError, AttributeError, KeyError, TypeError) as error:
        raise CatalogueError(f"the catalogue is malformed: {error!r}") from error
    return Catalogue(models, kinds)


def _model(name: str, entry: dict[str, Any], dictionaries: dict[str, Asset]) -> Model:
    dictionary = entry.get("dictionary")
    return Model(
        asset=_asset(name, entry),
        kind=entry["kind"],
        aliases=tuple(entry.get("aliases", ())),
        languages=tuple(entry["languages"]),
        licence=entry["licence"],
        dictionary=None if dictionary is None else dictionaries[dictionary],
        space=entry.get("space", False),
        height=entry.get("height"),
    )


def _asset(name: str, entry: dict[str, Any]) -> Asset:
    files = tuple(FileSpec(n, f["size"], f["sha256"]) for n, f in entry["files"].items())
    return Asset(name, files, tuple(_source(name, source) for source in entry["sources"]))


def _source(name: str, entry: dict[str, str]) -> Source:
    origins = [origin for origin in ORIGINS if origin in entry]
    if len(origins) != 1:
        raise CatalogueError(f"a source of {name} must have one of {', '.join(ORIGINS)}: {entry}")
    return Source(origins[0], entry[origins[0]], entry.get("folder", ""))
