"""The pixels of a TIFF file's first page, read by Pillow.

OpenCV leaves blank what it cannot read of a page, and turns pages in some orientations by itself.
So Pillow reads them, which refuses broken strips. It gets the page's own tags alone: it would load
every value that any other tag claims to have, and follow every further directory.
"""

from __future__ import annotations

import io
import struct

import cv2
import numpy as np
from PIL import Image

from ppocr_pipeline.formats.exif import Directory, read_directory
from ppocr_pipeline.formats.tiff import NEEDED
from ppocr_pipeline.header import PictureRefused

# The limits are checked before; Pillow's own would be another one.
Image.MAX_IMAGE_PIXELS = None

# Pillow's readers check little of what they read: these are what damage makes them stumble over.
STUMBLES = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
)
# What Pillow calls the samples that are read.
COLOUR = {"1", "L", "P", "RGB", "RGBX", "CMYK", "YCbCr"}
WITH_ALPHA = {"LA", "La", "PA", "RGBA", "RGBa"}
SIXTEEN_BITS = {"I;16", "I;16B", "I;16L", "I;16N"}


def decode_tiff(data: bytes) -> np.ndarray | None:
    """Decode the first page as it is stored, whatever its orientation.

    Returns:
        uint8 [H, W, 3] BGR, or [H, W, 4] BGRA where it has transparency; None for a damaged file.

    Raises:
        PictureRefused: samples of a kind that is not read.
    """
    file = io.BytesIO(first_page(read_directory(data)))
    try:
        with Image.open(file, formats=["TIFF"]) as image:
            return pixels_of(image)
    except PictureRefused:
        raise
    except STUMBLES:
        return None


def pixels_of(image: Image.Image) -> np.ndarray:
    """The pixels of an opened picture, see `decode_tiff`."""
    mode = image.mode
    if mode in SIXTEEN_BITS:
        return cv2.cvtColor((np.asarray(image) >> 8).astype(np.uint8), cv2.COLOR_GRAY2BGR)
    if mode in WITH_ALPHA:
        straight = image.convert("LA") if mode == "La" else image
        return cv2.cvtColor(np.asarray(straight.convert("RGBA")), cv2.COLOR_RGBA2BGRA)
    if mode in COLOUR:
        return cv2.cvtColor(np.asarray(image.convert("RGB")), cv2.COLOR_RGB2BGR)
    raise PictureRefused(
        "format",
        f"IMAGE is a TIFF of samples {mode}; allowed: whole numbers of 1 to 16 bits, as gray, "
        "palette, RGB, CMYK or YCbCr",
    )


def first_page(page: Directory) -> bytes:
    """The file with a directory of the page's own tags at its end, and no other."""
    kept = sorted((tag, entry) for tag, entry in page.entries.items() if tag in NEEDED)
    data = page.data + b"\x00" * (-len(page.data) % 8)
    counter, offset, place = ("Q", "Q", 8) if page.big else ("H", "I", 4)
    head = data[:place] + struct.pack(page.order + offset, len(data))
    count, end = struct.pack(page.order + counter, len(kept)), struct.pack(page.order + offset, 0)
    entries = b"".join(entry for _, entry in kept)
    return head + data[len(head) :] + count + entries + end
