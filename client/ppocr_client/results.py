"""What is read from a picture."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ppocr_client.errors import ServerError

Box = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False, repr=False)
class Line:
    """One line of text.

    Attributes:
        text: What is written there.
        score: How sure the recogniser is, 0 to 1.
        box: float32 [4, 2], read-only: x and y in pixels of the upright picture, clockwise from
            top-left.
        box_score: How sure the detector is that there is text, 0 to 1.
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
    """The lines of one picture in reading order; a picture without text has none."""

    lines: tuple[Line, ...]

    @property
    def text(self) -> str:
        """All lines under each other."""
        return "\n".join(line.text for line in self.lines)

    def __repr__(self) -> str:
        shown = [repr(line.text) for line in self.lines[:3]] + ["…"] * (len(self.lines) > 3)
        count = f"{len(self.lines)} line{'' if len(self.lines) == 1 else 's'}"
        return f"OcrResult({': '.join([count, ', '.join(shown)] if shown else [count])})"

    def to_dict(self) -> dict[str, Any]:
        """The result as plain values that JSON can hold."""
        return {"lines": [line.to_dict() for line in self.lines]}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> OcrResult:
        """The result that `to_dict` gave these values for."""
        return cls(tuple(Line.from_dict(line) for line in values["lines"]))

    def to_json(self, *, indent: int | None = None) -> str:
        """The result as JSON text, letters of all languages as they are."""
        return json.dumps(self.to_dict(), ensure_ascii=False, indent=indent)


def result_of_tensors(tensors: Mapping[str, npt.NDArray[Any]]) -> OcrResult:
    """The server's answer as a result.

    Args:
        tensors: TEXTS, UTF-8 bytes [N]; SCORES and BOX_SCORES, float32 [N]; BOXES, float32
            [N, 4, 2].

    Raises:
        ServerError: If a tensor is missing or their lengths differ.
    """
    missing = [name for name in ("TEXTS", "SCORES", "BOXES", "BOX_SCORES") if name not in tensors]
    if missing:
        raise ServerError(f"the answer lacks {', '.join(missing)}; is this model an OCR pipeline?")
    texts, scores = tensors["TEXTS"].ravel(), tensors["SCORES"].ravel()
    boxes, box_scores = tensors["BOXES"].reshape(-1, 4, 2), tensors["BOX_SCORES"].ravel()
    lengths = {len(texts), len(scores), len(boxes), len(box_scores)}
    if len(lengths) != 1:
        raise ServerError(
            f"the answer's tensors do not fit together: {len(texts)} TEXTS, {len(scores)} SCORES, "
            f"{len(boxes)} BOXES, {len(box_scores)} BOX_SCORES"
        )
    return OcrResult(
        tuple(
            Line(text.decode(), _shortest(score), box, _shortest(box_score))
            for text, score, box, box_score in zip(texts, scores, boxes, box_scores, strict=True)
        )
    )


def _shortest(value: np.float32) -> float:
    """The float with the fewest digits that is this float32: 0.98196536, not 0.9819653630256653."""
    return float(str(value))
