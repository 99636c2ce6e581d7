"""The header of a JPEG file, read marker by marker to its end (ISO/IEC 10918-1, annex B)."""

from __future__ import annotations

import re

from ppocr_pipeline.formats.exif import orientation_of
from ppocr_pipeline.header import MAX_PARTS, Header, PictureRefused

MAGIC = b"\xff\xd8\xff"
MARKER = re.compile(rb"\xff([^\x00\xff])")
# Within a scan, FF 00 is a byte of data and FF D0 to FF D7 only mark places to start again.
MARKER_IN_SCAN = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])")
FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
END, SCAN, APP1 = 0xD9, 0xDA, 0xE1
ALONE = frozenset({0x01, *range(0xD0, 0xD9)})  # markers without a segment
EXIF = b"Exif\x00\x00"
BITS = 8


def read_jpeg(data: bytes) -> Header:
    """Size, orientation and number of scans.

    A thumbnail lies within a segment, which is stepped over: its end is not the picture's.

    Raises:
        ValueError: the file is damaged, or ends before its end marker.
        PictureRefused: its samples have another number of bits than 8.
    """
    size, orientation, scans, place = None, None, 0, 2
    for _ in range(MAX_PARTS):
        found = (MARKER_IN_SCAN if scans else MARKER).search(data, place)
        if found is None:
            raise ValueError("it ends before its end marker")
        marker, place = found[1][0], found.end()
        if marker == END:
            break
        if marker in ALONE:
            continue
        length = int.from_bytes(data[place : place + 2], "big")
        if length < 2 or place + length > len(data):
            raise ValueError("it ends within a segment")
        if marker in FRAMES:
            if size is not None:
                raise ValueError("it has two frames")
            size = frame_size(data[place + 2 : place + length])
        elif marker == SCAN:
            scans += 1
        elif marker == APP1 and orientation is None and data.startswith(EXIF, place + 2):
            orientation = orientation_of(data[place + 2 + len(EXIF) : place + length])
        place += length
    else:
        raise ValueError(f"it has more than {MAX_PARTS} segments")
    if size is None or not scans:
        raise ValueError("it has no picture")
    return Header("JPEG", *size, orientation=orientation or 1, scans=scans)


def frame_size(frame: bytes) -> tuple[int, int]:
    """Width and height from a start-of-frame segment."""
    if len(frame) < 6:
        raise ValueError("its frame header is cut")
    if frame[0] != BITS:
        raise PictureRefused(
            "format", f"IMAGE is a JPEG of {frame[0]} bits a sample; allowed: {BITS} bits"
        )
    return int.from_bytes(frame[3:5], "big"), int.from_bytes(frame[1:3], "big")
