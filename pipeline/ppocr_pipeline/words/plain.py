"""Plain letters and digits in vertical text.

There each has the room of a Chinese character, so that recognisers take some for full-width ones.
"""

from __future__ import annotations

import re

FULL_WIDTH = 0xFEE0  # how far these forms are from the plain ones
LETTERS = "0-9A-Za-z\uff10-\uff19\uff21-\uff3a\uff41-\uff5a"
WIDE = re.compile(
    f"[\uff10-\uff19\uff21-\uff3a\uff41-\uff5a]|(?<=[{LETTERS}])[－：．／](?=[{LETTERS}])"
)


def plain_forms(text: str) -> str:
    """The text with plain letters and digits, and plain marks between two of them."""
    return WIDE.sub(lambda found: chr(ord(found[0]) - FULL_WIDTH), text)
