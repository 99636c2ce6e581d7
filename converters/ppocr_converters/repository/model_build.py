"""One model made ready to serve: converted, compiled and proven, with its manifest."""

from __future__ import annotations

import dataclasses
import logging
import shutil
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import onnx

from ppocr_converters.files import sha256_file
from ppocr_converters.graph.onnx_model import OnnxFile, describe, load_onnx
from ppocr_converters.proof.tensors import compare_file
from ppocr_converters.repository.manifest import Manifest, make_once
from ppocr_converters.repository.model_source import ModelSource

logger = logging.getLogger(__name__)

COMPILED = "model.onnx"
CONVERTED = "converted.onnx"


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
    make = partial(_make, source)
    manifest, _ = make_once(source.name, folder, inputs, make)
    return CompiledModel(source, OnnxFile(folder / COMPILED), manifest)


def _make(source: ModelSource, folder: Path) -> Manifest:
    """Convert, compile and prove into an empty folder; returns what was found out."""
    from ppocr_converters.graph.compile import compile_model
    from ppocr_converters.paddle.convert import convert

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
