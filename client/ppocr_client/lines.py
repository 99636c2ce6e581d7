"""Lines of text and their words."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

Box = npt.NDArray[np.float32]

TALL = 1.5  # height to width from which a line is read downwards, as in PaddleOCR


@dataclass(frozen=True, eq=False, repr=False)
class Word:
    """One word of a line; of Chinese and Japanese one character.

    Attributes:
        text: Its text.
        score: The recogniser's confidence, 0 to 1.
        box: float32 [4, 2], read-only: x and y in pixels of the picture with its EXIF orientation
            applied, clockwise from where the text begins.
    """

    text: str
    score: float
    box: Box

    def __post_init__(self) -> None:
        box = np.array(self.box, np.float32)
        if box.shape != (4, 2):
            raise ValueError(
                f"a {type(self).__name__.lower()}'s box has shape (4, 2), not {box.shape}"
            )
        box.flags.writeable = False
        object.__setattr__(self, "box", box)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Word):
            return NotImplemented
        return self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        corners = " ".join(f"{x:g},{y:g}" for x, y in self.box.tolist())
        return f"{type(self).__name__}({self.text!r}, score={self.score:.3f}, box={corners})"

    def to_dict(self) -> dict[str, Any]:
        """Plain values that JSON can hold."""
        box = [
            [x if x.is_integer() else shortest(np.float32(x)) for x in corner]
            for corner in self.box.tolist()
        ]
        return {"text": self.text, "score": self.score, "box": box}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Word:
        """The word that `to_dict` gave these values for."""
        return cls(values["text"], float(values["score"]), np.array(values["box"], np.float32))

    def _key(self) -> tuple[object, ...]:
        others = [getattr(self, field.name) for field in fields(self) if field.name != "box"]
        # Adding 0 makes -0.0 the 0.0 that it equals.
        return type(self), *others, (self.box + 0).tobytes()


@dataclass(frozen=True, eq=False, repr=False)
class Line(Word):
    """One line of text; text, score and box as a word has them.

    Attributes:
        box_score: The detector's confidence that there is text, 0 to 1.
        words: In the order of reading; empty unless they were asked for (`return_words`).
    """

    box_score: float
    words: tuple[Word, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain values that JSON can hold."""
        words = {"words": [word.to_dict() for word in self.words]} if self.words else {}
        return {**super().to_dict(), "box_score": self.box_score, **words}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Line:
        """The line that `to_dict` gave these values for."""
        word = Word.from_dict(values)
        words = tuple(map(Word.from_dict, values.get("words", ())))
        return cls(word.text, word.score, word.box, float(values["box_score"]), words)

    @property
    def reading_box(self) -> Box:
        """The box from where the text begins: a line much higher than wide is read downwards."""
        across, down = (np.linalg.norm(self.box[corner] - self.box[0]) for corner in (1, 3))
        return np.roll(self.box, -1, axis=0) if down >= TALL * across else self.box

    @property
    def parts(self) -> tuple[Word, ...]:
        """Its words, or the whole line as one where it has none."""
        return self.words or (Word(self.text, self.score, self.reading_box),)

    @property
    def pieces(self) -> list[str]:
        """The text cut before each of `parts`; joined, they are the text."""
        starts, at = [], 0
        for part in self.parts:
            starts.append(max(at, self.text.find(part.text, at)))
            at = starts[-1] + len(part.text)
        cuts = [0, *starts[1:], len(self.text)]
        return [self.text[start:stop] for start, stop in itertools.pairwise(cuts)]


def shortest(value: np.float32) -> float:
    """The float with the fewest digits that is this float32: 0.98196536, not 0.9819653630256653."""
    return float(str(value))
