"""Which kind of network something is, told by its inputs and outputs, and what it is if of none."""

from __future__ import annotations

from collections.abc import Sequence

from onnx import ModelProto

from ppocr_converters.catalogue.entries import Kind
from ppocr_converters.errors import ModelError
from ppocr_converters.graph.onnx_model import Dimension, Tensor, inputs, known_outputs, metadata

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
            if kind := _kind(answer.shape):
                return kind, index
    raise ModelError(
        f"not a PP-OCR network: it takes {_told(given)} and answers {_told(answered)}; a "
        f"detector, recogniser or classifier takes one picture [N, 3, H, W] and answers "
        f"[N, 1, H, W], [N, T, classes] or [N, classes]"
    )


def _kind(answer: Sequence[Dimension]) -> Kind | None:
    if len(answer) == 4:
        return "det" if _may_be(answer[1], 1) else None
    if len(answer) == 2:
        return "page_orientation" if answer[1] == len(ANGLES) else "cls"
    return "rec" if len(answer) == 3 else None


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


def _told(tensors: Sequence[Tensor]) -> str:
    return ", ".join(map(str, tensors)) or "nothing"


def _may_be(size: Dimension, wanted: int) -> bool:
    return size == wanted or isinstance(size, str)


def kind_of(model: ModelProto) -> Kind:
    """The kind of a network or of a compiled model.

    Raises:
        ModelError: neither.
    """
    stored = metadata(model).get("ppocr_kind")
    for kind in KIND_NAMES:
        if kind == stored:
            return kind
    return detect_kind(inputs(model), known_outputs(model))[0]


def expect_kind(found: Kind, wanted: str | None, origin: str) -> None:
    """Refuse a model that is given as what it is not.

    Raises:
        ModelError: one sentence that names both kinds.
    """
    if wanted is not None and found != wanted:
        raise ModelError(f"{origin} is {KIND_NAMES[found]}, but was given as {wanted}")
