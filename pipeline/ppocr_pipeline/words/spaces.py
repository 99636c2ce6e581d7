"""Spaces between Chinese and letters or digits, which recognisers leave out.

One is put in where nothing stands in the crop for as long as a space is wide. Among letters and
among digits there is too little between the widest gap and the narrowest space.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence

import numpy as np

from ppocr_pipeline.ctc import kept_steps
from ppocr_pipeline.words.gaps import ink_columns
from ppocr_pipeline.words.place import column_contrast

# In some fonts these, and a 1, have as much white beside them as a space has.
HAN = "(?![卜目月自日白片])[\u3400-\u9fff]"
JOINT = re.compile(f"(?<={HAN})(?=[A-Za-z0-9])|(?<=[A-Za-z02-9])(?={HAN})")
SPACE = 0.2  # heights of a crop: more is a space
SPACED_OUT = 0.5  # of a gap: what is usual in a line whose characters all stand apart


def put_spaces(
    text: str,
    classes: np.ndarray,
    characters: Sequence[str],
    step: float,
    crop: Callable[[], np.ndarray],
) -> str:
    """The text with the spaces that are seen in its crop.

    Args:
        text: as it was read.
        classes: int32 [T], the best class of each step.
        characters: of class 1, 2, ...
        step: how far the steps are apart, in heights of a crop that is not squeezed.
        crop: cuts the crop out, uint8 [h, w, 3].
    """
    joints = [joint.start() for joint in JOINT.finditer(text)]
    if not joints:
        return text
    shown = crop()
    ink = ink_columns(column_contrast(shown))
    steps = np.flatnonzero(kept_steps(classes[None])[0])
    lengths = [len(characters[index - 1]) for index in classes[steps].tolist()]
    columns = max(step * len(shown), shown.shape[1] / len(classes))  # more if it was squeezed
    middles = np.repeat((steps + 0.5) * columns, lengths)
    after = np.searchsorted(middles, (ink[1:] + ink[:-1]) / 2)  # the character after each gap
    widest = np.zeros(len(text) + 1)
    np.maximum.at(widest, after, np.diff(ink) - 1)
    spaces = [at for at in joints if widest[at] > SPACE * len(shown)]
    if not spaces:
        return text
    others = np.delete(widest, [0, *joints, -1])
    usual = float(np.median(others)) if len(others) else 0.0
    edges = [0, *(at for at in spaces if usual < SPACED_OUT * widest[at]), len(text)]
    return " ".join(text[start:stop] for start, stop in itertools.pairwise(edges))
