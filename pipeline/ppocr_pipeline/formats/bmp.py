"""The header of a BMP file."""

from __future__ import annotations

import struct

from ppocr_pipeline.header import Header

MAGIC = b"BM"
CORE = 12  # bytes of the oldest header, which has 16-bit sizes
BITFIELDS, ALPHA_MASK = (3, 6), 66
WITH_ALPHA_MASK = 56  # bytes of the first header that can have one


def read_bmp(data: bytes) -> Header:
    """Size and transparency.

    Raises:
        ValueError: the file ends within its header.
    """
    if len(data) < 54:
        raise ValueError("it ends within its header")
    (length,) = struct.unpack_from("<I", data, 14)
    if length == CORE:
        return Header("BMP", *struct.unpack_from("<HH", data, 18))
    width, height, _, bits, compression = struct.unpack_from("<iiHHI", data, 18)
    masks = length >= WITH_ALPHA_MASK and compression in BITFIELDS and bits == 32
    alpha = masks and any(data[ALPHA_MASK : ALPHA_MASK + 4])
    return Header("BMP", width, abs(height), alpha)  # a negative height: stored from the top
