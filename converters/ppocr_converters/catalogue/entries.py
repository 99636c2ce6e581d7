"""The catalogue: models known by name, from `catalogue.yml`, and sets of them, from `sets.yml`."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any, Literal

import yaml

from ppocr_converters.errors import CatalogueError

Kind = Literal["det", "rec", "cls", "page_orientation"]
Format = Literal["paddle2", "paddle3", "onnx", "text"]
#: Four times as fast as the one in Python, where PyYAML was built with it.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
ORIGINS = frozenset({"wheel", "archive", "files", "url"})
#: Fields of a model that are as its entry has them.
AS_WRITTEN = ("kind", "family", "format", "licence", "megabytes", "space", "height", "thresholds")
HEAD = ("name", "kind", "family", "format", "MB", "reads", "dictionary", "licence", "sources")
SET_HEAD = ("set", "models", "what it is")
#: Languages named in a table before the rest is counted.
NAMED = 4


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
        if name not in names:
            raise _unknown("model", name, names, "`ppocr-convert list` shows all names")
        return names[name]

    def of_family(self, family: str | None) -> list[Model]:
        """The models of one family, or all.

        Raises:
            CatalogueError: no such family; those there are are named.
        """
        families = dict.fromkeys(model.family for model in self.models.values())
        if family is not None and family not in families:
            raise _unknown("family", family, families)
        return [m for m in self.models.values() if family in (None, m.family)]


@cache
def model_sets() -> Mapping[str, ModelSet]:
    """Every set by its name."""
    return {name: ModelSet(name, **one) for name, one in _data("sets.yml").items()}


def find_set(name: str | None) -> ModelSet:
    """A set by its name, None for the default one.

    Raises:
        CatalogueError: no such set; those there are are named.
    """
    sets = model_sets()
    if name is None:
        return next(one for one in sets.values() if one.default)
    if name not in sets:
        raise _unknown("set", name, sets)
    return sets[name]


def _unknown(what: str, name: str, known: Iterable[str], where: str = "") -> CatalogueError:
    """No such name: the nearest one as a question, whatever its case, or what there is."""
    spelled = {one.casefold(): one for one in known}
    near = difflib.get_close_matches(name.casefold(), spelled, n=1)
    hint = where or f"there are {', '.join(spelled.values())}"
    hint = f"did you mean {spelled[near[0]]!r}?" if near else hint
    return CatalogueError(f"no {what} is called {name!r}; {hint}")


def _data(name: str) -> Any:
    """What a YAML file of this package holds."""
    return LOADER(resources.files(__package__).joinpath(name).read_text("utf-8")).get_single_data()


@cache
def catalogue() -> Catalogue:
    """The catalogue that comes with the package."""
    data = _data("catalogue.yml")
    formats, licence = data["formats"], data["licence"]
    dictionaries = {
        name: _asset(name, entry, formats["text"]) for name, entry in data["dictionaries"].items()
    }
    models = {
        name: _model(name, {"licence": licence, **entry}, formats, dictionaries)
        for name, entry in data["models"].items()
    }
    kinds = {kind: _normalisation(entry) for kind, entry in data["kinds"].items()}
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
    return Asset(name, files, tuple(_source(source) for source in entry["sources"]))


def _source(entry: dict[str, Any]) -> Source:
    (origin,) = entry.keys() & ORIGINS
    rest = {key: value for key, value in entry.items() if key != origin}
    return Source(origin, entry[origin], **rest)


def table(models: Iterable[Model]) -> str:
    """One line for each model under a head, in columns; "~" marks sizes that are about."""
    return _columns([HEAD, *(_row(model) for model in models)])


def set_table(sets: Iterable[ModelSet]) -> str:
    """One line for each set under a head: its name, its first way and what it is."""
    names = {one.name: f"{one.name} (default)" if one.default else one.name for one in sets}
    rows = [(names[one.name], " ".join(one.ways[0].values()), one.about) for one in sets]
    return _columns([SET_HEAD, *rows])


def _columns(rows: Sequence[Sequence[str]]) -> str:
    """Rows in columns under the first one, sizes to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    ends = [">" if name == "MB" else "<" for name in rows[0]]
    lines = [
        "  ".join(
            f"{cell:{end}{width}}" for cell, end, width in zip(row, ends, widths, strict=True)
        )
        for row in rows
    ]
    return "\n".join(line.rstrip() for line in lines)


def _row(model: Model) -> tuple[str, ...]:
    more = len(model.languages) - NAMED
    sizes = [file.size for file in model.asset.files]
    size = "" if model.megabytes is None else f"~{model.megabytes:g}"
    if None not in sizes:
        size = f"{sum(filter(None, sizes)) / 1e6:.1f}"
    return (
        model.name,
        model.kind,
        model.family,
        model.format,
        size,
        " ".join(model.languages[:NAMED]) + (f" +{more}" if more > 0 else ""),
        "" if model.kind != "rec" else model.dictionary.name if model.dictionary else "inside",
        model.licence,
        " ".join(s.origin + ("" if s.confirmed else "?") for s in model.asset.sources),
    )
