"""Any model that a user may have: a folder in one of Paddle's formats, or ready-made ONNX."""

from __future__ import annotations

from pathlib import Path

from ppocr_converters.catalogue.fetch import DICTIONARY
from ppocr_converters.errors import ModelError
from ppocr_converters.paddle.model_folder import PaddleModel, find_paddle_model


def find_model(path: Path) -> PaddleModel | Path:
    """Find what there is to serve: the Paddle model of a folder, or an ONNX file.

    Args:
        path: an ONNX file, or a folder with a Paddle model or with one ONNX file.

    Raises:
        ModelError: there is neither, or more than one.
    """
    if not path.is_dir():
        return path
    networks = sorted(path.glob("*.onnx"))
    try:
        return find_paddle_model(path)
    except ModelError:
        if not networks:
            raise
    if len(networks) > 1:
        names = ", ".join(network.name for network in networks)
        raise ModelError(f"{path} holds several models ({names}); name one of the files")
    return networks[0]


def own_dictionary(path: Path) -> Path | None:
    """The dictionary file beside a model."""
    beside = (path if path.is_dir() else path.parent) / DICTIONARY
    return beside if beside.is_file() else None
