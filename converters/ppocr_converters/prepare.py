"""One model made ready to serve: fetched, converted, compiled, proven, with its manifest."""

from __future__ import annotations

import dataclasses
import logging
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ppocr_converters.catalogue import Kind, catalogue
from ppocr_converters.dictionary import read_dictionary
from ppocr_converters.errors import ModelError
from ppocr_converters.fetch import DICTIONARY, fetch
from ppocr_converters.files import new_folder, sha256_file
from ppocr_converters.manifest import (
    MANIFEST,
    Manifest,
    code_digest,
    digest_of,
    is_current,
    read_manifest,
    tool_versions,
    write_manifest,
)
from ppocr_converters.paddle_model import find_paddle_model

logger = logging.getLogger(__name__)

#: The files of this package that decide what a compiled model is and whether it is proven.
CODE = (
    "affine.py",
    "compile.py",
    "convert.py",
    "dictionary.py",
    "graph.py",
    "networks.py",
    "onnx_model.py",
    "prepare.py",
    "proof.py",
)
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
    """

    name: str
    path: Path
    kind: Kind | None
    dictionary: Path | None
    space: bool
    height: int | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        """Every file the result depends on."""
        if self.path.is_dir():
            source = find_paddle_model(self.path)
            own: tuple[Path, ...] = (source.program, source.weights)
        else:
            own = (self.path,)
        return own if self.dictionary is None else (*own, self.dictionary)

    @property
    def characters(self) -> Sequence[str]:
        """The characters in the dictionary, none without one."""
        return () if self.dictionary is None else read_dictionary(self.dictionary)


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
        beside = path / DICTIONARY
        found = beside if path.is_dir() and beside.is_file() else None
        name = path.resolve().name if path.is_dir() else path.stem
        return Origin(name, path, kind, dictionary or found, space is not False, height)
    known = catalogue().find(model)
    if kind is not None and known.kind != kind:
        raise ModelError(f"{model} is a {known.kind} model, but was given as {kind}")
    path = fetch(known, models)
    return Origin(
        known.name,
        path,
        known.kind,
        dictionary or (path / DICTIONARY if known.dictionary is not None else None),
        known.space if space is None else space,
        known.height if height is None else height,
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
        "code": code_digest(CODE),
        "normalisation": {k: dataclasses.asdict(n) for k, n in catalogue().kinds.items()},
    }


def _make(origin: Origin, folder: Path, opset: int) -> Manifest:
    """Convert, compile and prove into an empty folder; returns what was found out."""
    import onnx

    from ppocr_converters.compile import compile_model
    from ppocr_converters.convert import convert
    from ppocr_converters.onnx_model import describe, load_onnx
    from ppocr_converters.proof import prove_file

    if origin.path.is_dir():
        logger.info("converting %s", origin.name)
        convert(origin.path, folder / CONVERTED, opset=opset)
    else:
        shutil.copyfile(origin.path, folder / CONVERTED)
    logger.info("compiling %s", origin.name)
    network = load_onnx(folder / CONVERTED)
    compiled = compile_model(
        network,
        catalogue().kinds,
        name=origin.name,
        kind=origin.kind,
        characters=origin.characters,
        space=origin.space,
        height=origin.height,
        source_sha256=digest_of({path.name: sha256_file(path) for path in origin.files}),
    )
    onnx.save(compiled, folder / COMPILED)
    logger.info("proving %s", origin.name)
    proof = prove_file(folder / COMPILED, origin.path)
    return {
        "converted": describe(network),
        "compiled": describe(compiled),
        "proof": dataclasses.asdict(proof),
        "files": {name: sha256_file(folder / name) for name in (CONVERTED, COMPILED)},
    }
