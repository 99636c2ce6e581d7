"""The header of a PNG file, read chunk by chunk to its end (W3C PNG, third edition)."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator

from ppocr_pipeline.formats.exif import orientation_of
from ppocr_pipeline.header import MAX_PARTS, Header

MAGIC = b"\x89PNG\r\n\x1a\n"
ALPHA = 4  # the bit of a colour type
# How EXIF data was kept before there was a chunk for it: as hexadecimal text, maybe compressed.
RAW_EXIF = b"Raw profile type exif\x00"
MAX_TEXT = 1 << 18
SAMPLES = {2: 3, 4: 2, 6: 4}  # of a pixel, by the colour type; 1 for the others
# Compressed bytes whose inflation, a thousandfold at the most, takes less than a few seconds.
UNCHECKED = 1 << 20
STEP = 1 << 20
END = b"IEND"
END_CHUNK = bytes(4) + END + struct.pack(">I", zlib.crc32(END))
ANIMATION = frozenset({b"acTL", b"fcTL", b"fdAT"})


def read_png(data: bytes) -> Header:
    """Size, transparency, orientation, and whether it is animated.

    Raises:
        ValueError: the file is damaged.
    """
    header, orientation, kinds = b"", None, set()
    for kind, start, end in chunks(data):
        kinds.add(kind)
        if kind == b"IHDR" and start == len(MAGIC) + 8:
            header = data[start:end]
        elif kind == b"eXIf":
            orientation = orientation_of(data[start:end])
        elif kind in (b"tEXt", b"zTXt") and data.startswith(RAW_EXIF, start):
            orientation = orientation or orientation_of(raw_exif(kind, data[start:end]))
    if len(header) != 13 or b"IDAT" not in kinds:
        raise ValueError("it has no picture")
    width, height, _, colour = struct.unpack_from(">IIBB", header)
    alpha = bool(colour & ALPHA) or b"tRNS" in kinds
    return Header("PNG", width, height, alpha, orientation or 1, animated=bool(kinds & ANIMATION))


def chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start and end of the content of every chunk, the end chunk's the last.

    In a file that is cut, the last is the one whose content is still whole.
    """
    place = len(MAGIC)
    for _ in range(MAX_PARTS):
        length, kind = int.from_bytes(data[place : place + 4], "big"), data[place + 4 : place + 8]
        start = place + 8
        if start + length + 4 * (kind == END) > len(data) or not kind.isalpha():
            return
        yield kind, start, start + length
        if kind == END:
            return
        place = start + length + 4
    raise ValueError(f"it has more than {MAX_PARTS} chunks")


def check_data(data: bytes) -> bool:
    """Whether a file that `read_png` has taken has its end chunk.

    OpenCV inflates all that there is, also beyond the last row. Of a file without its end chunk,
    the stream of the data must have ended, checksum included: then no pixel is missing.

    Raises:
        ValueError: it holds more data than a picture of its size, or ends before its last row.
    """
    ended = False
    spans = []
    for kind, start, end in chunks(data):
        ended = kind == END
        if kind == b"IDAT":
            spans.append((start, end))
    width, height, depth, colour = struct.unpack_from(">IIBB", data, len(MAGIC) + 8)
    # Twice what is needed: an interlaced picture takes a little more.
    needed = 2 * height * (2 + width * depth * SAMPLES.get(colour, 1) // 8)
    if ended and sum(end - start for start, end in spans) <= UNCHECKED:
        return True
    size, whole = inflated(data, spans, needed)
    if size > needed:
        raise ValueError("it holds more data than a picture of its size")
    if not (ended or whole):
        raise ValueError("it ends before its last row")
    return ended


def inflated(data: bytes, spans: Iterable[tuple[int, int]], most: int) -> tuple[int, bool]:
    """The size of the compressed bytes in parts of a file, and whether their stream ends.

    Nothing is kept, and nothing read on beyond `most` bytes.
    """
    inflater, size = zlib.decompressobj(), 0
    try:
        for start, end in spans:
            rest = data[start:end]
            while rest and not inflater.eof and size <= most:
                size += len(inflater.decompress(rest, STEP))
                rest = inflater.unconsumed_tail
    except zlib.error:
        return 0, False  # the decoder will say so
    return size, inflater.eof


def still(data: bytes) -> bytes:
    """A file without its animation, the picture that is shown where none is played, and ended.

    OpenCV 4.11 reads the frames one by one, and the process ends where one is missing.
    """
    spans = [(a, b) for kind, a, b in chunks(data) if kind not in ANIMATION | {END}]
    kept = [data[a - 8 : b + 4] for a, b in spans]
    last, end = spans[-1]
    if end + 4 > len(data):  # its checksum is cut
        kept[-1] = data[last - 8 : end] + struct.pack(">I", zlib.crc32(data[last - 4 : end]))
    return MAGIC + b"".join(kept) + END_CHUNK


def raw_exif(kind: bytes, content: bytes) -> bytes:
    """The EXIF data in a text chunk, empty where there is none that can be read."""
    text = content.removeprefix(RAW_EXIF)
    try:
        if kind == b"zTXt":
            text = zlib.decompressobj().decompress(text[1:], MAX_TEXT)
        # An empty line, "exif", the length, then the lines of digits.
        digits = b"".join(text.split(b"\n")[3:])
        return bytes.fromhex(digits.decode("ascii")).removeprefix(b"Exif\x00\x00")
    except (ValueError, zlib.error):
        return b""
