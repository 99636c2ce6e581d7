"""Any file is decoded to upright pixels within the limits, or refused with a reason."""

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from random import Random

import numpy as np
from PIL import Image

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
Parts = list[tuple[bytes, bytes]]


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


def saved(picture: Image.Image, kind: str, **options: object) -> bytes:
    """A picture as a file."""
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def mutate(data: bytes, random: Random) -> bytes:
    """Change bytes anywhere, or the parts of the format, whose checksums and sizes stay right."""
    for magic, (split, join) in FORMS.items():
        if data.startswith(magic) and random.random() < 0.7:
            try:
                parts = split(data)
            except (struct.error, IndexError):
                break
            return join(mutate_list(parts, random, lambda part: _change(part, random)))
    return mutate_bytes(data, random)


def _change(part: tuple[bytes, bytes], random: Random) -> tuple[bytes, bytes]:
    return part[0], mutate_bytes(part[1], random)


def _split_png(data: bytes) -> Parts:
    parts, at = [], 8
    while at < len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        parts.append((kind, data[at + 8 : at + 8 + size]))
        at += 12 + size
    return parts


def _join_png(parts: Parts) -> bytes:
    chunks = (
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def _split_jpeg(data: bytes) -> Parts:
    """The segments up to the first scan, and all that follows as one."""
    parts, at = [], 2
    while data[at + 1] != 0xDA:
        (size,) = struct.unpack_from(">H", data, at + 2)
        parts.append((data[at : at + 2], data[at + 4 : at + 2 + size]))
        at += 2 + max(size, 2)
    return [*parts, (b"", data[at:])]


def _join_jpeg(parts: Parts) -> bytes:
    return b"\xff\xd8" + b"".join(
        marker + struct.pack(">H", min(len(body) + 2, 0xFFFF)) + body if marker else body
        for marker, body in parts
    )


def _split_webp(data: bytes) -> Parts:
    parts, at = [], 12
    while at < len(data):
        kind, size = struct.unpack_from("<4sI", data, at)
        parts.append((kind, data[at + 8 : at + 8 + size]))
        at += 8 + size + size % 2
    return parts


def _join_webp(parts: Parts) -> bytes:
    chunks = (kind + struct.pack("<I", len(b)) + b + b"\0" * (len(b) % 2) for kind, b in parts)
    body = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _split_tiff(data: bytes) -> Parts:
    """The first directory's entries, between what stands before and after them."""
    order = "<" if data.startswith(b"II") else ">"
    (start,) = struct.unpack_from(f"{order}I", data, 4)
    (count,) = struct.unpack_from(f"{order}H", data, start)
    first, end = start + 2, start + 2 + 12 * count
    entries = [(b"", data[at : at + 12]) for at in range(first, end, 12)]
    return [(data[:first], b""), *entries, (data[end:], b"")]


def _split_bmp(data: bytes) -> Parts:
    """The header's fields by four bytes, and the rest."""
    return [(b"", data[at : at + 4]) for at in range(2, 54, 4)] + [(data[54:], b"")]


def _join_bmp(parts: Parts) -> bytes:
    return b"BM" + _join(parts)


def _join(parts: Parts) -> bytes:
    return b"".join(head + body for head, body in parts)


FORMS: dict[bytes, tuple[Callable[[bytes], Parts], Callable[[Parts], bytes]]] = {
    b"\x89PNG": (_split_png, _join_png),
    b"\xff\xd8": (_split_jpeg, _join_jpeg),
    b"RIFF": (_split_webp, _join_webp),
    b"II*\0": (_split_tiff, _join),
    b"MM\0*": (_split_tiff, _join),
    b"BM": (_split_bmp, _join_bmp),
}
