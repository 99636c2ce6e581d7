"""A model: what it is made from, found or fetched; made ready to serve, proven, with a manifest."""

from __future__ import annotations

import dataclasses
import logging
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import onnx

from ppocr_converters.catalogue.entries import Kind, Model, Normalisation, catalogue
from ppocr_converters.catalogue.fetch import REMEDY, Supply, fetch, is_fetched
from ppocr_converters.errors import CatalogueError, FetchError, ModelError
from ppocr_converters.files import sha256_file
from ppocr_converters.graph.compile import compile_model
from ppocr_converters.graph.dictionary import own_dictionary, read_dictionary
from ppocr_converters.graph.kinds import expect_kind, find_model, kind_at
from ppocr_converters.graph.onnx_model import OnnxFile, describe, load_onnx
from ppocr_converters.paddle.convert import convert
from ppocr_converters.paddle.inference_yml import OwnSettings, read_settings
from ppocr_converters.paddle.model_folder import find_paddle_model
from ppocr_converters.proof.tensors import compare_file
from ppocr_converters.repository.manifest import Manifest, make_once

logger = logging.getLogger(__name__)

COMPILED, CONVERTED = "model.onnx", "converted.onnx"


@dataclass(frozen=True)
class ModelChoice:
    """Which model a user wants, and what they say of it.

    Attributes:
        model: a name of the catalogue, a folder in Paddle's format or an ONNX file.
        dictionary: of a recogniser, in place of the one that comes with the model.
        space: whether a recogniser has a space as its last class, in place of the catalogue's; a
            model given by path has one unless told not.
        height: of a recogniser's input, pixels, in place of the catalogue's.
    """

    model: str
    dictionary: Path | None = None
    space: bool | None = None
    height: int | None = None


@dataclass(frozen=True)
class ModelSource:
    """What a model is made from.

    Attributes:
        path: a folder in Paddle's format, or an ONNX file.
        kind: what it must be, or None to read it from the graph.
        height: of the input of a recogniser or classifier, pixels, where the graph is silent.
        own: what the model's own files, or else the catalogue, say of it.
    """

    name: str
    path: Path
    kind: Kind | None = None
    dictionary: Path | None = None
    space: bool = True
    height: int | None = None
    own: OwnSettings = field(default_factory=OwnSettings)

    @property
    def files(self) -> tuple[Path, ...]:
        """Every file the result depends on."""
        own = find_paddle_model(self.path).files if self.path.is_dir() else (self.path,)
        return own if self.dictionary is None else (*own, self.dictionary)

    @property
    def characters(self) -> Sequence[str]:
        """The characters in the dictionary, or else in the model's settings; none without both."""
        return self.own.characters if self.dictionary is None else read_dictionary(self.dictionary)

    @property
    def normalisations(self) -> dict[Kind, Normalisation]:
        """How each kind of model is fed, this one as its own files say."""
        kinds = catalogue().kinds
        return {kind: self.own.normalisation or norm for kind, norm in kinds.items()}


@dataclass(frozen=True)
class CompiledModel:
    """A model ready to serve: where it came from, its compiled file and its manifest."""

    source: ModelSource
    file: OnnxFile
    manifest: Manifest

    @property
    def folder(self) -> Path:
        """The folder of the compiled file and its manifest."""
        return self.file.path.parent


def find_sources(
    ways: Sequence[Mapping[Kind, ModelChoice]], models: Path, supply: Supply | None = None
) -> dict[Kind, ModelSource]:
    """The models of the first way that can be had whole; one that is fetched already comes first.

    Raises:
        FetchError: no way leads to them; what each lacks is named.
    """
    failed: list[str] = []
    for way in sorted(ways, key=lambda way: not _is_here(way, models)):
        if failed:
            names = ", ".join(choice.model for choice in way.values())
            logger.warning("the set cannot be had in its first form here; taking %s", names)
        try:
            return {
                kind: find_model_source(choice, models, kind=kind, supply=supply)
                for kind, choice in way.items()
            }
        except FetchError as error:
            failed.append(error.problem)
    raise FetchError("; ".join(failed), REMEDY)


def _is_here(way: Mapping[Kind, ModelChoice], models: Path) -> bool:
    """Whether nothing of a way has to be fetched."""
    return all(
        Path(choice.model).exists() or is_fetched(_known(choice.model), models)
        for choice in way.values()
    )


def find_model_source(
    choice: ModelChoice, models: Path, *, kind: Kind | None = None, supply: Supply | None = None
) -> ModelSource:
    """Find a model by its name in the catalogue, which fetches it into `models`, or by its path.

    Raises:
        CatalogueError: neither a path nor a known name.
        FetchError: it cannot be fetched.
    """
    path, known = Path(choice.model), None
    if not path.exists():
        known = _known(choice.model)
        path = fetch(known, models, supply)
    own = read_settings(path if path.is_dir() else path.parent)
    name, space, height = path.resolve().name if path.is_dir() else path.stem, True, own.height
    if alike := known or catalogue().models.get(own.name):
        own = known_settings(alike, own)
    if known is not None:
        name, kind, space, height = known.name, known.kind, known.space, known.height
    network = find_model(path)
    return ModelSource(
        name,
        network if isinstance(network, Path) else path,
        kind,
        choice.dictionary or own_dictionary(path),
        space if choice.space is None else choice.space,
        choice.height or height,
        own,
    )


def check_choice(choice: ModelChoice, kind: Kind) -> None:
    """Refuse, before anything is fetched, a model or dictionary that cannot serve as this kind."""
    if choice.dictionary is not None:
        read_dictionary(choice.dictionary)
    path = Path(choice.model)
    if path.exists():
        expect_kind(kind_at(path), kind, str(path))
    elif (known := _known(choice.model)).kind != kind:
        raise ModelError(f"{choice.model} is a {known.kind} model, but was given as {kind}")


def _known(name: str) -> Model:
    """A model of the catalogue that is asked for where there is no such path."""
    try:
        return catalogue().find(name)
    except CatalogueError as error:
        raise CatalogueError(f"there is no file or folder {name!r}, and {error}") from error


def known_settings(known: Model, own: OwnSettings) -> OwnSettings:
    """What a model's own files say, and where they are silent the catalogue."""
    normalisation = own.normalisation or known.normalisation
    thresholds = {**known.thresholds, **own.thresholds}
    return dataclasses.replace(own, normalisation=normalisation, thresholds=thresholds)


def build_model(source: ModelSource, folder: Path) -> CompiledModel:
    """Convert, compile and prove a model; nothing is done twice.

    The folder gets model.onnx (compiled), converted.onnx and manifest.json.

    Raises:
        ModelError: it cannot be converted or compiled.
        ProofError: the result does not answer as its source does.
    """
    inputs = {
        "files": {path.name: sha256_file(path) for path in source.files},
        "kind": source.kind,
        "space": source.space,
        "height": source.height,
        "own": dataclasses.asdict(source.own),
        "normalisation": {k: dataclasses.asdict(n) for k, n in source.normalisations.items()},
    }
    manifest, _ = make_once(source.name, folder, inputs, partial(_make, source))
    return CompiledModel(source, OnnxFile(folder / COMPILED), manifest)


def _make(source: ModelSource, folder: Path) -> Manifest:
    """Convert, compile and prove into an empty folder; returns what was found out."""
    if source.path.is_dir():
        logger.info("converting %s", source.name)
        convert(source.path, folder / CONVERTED)
    else:
        shutil.copyfile(source.path, folder / CONVERTED)
    logger.info("compiling %s", source.name)
    network = load_onnx(folder / CONVERTED)
    compiled = compile_model(network, source)
    onnx.save(compiled, folder / COMPILED)
    logger.info("proving %s", source.name)
    file = OnnxFile(folder / COMPILED, compiled)
    proof = compare_file(file, source.path).require(file)
    return {
        "name": source.name,
        "converted": describe(network),
        "compiled": describe(compiled),
        "proof": dataclasses.asdict(proof),
        "files": {name: sha256_file(folder / name) for name in (CONVERTED, COMPILED)},
    }
