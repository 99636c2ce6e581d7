"""Which kind of network something is, told by its inputs and outputs, and what it is if of none."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from onnx import ModelProto

from ppocr_converters.catalogue.entries import Kind
from ppocr_converters.errors import ModelError
from ppocr_converters.graph.onnx_model import (
    Dimension,
    Tensor,
    inputs,
    known_outputs,
    load_onnx,
    metadata,
)
from ppocr_converters.paddle.model_folder import PaddleModel, find_paddle_model
from ppocr_converters.paddle.program import read_program

KIND_NAMES: dict[Kind, str] = {
    "det": "a text detector (det)",
    "rec": "a text recogniser (rec)",
    "cls": "a text direction classifier (cls)",
    "page_orientation": "a classifier of a page's orientation (page_orientation)",
}
#: Who takes higher pictures takes whole ones, not single lines.
HIGHEST_LINE = 128
DIRECTIONS = ("0", "180")  # the classes of a direction classifier
ANGLES = ("0", "90", "180", "270")  # the classes of a page orientation classifier
#: The inputs of the classifiers that PaddleOCR publishes, by their height: the width, and whether
#: a crop keeps its ratio and is padded. A classifier learnt one size and takes no other. The first
#: learnt colours as OpenCV reads them, blue first; those of PaddleX, of lines and of pages, learnt
#: red first.
CLASSIFIERS = {48: (192, True), 80: (160, False), 224: (224, False)}
#: Those of them that are meant where a file declares no height.
FREE_CLASSIFIERS: dict[Kind, int] = {"cls": 48, "page_orientation": 224}


def detect_kind(given: Sequence[Tensor], answered: Sequence[Tensor]) -> tuple[Kind, int]:
    """Tell the kinds apart by the shapes of a network's inputs and outputs.

    A detector answers a map [N, 1, H, W], a recogniser classes for each step [N, T, C], a
    classifier classes for each picture [N, C]: two of a line, four of a page.

    Returns:
        The kind, and which output is served: the first of such a shape.

    Raises:
        ModelError: the shapes are those of none of them; says what the network looks like.
    """
    if other := _other(given, answered):
        raise ModelError(f"not a PP-OCR network for text lines: it looks like {other}")
    if len(given) == 1 and len(given[0].shape) == 4 and _may_be(given[0].shape[1], 3):
        for index, answer in enumerate(answered):
            rank = len(answer.shape)
            if rank == 2:
                return "page_orientation" if answer.shape[1] == len(ANGLES) else "cls", index
            if rank == 3 or (rank == 4 and _may_be(answer.shape[1], 1)):
                return "rec" if rank == 3 else "det", index
    takes, answers = (", ".join(map(str, ends)) or "nothing" for ends in (given, answered))
    raise ModelError(
        f"not a PP-OCR network: it takes {takes} and answers {answers}; a detector, recogniser or "
        f"classifier takes one picture [N, 3, H, W] and answers [N, 1, H, W], [N, T, classes] or "
        f"[N, classes]"
    )


def _other(given: Sequence[Tensor], answered: Sequence[Tensor]) -> str:
    """What a network is that PaddleOCR has beside those for text lines, "" if none of them."""
    names = {tensor.name for tensor in given}
    shapes = [tensor.shape for tensor in answered]
    if names & {"scale_factor", "im_shape"}:
        return "a layout or object detector (it takes the picture's scale beside the picture)"
    if len(given) != 1 or not answered:
        return ""
    height = given[0].shape[2] if len(given[0].shape) == 4 else "?"
    whole = isinstance(height, int) and height > HIGHEST_LINE
    numbers = answered[0].dtype.startswith("int") and len(shapes[0]) == 2
    if numbers or (whole and len(shapes[0]) == 3 and given[0].shape[1] == 1):
        return "a formula recogniser (it answers the numbers of tokens)"
    if len(shapes) > 1 and any(len(shape) == 3 and shape[2] in (4, 8) for shape in shapes):
        return "a table recogniser (it answers structure and cells)"
    if len(shapes[0]) == 4 and shapes[0][1] in (2, 3):
        return "a network that unwarps pages (it answers a picture)"
    if len(shapes[0]) == 2:
        return _other_classifier(shapes[0][1], whole, height)
    if whole and len(shapes[0]) == 3:
        return f"a layout detector or table recogniser (it takes pictures {height} high)"
    return ""


def _other_classifier(classes: Dimension, whole: bool, height: Dimension) -> str:
    if classes == len(ANGLES):
        return ""
    if isinstance(classes, int) and classes != len(DIRECTIONS):
        return (
            f"a picture classifier: it has {classes} classes; a direction classifier of text "
            f"lines has {len(DIRECTIONS)}: {', '.join(DIRECTIONS)} degrees"
        )
    return f"a classifier of whole pictures, {height} high, as of tables" if whole else ""


def _may_be(size: Dimension, wanted: int) -> bool:
    return size == wanted or isinstance(size, str)


def kind_of(model: ModelProto) -> Kind:
    """The kind of a network or of a compiled model.

    Raises:
        ModelError: neither.
    """
    stored = metadata(model).get("ppocr_kind")
    found = next((kind for kind in KIND_NAMES if kind == stored), None)
    return found or detect_kind(inputs(model), known_outputs(model))[0]


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


def expect_kind(found: Kind, wanted: str | None, origin: str) -> None:
    """Refuse a model that is given as what it is not.

    Raises:
        ModelError: one sentence that names both kinds.
    """
    if wanted is not None and found != wanted:
        raise ModelError(f"{origin} is {KIND_NAMES[found]}, but was given as {wanted}")
