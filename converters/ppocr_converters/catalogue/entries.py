"""The catalogue: every model known by name, read from `catalogue.yml`."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import resources
from typing import Any, Literal

import yaml

from ppocr_converters.errors import CatalogueError

Kind = Literal["det", "rec", "cls", "page_orientation"]
Format = Literal["paddle2", "paddle3", "onnx", "text"]
#: Four times as fast as the one in Python, where PyYAML was built with it.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
ORIGINS = ("wheel", "archive", "files", "url")
#: Fields of a model that are as its entry has them.
AS_WRITTEN = ("kind", "family", "format", "licence", "megabytes", "space", "height", "thresholds")


@dataclass(frozen=True)
class FileSpec:
    """A file by its name; its size in bytes and SHA-256 where somebody published them."""

    name: str
    size: int | None = None
    sha256: str | None = None


@dataclass(frozen=True)
class Source:
    """A place that holds the files of an entry.

    Attributes:
        origin: "wheel", "archive", "files" or "url".
        address: a pip requirement, or an http(s) address: of an archive, of the folder that holds
            each file on its own, or of the one file itself.
        folder: where the files lie inside a wheel or archive; None: wherever they lie.
        file: what the entry's only file is called inside a wheel or archive, where not the same.
        confirmed: whether the address was read in its publisher's own pages or sources.
        sha256: digests that this source publishes for its files.
    """

    origin: str
    address: str
    folder: str | None = None
    file: str | None = None
    confirmed: bool = True
    sha256: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Asset:
    """Files that belong together, and where to get them."""

    name: str
    files: tuple[FileSpec, ...]
    sources: tuple[Source, ...]

    @property
    def size(self) -> int | None:
        """Bytes of all files together, where all are known."""
        sizes = [file.size for file in self.files]
        return None if None in sizes else sum(size for size in sizes if size is not None)


@dataclass(frozen=True)
class Normalisation:
    """value = (pixel / 255 - mean) / std, per channel in the order the channels come."""

    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True)
class Model:
    """A model of the catalogue.

    Attributes:
        family: the generation of PP-OCR it belongs to.
        languages: that it reads, by PaddleOCR's codes.
        aliases: other names of it.
        megabytes: of its files, about, where their sizes are not recorded.
        dictionary: of a recogniser that has none inside.
        space: whether a recogniser has a space as its last class.
        height: of the input of a recogniser or classifier, pixels.
        normalisation: where it is not that of its kind and its files do not say so.
        thresholds: of a detector, and how its boxes grow, in place of PaddleOCR's; what its own
            files say goes before.
    """

    asset: Asset
    kind: Kind
    family: str
    format: Format
    languages: tuple[str, ...]
    licence: str
    aliases: tuple[str, ...] = ()
    megabytes: float | None = None
    dictionary: Asset | None = None
    space: bool = True
    height: int | None = None
    normalisation: Normalisation | None = None
    thresholds: Mapping[str, float | str] = field(default_factory=dict)

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
        hint = suggestion(name, names) or "`ppocr-convert list` shows all names"
        raise CatalogueError(f"no model is called {name!r}; {hint}")

    def of_family(self, family: str | None) -> list[Model]:
        """The models of one family, or all.

        Raises:
            CatalogueError: no such family; those there are are named.
        """
        families = dict.fromkeys(model.family for model in self.models.values())
        if family is not None and family not in families:
            hint = suggestion(family, families) or f"there are {', '.join(families)}"
            raise CatalogueError(f"no family is called {family!r}; {hint}")
        return [m for m in self.models.values() if family in (None, m.family)]


def suggestion(name: str, known: Iterable[str]) -> str:
    """The nearest known name as a question, whatever its case; "" where none is near."""
    spelled = {one.casefold(): one for one in known}
    near = difflib.get_close_matches(name.casefold(), spelled, n=1)
    return f"did you mean {spelled[near[0]]!r}?" if near else ""


@lru_cache(maxsize=1)
def catalogue() -> Catalogue:
    """The catalogue that comes with the package."""
    text = resources.files(__package__).joinpath("catalogue.yml").read_text("utf-8")
    return parse_catalogue(text)


def parse_catalogue(text: str) -> Catalogue:
    """Read a catalogue.

    Raises:
        CatalogueError: an entry lacks something or names what does not exist.
    """
    try:
        data = LOADER(text).get_single_data()
        formats, licence = data["formats"], data["licence"]
        dictionaries = {
            name: _asset(name, entry, formats["text"])
            for name, entry in data["dictionaries"].items()
        }
        models = {
            name: _model(name, {"licence": licence, **entry}, formats, dictionaries)
            for name, entry in data["models"].items()
        }
        kinds = {kind: _normalisation(entry) for kind, entry in data["kinds"].items()}
    except (yaml.YAMLError, AttributeError, KeyError, TypeError) as error:
        raise CatalogueError(f"the catalogue is malformed: {error!r}") from error
    return Catalogue(models, kinds)


def _model(
    name: str,
    entry: dict[str, Any],
    formats: Mapping[str, list[str]],
    dictionaries: Mapping[str, Asset],
) -> Model:
    dictionary, norm = entry.get("dictionary"), entry.get("normalisation")
    return Model(
        asset=_asset(name, entry, formats[entry["format"]]),
        languages=tuple(entry["languages"]),
        aliases=tuple(entry.get("aliases", ())),
        dictionary=None if dictionary is None else dictionaries[dictionary],
        normalisation=None if norm is None else _normalisation(norm),
        **{field: entry[field] for field in AS_WRITTEN if field in entry},
    )


def _normalisation(entry: dict[str, list[float]]) -> Normalisation:
    return Normalisation(tuple(entry["mean"]), tuple(entry["std"]))


def _asset(name: str, entry: dict[str, Any], names: list[str]) -> Asset:
    """The files of an entry: those it lists, else those that its format has."""
    listed: dict[str, dict[str, Any] | None] = entry.get("files") or dict.fromkeys(names)
    files = tuple(FileSpec(n, **(recorded or {})) for n, recorded in listed.items())
    return Asset(name, files, tuple(_source(name, source) for source in entry["sources"]))


def _source(name: str, entry: dict[str, Any]) -> Source:
    origins = [origin for origin in ORIGINS if origin in entry]
    if len(origins) != 1:
        raise CatalogueError(f"a source of {name} must have one of {', '.join(ORIGINS)}: {entry}")
    rest = {key: value for key, value in entry.items() if key != origins[0]}
    return Source(origins[0], entry[origins[0]], **rest)
