"""Whether the data of a JPEG file's scans holds all of its pixels.

libjpeg makes gray of what is missing, without an error. So the file is decoded again with more data
behind its own: the picture changes only where something was missing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import cv2
import numpy as np

from ppocr_pipeline.formats.jpeg import END, FRAMES, Segment
from ppocr_pipeline.header import Header

END_MARKER = bytes([0xFF, END])
CMYK = 4  # components of a frame
FEW = 2  # bytes
GRAY = 128  # of a block without data
# Bits that look like any, then all of the marks at which data may start again.
NOISE = hashlib.sha512(b"").digest().replace(b"\xff", b"\x00")
MORE = NOISE + b"".join(bytes([0xFF, mark]) + NOISE for mark in range(0xD0, 0xD8))


def with_end(data: bytes, parts: Sequence[Segment]) -> bytes:
    """A JPEG file of these segments up to its end marker, which is added where it is missing."""
    return data[: parts[-1][1]].rstrip(b"\xff") + END_MARKER


def check_data(data: bytes, parts: Sequence[Segment], header: Header, pixels: np.ndarray) -> None:
    """Raise a ValueError where pixels of a decoded file are made up.

    Decoding again takes time. With an end marker behind a single scan it is only done where the
    last block is as one without data is; such a file may lack a part of its last block.

    Args:
        data: the file, see `read_jpeg`.
        parts: its segments.
        header: of it.
        pixels: uint8 [H, W, 3], as decoded `with_end`.
    """
    found = {marker: data[start:end] for marker, start, end in parts}
    (frame,) = (found[marker] for marker in found.keys() & FRAMES)
    ended = bool(found[END])
    if ended and header.scans == 1 and frame[5] != CMYK and (pixels[-1, -1] != GRAY).any():
        return
    closed = with_end(data, parts)[: -len(END_MARKER)]
    if changes(closed, pixels):
        raise ValueError("it ends before its last row")
    if ended or not closed.endswith(b"\0"):
        return
    # Zeros behind a cut are no data. Those of a whole picture are all needed, or next to none.
    without = closed.rstrip(b"\0") + bytes(FEW)
    if (
        len(without) < len(closed)
        and changes(without, pixels)
        and not changes(closed[:-FEW], pixels)
    ):
        raise ValueError("it ends before its last row, filled up with zeros")


def changes(closed: bytes, pixels: np.ndarray) -> bool:
    """Whether a file without its end marker is another picture with more data behind it."""
    more = np.frombuffer(closed + MORE + END_MARKER, np.uint8)
    again = cv2.imdecode(more, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    return not np.array_equal(again, pixels)
