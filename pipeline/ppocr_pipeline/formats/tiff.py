"""The header of a TIFF file: its first page (TIFF 6.0, BigTIFF)."""

from __future__ import annotations

import numpy as np

from ppocr_pipeline.formats.exif import ORIENTATION, Directory, read_directory
from ppocr_pipeline.formats.jpeg import is_ended, read_jpeg
from ppocr_pipeline.header import MAX_PARTS, Header

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
            strip = page.data[start : start + size]
            part = read_jpeg(strip)
            if not is_ended(strip):
                raise ValueError("a part of it ends before its end marker")
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
