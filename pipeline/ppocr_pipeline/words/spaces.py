"""Spaces and full-width brackets that recognisers leave out, or read where there is none.

The white between two characters of a crop tells: a space is wider than what parts the letters of
its line, and half of the square of a full-width bracket is white. Among the letters of a line
without any space, and among digits, there is too little between the widest gap and a space.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

import numpy as np

from ppocr_pipeline.ctc import kept_steps
from ppocr_pipeline.words.brackets import match_brackets, widen_brackets
from ppocr_pipeline.words.gaps import ink_columns

# In some fonts these, and a 1, have as much white beside them as a space has.
NARROW = "卜目月自日白片"
HAN = f"(?![{NARROW}])[\u3400-\u9fff]"
KANA = "[\u3040-\u30ff]"
CJK = re.compile("[\u3040-\u9fff]")
LETTER = r"[^\W\d_\u2e80-\u9fff\uac00-\ud7af]"
BESIDE_HAN = re.compile(f"(?<={HAN})(?=[A-Za-z0-9])|(?<=[A-Za-z02-9])(?={HAN})")
JOINT = re.compile(
    rf"{BESIDE_HAN.pattern}|(?<={LETTER})(?=[0-9]|{KANA})|(?<={KANA})(?=[0-9]|{LETTER})"
    rf"|(?<={LETTER}\.)(?=[0-9])|(?<=[).%?!])(?={HAN})"
)
ALIKE = re.compile(f"(?<={LETTER})(?={LETTER})|(?<={HAN})(?={HAN})")
TELLING = re.compile("[()（）]|[：，] | [「『【《]")  # told by the white beside them
MARKS = "：，。；！？、（）「」『』【】《》〈〉·…—"  # white is part of their squares
# All in heights of a crop: more is a space beside Chinese, and anywhere if nothing is nearly as
# wide; less is none beside a mark.
SPACE, LEAST, BESIDE_MARK = 0.2, 0.16, 0.62
SEEN = 0.1  # narrower ones among the spaces that were read: noise fills the gaps
SPACED_OUT = 0.5  # of a gap: what is usual in a line whose characters all stand apart
LIKE_READ = 0.9  # of the spaces that were read
CLEAR = 1.6  # of the widest of all other gaps


def put_spaces(
    text: str,
    classes: np.ndarray,
    characters: Sequence[str],
    step: float,
    contrast: np.ndarray,
    height: int,
) -> str:
    """The text with the spaces and the brackets that are seen in its crop.

    Args:
        text: as it was read.
        classes: int32 [T], the best class of each step.
        characters: of class 1, 2, ...
        step: how far the steps are apart, in heights of a crop that is not squeezed.
        contrast: uint8 [w], of the columns of the crop, see `column_contrast`.
        height: of the crop, pixels.
    """
    telling, spaces = TELLING.search(text), text.strip().count(" ")
    if not (telling or spaces or JOINT.search(text)):
        return text
    ink = ink_columns(contrast)
    if not telling and np.count_nonzero(np.diff(ink) > LEAST * height + 1) <= spaces:
        return text
    kept = [place for place, one in enumerate(text) if not one.isspace()]
    if len(kept) < 2:
        return text
    read = "".join(text[place] for place in kept)
    spaced = np.diff(kept) > 1
    columns = max(step * height, len(contrast) / len(classes))  # more if it was squeezed
    steps = np.flatnonzero(kept_steps(classes[None])[0])
    lengths = [len(characters[index - 1]) for index in classes[steps].tolist()]
    middles = np.repeat((steps + 0.5) * columns, lengths)[kept]
    white = _white(ink, middles) / height
    letters = [*read]
    if CJK.search(read):
        letters = match_brackets(widen_brackets(read, white, spaced))
    marked = np.array([one in MARKS for one in letters])
    marked = marked[1:] | marked[:-1]
    nothing = spaced & marked & (white < BESIDE_MARK)
    for place in np.flatnonzero(nothing).tolist():
        spaced[place] = letters[place] not in "：，" and letters[place + 1] not in "（「『【《"
    spaced[_spaces(read, white, spaced, marked)] = True
    between = [text[one + 1 : other] or " " for one, other in itertools.pairwise(kept)]
    parted = zip(letters, spaced.tolist(), between, strict=False)
    return "".join(one + space * is_space for one, is_space, space in parted) + letters[-1]


def _places(pattern: re.Pattern[str], text: str) -> set[int]:
    """After which characters of a text a pattern stands."""
    return {found.start() - 1 for found in pattern.finditer(text)}


def _white(ink: np.ndarray, middles: np.ndarray) -> np.ndarray:
    """The widest white between each two neighbours, float64 [characters - 1], columns."""
    widest = np.zeros(len(middles) + 1)
    after = np.searchsorted(middles, (ink[1:] + ink[:-1]) / 2)  # the character after each gap
    np.maximum.at(widest, after, np.diff(ink) - 1)
    return widest[1:-1]


def _spaces(text: str, white: np.ndarray, spaced: np.ndarray, marked: np.ndarray) -> list[int]:
    """The characters after which a space is seen that was not read.

    Args:
        text: without spaces.
        white: float64 [characters - 1], heights, after each character.
        spaced: bool, whether a space was read there.
        marked: bool, whether a mark stands beside it.
    """
    there = white[spaced & ~marked]
    known = {*np.flatnonzero(~spaced & ~marked).tolist()}
    beside = _places(BESIDE_HAN, text) & known
    usual = np.median([white[place] for place in known - beside] or [0])
    found = {at for at in beside if white[at] > SPACE and usual < SPACED_OUT * white[at]}
    joints, least = _places(JOINT, text) & known, LEAST
    if len(there) and there.min() > SEEN:
        joints |= _places(ALIKE, text) & known
        least = max(LEAST, LIKE_READ * float(np.median(there)))
    wide = {place for place in joints if white[place] >= least}
    others = known - wide - found
    others -= {place for place in others if {text[place], text[place + 1]} & {*NARROW}}
    if len(others) > 2:
        limit = CLEAR * max(white[place] for place in others)
        found |= {place for place in wide if white[place] >= limit}
    return [*found]
