"""The upright size of an encoded picture, from its header alone, and a TIFF file's pages."""

from __future__ import annotations

import struct
from typing import NamedTuple

from ppocr_pipeline.formats import FORMATS, format_of
from ppocr_pipeline.formats.exif import ORDERS


class Size(NamedTuple):
    """Pixels of the upright picture."""

    width: int
    height: int


def picture_size(data: bytes) -> Size | None:
    """The upright size of a JPEG, PNG, BMP, WebP or TIFF file's first picture.

    None if the pipeline could not read the file either. EXIF orientation is applied.
    """
    try:
        header = FORMATS[format_of(data)].read(data)
    except (ValueError, struct.error):
        return None
    width, height = header.width, header.height
    if min(width, height) < 1:
        return None
    return Size(height, width) if header.orientation >= 5 else Size(width, height)


def tiff_pictures(data: bytes) -> int:
    """The number of pictures in a TIFF file; 0 if it is not one."""
    if data[:4] not in (b"II*\0", b"MM\0*") or len(data) < 8:
        return 0
    seen: set[int] = set()
    order = ORDERS[data[:2]]
    (offset,) = struct.unpack_from(order + "I", data, 4)
    while offset and offset not in seen and offset + 2 <= len(data):
        seen.add(offset)
        (count,) = struct.unpack_from(order + "H", data, offset)
        after = offset + 2 + 12 * count
        if after + 4 > len(data):
            break
        (offset,) = struct.unpack_from(order + "I", data, after)
    return len(seen)
