"""The header of a WebP file (RFC 9649)."""

from __future__ import annotations

import struct

from ppocr_pipeline.formats.exif import orientation_of
from ppocr_pipeline.header import MAX_PARTS, Header

MAGIC = b"RIFF"
KIND = b"WEBP"
FIRST_CHUNK = 12
KEY_FRAME = b"\x9d\x01\x2a"
LOSSLESS = 0x2F
HAS_ANIMATION, HAS_EXIF, HAS_ALPHA = 0x02, 0x08, 0x10


def read_webp(data: bytes) -> Header:
    """Size, transparency, orientation, and whether it is animated.

    Raises:
        ValueError: the file is damaged, or shorter than it says.
    """
    kind, content = data[FIRST_CHUNK : FIRST_CHUNK + 4], FIRST_CHUNK + 8
    if len(data) < content + 10 or int.from_bytes(data[4:8], "little") + 8 > len(data):
        raise ValueError("it is shorter than it says")
    if kind == b"VP8 " and data[content + 3 : content + 6] == KEY_FRAME:
        width, height = struct.unpack_from("<HH", data, content + 6)
        return Header("WEBP", width & 0x3FFF, height & 0x3FFF)
    if kind == b"VP8L" and data[content] == LOSSLESS:
        bits = int.from_bytes(data[content + 1 : content + 5], "little")
        return Header("WEBP", (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, bool(bits >> 28 & 1))
    if kind == b"VP8X":
        flags = data[content]
        width = int.from_bytes(data[content + 4 : content + 7], "little") + 1
        height = int.from_bytes(data[content + 7 : content + 10], "little") + 1
        return Header(
            "WEBP",
            width,
            height,
            alpha=bool(flags & HAS_ALPHA),
            orientation=orientation_of(find_exif(data)) if flags & HAS_EXIF else 1,
            animated=bool(flags & HAS_ANIMATION),
        )
    raise ValueError("it has no picture")


def find_exif(data: bytes) -> bytes:
    """The content of the EXIF chunk, empty where there is none."""
    place = FIRST_CHUNK
    for _ in range(MAX_PARTS):
        if place + 8 > len(data):
            return b""
        length = int.from_bytes(data[place + 4 : place + 8], "little")
        if data[place : place + 4] == b"EXIF":
            return data[place + 8 : place + 8 + length].removeprefix(b"Exif\x00\x00")
        place += 8 + length + length % 2  # chunks begin at even places
    raise ValueError(f"it has more than {MAX_PARTS} chunks")
