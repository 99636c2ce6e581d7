"""Base64 text of a picture, in each of the ways in which clients write it."""

from __future__ import annotations

import base64
import re
from urllib.parse import unquote

PREFIX = re.compile(r"\s*[\"']?\s*(data:[^,]{0,100},|base64,)?\s*", re.IGNORECASE)
URL_SAFE = str.maketrans("-_", "+/")
HEAD = 200  # characters that show what it is


def standard(text: str) -> str:
    """Text in the standard alphabet, without a prefix: the other spellings are put right.

    They are `data:image/png;base64,…`, the URL-safe alphabet, `%2B`, and `+` that a form has turned
    into a space. Spaces at equal distances are line breaks.

    Args:
        text: as sent.
    """
    text = PREFIX.sub("", text, count=1).strip().strip("\"'")
    text = unquote(text) if "%" in text else text
    *lines, _ = text.split(" ")
    broken = len(lines) > 1 and len({len(line) for line in lines}) == 1
    text = text.replace(" ", "" if broken else "+")
    if "-" in text or "_" in text:  # this alphabet is often sent without padding
        text = text.translate(URL_SAFE)
        text += "=" * (-len(text) % 4)
    return text


def base64_head(data: bytes) -> bytes:
    """The bytes with which the file begins whose base64 text some data is; none for other data."""
    try:
        text = standard(data[:HEAD].decode("ascii"))
        text = "".join(text.split()).rstrip("=")
        return base64.b64decode(text[: len(text) // 4 * 4], validate=True)
    except ValueError:  # of these bytes, of what "%" stood for in them, or of base64
        return b""
