"""The header of a JPEG file, read marker by marker to its end (ISO/IEC 10918-1, annex B)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from ppocr_pipeline.formats.exif import orientation_of
from ppocr_pipeline.header import MAX_PARTS, Header, PictureRefused

MAGIC = b"\xff\xd8\xff"
MARKER = re.compile(rb"\xff([^\x00\xff])")
# Within a scan, FF 00 is a byte of data and FF D0 to FF D7 only mark places to start again.
MARKER_IN_SCAN = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])")
FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
PROGRESSIVE = frozenset({0xC2, 0xCA})
END, SCAN, APP1 = 0xD9, 0xDA, 0xE1
ALONE = frozenset({0x01, *range(0xD0, 0xD9)})  # markers without a segment
EXIF = b"Exif\x00\x00"
BITS = 8
#: Marker, start and end of the content of a segment.
Segment = tuple[int, int, int]


def read_jpeg(data: bytes) -> Header:
    """Size, orientation and number of scans.

    Raises:
        ValueError: the file is damaged, or ends before its scans do.
        PictureRefused: its samples have another number of bits than 8.
    """
    size, orientation, scans = None, None, []
    for marker, start, end in segments(data):
        body = data[start:end]
        if marker in FRAMES:
            if size is not None:
                raise ValueError("it has two frames")
            size, frame = frame_size(body), (marker, body)
        elif marker == SCAN:
            scans.append(body)
        elif marker == APP1 and orientation is None and body.startswith(EXIF):
            orientation = orientation_of(body[len(EXIF) :])
    if size is None or not scans:
        raise ValueError("it has no picture")
    check_scans(*frame, scans)
    return Header("JPEG", *size, orientation=orientation or 1, scans=len(scans))


def segments(data: bytes) -> Iterator[Segment]:
    """Marker, start and end of the content of every segment; of the end marker itself at last.

    A thumbnail lies within a segment, which is stepped over: its end is not the picture's. Where
    the end marker is missing behind a scan, the last has no content, at the end of the file.
    """
    place, in_scan = 2, False
    for _ in range(MAX_PARTS):
        found = (MARKER_IN_SCAN if in_scan else MARKER).search(data, place)
        if found is None and in_scan:
            yield END, len(data), len(data)
            return
        if found is None:
            raise ValueError("it ends before its end marker")
        marker, place = found[1][0], found.end()
        if marker == END:
            yield END, place - 2, place
            return
        if marker in ALONE:
            continue
        length = int.from_bytes(data[place : place + 2], "big")
        if length < 2 or place + length > len(data):
            raise ValueError("it ends within a segment")
        yield marker, place + 2, place + length
        in_scan = in_scan or marker == SCAN
        place += length
    raise ValueError(f"it has more than {MAX_PARTS} segments")


def is_ended(data: bytes) -> bool:
    """Whether a file that `read_jpeg` has taken has its end marker."""
    *_, (_, start, end) = segments(data)
    return end > start


def check_scans(marker: int, frame: bytes, scans: Sequence[bytes]) -> None:
    """Raise a ValueError where the scans leave out a part of the picture.

    Args:
        marker: of the frame.
        frame: the content of its segment: a progressive one is sent in parts, which are
            coefficients (0 to 63) and their bits.
        scans: the contents of the segments of the scans.
    """
    wanted = set(range(64)) if marker in PROGRESSIVE else {0}
    missing = {component: set(wanted) for component in frame[6 : 6 + 3 * frame[5] : 3]}
    for scan in scans:
        count = scan[0] if scan else 0
        if len(scan) < 4 + 2 * count:
            raise ValueError("the header of a scan is cut")
        first, last, bits = scan[1 + 2 * count : 4 + 2 * count]
        if marker in PROGRESSIVE and bits & 15:
            continue  # more bits of these coefficients follow
        for component in scan[1 : 1 + 2 * count : 2]:
            missing.get(component, set()).difference_update(
                range(first, last + 1) if marker in PROGRESSIVE else wanted
            )
    if any(missing.values()):
        raise ValueError("it ends before its last scan")


def frame_size(frame: bytes) -> tuple[int, int]:
    """Width and height from a start-of-frame segment."""
    if len(frame) < 6:
        raise ValueError("its frame header is cut")
    if frame[0] != BITS:
        raise PictureRefused(
            "format", f"IMAGE is a JPEG of {frame[0]} bits a sample; allowed: {BITS} bits"
        )
    return int.from_bytes(frame[3:5], "big"), int.from_bytes(frame[1:3], "big")
