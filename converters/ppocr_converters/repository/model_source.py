"""What a model is made from: a model of the catalogue, a folder or an ONNX file."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ppocr_converters.catalogue.entries import Kind, Model, Normalisation, catalogue
from ppocr_converters.catalogue.fetch import Supply, fetch
from ppocr_converters.errors import ModelError
from ppocr_converters.graph.dictionary import read_dictionary
from ppocr_converters.graph.model_files import find_model, own_dictionary
from ppocr_converters.paddle.inference_yml import OwnSettings, read_settings
from ppocr_converters.paddle.model_folder import find_paddle_model


@dataclass(frozen=True)
class ModelSource:
    """What a model is made from.

    Attributes:
        name: under which it is built.
        path: a folder in Paddle's format, or an ONNX file.
        kind: what it must be, or None to read it from the graph.
        dictionary: the characters of a recogniser, if any.
        space: whether a recogniser has a space as its last class.
        height: of the input of a recogniser or classifier, pixels, where the graph is silent.
        own: what the model's own files, or else the catalogue, say of it.
    """

    name: str
    path: Path
    kind: Kind | None
    dictionary: Path | None
    space: bool
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


def find_model_source(
    model: str,
    models: Path,
    *,
    kind: Kind | None = None,
    dictionary: Path | None = None,
    space: bool | None = None,
    height: int | None = None,
    supply: Supply | None = None,
) -> ModelSource:
    """Find a model by its name in the catalogue, which fetches it, or by its path.

    Args:
        model: a name of the catalogue, a folder in Paddle's format or an ONNX file.
        models: where fetched models are kept.
        kind: what the model must be.
        dictionary: in place of the one that comes with the model.
        space: in place of the catalogue's; a model given by path has a space unless told not.
        height: in place of the catalogue's.
        supply: where a model of the catalogue is fetched from.

    Raises:
        CatalogueError: neither a path nor a known name.
        FetchError: it cannot be fetched.
    """
    path = Path(model)
    if path.exists():
        own = read_settings(path if path.is_dir() else path.parent)
        found, own_height = dictionary or own_dictionary(path), own.height
        name = path.resolve().name if path.is_dir() else path.stem
        space = space is not False
    else:
        known = catalogue().find(model)
        if kind is not None:
            check_known(model, kind)
        path = fetch(known, models, supply)
        own = known_settings(known, read_settings(path))
        found, own_height = dictionary or own_dictionary(path), known.height
        name, kind = known.name, known.kind
        space = known.space if space is None else space
    network = find_model(path)
    path = network if isinstance(network, Path) else path
    return ModelSource(name, path, kind, found, space, height or own_height, own)


def check_known(model: str, kind: Kind) -> None:
    """Refuse, before anything is fetched, a model that is not there or of another kind.

    Raises:
        CatalogueError: neither a path nor a known name.
        ModelError: the catalogue says that it is of another kind.
    """
    if Path(model).exists():
        return
    known = catalogue().find(model)
    if known.kind != kind:
        raise ModelError(f"{model} is a {known.kind} model, but was given as {kind}")


def known_settings(known: Model, own: OwnSettings) -> OwnSettings:
    """What a model's own files say, and where they are silent the catalogue."""
    return dataclasses.replace(
        own,
        normalisation=own.normalisation or known.normalisation,
        thresholds=own.thresholds or known.thresholds,
    )
