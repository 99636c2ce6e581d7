"""Any model that a user may have: a folder in one of Paddle's formats, or ready-made ONNX."""

from __future__ import annotations

from pathlib import Path

from ppocr_converters.catalogue.entries import Kind
from ppocr_converters.catalogue.fetch import DICTIONARY
from ppocr_converters.errors import ModelError
from ppocr_converters.graph.kinds import detect_kind, kind_of
from ppocr_converters.graph.onnx_model import load_onnx
from ppocr_converters.paddle.model_folder import PaddleModel, find_paddle_model
from ppocr_converters.paddle.program import read_program


def find_model(path: Path) -> PaddleModel | Path:
    """Find what there is to serve: the Paddle model or one ONNX file of a folder, or an ONNX file.

    Raises:
        ModelError: there is neither, or more than one.
    """
    if not path.is_dir():
        return path
    networks = sorted(file for file in path.glob("*.onnx") if file.is_file())
    try:
        return find_paddle_model(path)
    except ModelError:
        if not networks:
            raise
    if len(networks) > 1:
        names = ", ".join(network.name for network in networks)
        raise ModelError(f"{path} holds several models ({names}); name one of the files")
    return networks[0]


def kind_at(path: Path) -> Kind:
    """The kind of the model at a path, by its inputs and outputs.

    Raises:
        ModelError: it cannot be read, or is of none of the kinds.
    """
    found = find_model(path)
    try:
        if isinstance(found, Path):
            return kind_of(load_onnx(found))
        program = read_program(found.program)
        return detect_kind(program.inputs, program.outputs)[0]
    except ModelError as error:
        named = str(path) in str(error)
        raise error if named else ModelError(f"{path}: {error}") from error


def own_dictionary(path: Path) -> Path | None:
    """The dictionary file beside a model."""
    beside = (path if path.is_dir() else path.parent) / DICTIONARY
    return beside if beside.is_file() else None
