"""The results of reading a picture."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ppocr_client.documents.image_size import Size
from ppocr_client.documents.pictures import ImageSource, read_image
from ppocr_client.errors import ServerError

if TYPE_CHECKING:
    from PIL.Image import Image

Box = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False, repr=False)
class Line:
    """One line of text.

    Attributes:
        text: Its text.
        score: The recogniser's confidence, 0 to 1.
        box: float32 [4, 2], read-only: x and y in pixels of the picture with its EXIF orientation
            applied, clockwise from the top left of the text as it is read.
        box_score: The detector's confidence that there is text, 0 to 1.
    """

    text: str
    score: float
    box: Box
    box_score: float

    def __post_init__(self) -> None:
        box = np.array(self.box, np.float32)
        if box.shape != (4, 2):
            raise ValueError(f"a line's box has shape (4, 2), not {box.shape}")
        box.flags.writeable = False
        object.__setattr__(self, "box", box)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Line):
            return NotImplemented
        return self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        corners = " ".join(f"{x:g},{y:g}" for x, y in self.box.tolist())
        return f"Line({self.text!r}, score={self.score:.3f}, box={corners})"

    def to_dict(self) -> dict[str, Any]:
        """The line as plain values that JSON can hold."""
        return {
            "text": self.text,
            "score": self.score,
            "box": [[_shortest(x), _shortest(y)] for x, y in self.box],
            "box_score": self.box_score,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Line:
        """The line that `to_dict` gave these values for."""
        box = np.array(values["box"], np.float32)
        return cls(values["text"], float(values["score"]), box, float(values["box_score"]))

    def _key(self) -> tuple[str, float, bytes, float]:
        # Adding 0 makes -0.0 the 0.0 that it equals.
        return self.text, self.score, (self.box + 0).tobytes(), self.box_score


@dataclass(frozen=True, repr=False)
class OcrResult:
    """The lines of one picture in reading order; a picture without text has none.

    Attributes:
        lines: Its lines.
        size: Width and height of the picture in pixels, its EXIF orientation applied; None if it
            is not known.
        warnings: Why text may be missing, such as a picture that was squeezed.
        angle: By how many degrees the page is turned clockwise in the picture: 0, 90, 180 or 270;
            0 too where the server was not asked, or is of an older version.
    """

    lines: tuple[Line, ...]
    size: Size | None = None
    warnings: tuple[str, ...] = ()
    angle: int = 0

    @property
    def text(self) -> str:
        """The text of all lines, separated by line feeds."""
        return "\n".join(line.text for line in self.lines)

    @property
    def extent(self) -> Size:
        """The picture's size; if it is not known, the smallest that holds all boxes."""
        if self.size is not None:
            return self.size
        corners = [line.box.max(axis=0) for line in self.lines]
        width, height = np.ceil(np.max(corners, axis=0)).tolist() if corners else (0, 0)
        return Size(max(1, int(width)), max(1, int(height)))

    def __repr__(self) -> str:
        shown = [repr(line.text) for line in self.lines[:3]] + ["…"] * (len(self.lines) > 3)
        count = f"{len(self.lines)} line{'' if len(self.lines) == 1 else 's'}"
        return f"OcrResult({': '.join([count, ', '.join(shown)] if shown else [count])})"

    def _repr_html_(self) -> str:
        """The result in a notebook."""
        from ppocr_client.exports.html import to_html

        return to_html(self)

    def to_dict(self) -> dict[str, Any]:
        """The result as plain values that JSON can hold."""
        size = {} if self.size is None else {"width": self.size.width, "height": self.size.height}
        warnings = {"warnings": list(self.warnings)} if self.warnings else {}
        angle = {"angle": self.angle} if self.angle else {}
        return {**size, **warnings, **angle, "lines": [line.to_dict() for line in self.lines]}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> OcrResult:
        """The result that `to_dict` gave these values for."""
        size = Size(values["width"], values["height"]) if "width" in values else None
        lines = tuple(Line.from_dict(line) for line in values["lines"])
        return cls(lines, size, tuple(values.get("warnings", ())), values.get("angle", 0))

    def to_json(self, *, indent: int | None = None) -> str:
        """The result as JSON text, not escaped to ASCII."""
        return json.dumps(self.to_dict(), ensure_ascii=False, indent=indent)

    def to_markdown(self) -> str:
        """Paragraphs and simple tables; see `ppocr_client.exports.markdown`."""
        from ppocr_client.exports.markdown import to_markdown

        return to_markdown([self])

    def to_tsv(self) -> str:
        """A table with a header, one row a line of text; see `ppocr_client.exports.tsv`."""
        from ppocr_client.exports.tsv import to_tsv

        return to_tsv([self])

    def to_hocr(self) -> str:
        """An hOCR page; see `ppocr_client.exports.hocr`."""
        from ppocr_client.exports.hocr import to_hocr

        return to_hocr([self])

    def to_alto(self) -> str:
        """An ALTO 4 file; see `ppocr_client.exports.alto`."""
        from ppocr_client.exports.alto import to_alto

        return to_alto([self])

    def to_pdf(self, image: ImageSource, *, dpi: float = 72) -> bytes:
        """A searchable PDF: the picture, and over it its text, invisible.

        Args:
            image: The picture that was read, in any form that `OcrClient.read` takes but an array.
            dpi: The picture's pixels per inch of the page.
        """
        from ppocr_client.exports.pdf import to_pdf

        return to_pdf([(read_image(image), self)], dpi=dpi)

    def draw(self, image: ImageSource, *, font: str | os.PathLike[str] | None = None) -> Image:
        """The picture with its boxes, beside it the texts; see `ppocr_client.exports.draw`."""
        from ppocr_client.exports.draw import draw_result

        return draw_result(image, self, font=font)


@dataclass(frozen=True, eq=False)
class Detection:
    """The boxes of a picture's text.

    Attributes:
        boxes: float32 [N, 4, 2]: x and y in pixels of the upright picture, clockwise from
            top-left, in reading order.
        scores: float32 [N], the detector's confidence, 0 to 1.
        warnings: Why text may be missing.
    """

    boxes: npt.NDArray[np.float32]
    scores: npt.NDArray[np.float32]
    warnings: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.boxes)


def result_of_tensors(
    tensors: Mapping[str, npt.NDArray[Any]], size: Size | None = None
) -> OcrResult:
    """The server's answer as a result.

    Args:
        tensors: TEXTS, UTF-8 bytes [N]; SCORES and BOX_SCORES, float32 [N]; BOXES, float32
            [N, 4, 2]; WARNINGS, UTF-8 bytes, and ANGLE, int32 [1], which older servers do not send.
        size: The picture's size, if it is known.

    Raises:
        ServerError: If a tensor is missing or their lengths differ.
    """
    _demand(tensors, "TEXTS", "SCORES", "BOXES", "BOX_SCORES")
    texts, scores = tensors["TEXTS"].ravel(), tensors["SCORES"].ravel()
    boxes, box_scores = tensors["BOXES"].reshape(-1, 4, 2), tensors["BOX_SCORES"].ravel()
    lengths = {len(texts), len(scores), len(boxes), len(box_scores)}
    if len(lengths) != 1:
        raise ServerError(
            f"the answer's tensors differ in length: {len(texts)} TEXTS, {len(scores)} SCORES, "
            f"{len(boxes)} BOXES, {len(box_scores)} BOX_SCORES"
        )
    return OcrResult(
        tuple(
            Line(text.decode(), _shortest(score), box, _shortest(box_score))
            for text, score, box, box_score in zip(texts, scores, boxes, box_scores, strict=True)
        ),
        size,
        _warnings(tensors),
        int(tensors["ANGLE"].item()) if "ANGLE" in tensors else 0,
    )


def detection_of_tensors(tensors: Mapping[str, npt.NDArray[Any]]) -> Detection:
    """The detector's answer: BOXES and BOX_SCORES as in `result_of_tensors`.

    Raises:
        ServerError: If a tensor is missing or their lengths differ.
    """
    _demand(tensors, "BOXES", "BOX_SCORES")
    boxes, scores = tensors["BOXES"].reshape(-1, 4, 2), tensors["BOX_SCORES"].ravel()
    if len(boxes) != len(scores):
        raise ServerError(f"the answer has {len(boxes)} BOXES and {len(scores)} BOX_SCORES")
    return Detection(boxes, scores, _warnings(tensors))


def _warnings(tensors: Mapping[str, npt.NDArray[Any]]) -> tuple[str, ...]:
    return tuple(text.decode() for text in tensors.get("WARNINGS", np.empty(0)).ravel())


def _demand(tensors: Mapping[str, object], *names: str) -> None:
    missing = [name for name in names if name not in tensors]
    if missing:
        raise ServerError(f"the answer lacks {', '.join(missing)}; is this model an OCR pipeline?")


def _shortest(value: np.float32) -> float:
    """The float with the fewest digits that is this float32: 0.98196536, not 0.9819653630256653."""
    return float(str(value))
