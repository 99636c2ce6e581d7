"""Full-width brackets that were read as plain ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

WIDE = 0.4  # heights of a crop outside of a bracket: more is the white half of a full-width one
FULL = {"(": "（", ")": "）"}


def widen_brackets(text: str, white: np.ndarray, spaced: np.ndarray) -> list[str]:
    """The characters of a text, with brackets full-width where they are seen to be.

    Args:
        text: without spaces.
        white: float64 [characters - 1], heights, after each character.
        spaced: bool [characters - 1], whether a space was read there.
    """
    letters = [*text]
    for place in np.flatnonzero((white > WIDE) & ~spaced).tolist():
        if text[place + 1] == "(":
            letters[place + 1] = FULL["("]
        if text[place] == ")":
            letters[place] = FULL[")"]
    return letters


def match_brackets(letters: Sequence[str]) -> list[str]:
    """Characters with both brackets of a pair full-width where one of them is."""
    matched, opened = [*letters], list[int]()
    for place, letter in enumerate(letters):
        if letter in "(（":
            opened.append(place)
        elif letter in ")）" and opened:
            first = opened.pop()
            if {letters[first], letter} & {*FULL.values()}:
                matched[first], matched[place] = "（", "）"
    return matched
