"""The first page of a TIFF file (TIFF 6.0, BigTIFF).

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

from ppocr_pipeline.formats.exif import ORIENTATION, Directory, read_directory
from ppocr_pipeline.formats.jpeg import read_jpeg
from ppocr_pipeline.header import MAX_PARTS, Header, PictureRefused

# The limits are checked before; Pillow's own would be another one.
Image.MAX_IMAGE_PIXELS = None

MAGICS = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")
WIDTH, HEIGHT, ROWS, PLANES, SAMPLES = 256, 257, 278, 284, 277
BITS, COMPRESSION, UNCOMPRESSED, JPEG = 258, 259, 1, 7
TILE_WIDTH, TILE_HEIGHT = 322, 323
STRIPS, TILES = (273, 279), (324, 325)  # offsets and byte counts
EXTRA_SAMPLES, ALPHA = 338, (1, 2)
# PhotometricInterpretation, FillOrder, T4Options, T6Options, Predictor,
# ColorMap, InkSet, SampleFormat, JPEGTables, YCbCrSubSampling, ReferenceBlackWhite.
OTHERS = {262, 266, 292, 293, 317, 320, 332, 339, 347, 530, 532}
NEEDED = OTHERS | {
    BITS,
    COMPRESSION,
    WIDTH,
    HEIGHT,
    ROWS,
    PLANES,
    SAMPLES,
    TILE_WIDTH,
    TILE_HEIGHT,
    EXTRA_SAMPLES,
}
NEEDED |= {*STRIPS, *TILES}
LARGEST_TILE = 4096  # a side, where the page is smaller
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


def read_tiff(data: bytes) -> Header:
    """Size and orientation of the first page.

    Raises:
        ValueError: the file is damaged, or does not hold all of the page.
    """
    page = read_directory(data)
    for tag in NEEDED & page.entries.keys():
        page.value(tag)
    width, height = page.one(WIDTH, 0), page.one(HEIGHT, 0)
    check_parts(page, width, height)
    orientation = page.one(ORIENTATION, 1)
    return Header(
        "TIFF",
        width,
        height,
        alpha=page.one(EXTRA_SAMPLES, 0) in ALPHA,
        orientation=orientation if 1 <= orientation <= 8 else 1,
    )


def check_parts(page: Directory, width: int, height: int) -> None:
    """Raise a ValueError where a strip or a tile of the page is missing or cut."""
    tiled = TILES[0] in page.entries
    part_width = page.one(TILE_WIDTH, 0) if tiled else width
    part_height = page.one(TILE_HEIGHT, 0) if tiled else min(page.one(ROWS, height), height)
    if min(width, height, part_width, part_height) < 1:
        raise ValueError("a size in it is 0")
    if tiled and (part_width > width + LARGEST_TILE or part_height > height + LARGEST_TILE):
        raise ValueError(f"its tiles of {part_width}x{part_height} are larger than the page")
    offsets, sizes = (page.whole(tag) for tag in (TILES if tiled else STRIPS))
    parts = -(-width // part_width) * -(-height // part_height)
    if page.one(PLANES, 1) == 2:
        parts *= page.one(SAMPLES, 1)
    if parts > MAX_PARTS:
        raise ValueError(f"its page has {parts} parts, more than {MAX_PARTS}")
    if len(offsets) != parts or len(sizes) not in (0, len(offsets)):
        raise ValueError(f"it has {len(offsets)} of {parts} parts of the page")
    check_data(page, offsets, sizes, width * height)
    if page.one(COMPRESSION, UNCOMPRESSED) == JPEG:
        for index, (start, size) in enumerate(zip(offsets.tolist(), sizes.tolist(), strict=True)):
            rows = part_height if tiled else min(part_height, height - index * part_height)
            part = read_jpeg(page.data[start : start + size])
            if part.width < part_width or part.height < rows:
                raise ValueError(f"a part of it has {part.width}x{part.height} pixels only")


def check_data(page: Directory, offsets: np.ndarray, sizes: np.ndarray, pixels: int) -> None:
    """Raise a ValueError where a part of the page is cut; `sizes` is empty where none are given."""
    ends = offsets + (sizes if len(sizes) else 1)
    if (ends > len(page.data)).any() or (sizes < 1).any():
        raise ValueError("a part of the page is empty, or lies outside the file")
    uncompressed = page.one(COMPRESSION, UNCOMPRESSED) == UNCOMPRESSED
    if len(sizes) and uncompressed and sizes.sum() * 8 < pixels * bits_of_pixel(page):
        raise ValueError(f"its parts hold {sizes.sum()} bytes, less than {pixels} pixels take")


def bits_of_pixel(page: Directory) -> int:
    """The bits of all samples of a pixel, 1 where nothing is said."""
    bits, samples = page.whole(BITS), page.one(SAMPLES, 1)
    if len(bits) == samples:
        return int(bits.sum())
    return samples * page.one(BITS, 1)


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
