"""One model made ready to serve: fetched, converted, compiled, proven, with its manifest."""

from __future__ import annotations

import dataclasses
import logging
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ppocr_converters.catalogue.entries import Kind, Model, Normalisation, catalogue
from ppocr_converters.catalogue.fetch import fetch
from ppocr_converters.errors import ModelError
from ppocr_converters.files import new_folder, sha256_file
from ppocr_converters.graph.dictionary import read_dictionary
from ppocr_converters.graph.model_files import find_model, own_dictionary
from ppocr_converters.paddle.inference_yml import OwnSettings, read_settings
from ppocr_converters.paddle.model_folder import find_paddle_model
from ppocr_converters.repository.manifest import (
    MANIFEST,
    Manifest,
    code_digest,
    digest_of,
    is_current,
    read_manifest,
    tool_versions,
    write_manifest,
)

logger = logging.getLogger(__name__)

COMPILED = "model.onnx"
CONVERTED = "converted.onnx"


@dataclass(frozen=True)
class Origin:
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


@dataclass(frozen=True)
class Prepared:
    """A model ready to serve: where it came from, its compiled file and its manifest."""

    origin: Origin
    path: Path
    manifest: Manifest


def find_origin(
    model: str,
    models: Path,
    *,
    kind: Kind | None = None,
    dictionary: Path | None = None,
    space: bool | None = None,
    height: int | None = None,
) -> Origin:
    """Find a model by its name in the catalogue, which fetches it, or by its path.

    Args:
        model: a name of the catalogue, a folder in Paddle's format or an ONNX file.
        models: where fetched models are kept.
        kind: what the model must be.
        dictionary: in place of the one that comes with the model.
        space: in place of the catalogue's; a model given by path has a space unless told not.
        height: in place of the catalogue's.

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
        if kind is not None and known.kind != kind:
            raise ModelError(f"{model} is a {known.kind} model, but was given as {kind}")
        path = fetch(known, models)
        own = known_settings(known, read_settings(path))
        found, own_height = dictionary or own_dictionary(path), known.height
        name, kind = known.name, known.kind
        space = known.space if space is None else space
    network = find_model(path)
    path = network if isinstance(network, Path) else path
    return Origin(name, path, kind, found, space, height or own_height, own)


def known_settings(known: Model, own: OwnSettings) -> OwnSettings:
    """What a model's own files say, and where they are silent the catalogue."""
    return dataclasses.replace(
        own,
        normalisation=own.normalisation or known.normalisation,
        thresholds=own.thresholds or known.thresholds,
    )


def prepare(origin: Origin, folder: Path, *, opset: int) -> Prepared:
    """Convert, compile and prove a model into a folder; nothing is done twice.

    Args:
        origin: what it is made from.
        folder: gets model.onnx (compiled), converted.onnx and manifest.json.
        opset: of the conversion.

    Raises:
        ModelError: it cannot be converted or compiled.
        ProofError: the result does not answer as its source does.
    """
    inputs = _inputs(origin, opset)
    manifest = read_manifest(folder / MANIFEST)
    if manifest is not None and is_current(manifest, inputs, folder):
        logger.info("%s is up to date", origin.name)
        return Prepared(origin, folder / COMPILED, manifest)
    with new_folder(folder) as fresh:
        manifest = {"name": origin.name, "inputs": inputs, **_make(origin, fresh, opset)}
        write_manifest(fresh / MANIFEST, manifest)
    return Prepared(origin, folder / COMPILED, manifest)


def _inputs(origin: Origin, opset: int) -> dict[str, Any]:
    return {
        "files": {path.name: sha256_file(path) for path in origin.files},
        "kind": origin.kind,
        "space": origin.space,
        "height": origin.height,
        "opset": opset,
        "tools": tool_versions(),
        "code": code_digest(),
        "own": dataclasses.asdict(origin.own),
        "normalisation": {k: dataclasses.asdict(n) for k, n in origin.normalisations.items()},
    }


def _make(origin: Origin, folder: Path, opset: int) -> Manifest:
    """Convert, compile and prove into an empty folder; returns what was found out."""
    import onnx

    from ppocr_converters.graph.compile import compile_model
    from ppocr_converters.graph.onnx_model import describe, load_onnx
    from ppocr_converters.paddle.convert import convert
    from ppocr_converters.proof.tensors import prove_file

    if origin.path.is_dir():
        logger.info("converting %s", origin.name)
        convert(origin.path, folder / CONVERTED, opset=opset)
    else:
        shutil.copyfile(origin.path, folder / CONVERTED)
    logger.info("compiling %s", origin.name)
    network = load_onnx(folder / CONVERTED)
    compiled = compile_model(
        network,
        origin.normalisations,
        name=origin.name,
        kind=origin.kind,
        characters=origin.characters,
        space=origin.space,
        height=origin.height,
        source_sha256=digest_of({path.name: sha256_file(path) for path in origin.files}),
    )
    for threshold, value in origin.own.thresholds.items():
        compiled.metadata_props.add(key=f"ppocr_{threshold}", value=str(value))
    onnx.save(compiled, folder / COMPILED)
    logger.info("proving %s", origin.name)
    proof = prove_file(folder / COMPILED, origin.path)
    return {
        "converted": describe(network),
        "compiled": describe(compiled),
        "proof": dataclasses.asdict(proof),
        "files": {name: sha256_file(folder / name) for name in (CONVERTED, COMPILED)},
    }
