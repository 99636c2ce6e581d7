"""The results of reading a picture."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ppocr_client.documents.pictures import ImageSource, Size, read_image
from ppocr_client.errors import ServerError
from ppocr_client.lines import Line, Word, shortest

if TYPE_CHECKING:
    from PIL.Image import Image

#: Of what `OcrResult.to_dict` gives; it rises when a reader of the one before would misread it.
SCHEMA = 1


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
    def words(self) -> tuple[Word, ...]:
        """The words of all lines, in the order of reading; see `Line.words`."""
        return tuple(word for line in self.lines for word in line.words)

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

    def to_dict(self) -> dict[str, Any]:
        """The result as plain values that JSON can hold; "schema" is `SCHEMA`."""
        size = {} if self.size is None else {"width": self.size.width, "height": self.size.height}
        warnings = {"warnings": list(self.warnings)} if self.warnings else {}
        angle = {"angle": self.angle} if self.angle else {}
        lines = [line.to_dict() for line in self.lines]
        return {"schema": SCHEMA, **size, **warnings, **angle, "lines": lines}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> OcrResult:
        """The result that `to_dict` gave these values for, also before it had a schema.

        Raises:
            ValueError: If they are of a schema that is not known yet.
        """
        if values.get("schema", SCHEMA) != SCHEMA:
            raise ValueError(
                f"the result has schema {values['schema']!r}; allowed: {SCHEMA}, or none; a newer "
                "version wrote it, read it with that one"
            )
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
        """A table with a header, one row a line of text."""
        from ppocr_client.exports.writers import to_tsv

        return to_tsv([self])

    def to_hocr(self) -> str:
        """An hOCR page."""
        from ppocr_client.exports.xml import to_hocr

        return to_hocr([self])

    def to_alto(self) -> str:
        """An ALTO 4 file."""
        from ppocr_client.exports.xml import to_alto

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
    tensors: Mapping[str, npt.NDArray[Any]], size: Size | None = None, *, words: bool = False
) -> OcrResult:
    """The server's answer as a result.

    Args:
        tensors: TEXTS, UTF-8 bytes [N]; SCORES and BOX_SCORES, float32 [N]; BOXES, float32
            [N, 4, 2]; WARNINGS, UTF-8 bytes, and ANGLE, int32 [1], which older servers do not
            send; the words, see `_words`.
        size: The picture's size, if it is known.
        words: Whether words were asked for.

    Raises:
        ServerError: If a tensor is missing or their lengths differ.
    """
    columns = _columns(tensors, "TEXTS", "SCORES", "BOXES", "BOX_SCORES")
    of_lines = _words(tensors, len(columns[0]), asked=words)
    return OcrResult(
        tuple(
            Line(text.decode(), shortest(score), box, shortest(box_score), tuple(own))
            for text, score, box, box_score, own in zip(*columns, of_lines, strict=True)
        ),
        size,
        _warnings(tensors),
        int(tensors["ANGLE"].item()) if "ANGLE" in tensors else 0,
    )


def _words(tensors: Mapping[str, npt.NDArray[Any]], count: int, *, asked: bool) -> list[list[Word]]:
    """The words of each of `count` lines.

    `tensors` may hold WORDS, UTF-8 bytes [M]; WORD_SCORES, float32 [M]; WORD_BOXES, float32
    [M, 4, 2]; WORD_LINES, int32 [M], the line of each; a server that knows no words sends none.
    """
    lines: list[list[Word]] = [[] for _ in range(count)]
    if asked and "WORDS" not in tensors:
        raise ServerError(
            "return_words is on, but the answer has no WORDS; build the server's repository again "
            "with this version, or leave the option out"
        )
    if len(tensors.get("WORDS", ())) == 0:
        return lines
    names = ("WORDS", "WORD_SCORES", "WORD_BOXES", "WORD_LINES")
    texts, scores, boxes, places = _columns(tensors, *names)
    if not 0 <= places.min() <= places.max() < count:
        raise ServerError(
            f"the answer's WORD_LINES are {places.min()} to {places.max()}, of {count} lines"
        )
    for text, score, box, place in zip(texts, scores, boxes, places.tolist(), strict=True):
        lines[place].append(Word(text.decode(), shortest(score), box))
    return lines


def detection_of_tensors(tensors: Mapping[str, npt.NDArray[Any]]) -> Detection:
    """The detector's answer: BOXES, BOX_SCORES, WARNINGS and errors as of `result_of_tensors`."""
    boxes, scores = _columns(tensors, "BOXES", "BOX_SCORES")
    return Detection(boxes, scores, _warnings(tensors))


def _warnings(tensors: Mapping[str, npt.NDArray[Any]]) -> tuple[str, ...]:
    return tuple(text.decode() for text in tensors.get("WARNINGS", np.empty(0)).ravel())


def _columns(tensors: Mapping[str, npt.NDArray[Any]], *names: str) -> list[npt.NDArray[Any]]:
    """Tensors of one length: boxes [N, 4, 2], others [N]."""
    missing = [name for name in names if name not in tensors]
    if missing:
        raise ServerError(f"the answer lacks {', '.join(missing)}; is this model an OCR pipeline?")
    shapes = {name: (-1, 4, 2) if name.endswith("BOXES") else (-1,) for name in names}
    columns = [tensors[name].reshape(shape) for name, shape in shapes.items()]
    if len({len(column) for column in columns}) > 1:
        lengths = (f"{len(column)} {name}" for name, column in zip(names, columns, strict=True))
        raise ServerError(f"the answer's tensors differ in length: {', '.join(lengths)}")
    return columns
