"""Helpers that hOCR and ALTO share."""

from __future__ import annotations

import re
from typing import NamedTuple
from xml.etree import ElementTree  # nosec B405 # writes only

from ppocr_client.lines import Word

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Bounds(NamedTuple):
    """The upright rectangle around a box, in whole pixels."""

    left: int
    top: int
    right: int
    bottom: int


def bounds(part: Word) -> Bounds:
    """The smallest whole rectangle around the box of a line or word, clipped at 0."""
    left, top = part.box.min(axis=0).clip(0).tolist()
    right, bottom = part.box.max(axis=0).clip(0).tolist()
    return Bounds(int(left), int(top), int(-(-right // 1)), int(-(-bottom // 1)))


def clean(text: str) -> str:
    """The text with U+FFFD for each character that XML does not allow."""
    return _NOT_XML.sub("\ufffd", text)


def serialize(root: ElementTree.Element, doctype: str = "") -> str:
    """An XML file's text, indented."""
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{doctype}{text}\n'
