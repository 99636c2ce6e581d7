"""The upright size of an encoded picture, from its header alone."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

WIDTH, LENGTH, ORIENTATION = 256, 257, 274  # TIFF's tags
JPEG_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
JPEG_ALONE = {0x01, *range(0xD0, 0xD9)}  # markers without a length


class Size(NamedTuple):
    """Pixels of the upright picture."""

    width: int
    height: int


def picture_size(data: bytes) -> Size | None:
    """The upright size of a JPEG, PNG, BMP, WebP or TIFF file's first picture.

    None if the header cannot be understood. EXIF orientation is applied.
    """
    try:
        width, height, orientation = _read(data)
    except (struct.error, KeyError, StopIteration, IndexError):
        return None
    if width < 1 or height < 1:
        return None
    return Size(height, width) if orientation in (5, 6, 7, 8) else Size(width, height)


def tiff_pictures(data: bytes) -> int:
    """The number of pictures in a TIFF file; 0 if it is not one."""
    if data[:4] not in (b"II*\0", b"MM\0*") or len(data) < 8:
        return 0
    seen: set[int] = set()
    order = _order(data)
    (offset,) = struct.unpack_from(order + "I", data, 4)
    while offset and offset not in seen and offset + 2 <= len(data):
        seen.add(offset)
        (count,) = struct.unpack_from(order + "H", data, offset)
        after = offset + 2 + 12 * count
        if after + 4 > len(data):
            break
        (offset,) = struct.unpack_from(order + "I", data, after)
    return len(seen)


def _read(data: bytes) -> tuple[int, int, int]:
    if data.startswith(b"\xff\xd8"):
        return _jpeg(data)
    if data.startswith(b"\x89PNG"):
        return (*struct.unpack_from(">II", data, 16), _png_orientation(data))
    if data.startswith(b"BM"):
        width, height = struct.unpack_from("<ii", data, 18)
        return width, abs(height), 1
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return _webp(data)
    if data[:4] in (b"II*\0", b"MM\0*"):
        tags = _tags(data)
        return tags[WIDTH], tags[LENGTH], tags.get(ORIENTATION, 1)
    raise KeyError


def _jpeg(data: bytes) -> tuple[int, int, int]:
    orientation, at = 1, 2
    while True:
        while data[at + 1] == 0xFF:  # fill bytes
            at += 1
        marker = data[at + 1]
        if marker in JPEG_ALONE:
            at += 2
            continue
        (length,) = struct.unpack_from(">H", data, at + 2)
        if marker in JPEG_FRAMES:
            height, width = struct.unpack_from(">HH", data, at + 5)
            return width, height, orientation
        if marker == 0xE1 and data[at + 4 : at + 10] == b"Exif\0\0":
            orientation = _orientation(data[at + 10 : at + 2 + length])
        at += 2 + length


def _png_orientation(data: bytes) -> int:
    for name, content in _chunks(data, 8, ">", 4):
        if name == b"eXIf":
            return _orientation(content)
        if name == b"IEND":
            break
    return 1


def _webp(data: bytes) -> tuple[int, int, int]:
    width = height = 0
    orientation = 1
    for name, content in _chunks(data, 12, "<", 0):
        if name == b"VP8X":
            width = 1 + int.from_bytes(content[4:7], "little")
            height = 1 + int.from_bytes(content[7:10], "little")
        elif name == b"VP8 " and not width:
            width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", content, 6))
        elif name == b"VP8L" and not width:
            (bits,) = struct.unpack_from("<I", content, 1)
            width, height = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
        elif name == b"EXIF":
            orientation = _orientation(content.removeprefix(b"Exif\0\0"))
    return width, height, orientation


def _chunks(data: bytes, at: int, order: str, tail: int) -> Iterator[tuple[bytes, bytes]]:
    """The chunks of PNG (length before name, checksum after) or RIFF (name first, even length)."""
    while at + 8 <= len(data):
        first, second = data[at : at + 4], data[at + 4 : at + 8]
        name, size = (second, first) if order == ">" else (first, second)
        (length,) = struct.unpack(order + "I", size)
        yield name, data[at + 8 : at + 8 + length]
        at += 8 + length + tail + (length % 2 if order == "<" else 0)


def _orientation(exif: bytes) -> int:
    try:
        return _tags(exif).get(ORIENTATION, 1)
    except (struct.error, KeyError):
        return 1


def _order(data: bytes) -> str:
    return {b"II": "<", b"MM": ">"}[data[:2]]


def _tags(data: bytes) -> dict[int, int]:
    """The SHORT and LONG tags of the first directory of TIFF or EXIF data."""
    order = _order(data)
    (offset,) = struct.unpack_from(order + "I", data, 4)
    (count,) = struct.unpack_from(order + "H", data, offset)
    tags = {}
    for at in range(offset + 2, offset + 2 + 12 * count, 12):
        tag, kind = struct.unpack_from(order + "HH", data, at)
        if kind in (3, 4):
            (tags[tag],) = struct.unpack_from(order + ("H" if kind == 3 else "I"), data, at + 8)
    return tags
