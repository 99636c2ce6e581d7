"""A font without visible glyphs, for the invisible text layer of a PDF.

Its only glyph is a line of zero width across the em square; every character uses it. So text of any
language costs a few hundred bytes, where a real font would take megabytes. (Empty glyphs have no
extent, and PDFium does not find vertical text made of them.)
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

UNIT = 1000
MAX_BFCHARS = 100  # entries that one block of a CMap may hold


def font_file() -> bytes:
    """A TrueType file of 2 glyphs, the first empty; ascender 1, descender 0, advance 1."""
    outline = struct.pack(">5hHH2B4h", 1, 0, 0, UNIT, UNIT, 1, 0, 1, 1, 0, UNIT, 0, UNIT)
    tables = {
        "glyf": outline,
        "head": struct.pack(
            ">IIIIHHqqhhhhHHhhh",
            *(0x10000, 0x10000, 0, 0x5F0F3CF5, 0, UNIT, 0, 0),  # versions, magic, flags, dates
            *(0, 0, UNIT, UNIT, 0, 8, 2, 0, 0),  # bounds, style, smallest size, formats
        ),
        "hhea": struct.pack(">IhhhH11hH", 0x10000, UNIT, 0, 0, UNIT, 0, 0, UNIT, 1, *[0] * 7, 1),
        "hmtx": struct.pack(">Hhh", UNIT, 0, 0),
        "loca": struct.pack(">HHH", 0, 0, len(outline) // 2),
        "maxp": struct.pack(">IH13H", 0x10000, 2, 2, 1, 0, 0, 1, *[0] * 8),
    }
    directory, body = struct.pack(">IHHHH", 0x10000, len(tables), 64, 2, 32), b""
    start = len(directory) + 16 * len(tables)
    for tag, table in tables.items():
        padded = table + bytes(-len(table) % 4)
        checksum = sum(struct.unpack(f">{len(padded) // 4}I", padded)) & 0xFFFFFFFF
        directory += struct.pack(">4sIII", tag.encode(), checksum, start + len(body), len(table))
        body += padded
    return directory + body


def character_codes(texts: Iterable[str]) -> dict[str, int]:
    """A code from 1 on for every character of the texts."""
    return {letter: i for i, letter in enumerate(sorted(set().union(*texts)), 1)}


def to_unicode(codes: dict[str, int]) -> str:
    """The ToUnicode CMap: the character of each code."""
    pairs = [
        f"<{code:04X}> <{letter.encode('utf-16-be', 'surrogatepass').hex().upper()}>"
        for letter, code in codes.items()
    ]
    blocks = [pairs[i : i + MAX_BFCHARS] for i in range(0, len(pairs), MAX_BFCHARS)]
    return "\n".join(
        [
            "/CIDInit /ProcSet findresource begin",
            "12 dict begin",
            "begincmap",
            "/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def",
            "/CMapName /Adobe-Identity-UCS def",
            "/CMapType 2 def",
            "1 begincodespacerange",
            "<0000> <FFFF>",
            "endcodespacerange",
            *(f"{len(b)} beginbfchar\n" + "\n".join(b) + "\nendbfchar" for b in blocks),
            "endcmap",
            "CMapName currentdict /CMap defineresource pop",
            "end",
            "end\n",
        ]
    )
