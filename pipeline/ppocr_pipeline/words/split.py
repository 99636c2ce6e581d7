"""Which characters of a line are one word."""

from __future__ import annotations

import re
from collections.abc import Sequence

#: Characters of the scripts that part words by no space, so that each stands alone: Han, kana,
#: bopomofo, their punctuation, and full-width and half-width forms. Hangul parts words by spaces.
ALONE = re.compile(
    "[\u2e80-\u312f\u31a0-\u9fff\uf900-\ufaff\ufe30-\ufe4f\uff00-\uff9f\U00020000-\U0003ffff]"
)


def split_words(characters: Sequence[str]) -> list[tuple[int, int]]:
    """Part a line into words.

    A word is a run without white space. A character of Chinese or Japanese is a word of its own, so
    that Latin letters and digits among them are words too. Only white space is left out: joined,
    the words are the line without it. (PaddleOCR's `return_word_box` makes the same parts of Han,
    letters and digits, but leaves out punctuation.)

    Args:
        characters: of the line, in the order of reading.

    Returns:
        The first character of each word, and the one after its last.
    """
    words: list[tuple[int, int]] = []
    joins = False  # whether the next character may belong to the last word
    for place, character in enumerate(characters):
        if character.isspace():
            joins = False
            continue
        alone = ALONE.match(character) is not None
        if joins and not alone:
            words[-1] = words[-1][0], place + 1
        else:
            words.append((place, place + 1))
        joins = not alone
    return words
