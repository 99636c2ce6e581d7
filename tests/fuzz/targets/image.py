"""Any file is decoded to upright pixels within the limits, or refused with a reason."""

import struct
from collections.abc import Iterator
from random import Random

import numpy as np
from PIL import Image
from pipeline.picture_files import png_chunk, saved

from ppocr_pipeline import decode as image
from ppocr_pipeline import header as picture
from ppocr_pipeline import resize
from ppocr_pipeline.detection import det_input
from ppocr_pipeline.limits import Limits
from ppocr_pipeline.options import parse_options

from ..mutate import mutate_bytes, mutate_list

ORIENTATION = 0x0112  # the EXIF tag
LIMITS = Limits(max_image_bytes=1 << 18, max_image_pixels=1 << 20, max_image_side=2048)
OPTIONS = parse_options({"det_limit_side_len": 320})
PNG = b"\x89PNG\r\n\x1a\n"


def one_input(data: bytes) -> None:
    """Decode a file, and bring what it holds to the detector's size."""
    try:
        pixels = image.decode_image(data, LIMITS)
    except picture.PictureRefused as error:
        assert error.reason in picture.REASONS
        assert str(error).startswith("IMAGE ")
        return
    assert pixels.dtype == np.uint8
    assert pixels.ndim == 3
    height, width, channels = pixels.shape
    assert channels == 3
    assert 0 < height * width <= LIMITS.max_image_pixels
    assert max(height, width) <= LIMITS.max_image_side
    sides = det_input(resize.pad_tiny(pixels), OPTIONS, LIMITS)[0].shape
    assert sides[1] % 32 == sides[2] % 32 == 0


def seeds() -> Iterator[bytes]:
    """A small picture in every format, mode and compression that is told apart."""
    shades = np.add.outer(np.arange(14) * 9, np.arange(20) * 6).astype(np.uint8)
    colour = Image.fromarray(np.dstack([shades, shades[::-1], 255 - shades]))
    clear = colour.copy()
    clear.putalpha(Image.fromarray(shades))
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    for mode in ("RGB", "L", "CMYK"):
        yield saved(colour.convert(mode), "JPEG", exif=exif)
    yield saved(colour, "JPEG", progressive=True, comment=b"c")
    yield saved(colour, "MPO", save_all=True, append_images=[colour.convert("L")])
    for mode in ("RGB", "L", "1", "P", "LA", "RGBA", "I;16"):
        yield saved((clear if "A" in mode else colour).convert(mode), "PNG", exif=exif)
    yield saved(clear.quantize(8), "PNG", transparency=b"\0\x80")
    yield saved(colour, "PNG", save_all=True, append_images=[colour.rotate(180)])
    for mode in ("RGB", "L", "1", "P"):
        yield saved(colour.convert(mode), "BMP")
    for options in ({}, {"lossless": True}, {"exif": exif}, {"save_all": True}):
        yield saved(clear, "WEBP", **options)
    for compression in ("raw", "tiff_lzw", "tiff_deflate", "jpeg", "packbits"):
        yield saved(colour, "TIFF", compression=compression, exif=exif)
    for mode in ("1", "L", "F", "I;16", "I;16B", "P"):
        yield saved(colour.convert("L").convert(mode), "TIFF")
    yield saved(clear, "TIFF", big_tiff=True, save_all=True, append_images=[colour])


def mutate(data: bytes, random: Random) -> bytes:
    """Change bytes anywhere, or the chunks of a PNG, whose checksums and sizes stay right."""
    if not data.startswith(PNG) or random.random() < 0.3:
        return mutate_bytes(data, random)
    chunks = mutate_list(
        list(_chunks(data)), random, lambda one: (one[0], mutate_bytes(one[1], random))
    )
    return PNG + b"".join(png_chunk(*chunk) for chunk in chunks)


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(PNG)
    while at + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        yield kind, data[at + 8 : at + 8 + size]
        at += 12 + size
